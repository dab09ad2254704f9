//! The lines of `flow`, `"a -> b.port -> c"`, as edges between nodes and ports.
//!
//! A port in the middle of a chain belongs to the edge that it fits: `a -> join.left -> b` enters by `left` and leaves by
//! the default port, `a -> counts.late -> b` enters by the default port and leaves by `late`.

use std::borrow::Cow;

use watershed_core::node::{Kind, PortName, Ports};

use crate::check::Place;
use crate::finding::{Finding, known_names, word};
use crate::graph::{Draft, Spec};
use crate::nearest::nearest;
use crate::syntax::Span;

/// An edge whose both ends are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The node it leaves, by its place in the draft.
    pub(crate) from: usize,
    /// The output port; `None` when the node could not be read and so its ports are not known.
    pub(crate) from_port: Option<usize>,
    /// The node it enters.
    pub(crate) to: usize,
    /// The input port.
    pub(crate) to_port: Option<usize>,
    /// Where it is written.
    pub(crate) place: LinePlace,
}

/// Bytes of a line of the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinePlace {
    pub(crate) line: usize,
    pub(crate) bytes: Span,
}

/// The edges of a draft.
#[derive(Debug)]
pub(crate) struct Flow {
    /// In the order of the text.
    pub(crate) edges: Vec<Edge>,
    /// Nodes that are named on a faulty edge, or are likely meant there: nobody knows what is missing of them.
    pub(crate) doubtful: Vec<bool>,
}

/// One `node.port` of a chain.
#[derive(Debug)]
struct Part<'a> {
    text: &'a str,
    bytes: Span,
}

/// What a part turned out to be.
#[derive(Clone, Debug)]
struct End<'a> {
    node: usize,
    port: Option<&'a str>,
    bytes: Span,
    port_bytes: Span,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Reads all lines of the flow.
pub(crate) fn resolve(draft: &Draft, findings: &mut Vec<Finding>) -> Flow {
    let mut resolver =
        Resolver { draft, findings, flow: Flow { edges: Vec::new(), doubtful: vec![false; draft.nodes.len()] } };
    for (line, text) in draft.flow.iter().enumerate() {
        resolver.line(line, text);
    }
    resolver.flow
}

/// A node's ports; `None` when it could not be read.
pub(crate) fn ports(draft: &Draft, node: usize) -> Option<Ports> {
    match (draft.nodes[node].kind, &draft.nodes[node].spec) {
        (Kind::Source, _) => Some(Ports { inputs: Cow::default(), ..Ports::PLAIN }),
        (Kind::Sink, _) => Some(Ports { outputs: Cow::default(), ..Ports::PLAIN }),
        (Kind::Operator, Some(Spec::Operator(spec))) => Some(spec.ports()),
        (Kind::Operator, _) => None,
    }
}

/// The names of its ports on one side.
fn names(draft: &Draft, node: usize, side: Side) -> Option<Cow<'static, [PortName]>> {
    let ports = ports(draft, node)?;
    Some(if side == Side::Input { ports.inputs } else { ports.outputs })
}

/// Cuts a line at its arrows.
fn parts(line: &str) -> Vec<Part<'_>> {
    let mut start = 0;
    line.split("->")
        .map(|text| {
            let trimmed = text.trim();
            let from = start + (text.len() - text.trim_start().len());
            start += text.len() + "->".len();
            Part { text: trimmed, bytes: from..from + trimmed.len() }
        })
        .collect()
}

struct Resolver<'a> {
    draft: &'a Draft,
    findings: &'a mut Vec<Finding>,
    flow: Flow,
}

impl<'a> Resolver<'a> {
    fn report(&mut self, line: usize, bytes: Span, finding: Finding) {
        self.findings.push(finding.placed_at(self.draft, &Place::Flow(LinePlace { line, bytes })));
    }

    fn line(&mut self, line: usize, text: &'a str) {
        const FORM: &str = "a chain is written `in -> counts -> out`, a port `counts.late`";
        let parts = parts(text);
        if let [part] = parts.as_slice() {
            let message = format!("`{}` is not a chain of nodes", part.text);
            self.report(line, part.bytes.clone(), Finding::error("bad_flow", message).label("no `->` here").help(FORM));
            for node in 0..self.draft.nodes.len() {
                // Another arrow than `->`: the nodes are named all the same.
                let name = &self.draft.nodes[node].name;
                self.flow.doubtful[node] |= part.text.split(|c: char| !is_name_part(c)).any(|word| word == name);
            }
            return;
        }
        let ends: Vec<Option<End<'a>>> = parts.iter().map(|part| self.end(line, part, FORM)).collect();
        for pair in ends.windows(2) {
            match pair {
                [Some(from), Some(to)] => self.edge(line, from, to),
                [known, other] => {
                    for end in known.iter().chain(other) {
                        self.flow.doubtful[end.node] = true;
                    }
                }
                _ => {}
            }
        }
        self.check_ports(line, &ends);
    }

    /// Looks up the node of a part.
    fn end(&mut self, line: usize, part: &Part<'a>, form: &str) -> Option<End<'a>> {
        let draft = self.draft;
        if part.text.is_empty() {
            let finding = Finding::error("bad_flow", "a node's name is missing beside `->`").label("nothing here");
            self.report(line, part.bytes.clone(), finding.help(form));
            return None;
        }
        let find = |name: &str| draft.nodes.iter().position(|node| node.name == name);
        let (name, port) = match part.text.split_once('.') {
            Some((name, port)) if find(part.text).is_none() => (name, Some(port)),
            _ => (part.text, None),
        };
        let name_bytes = part.bytes.start..part.bytes.start + name.len();
        if let Some(node) = find(name) {
            let port_bytes = if port.is_some() { name_bytes.end + 1..part.bytes.end } else { part.bytes.clone() };
            return Some(End { node, port, bytes: part.bytes.clone(), port_bytes });
        }
        let names = || draft.nodes.iter().map(|node| node.name.as_str());
        if let Some(node) = nearest(name, names()).and_then(find) {
            self.flow.doubtful[node] = true;
        }
        let finding = if name.chars().all(is_name_part) {
            let message = format!("`flow` names `{name}`, which is not a node of this graph");
            Finding::error("unknown_node", message).label("no such node").help(known_names("node", name, names()))
        } else {
            Finding::error("bad_flow", format!("`{name}` is not a node's name")).label("not a name").help(form)
        };
        self.report(line, name_bytes, finding);
        None
    }

    fn edge(&mut self, line: usize, from: &End<'a>, to: &End<'a>) {
        let (source, target) = (&self.draft.nodes[from.node], &self.draft.nodes[to.node]);
        let wrong_side = |verb: &str, kind: Kind, name: &str| {
            let message = format!("{} `{name}` {verb}", word(kind));
            Finding::error("bad_flow", message).node(name)
        };
        let mut wrong = false;
        if source.kind == Kind::Sink {
            wrong = true;
            let finding = wrong_side("has no output", source.kind, &source.name).label("a sink ends a chain");
            self.report(line, from.bytes.clone(), finding);
        }
        if target.kind == Kind::Source {
            wrong = true;
            let finding = wrong_side("has no input", target.kind, &target.name).label("a source starts a chain");
            self.report(line, to.bytes.clone(), finding);
        }
        // A port in the middle of a chain may be meant for either edge: it is the one that has such a name.
        let from_port = self.port(from, Side::Output);
        let to_port = self.port(to, Side::Input);
        if wrong || from_port.is_err() || to_port.is_err() {
            self.flow.doubtful[from.node] = true;
            self.flow.doubtful[to.node] = true;
        }
        let (Ok(from_port), Ok(to_port), false) = (from_port, to_port, wrong) else { return };
        let place = LinePlace { line, bytes: to.bytes.clone() };
        self.flow.edges.push(Edge { from: from.node, from_port, to: to.node, to_port, place });
    }

    /// The number of the port that an end names for this side; the default one when it names none, or one of the other
    /// side. `Ok(None)` when the node's ports are not known.
    fn port(&self, end: &End<'a>, side: Side) -> Result<Option<usize>, ()> {
        let Some(own) = names(self.draft, end.node, side) else { return Ok(None) };
        let Some(port) = end.port else { return if own.is_empty() { Err(()) } else { Ok(Some(0)) } };
        let other = if side == Side::Input { Side::Output } else { Side::Input };
        match own.iter().position(|name| *name == port) {
            Some(index) => Ok(Some(index)),
            None if names(self.draft, end.node, other).is_some_and(|names| has(&names, port)) => Ok(Some(0)),
            None => Err(()),
        }
    }

    /// Reports ports that the node has not, or that are on its other side.
    fn check_ports(&mut self, line: usize, ends: &[Option<End<'a>>]) {
        let last = ends.len() - 1;
        for (index, end) in ends.iter().enumerate() {
            let Some(end) = end else { continue };
            let Some(port) = end.port else { continue };
            let node = &self.draft.nodes[end.node];
            let Some(Ports { inputs, outputs, .. }) = ports(self.draft, end.node) else { continue };
            let (entered, left) = (index > 0, index < last);
            let mut known: Vec<&str> = Vec::new();
            if entered {
                known.extend(inputs.iter().map(|name| &**name));
            }
            if left {
                known.extend(outputs.iter().map(|name| &**name));
            }
            if known.contains(&port) || known.is_empty() {
                continue;
            }
            let subject = format!("{} `{}`", word(node.kind), node.name);
            let side = match (entered, left) {
                (true, false) => Some(Side::Input),
                (false, true) => Some(Side::Output),
                _ => None,
            };
            let finding = if has(&inputs, port) || has(&outputs, port) {
                let is = if has(&inputs, port) { Side::Input } else { Side::Output };
                let place = if left { "start" } else { "end" };
                let message =
                    format!("`{port}` is an {} of {subject}, and stands at the {place} of a chain", is.word());
                Finding::error("unknown_port", message)
                    .label(format!("an {} is needed here", side.map_or("port", Side::word)))
            } else {
                Finding::error("unknown_port", format!("{subject} has no port `{port}`")).label("no such port")
            };
            let what = side.map_or("port".to_owned(), |side| format!("{} port", side.word()));
            let help = known_names(&what, port, known);
            self.report(line, end.port_bytes.clone(), finding.node(&node.name).help(help));
        }
    }
}

/// Whether a node may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_part)
}

/// What a node's name may consist of: it names a directory of the checkpoint, and `.` and `->` have a meaning of their own.
fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// A node and its port as the flow writes them; the port is left out where it is the only one, or an output and the
/// default one.
pub(crate) fn port_name(draft: &Draft, node: usize, output: bool, port: usize) -> String {
    let side = if output { Side::Output } else { Side::Input };
    let node_name = &draft.nodes[node].name;
    let names = names(draft, node, side).unwrap_or_default();
    match names.get(port) {
        Some(name) if port > 0 || (!output && names.len() > 1) => format!("{node_name}.{name}"),
        _ => node_name.clone(),
    }
}

fn has(names: &[PortName], port: &str) -> bool {
    names.iter().any(|name| *name == port)
}
