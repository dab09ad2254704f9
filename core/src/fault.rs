//! What is wrong with a node as it is written: found before the start, placed by the loader.
//!
//! A node knows neither file nor line. It names the field by a path (`keys`, 1) and, inside a string, the bytes meant;
//! the loader finds that place in the text again.

use std::ops::Range;

/// Whether the graph may run all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It may, but the author should know.
    Warning,
    /// It may not.
    Error,
}

/// One step on the way from a node to the value meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field by name.
    Field(String),
    /// An element of a list.
    Index(usize),
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Field(name.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// One thing that is wrong with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A stable name in `snake_case`, such as `unknown_column`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, things in backticks, the value seen and the values allowed.
    pub message: String,
    /// Where: empty means the node as a whole.
    pub path: Vec<Step>,
    /// The bytes meant within the string at `path`.
    pub within: Option<Range<usize>>,
    /// A few words beside the caret.
    pub label: Option<String>,
    /// What to do next.
    pub help: Option<String>,
}

impl Fault {
    /// An error about the whole node.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            path: Vec::new(),
            within: None,
            label: None,
            help: None,
        }
    }

    /// A warning about the whole node.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(code, message) }
    }

    /// Puts the fault one step deeper: the field or element it is about. Call it from the outermost step inwards.
    #[must_use]
    pub fn at(mut self, step: impl Into<Step>) -> Self {
        self.path.push(step.into());
        self
    }

    /// Puts the fault below `step`, outside of what it already names.
    #[must_use]
    pub fn under(mut self, step: impl Into<Step>) -> Self {
        self.path.insert(0, step.into());
        self
    }

    /// Says which bytes of the string at the path are meant.
    #[must_use]
    pub fn within(mut self, bytes: Range<usize>) -> Self {
        self.within = Some(bytes);
        self
    }

    /// A few words for the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with a node.
pub type Faults = Vec<Fault>;

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        vec![fault]
    }
}

/// `a`, `b` and `c`: names as messages list them.
pub fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
