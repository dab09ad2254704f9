//! A fault on its way from where it was found to the reader: in bytes of the file, or a path within the graph.

use std::collections::BTreeSet;

use watershed_core::fault::{Severity, listed};
use watershed_core::node::Kind;

use crate::diagnostic::{Diagnostic, Place, Telling};
use crate::document::Source;
use crate::nearest::nearest;
use crate::syntax::{Span, SyntaxFault};

/// A fault, before bytes are turned into lines: see [`Diagnostics::of_text`](crate::Diagnostics::of_text).
#[derive(Clone, Debug)]
pub struct Finding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) node: Option<String>,
    pub(crate) span: Option<Span>,
    pub(crate) path: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) related: Vec<(Span, String)>,
}

impl Finding {
    /// What is wrong, in one line. `code` is a stable name such as `unknown_field`.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            node: None,
            span: None,
            path: None,
            label: None,
            help: None,
            related: Vec::new(),
        }
    }

    pub(crate) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(crate) fn node(mut self, name: &str) -> Self {
        self.node = Some(name.to_owned());
        self
    }

    /// Where in the file.
    #[must_use]
    pub fn span(mut self, span: impl Into<Option<Span>>) -> Self {
        self.span = span.into();
        self
    }

    /// A few words beside the caret.
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

    /// Helps with the names there are, and the one that `written` is most like.
    #[must_use]
    pub fn known<'a>(self, what: &str, written: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.help(known_names(what, written, known))
    }

    /// Another place that explains it, if there is one.
    #[must_use]
    pub fn related(mut self, span: Option<Span>, label: impl Into<String>) -> Self {
        self.related.extend(span.map(|span| (span, label.into())));
        self
    }

    /// The same fault in lines and columns of `source`.
    pub(crate) fn placed(self, source: Option<&Source>) -> Diagnostic {
        self.coded(Telling::GRAPH.codes, source)
    }

    /// The same, with a code that begins with `codes`.
    pub(crate) fn coded(self, codes: &str, source: Option<&Source>) -> Diagnostic {
        let place = |span: &Span| source.map(|source| Place::new(source, span));
        Diagnostic {
            code: format!("{codes}::{}", self.code),
            severity: self.severity,
            message: self.message,
            node: self.node,
            place: self.span.as_ref().and_then(place),
            path: self.path,
            label: self.label,
            help: self.help,
            related: self.related.iter().filter_map(|(span, label)| Some((place(span)?, label.clone()))).collect(),
        }
    }
}

impl From<SyntaxFault> for Finding {
    fn from(fault: SyntaxFault) -> Self {
        let mut finding = Self::error(fault.code, fault.message).span(fault.span).label(fault.label);
        finding.help = fault.help;
        finding.related.extend(fault.related);
        finding
    }
}

/// `did you mean …?` where a name is near, then all names there are.
pub(crate) fn known_names<'a>(what: &str, written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut seen = BTreeSet::new();
    let known: Vec<&str> = known.into_iter().filter(|name| seen.insert(*name)).collect();
    match (nearest(written, known.iter().copied()), known.as_slice()) {
        (Some(near), [_]) => format!("did you mean `{near}`?"),
        (Some(near), _) => format!("did you mean `{near}`? {}", there_are(what, &known)),
        (None, _) => there_are(what, &known),
    }
}

fn there_are(what: &str, known: &[&str]) -> String {
    match known {
        [] => format!("there are no {what}s"),
        [one] => format!("the only {what} is `{one}`"),
        _ => format!("{what}s are {}", listed(known)),
    }
}

/// The word for a node of this kind.
pub(crate) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Source => "source",
        Kind::Operator => "operator",
        Kind::Sink => "sink",
    }
}
