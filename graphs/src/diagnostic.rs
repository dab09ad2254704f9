//! What is wrong with a graph, for people and for programs.

use std::fmt;

use serde_json::{Value, json};
use watershed_core::fault::Severity;

use crate::document::{Position, Source};
use crate::finding::Finding;
use crate::render;
use crate::syntax::Span;

/// One fault of a graph, with its place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// A stable name such as `watershed::graph::unknown_field`.
    pub code: String,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The node it is about.
    pub node: Option<String>,
    /// Where in the file; `None` when the graph was built by a program.
    pub place: Option<Place>,
    /// Where in the graph, such as `aggregates[1]`: for a graph without a file.
    pub path: Option<String>,
    /// A few words beside the caret.
    pub label: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// Other places that explain it, each with a few words.
    pub related: Vec<(Place, String)>,
}

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first character.
    pub start: Position,
    /// The character after the last.
    pub end: Position,
}

impl Place {
    pub(crate) fn new(source: &Source, span: &Span) -> Self {
        Self { start: source.position(span.start), end: source.position(span.end) }
    }

    /// Its bytes in the file.
    pub fn bytes(&self) -> std::ops::Range<usize> {
        self.start.offset..self.end.offset
    }
}

/// How the faults of one sort of file are told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// What every code begins with, such as `watershed::graph`.
    pub codes: &'static str,
    /// What comes of errors, as the closing line ends with it: `nothing was started`.
    pub outcome: &'static str,
    /// The most faults that are shown to people; the rest is counted.
    pub most_shown: usize,
}

impl Telling {
    pub(crate) const GRAPH: Self =
        Self { codes: "watershed::graph", outcome: "nothing was started", most_shown: usize::MAX };
}

/// All that is wrong with a graph, or another file, in the order of its text.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    pub(crate) items: Vec<Diagnostic>,
    pub(crate) origin: String,
    pub(crate) source: Option<Source>,
    pub(crate) telling: Telling,
}

impl Diagnostics {
    /// The faults of a file that is not a graph. `origin` is the name that messages show it under, `text` what it holds.
    ///
    /// ```
    /// use watershed_graphs::{Diagnostics, Finding, Telling, syntax};
    ///
    /// let text = "(limit: 3 depth: 2)";
    /// let (_, faults) = syntax::parse(text, 0..text.len(), None);
    /// let telling = Telling { codes: "my::limits", outcome: "no limit holds", most_shown: 10 };
    /// let findings = faults.into_iter().map(Finding::from).collect();
    /// let diagnostics = Diagnostics::of_text("limits.ron", text, findings, telling);
    /// assert_eq!(diagnostics.iter().next().map(|item| item.code.as_str()), Some("my::limits::syntax"));
    /// assert_eq!(diagnostics.summary(), "1 error in limits.ron; no limit holds");
    /// ```
    pub fn of_text(origin: &str, text: &str, findings: Vec<Finding>, telling: Telling) -> Self {
        let source = Source::new(origin, text);
        let items = findings.into_iter().map(|finding| finding.coded(telling.codes, Some(&source))).collect();
        Self { telling, ..Self::new(origin, Some(source), items) }
    }

    pub(crate) fn new(origin: &str, source: Option<Source>, mut items: Vec<Diagnostic>) -> Self {
        // What has no place of its own comes last; equal places keep the order in which they were found.
        items.sort_by_key(|item| item.place.as_ref().map_or(usize::MAX, |place| place.start.offset));
        Self { items, origin: origin.to_owned(), source, telling: Telling::GRAPH }
    }

    /// The faults, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the graph may not be run.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// The number of errors.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// The number of warnings.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|item| item.severity == severity).count()
    }

    /// The file's name, or the graph's.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// For people: every fault with its line and a caret, and a closing line. Empty when there is nothing to say.
    pub fn render(&self, colour: bool) -> String {
        render::render(self, colour)
    }

    /// The closing line alone: `2 errors in activity.ron; nothing was started`.
    pub fn summary(&self) -> String {
        let counted = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{count} {word}s")),
        };
        let counts: Vec<String> =
            [counted(self.errors(), "error"), counted(self.warnings(), "warning")].into_iter().flatten().collect();
        let outcome = if self.has_errors() { format!("; {}", self.telling.outcome) } else { String::new() };
        match counts.as_slice() {
            [] => format!("no errors in {}", self.origin),
            counts => format!("{} in {}{outcome}", counts.join(" and "), self.origin),
        }
    }

    /// For programs: an array with an object per fault. Lines and columns count from 1, columns in characters; bytes
    /// count from 0; all of them are null for a graph without a file.
    pub fn to_json(&self) -> Value {
        Value::Array(self.items.iter().map(|item| self.item_to_json(item)).collect())
    }

    fn item_to_json(&self, item: &Diagnostic) -> Value {
        let place = item.place.as_ref();
        let related: Vec<Value> = item
            .related
            .iter()
            .map(|(place, label)| {
                json!({
                    "line": place.start.line, "column": place.start.column, "start": place.start.offset,
                    "end_line": place.end.line, "end_column": place.end.column, "end": place.end.offset,
                    "label": label,
                })
            })
            .collect();
        json!({
            "file": self.origin,
            "line": place.map(|place| place.start.line),
            "column": place.map(|place| place.start.column),
            "end_line": place.map(|place| place.end.line),
            "end_column": place.map(|place| place.end.column),
            "start": place.map(|place| place.start.offset),
            "end": place.map(|place| place.end.offset),
            "severity": match item.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "code": item.code,
            "message": item.message,
            "node": item.node,
            "path": item.path,
            "label": item.label,
            "help": item.help,
            "related": related,
        })
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
