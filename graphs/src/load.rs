//! From text to nodes, flow and options. Every part is read on its own, so that one that is wrong hides no other.

use std::ops::Range;
use std::sync::Arc;

use schemars::schema_for;
use serde::Deserialize;
use watershed_core::fault::listed;
use watershed_core::node::{Kind, NodeEntry, OperatorSpec, SinkSpec, SourceSpec, entries};
use watershed_core::plan::RunOptions;

use crate::adapter::{self, FieldNames, ReadFault};
use crate::check::{Checked, SchemaMode, check};
use crate::diagnostic::Diagnostics;
use crate::document::Document;
use crate::explain::explain;
use crate::finding::{Finding, known_names, word};
use crate::graph::{Draft, DraftNode, Graph, NodeText, Spec, Written, WrittenNode};
use crate::nearest::nearest;
use crate::syntax::{Body, Name, Span, Text, Tree, Value};

const FIELDS: [&str; 6] = ["name", "sources", "operators", "sinks", "flow", "run"];
const SECTIONS: [Kind; 3] = [Kind::Source, Kind::Operator, Kind::Sink];

/// What came of reading a file.
#[derive(Debug)]
pub struct Loaded {
    /// The graph, when all of it could be read.
    pub graph: Option<Graph>,
    /// What is wrong with the text and the nodes, each taken alone.
    pub diagnostics: Diagnostics,
    draft: Option<Draft>,
    findings: Vec<Finding>,
}

impl Loaded {
    /// Goes on to check the flow and the types, also of a graph that could only be read in part. The diagnostics hold
    /// all faults, those of loading too, in the order of the text.
    pub fn check(&self, mode: SchemaMode) -> Checked {
        match &self.draft {
            Some(draft) => check(draft, self.findings.clone(), mode),
            None => Checked { plan: None, diagnostics: self.diagnostics.clone() },
        }
    }
}

/// Reads the graph in `text`. `origin` is the name that messages show the file under; `variables` gives the value of a
/// `${VARIABLE}` (see [`environment`]).
///
/// In strings, `${NAME}` and `${NAME:-default}` are replaced; as in a shell, the default also stands for an empty value.
/// `$${NAME}` is the text `${NAME}`, and a `${` without a name, as in `${1}`, is text like any other.
///
/// ```
/// let loaded = watershed_graphs::load("Graph(name: \"x\")", "x.ron", &watershed_graphs::environment);
/// assert!(loaded.graph.is_none());
/// assert_eq!(loaded.diagnostics.summary(), "1 error in x.ron; nothing was started");
/// ```
pub fn load(text: &str, origin: &str, variables: &dyn Fn(&str) -> Option<String>) -> Loaded {
    load_fragment(text, 0..text.len(), origin, variables)
}

/// Reads the `Graph(…)` that stands in the bytes `range` of a larger file; all places are those of the larger file. A
/// range that does not fit the text is empty.
pub fn load_fragment(
    text: &str,
    range: Range<usize>,
    origin: &str,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Loaded {
    let range = if text.get(range.clone()).is_some() { range } else { 0..0 };
    let (document, faults) = Document::read(text, range, origin, Some(variables));
    let mut findings: Vec<Finding> = faults.into_iter().map(Finding::from).collect();
    let draft =
        document.tree.as_ref().and_then(|tree| Loader { document: &document, findings: &mut findings }.graph(tree));
    let items = findings.iter().cloned().map(|finding| finding.placed(Some(&document.source))).collect();
    let diagnostics = Diagnostics::new(origin, Some(document.source.clone()), items);
    let graph = draft.as_ref().filter(|_| !diagnostics.has_errors()).map(Graph::of);
    Loaded { graph, diagnostics, draft, findings }
}

/// The process's environment, for [`load()`].
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

struct Loader<'a> {
    document: &'a Document,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Loader<'a> {
    fn text(&self) -> &'a str {
        &self.document.source.text
    }

    fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn wrong_type(&mut self, tree: &Tree, what: &str, expected: &str) {
        if matches!(tree.value, Value::Broken) {
            return;
        }
        let message = format!("{what} should be {expected}, not {}", tree.describe(self.text()));
        self.report(Finding::error("wrong_type", message).span(tree.head()).label(format!("should be {expected}")));
    }

    fn graph(mut self, tree: &'a Tree) -> Option<Draft> {
        let fields = match &tree.value {
            Value::Struct(name, Body::Fields(fields)) if name.as_ref().is_none_or(|name| name.text == "Graph") => {
                fields
            }
            Value::Struct(Some(name), _) if name.text == "Tests" => {
                let message = "this is a file of tests, not a graph";
                let finding =
                    Finding::error("not_a_graph", message).span(name.span.clone()).label("should be `Graph(…)`");
                self.report(finding.help("run it with `watershed test`"));
                return None;
            }
            Value::Broken => return None,
            _ => {
                let message =
                    format!("a graph is written `Graph(…)` with fields by name, not {}", tree.describe(self.text()));
                let finding = Finding::error("not_a_graph", message).span(tree.head()).label("should be `Graph(…)`");
                self.report(finding.help(format!("its fields are {}", listed(FIELDS))));
                return None;
            }
        };
        self.graph_fields(tree, fields);
        let field = |name: &str| fields.iter().find(|(field, _)| field.text == name).map(|(_, tree)| tree);
        let name = field("name").and_then(|tree| self.string(tree, "field `name`")).unwrap_or_default();
        let mut nodes = Vec::new();
        for kind in SECTIONS {
            if let Some(section) = field(kind.section()) {
                self.section(kind, section, &mut nodes);
            }
        }
        let (flow, flow_is_whole) = field("flow").map_or((Vec::new(), false), |tree| self.flow(tree));
        let run = field("run").and_then(|tree| self.run(tree)).unwrap_or_default();
        let written = Written {
            source: self.document.source.clone(),
            head: tree.head(),
            run: field("run").cloned(),
            fields: fields.iter().map(|(name, _)| (name.text.clone(), name.span.clone())).collect(),
            nodes: nodes
                .iter()
                .filter_map(|node: &DraftNode| {
                    Some(WrittenNode { kind: node.kind, name: node.name.clone(), text: node.text.clone()? })
                })
                .collect(),
            flow: flow.iter().map(|(text, span)| (text.clone(), span.clone())).collect(),
        };
        let flow = flow.into_iter().map(|(text, _)| text.value).collect();
        Some(Draft { name, nodes, flow, flow_is_whole, run, written: Some(Arc::new(written)) })
    }

    fn graph_fields(&mut self, tree: &Tree, fields: &[(Name, Tree)]) {
        let mut guessed = Vec::new();
        for (index, (field, _)) in fields.iter().enumerate() {
            if let Some((first, _)) = fields[..index].iter().find(|(other, _)| other.text == field.text) {
                let message = format!("field `{}` of the graph is given twice", field.text);
                let finding = Finding::error("duplicate_field", message).span(field.span.clone()).label("again");
                self.report(finding.related(Some(first.span.clone()), "first here"));
            } else if !FIELDS.contains(&field.text.as_str()) {
                guessed.extend(nearest(&field.text, FIELDS));
                let message = format!("a graph has no field `{}`", field.text);
                let finding =
                    Finding::error("unknown_field", message).span(field.span.clone()).label("not a field of `Graph`");
                self.report(finding.help(known_names("field", &field.text, FIELDS)));
            }
        }
        let is_written = |name: &str| fields.iter().any(|(field, _)| field.text == name) || guessed.contains(&name);
        let missing: Vec<&str> =
            ["name", "sources", "sinks", "flow"].into_iter().filter(|name| !is_written(name)).collect();
        if !missing.is_empty() && !tree.is_broken() {
            let message =
                format!("the graph lacks the field{} {}", if missing.len() == 1 { "" } else { "s" }, listed(&missing));
            let finding =
                Finding::error("missing_field", message).span(tree.head()).label(format!("needs {}", listed(&missing)));
            self.report(finding);
        }
    }

    fn string(&mut self, tree: &Tree, what: &str) -> Option<String> {
        if let Value::Text(text) = &tree.value {
            return Some(text.value.clone());
        }
        self.wrong_type(tree, what, "a string");
        None
    }

    fn section(&mut self, kind: Kind, tree: &'a Tree, nodes: &mut Vec<DraftNode>) {
        let Value::Map(entries) = &tree.value else {
            return self.wrong_type(tree, &format!("`{}`", kind.section()), "a map `{\"name\": Type(…)}`");
        };
        for (key, tree) in entries {
            let name = match &key.value {
                Value::Text(text) => text.value.clone(),
                Value::Name(name) => {
                    let message = format!("the name of {} stands in quotes", kind.noun());
                    self.report(
                        Finding::error("bad_name", message)
                            .span(key.span.clone())
                            .label(format!("write `\"{name}\"`"))
                            .node(name),
                    );
                    name.clone()
                }
                _ => {
                    self.wrong_type(key, &format!("the name of {}", kind.noun()), "a string");
                    continue;
                }
            };
            let spec = self.node(kind, &name, tree);
            let text = Arc::new(NodeText { key: key.span.clone(), tree: tree.clone() });
            nodes.push(DraftNode { name, kind, spec, text: Some(text) });
        }
    }

    fn node(&mut self, kind: Kind, name: &str, tree: &'a Tree) -> Option<Spec> {
        let subject = format!("{} `{name}`", word(kind));
        if matches!(tree.value, Value::Broken) {
            return None;
        }
        let known = entries();
        let Some((tag, span)) = tree.tag() else {
            let message = format!(
                "{subject} should be a node such as `{}(…)`, not {}",
                example_name(&known, kind),
                tree.describe(self.text())
            );
            self.report(
                Finding::error("wrong_type", message).node(name).span(tree.head()).label("should be `Type(…)`"),
            );
            return None;
        };
        let Some(entry) = known.iter().find(|entry| entry.kind == kind && entry.name == tag) else {
            self.unknown_node(kind, name, tag, span, &known);
            return None;
        };
        if tree.is_broken() {
            return None;
        }
        self.duplicate_keys(name, &subject, tree);
        let read = match kind {
            Kind::Source => read_as::<Box<dyn SourceSpec>>(self.text(), tree, |spec| Spec::Source(spec.into())),
            Kind::Operator => read_as::<Box<dyn OperatorSpec>>(self.text(), tree, |spec| Spec::Operator(spec.into())),
            Kind::Sink => read_as::<Box<dyn SinkSpec>>(self.text(), tree, |spec| Spec::Sink(spec.into())),
        };
        match read {
            Ok((spec, fields)) => self.overlooked_fields(name, &subject, entry, tree, fields).then_some(spec),
            Err(fault) => {
                let schema = (entry.schema)();
                let explained = explain(self.text(), tree, schema.as_value(), &subject, entry.name, &fault.fields);
                let findings = if explained.is_empty() { vec![unexplained(&subject, fault)] } else { explained };
                self.findings.extend(findings.into_iter().map(|finding| finding.node(name)));
                None
            }
        }
    }

    fn unknown_node(&mut self, kind: Kind, name: &str, tag: &str, span: Span, known: &[&'static NodeEntry]) {
        if let Some(other) = known.iter().find(|entry| entry.name == tag) {
            let message = format!("{} `{name}`: `{tag}` is {}, not {}", word(kind), other.kind.noun(), kind.noun());
            let finding = Finding::error("wrong_section", message)
                .node(name)
                .span(span)
                .label(format!("belongs to `{}`", other.kind.section()));
            return self.report(finding.help(format!("move `{name}` to `{}`", other.kind.section())));
        }
        let of_kind = || known.iter().filter(|entry| entry.kind == kind).map(|entry| entry.name);
        let near = nearest(tag, of_kind()).or_else(|| nearest(tag, known.iter().map(|entry| entry.name)));
        let linked = match of_kind().collect::<Vec<_>>().as_slice() {
            [] => format!("no {} is linked into this program", word(kind)),
            [one] => format!("the only linked {} is `{one}`", word(kind)),
            several => format!("linked {} are {}", kind.section(), listed(several)),
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`? {linked}"),
            None => format!(
                "{linked}; nodes of another crate are there when the program names the crate, as in `use my_nodes as _;`"
            ),
        };
        let message = format!("{} `{name}`: there is no node type `{tag}`", word(kind));
        self.report(
            Finding::error("unknown_node_type", message).node(name).span(span).label("not known here").help(help),
        );
    }

    /// Reports fields that the type has not, and has not complained of.
    fn overlooked_fields(
        &mut self,
        name: &str,
        subject: &str,
        entry: &NodeEntry,
        tree: &Tree,
        fields: Option<FieldNames>,
    ) -> bool {
        let (Value::Struct(_, Body::Fields(written)), Some(fields)) = (&tree.value, fields) else { return true };
        let unknown: Vec<&Name> =
            written.iter().map(|(field, _)| field).filter(|field| !fields.contains(&field.text.as_str())).collect();
        for field in &unknown {
            let message = format!("{subject} has no field `{}`", field.text);
            let finding = Finding::error("unknown_field", message).node(name).span(field.span.clone());
            self.report(finding.label(format!("not a field of `{}`", entry.name)).help(known_names(
                "field",
                &field.text,
                fields.iter().copied(),
            )));
        }
        unknown.is_empty()
    }

    /// Reports keys that a map holds twice: serde would take the last in silence.
    fn duplicate_keys(&mut self, name: &str, subject: &str, tree: &Tree) {
        let written = |tree: &Tree| match &tree.value {
            Value::Text(text) => text.value.clone(),
            _ => self.document.source.text[tree.span.clone()].to_owned(),
        };
        if let Value::Map(entries) = &tree.value {
            for (index, (key, _)) in entries.iter().enumerate() {
                if let Some((first, _)) = entries[..index].iter().find(|(other, _)| written(other) == written(key)) {
                    let message = format!("{subject}: key `{}` is given twice", written(key));
                    let finding = Finding::error("duplicate_field", message).node(name).span(key.span.clone());
                    self.findings.push(finding.label("again").related(Some(first.span.clone()), "first here"));
                }
            }
        }
        for child in tree.children() {
            self.duplicate_keys(name, subject, child);
        }
    }

    /// The lines of the flow, and whether all of them could be read.
    fn flow(&mut self, tree: &Tree) -> (Vec<(Text, Span)>, bool) {
        let Value::List(items) = &tree.value else {
            self.wrong_type(tree, "`flow`", "a list of chains such as `\"in -> counts -> out\"`");
            return (Vec::new(), false);
        };
        let mut lines = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) if !text.broken => lines.push((text.clone(), item.span.clone())),
                Value::Text(_) => {}
                _ => self.wrong_type(item, "a line of `flow`", "a string such as `\"in -> counts -> out\"`"),
            }
        }
        let whole = lines.len() == items.len();
        (lines, whole)
    }

    fn run(&mut self, tree: &Tree) -> Option<RunOptions> {
        if tree.is_broken() {
            return None;
        }
        match adapter::read(self.text(), tree) {
            Ok(run) => Some(run),
            Err(fault) => {
                let explained =
                    explain(self.text(), tree, schema_for!(RunOptions).as_value(), "`run`", "run", &fault.fields);
                if explained.is_empty() {
                    self.report(unexplained("`run`", fault));
                }
                self.findings.extend(explained);
                None
            }
        }
    }
}

fn read_as<'de, T: Deserialize<'de>>(
    text: &'de str,
    tree: &'de Tree,
    wrap: impl FnOnce(T) -> Spec,
) -> Result<(Spec, Option<FieldNames>), ReadFault> {
    let (spec, fields) = adapter::read_node::<T>(text, tree)?;
    Ok((wrap(spec), fields))
}

/// What serde said, when the schema does not tell more.
fn unexplained(subject: &str, fault: ReadFault) -> Finding {
    let code = match fault.message.as_str() {
        message if message.starts_with("unknown field") => "unknown_field",
        message if message.starts_with("unknown variant") => "unknown_value",
        message if message.starts_with("missing field") => "missing_field",
        message if message.starts_with("bad duration") => "bad_duration",
        message if message.starts_with("expected") || message.starts_with("invalid type") => "wrong_type",
        _ => "bad_value",
    };
    let (message, help) =
        fault.message.split_once("; ").map_or((fault.message.as_str(), None), |(message, help)| (message, Some(help)));
    let mut finding = Finding::error(code, format!("{subject}: {message}")).span(fault.span);
    finding.help = help.map(str::to_owned);
    finding
}

fn example_name(known: &[&'static NodeEntry], kind: Kind) -> &'static str {
    known.iter().find(|entry| entry.kind == kind).map_or("Type", |entry| entry.name)
}
