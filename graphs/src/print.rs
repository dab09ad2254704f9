//! A graph as RON: one canonical form that loads to the same graph.
//!
//! serde writes a node the way typetag wants it, `{"Window": (…)}`. That text is read into a tree again and the tree is
//! laid out: the one entry becomes `Window(…)`, fields that have their default are left out, and what fits on a line
//! stands on one.

use serde::Serialize;
use serde_json::Value as Json;
use watershed_core::node::NodeEntry;
use watershed_core::plan::RunOptions;

use crate::graph::Graph;
use crate::syntax::{self, Body, Name, Tree, Value};

const WIDTH: usize = 110;
const INDENT: usize = 4;

/// The whole graph.
pub(crate) fn graph(graph: &Graph) -> String {
    let mut lines = vec!["Graph(".to_owned(), format!("    name: {},", quoted(&graph.name))];
    section(&mut lines, "sources", graph.sources.iter().map(|(name, spec)| (name, node(&**spec, spec.entry()))));
    section(&mut lines, "operators", graph.operators.iter().map(|(name, spec)| (name, node(&**spec, spec.entry()))));
    section(&mut lines, "sinks", graph.sinks.iter().map(|(name, spec)| (name, node(&**spec, spec.entry()))));
    lines.push("    flow: [".to_owned());
    lines.extend(graph.flow.iter().map(|line| format!("        {},", quoted(line))));
    lines.push("    ],".to_owned());
    if graph.run != RunOptions::default() {
        lines.push(format!("    run: {},", run(&graph.run)));
    }
    lines.push(")\n".to_owned());
    lines.join("\n")
}

fn section<'a>(lines: &mut Vec<String>, name: &str, nodes: impl Iterator<Item = (&'a String, Shown)>) {
    let mut nodes = nodes.peekable();
    if nodes.peek().is_none() && name == "operators" {
        return;
    }
    lines.push(format!("    {name}: {{"));
    lines.extend(nodes.map(|(name, node)| {
        let start = format!("{}: ", quoted(name));
        let text = node.layout(2 * INDENT, start.chars().count());
        format!("        {start}{text},")
    }));
    lines.push("    },".to_owned());
}

fn run(options: &RunOptions) -> String {
    let json = serde_json::to_value(options).unwrap_or_default();
    let mut shown = Shown::of(options, None);
    let default = serde_json::to_value(RunOptions::default()).unwrap_or_default();
    shown.keep_fields(|name| json.get(name) != default.get(name));
    shown.layout(INDENT, "run: ".len())
}

fn node<N: Serialize + ?Sized>(node: &N, entry: &NodeEntry) -> Shown {
    let mut shown = Shown::of(node, Some(entry.name));
    let json = serde_json::to_value(node).unwrap_or_default();
    let schema = (entry.schema)();
    let required: Vec<&str> =
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    shown.keep_fields(|name| {
        let Some(value) = json.get(entry.name).and_then(|fields| fields.get(name)) else { return true };
        match schema.get("properties").and_then(|fields| fields.get(name)?.get("default")) {
            Some(default) => default != value,
            None => !value.is_null() || required.contains(&name),
        }
    });
    shown
}

/// A value as RON, before it is laid out.
struct Shown {
    text: String,
    tree: Option<Tree>,
}

impl Shown {
    /// `tag`: the name that typetag wrote as the key of a map.
    fn of<T: Serialize + ?Sized>(value: &T, tag: Option<&str>) -> Self {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let text = options.to_string(value).unwrap_or_default();
        let (tree, _) = syntax::parse(&text, 0..text.len(), None);
        let tree = match (tree, tag) {
            (Some(Tree { value: Value::Map(mut entries), .. }), Some(tag)) if entries.len() == 1 => {
                entries.pop().map(|(_, value)| tagged(value, tag))
            }
            (tree, _) => tree,
        };
        Self { text, tree }
    }

    fn keep_fields(&mut self, keep: impl Fn(&str) -> bool) {
        if let Some(Tree { value: Value::Struct(_, Body::Fields(fields)), .. }) = &mut self.tree {
            fields.retain(|(name, _)| keep(&name.text));
        }
    }

    /// The text, given the indentation of its line and how much of the line is used up.
    fn layout(&self, indent: usize, used: usize) -> String {
        self.tree.as_ref().map_or_else(String::new, |tree| Layout { text: &self.text }.tree(tree, indent, used))
    }
}

/// `(…)` as `Tag(…)`; any other value as `Tag(value)`.
fn tagged(tree: Tree, tag: &str) -> Tree {
    let span = tree.span.clone();
    let name = Some(Name { span: span.clone(), text: tag.to_owned() });
    let body = match tree.value {
        Value::Struct(None, body) => body,
        _ => Body::Values(vec![tree]),
    };
    Tree { span, value: Value::Struct(name, body) }
}

struct Layout<'a> {
    text: &'a str,
}

impl Layout<'_> {
    fn tree(&self, tree: &Tree, indent: usize, used: usize) -> String {
        let line = self.line(tree);
        if indent + used + line.chars().count() < WIDTH {
            return line;
        }
        let inner = indent + INDENT;
        match &tree.value {
            Value::List(items) => broken("[", "]", indent, items.iter().map(|item| self.tree(item, inner, 0))),
            Value::Map(entries) => {
                broken("{", "}", indent, entries.iter().map(|(key, value)| self.pair(&self.line(key), value, inner)))
            }
            Value::Struct(name, body) => {
                let name = name.as_ref().map_or("", |name| &name.text);
                match body {
                    Body::Values(values) if values.len() == 1 => {
                        format!("{name}({})", self.tree(&values[0], indent, used + name.len() + 1))
                    }
                    Body::Values(values) => {
                        broken(&format!("{name}("), ")", indent, values.iter().map(|value| self.tree(value, inner, 0)))
                    }
                    Body::Fields(fields) => broken(
                        &format!("{name}("),
                        ")",
                        indent,
                        fields.iter().map(|(field, value)| self.pair(&identifier(&field.text), value, inner)),
                    ),
                }
            }
            _ => line,
        }
    }

    fn pair(&self, key: &str, value: &Tree, indent: usize) -> String {
        format!("{key}: {}", self.tree(value, indent, key.chars().count() + 2))
    }

    /// All on one line.
    fn line(&self, tree: &Tree) -> String {
        let values = |values: &[Tree]| values.iter().map(|value| self.line(value)).collect::<Vec<_>>().join(", ");
        match &tree.value {
            Value::Text(text) => quoted(&text.value),
            Value::Number | Value::Other | Value::Broken => self.text[tree.span.clone()].to_owned(),
            Value::Name(name) => identifier(name),
            Value::List(items) => format!("[{}]", values(items)),
            Value::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{}: {}", self.line(key), self.line(value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Struct(name, body) => {
                let name = name.as_ref().map_or(String::new(), |name| identifier(&name.text));
                match body {
                    Body::Values(items) => format!("{name}({})", values(items)),
                    Body::Fields(fields) => {
                        let fields: Vec<String> = fields
                            .iter()
                            .map(|(field, value)| format!("{}: {}", identifier(&field.text), self.line(value)))
                            .collect();
                        format!("{name}({})", fields.join(", "))
                    }
                }
            }
        }
    }
}

fn broken(open: &str, close: &str, indent: usize, items: impl Iterator<Item = String>) -> String {
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + INDENT));
    let items: Vec<String> = items.map(|item| format!("{inner}{item},\n")).collect();
    format!("{open}\n{}{outer}{close}", items.concat())
}

/// A name as RON takes it: one that is no plain word is marked by `r#`.
fn identifier(name: &str) -> String {
    let mut characters = name.chars();
    let plain = characters.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && characters.all(|c| c == '_' || c.is_alphanumeric());
    if plain { name.to_owned() } else { format!("r#{name}") }
}

/// A string in quotes. `${` before a name would be a variable, so it becomes `$${`.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' if rest[1..].starts_with('{')
                && rest[2..].starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) =>
            {
                out.push_str("$$");
            }
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push('"');
    out
}
