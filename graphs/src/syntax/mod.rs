//! RON as a tree that knows where everything stands: the one reading of a file that all later places come from.
//!
//! `ron` itself tells where it stopped, but not where the value was that turned out to be wrong later. This parser keeps
//! the bytes of every key, name and value, goes on after a mistake, and maps the bytes *inside* a string back to the
//! file, through escapes and `${VARIABLES}`. It accepts what `ron` accepts; numbers and characters are read by `ron`.

mod lexer;
mod parser;
mod string;

use std::ops::Range;

pub(crate) use lexer::tokens;
pub use parser::parse;
pub use string::Text;

use crate::adapter::Bytes;

/// Bytes of the file.
pub type Span = Range<usize>;

/// The value of an environment variable, if it is set. Without such a function `${NAME}` is text like any other.
pub type Variables<'a> = Option<&'a dyn Fn(&str) -> Option<String>>;

/// A value and the bytes it stands in.
#[derive(Clone, Debug)]
pub struct Tree {
    /// From its first to its last character.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a value of RON can be.
#[derive(Clone, Debug)]
pub enum Value {
    /// `"text"` or `r"text"`.
    Text(Text),
    /// A number.
    Number,
    /// A character, a byte or a byte string: read by `ron` when it is asked for.
    Other,
    /// A name on its own: `true`, `None`, `Append`.
    Name(String),
    /// `[…]`
    List(Vec<Tree>),
    /// `{key: value, …}`
    Map(Vec<(Tree, Tree)>),
    /// `Name(…)` or `(…)`.
    Struct(Option<Name>, Body),
    /// Something that could not be read and has been reported.
    Broken,
}

/// A name and its bytes.
#[derive(Clone, Debug)]
pub struct Name {
    /// Its bytes.
    pub span: Span,
    /// The name, without `r#`.
    pub text: String,
}

/// What stands in round brackets.
#[derive(Clone, Debug)]
pub enum Body {
    /// `field: value, …`
    Fields(Vec<(Name, Tree)>),
    /// `value, …`; also `()`.
    Values(Vec<Tree>),
}

/// A fault in the writing, before any meaning.
#[derive(Clone, Debug)]
pub struct SyntaxFault {
    /// A stable name.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Beside the caret.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
    /// Another place that explains it.
    pub related: Option<(Span, String)>,
}

impl SyntaxFault {
    fn new(message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        Self { code: "syntax", message: message.into(), span, label: label.into(), help: None, related: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Tree {
    /// A few words for what it is, as messages say it; `file` is what it was read from.
    pub fn describe(&self, file: &str) -> String {
        match &self.value {
            Value::Text(text) => format!("the string {:?}", shortened(&text.value)),
            Value::Number | Value::Other => format!("`{}`", shortened(&file[self.span.clone()])),
            Value::Name(name) => format!("`{name}`"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Struct(Some(name), _) => format!("`{}(…)`", name.text),
            Value::Struct(None, Body::Values(values)) if values.is_empty() => "`()`".to_owned(),
            Value::Struct(None, _) => "`(…)`".to_owned(),
            Value::Broken => "something that cannot be read".to_owned(),
        }
    }

    /// The name it begins with: of an enum's variant or a struct.
    pub fn tag(&self) -> Option<(&str, Span)> {
        match &self.value {
            Value::Name(name) => Some((name, self.span.clone())),
            Value::Struct(Some(name), _) => Some((&name.text, name.span.clone())),
            _ => None,
        }
    }

    /// The value of a named field.
    pub fn field(&self, name: &str) -> Option<&(Name, Tree)> {
        match &self.value {
            Value::Struct(_, Body::Fields(fields)) => fields.iter().find(|(field, _)| field.text == name),
            _ => None,
        }
    }

    /// The bytes of `b"…"`; `file` is what it was read from.
    pub fn bytes(&self, file: &str) -> Option<Vec<u8>> {
        match self.value {
            Value::Other => ron::from_str::<Bytes>(&file[self.span.clone()]).ok().map(|bytes| bytes.0),
            _ => None,
        }
    }

    /// The values directly inside, keys of maps too.
    pub fn children(&self) -> Vec<&Self> {
        match &self.value {
            Value::List(items) | Value::Struct(_, Body::Values(items)) => items.iter().collect(),
            Value::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Value::Struct(_, Body::Fields(fields)) => fields.iter().map(|(_, value)| value).collect(),
            Value::Text(_) | Value::Number | Value::Other | Value::Name(_) | Value::Broken => Vec::new(),
        }
    }

    /// Whether any part of it could not be read.
    pub fn is_broken(&self) -> bool {
        match &self.value {
            Value::Broken => true,
            Value::Text(text) => text.broken,
            _ => self.children().into_iter().any(Self::is_broken),
        }
    }

    /// The bytes that stand for the value as a whole in a message: a name rather than pages of brackets.
    pub fn head(&self) -> Span {
        self.tag().map_or_else(|| self.span.clone(), |(_, span)| span)
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONGEST - 1).collect();
    format!("{start}…")
}
