//! Reads the parts of a test file, and keeps what is wrong with them: a misspelt field, a column that is not there, a bad
//! value.

use crate::graphs::syntax::{Body, Span, Tree, Value};
use crate::graphs::{Diagnostics, Finding, Telling};

/// A column of the wrong type is wrong in every row.
const TELLING: Telling = Telling { codes: "watershed::test", outcome: "none of its cases was run", most_shown: 20 };

/// The text of a test file, and its faults so far.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) faults: Vec<Finding>,
}

/// A field or key, and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) span: &'a Span,
    pub(super) value: &'a Tree,
}

/// The fields of a struct, known ones, each once.
pub(super) struct Fields<'a> {
    entries: Vec<Entry<'a>>,
    tree: &'a Tree,
    what: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn entry(&self, name: &str) -> Option<Entry<'a>> {
        self.entries.iter().find(|entry| entry.name == name).copied()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Tree> {
        self.entry(name).map(|entry| entry.value)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, faults: Vec::new() }
    }

    /// The faults for people and programs, if there are any.
    pub(super) fn diagnostics(self, origin: &str) -> Option<Diagnostics> {
        let Self { text, faults } = self;
        (!faults.is_empty()).then(|| Diagnostics::of_text(origin, text, faults, TELLING))
    }

    pub(super) fn fault(&mut self, code: &'static str, message: impl Into<String>, at: &Span, label: &str) {
        self.faults.push(Finding::error(code, message).span(at.clone()).label(label));
    }

    /// `what` should be something else; of what could not even be read, that has been said.
    pub(super) fn wrong(&mut self, tree: &Tree, what: &str, expected: &str) {
        if !matches!(tree.value, Value::Broken) {
            let message = format!("{what} should be {expected}, not {}", tree.describe(self.text));
            self.fault("wrong_type", message, &tree.head(), &format!("should be {expected}"));
        }
    }

    pub(super) fn string(&mut self, tree: &'a Tree, what: &str, expected: &str) -> Option<&'a str> {
        if let Value::Text(text) = &tree.value {
            return (!text.broken).then_some(&text.value);
        }
        self.wrong(tree, what, expected);
        None
    }

    pub(super) fn flag(&mut self, fields: &Fields<'a>, name: &str) -> bool {
        let Some(tree) = fields.get(name) else { return false };
        match &tree.value {
            Value::Name(value) if value == "true" => return true,
            Value::Name(value) if value == "false" => {}
            _ => self.wrong(tree, &format!("`{name}`"), "`true` or `false`"),
        }
        false
    }

    pub(super) fn list(&mut self, tree: &'a Tree, what: &str, of: &str) -> &'a [Tree] {
        if let Value::List(items) = &tree.value {
            return items;
        }
        self.wrong(tree, what, &format!("a list of {of}"));
        &[]
    }

    /// The entries of a map whose keys are strings, without keys that come twice.
    pub(super) fn map(&mut self, tree: &'a Tree, what: &str, of: &str) -> Option<Vec<Entry<'a>>> {
        let Value::Map(written) = &tree.value else {
            self.wrong(tree, what, &format!("a map {of}"));
            return None;
        };
        let mut entries = Vec::with_capacity(written.len());
        for (key, value) in written {
            if let Some(name) = self.string(key, "a key", "a string") {
                self.push(&mut entries, Entry { name, span: &key.span, value }, "key");
            }
        }
        Some(entries)
    }

    /// The fields of `(…)`, or of `Name(…)`; those not among `known` and those that come twice are faults.
    pub(super) fn fields(&mut self, tree: &'a Tree, what: &'static str, known: &[&str]) -> Option<Fields<'a>> {
        let written = match &tree.value {
            Value::Struct(_, Body::Fields(fields)) => fields.as_slice(),
            Value::Struct(_, Body::Values(values)) if values.is_empty() => &[],
            _ => {
                self.wrong(tree, what, "`(…)` with fields by name");
                return None;
            }
        };
        let mut entries = Vec::with_capacity(written.len());
        for (name, value) in written {
            if known.contains(&name.text.as_str()) {
                self.push(&mut entries, Entry { name: &name.text, span: &name.span, value }, "field");
            } else {
                let fault = Finding::error("unknown_field", format!("{what} has no field `{}`", name.text));
                let fault = fault.known("field", &name.text, known.iter().copied());
                self.faults.push(fault.span(name.span.clone()));
            }
        }
        Some(Fields { entries, tree, what })
    }

    /// The value of a field that must be there.
    pub(super) fn required(&mut self, fields: &Fields<'a>, name: &str) -> Option<&'a Tree> {
        let value = fields.get(name);
        if value.is_none() {
            let message = format!("{} lacks the field `{name}`", fields.what);
            self.fault("missing_field", message, &fields.tree.head(), &format!("needs `{name}`"));
        }
        value
    }

    fn push(&mut self, entries: &mut Vec<Entry<'a>>, entry: Entry<'a>, what: &str) {
        if let Some(first) = entries.iter().find(|other| other.name == entry.name) {
            let fault = Finding::error("duplicate_field", format!("{what} `{}` is given twice", entry.name));
            let fault = fault.span(entry.span.clone()).label("again");
            self.faults.push(fault.related(Some(first.span.clone()), "first here"));
        } else {
            entries.push(entry);
        }
    }

    /// The text that each fault points at, and its message.
    #[cfg(test)]
    pub(super) fn shown(self) -> Vec<String> {
        let text = self.text;
        let diagnostics = self.diagnostics("t");
        let items = diagnostics.iter().flat_map(Diagnostics::iter);
        let at = |place: &crate::graphs::Place| text[place.bytes()].to_owned();
        items.map(|item| format!("`{}`: {}", item.place.as_ref().map(at).unwrap_or_default(), item.message)).collect()
    }
}
