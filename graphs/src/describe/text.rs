//! A description for people: what a node is, its fields one below the other, ports, an example to copy.

use std::fmt::Write;

use watershed_core::node::PortName;

use super::{Description, FieldDescription};

/// The step of indentation.
const STEP: usize = 2;
/// Docs are never squeezed into less than this.
const LEAST_WIDTH: usize = 40;

impl Description {
    /// The description as text, no wider than `width` characters where that can be, with ANSI colours if asked.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let mut page = Page { text: String::new(), colour, width };
        let article = if self.kind == "operator" { "an" } else { "a" };
        page.line(0, &format!("{}, {article} {} of {}", page.bold(self.name), self.kind, self.package));
        for paragraph in std::iter::once(&self.summary).chain(&self.docs).filter(|paragraph| !paragraph.is_empty()) {
            page.blank();
            page.paragraph(0, paragraph);
        }
        page.heading("Fields");
        if self.fields.is_empty() {
            page.line(STEP, &format!("none: it is written {}()", self.name));
        }
        page.fields(STEP, &self.fields);
        page.ports(self);
        for note in &self.notes {
            page.paragraph(STEP, note);
        }
        page.heading("Example");
        for line in format!("\"name\": {},", self.example.trim()).lines() {
            page.line(STEP, line);
        }
        page.text
    }
}

struct Page {
    text: String,
    colour: bool,
    width: usize,
}

impl Page {
    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn faint(&self, text: &str) -> String {
        if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn name(&self, text: &str) -> String {
        if self.colour { format!("\x1b[36m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, indent: usize, text: &str) {
        writeln!(self.text, "{:indent$}{text}", "").expect("writing to a string cannot fail");
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        let heading = self.bold(text);
        self.line(0, &heading);
    }

    /// Words broken into lines.
    fn paragraph(&mut self, indent: usize, text: &str) {
        let width = self.width.saturating_sub(indent).max(LEAST_WIDTH);
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(indent, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.line(indent, &line);
        }
    }

    fn fields(&mut self, indent: usize, fields: &[FieldDescription]) {
        for field in fields {
            let presence = match (&field.default, field.required) {
                (Some(default), _) => format!("default {default}"),
                (None, true) => "required".to_owned(),
                (None, false) => "optional".to_owned(),
            };
            // A value without a name is always given.
            let (name, presence) = match &field.name {
                Some(name) => (format!("{}: ", self.name(name)), self.faint(&format!("  ({presence})"))),
                None => (String::new(), String::new()),
            };
            self.line(indent, &format!("{name}{}{presence}", field.type_words));
            for paragraph in &field.docs {
                self.paragraph(indent + 2 * STEP, paragraph);
            }
            for variant in &field.variants {
                let name = self.name(&variant.name);
                let lone = variant.fields.iter().all(|field| field.name.is_none());
                let content: Vec<&str> = variant.fields.iter().map(|field| field.type_words.as_str()).collect();
                let brackets = match (content.is_empty(), lone) {
                    (true, _) => String::new(),
                    (false, true) => format!("({})", content.join(", ")),
                    (false, false) => "(…)".to_owned(),
                };
                self.line(indent + 2 * STEP, &format!("{name}{brackets}"));
                for paragraph in &variant.docs {
                    self.paragraph(indent + 4 * STEP, paragraph);
                }
                if !lone {
                    self.fields(indent + 4 * STEP, &variant.fields);
                }
            }
            self.fields(indent + 2 * STEP, &field.fields);
        }
    }

    fn ports(&mut self, description: &Description) {
        if description.inputs.is_empty() && description.outputs.is_empty() {
            return;
        }
        self.heading("Ports");
        let mut side = |label: &str, ports: &[PortName], note: &str| {
            if !ports.is_empty() {
                let is_optional = |port: &PortName| description.optional_inputs.contains(port);
                let name = |port: &PortName| {
                    let words = if is_optional(port) { self.faint(" (may stay unfed)") } else { String::new() };
                    format!("{}{words}", self.name(port))
                };
                let names: Vec<String> = ports.iter().map(name).collect();
                self.line(STEP, &format!("{label}{}{note}", names.join(", ")));
            }
        };
        side("inputs:  ", &description.inputs, if description.many_edges { " (takes several edges)" } else { "" });
        side("outputs: ", &description.outputs, "");
    }
}
