//! From a draft to a plan: names, edges and cycles; the types follow in `typing`.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use watershed_core::epoch::Port;
use watershed_core::fault::listed;
use watershed_core::node::Kind;
use watershed_core::plan::{AtEnd, Plan, Trigger};
use watershed_core::time::TimeSpan;

use crate::diagnostic::Diagnostics;
use crate::finding::{Finding, word};
use crate::flow::{self, Edge, Flow, LinePlace};
use crate::graph::{Draft, DraftNode, Spec};
use crate::place::locate;
use crate::syntax::Span;

/// What to do about a source whose columns are not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaMode {
    /// Open nothing: warn, and leave what depends on the source without types. There is no plan then.
    Offline,
    /// Ask the source to look at its data.
    Infer,
}

/// What came of checking a graph.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The plan, when there was no error and every edge has a type.
    pub plan: Option<Plan>,
    /// All faults, in the order of the text.
    pub diagnostics: Diagnostics,
}

/// A place in a graph, whether or not there is a file.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The name of a node, as its section writes it.
    Key(usize),
    /// The type of a node.
    Node(usize),
    /// A field of the graph itself.
    Field(&'static str),
    /// A field of `run`.
    Run(&'static str),
    /// A stretch of a line of the flow.
    Flow(LinePlace),
}

impl Finding {
    /// Puts the fault at a place of the draft.
    pub(crate) fn placed_at(mut self, draft: &Draft, place: &Place) -> Self {
        self.span = span(draft, place);
        if self.span.is_none() && self.path.is_none() {
            self.path = match place {
                Place::Field(name) => Some((*name).to_owned()),
                Place::Run(name) => Some(format!("run.{name}")),
                Place::Flow(place) => Some(format!("flow[{}]: {}", place.line, draft.flow[place.line])),
                Place::Key(_) | Place::Node(_) => None,
            };
        }
        self
    }
}

/// The bytes of a place, when there is a file.
pub(crate) fn span(draft: &Draft, place: &Place) -> Option<Span> {
    match place {
        Place::Key(node) => Some(draft.nodes[*node].text.as_ref()?.key.clone()),
        Place::Node(node) => Some(draft.nodes[*node].text.as_ref()?.tree.head()),
        Place::Field(name) => {
            let written = draft.written.as_ref()?;
            let field = written.fields.iter().find(|(field, _)| field == name);
            Some(field.map_or_else(|| written.head.clone(), |(_, span)| span.clone()))
        }
        Place::Run(name) => Some(locate(draft.written.as_ref()?.run.as_ref()?, &[(*name).into()], None)),
        Place::Flow(place) => {
            let (text, _) = draft.written.as_ref()?.flow.get(place.line)?;
            // A program may have changed the flow since it was read.
            (text.value == *draft.flow.get(place.line)?).then(|| text.locate(&place.bytes))
        }
    }
}

/// Checks a draft. `findings` are those of loading it.
pub(crate) fn check(draft: &Draft, findings: Vec<Finding>, mode: SchemaMode) -> Checked {
    let mut checker = Checker { draft, findings, mode };
    let plan = checker.plan();
    let source = draft.written.as_ref().map(|written| &written.source);
    let origin = source.map_or_else(|| format!("graph `{}`", draft.name), |source| source.origin.to_string());
    let items = checker.findings.into_iter().map(|finding| finding.placed(source)).collect();
    let diagnostics = Diagnostics::new(&origin, source.cloned(), items);
    Checked { plan: plan.filter(|_| !diagnostics.has_errors()), diagnostics }
}

/// A check under way.
pub(crate) struct Checker<'a> {
    pub(crate) draft: &'a Draft,
    pub(crate) findings: Vec<Finding>,
    pub(crate) mode: SchemaMode,
}

impl Checker<'_> {
    pub(crate) fn report(&mut self, place: &Place, finding: Finding) {
        self.findings.push(finding.placed_at(self.draft, place));
    }

    pub(crate) fn subject(&self, node: usize) -> String {
        let node = &self.draft.nodes[node];
        format!("{} `{}`", word(node.kind), node.name)
    }

    pub(crate) fn is_first_of_its_name(&self, node: usize) -> bool {
        let nodes = &self.draft.nodes;
        nodes[..node].iter().all(|other| other.name != nodes[node].name)
    }

    fn plan(&mut self) -> Option<Plan> {
        self.names();
        self.run();
        self.replays();
        let flow = flow::resolve(self.draft, &mut self.findings);
        let edges = self.unique_edges(&flow);
        if self.draft.flow_is_whole {
            self.loose_ends(&edges, &flow.doubtful);
        }
        let shape = self.shape(&edges);
        let order = self.order(&shape, &edges);
        let roles = self.types(&order, &edges)?;
        Some(self.assemble(roles, &edges))
    }

    /// Node names: unique, and fit for a directory's name; a graph has an input and an output.
    fn names(&mut self) {
        let draft = self.draft;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, node) in draft.nodes.iter().enumerate() {
            if let Some(&first) = seen.get(node.name.as_str()) {
                let message = format!("two nodes are named `{}`", node.name);
                let mut finding = Finding::error("duplicate_node", message).node(&node.name).label("again");
                finding = finding.related(span(draft, &Place::Key(first)), "first here");
                self.report(
                    &Place::Key(index),
                    finding.help("names are unique over `sources`, `operators` and `sinks`"),
                );
            } else {
                seen.insert(&node.name, index);
            }
            if !flow::is_name(&node.name) {
                let message = format!("`{}` is no name for a node", node.name);
                let finding = Finding::error("bad_name", message).node(&node.name).label("not a name");
                self.report(&Place::Key(index), finding.help("names consist of letters, digits, `_` and `-`"));
            }
        }
        for (kind, missing) in [(Kind::Source, "nothing comes in"), (Kind::Sink, "nothing comes out")] {
            let written = draft
                .written
                .as_ref()
                .is_none_or(|written| written.fields.iter().any(|(field, _)| field == kind.section()));
            let broken = self.findings.iter().any(|finding| finding.code == "syntax");
            if written && !broken && !draft.nodes.iter().any(|node| node.kind == kind) {
                let message = format!("the graph has no {}", word(kind));
                self.report(&Place::Field(kind.section()), Finding::error("empty_graph", message).label(missing));
            }
        }
    }

    fn run(&mut self) {
        if self.draft.run.partitions == Some(0) {
            let finding = Finding::error("bad_value", "`run`: `partitions` should be at least 1, not 0")
                .label("should be at least 1");
            self.report(&Place::Run("partitions"), finding);
        }
        if self.draft.run.retain == Some(0) {
            let finding = Finding::error("bad_value", "`run`: `retain` should be at least 1, not 0")
                .label("should be at least 1")
                .help("the last epoch is always kept: a run goes on from it; left out, 10 are");
            self.report(&Place::Run("retain"), finding);
        }
        if self.draft.run.trigger == Trigger::Once && self.draft.run.at_end == AtEnd::Flush {
            let message =
                "`run`: `at_end: Flush` has no effect with the trigger `Once`, which runs one epoch and no more";
            let finding = Finding::warning("no_effect", message).help("use the trigger `AvailableNow`");
            self.report(&Place::Run("at_end"), finding);
        }
        if let Trigger::Every(span) = self.draft.run.trigger
            && span <= TimeSpan::ZERO
        {
            let message = format!("`run`: the time between two epochs should be longer than zero, not `{span}`");
            self.report(
                &Place::Run("trigger"),
                Finding::error("bad_value", message).label("should be longer than zero"),
            );
        }
    }

    /// A checkpoint is a promise that every source must be able to keep.
    fn replays(&mut self) {
        let draft = self.draft;
        if draft.run.checkpoint.is_none() {
            return;
        }
        for (index, node) in draft.nodes.iter().enumerate() {
            let Some(Spec::Source(spec)) = node.spec.as_ref().filter(|_| self.is_first_of_its_name(index)) else {
                continue;
            };
            if !spec.replayable() {
                let message = format!(
                    "{} cannot be read again after a restart, so `run.checkpoint` could not keep its promise",
                    self.subject(index)
                );
                let finding = Finding::error("not_replayable", message).node(&node.name).label("not replayable");
                let finding = finding.related(span(draft, &Place::Run("checkpoint")), "the checkpoint");
                let help = "write the input to files and read them with `Files`, or leave out `run.checkpoint`";
                self.report(&Place::Node(index), finding.help(help));
            }
        }
    }

    /// The edges less those that are written twice, or feed a port that is fed already.
    fn unique_edges(&mut self, flow: &Flow) -> Vec<Edge> {
        let mut kept: Vec<Edge> = Vec::new();
        for edge in &flow.edges {
            let same = |other: &&Edge| {
                (other.from, other.from_port, other.to, other.to_port)
                    == (edge.from, edge.from_port, edge.to, edge.to_port)
            };
            let target = flow::port_name(self.draft, edge.to, false, edge.to_port.unwrap_or(0));
            let many = match &self.draft.nodes[edge.to].spec {
                Some(Spec::Operator(spec)) => spec.ports().many,
                Some(_) => false,
                None => self.draft.nodes[edge.to].kind == Kind::Operator,
            };
            if let Some(first) = kept.iter().find(same) {
                let origin = flow::port_name(self.draft, edge.from, true, edge.from_port.unwrap_or(0));
                let message = format!("the edge `{origin} -> {target}` is written twice");
                let related = span(self.draft, &Place::Flow(first.place.clone()));
                let finding =
                    Finding::error("duplicate_edge", message).node(&self.draft.nodes[edge.to].name).label("again");
                self.report(&Place::Flow(edge.place.clone()), finding.related(related, "first here"));
                continue;
            }
            let fed = kept
                .iter()
                .find(|other| !many && other.to == edge.to && other.to_port == edge.to_port && edge.to_port.is_some());
            if let Some(first) = fed {
                let (from, other) = (&self.draft.nodes[edge.from].name, &self.draft.nodes[first.from].name);
                let message = format!("`{target}` is fed twice: by `{other}` and by `{from}`");
                let related = span(self.draft, &Place::Flow(first.place.clone()));
                let finding =
                    Finding::error("fed_twice", message).node(&self.draft.nodes[edge.to].name).label("fed again");
                let finding = finding.help(
                    "an input takes one edge; merge streams with an operator that takes several, such as a union",
                );
                self.report(&Place::Flow(edge.place.clone()), finding.related(related, "fed here"));
                continue;
            }
            kept.push(edge.clone());
        }
        kept
    }

    /// Nodes that are not fed, or not read.
    fn loose_ends(&mut self, edges: &[Edge], doubtful: &[bool]) {
        for (index, node) in self.draft.nodes.iter().enumerate() {
            // What the flow cannot name at all has been reported.
            if doubtful[index] || !self.is_first_of_its_name(index) || !flow::is_name(&node.name) {
                continue;
            }
            let subject = self.subject(index);
            let entered = edges.iter().any(|edge| edge.to == index);
            let left = edges.iter().any(|edge| edge.from == index);
            if !entered && !left {
                let message = format!("{subject} is in no edge of `flow`");
                let finding = Finding::error("unused_node", message).node(&node.name).label("never used");
                self.report(&Place::Key(index), finding.help(example_edge(node)));
                continue;
            }
            if let Some(ports) = flow::ports(self.draft, index) {
                let is_fed = |port: usize| {
                    edges.iter().any(|edge| edge.to == index && edge.to_port.is_none_or(|fed| fed == port))
                };
                let is_missing = |port: usize| !is_fed(port) && !ports.is_optional(Port(port));
                let inputs = ports.inputs.iter().enumerate();
                let unfed: Vec<&str> = inputs.filter(|(port, _)| is_missing(*port)).map(|(_, name)| &**name).collect();
                if !unfed.is_empty() {
                    let message = match &*ports.inputs {
                        [_] => format!("{subject} is not fed"),
                        _ => format!(
                            "{subject}: {} {} not fed",
                            listed(&unfed),
                            if unfed.len() == 1 { "is" } else { "are" }
                        ),
                    };
                    let help = match &*ports.inputs {
                        [_] => format!("add an edge to it: `… -> {}`", node.name),
                        _ => format!("add an edge to it: `… -> {}.{}`", node.name, unfed[0]),
                    };
                    self.report(
                        &Place::Key(index),
                        Finding::error("not_fed", message).node(&node.name).label("nothing comes in").help(help),
                    );
                }
            }
            let is_read = edges.iter().any(|edge| edge.from == index && edge.from_port.is_none_or(|port| port == 0));
            if node.kind != Kind::Sink && !is_read {
                let finding = Finding::error("unread_node", format!("{subject} is never read")).node(&node.name);
                let help = format!("add an edge from it, `{} -> …`; a sink may be one that discards", node.name);
                self.report(&Place::Key(index), finding.label("its output goes nowhere").help(help));
            }
        }
    }

    /// Nodes and edges without meaning, for petgraph's algorithms.
    fn shape(&self, edges: &[Edge]) -> DiGraph<(), ()> {
        let mut shape = DiGraph::with_capacity(self.draft.nodes.len(), edges.len());
        self.draft.nodes.iter().for_each(|_| {
            shape.add_node(());
        });
        for edge in edges {
            shape.add_edge(NodeIndex::new(edge.from), NodeIndex::new(edge.to), ());
        }
        shape
    }

    /// The nodes, each after those that feed it; without those on a cycle, which are reported.
    fn order(&mut self, shape: &DiGraph<(), ()>, edges: &[Edge]) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.draft.nodes.len());
        for component in tarjan_scc(shape).into_iter().rev() {
            let mut members: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
            members.sort_unstable();
            let inside: Vec<&Edge> =
                edges.iter().filter(|edge| members.contains(&edge.from) && members.contains(&edge.to)).collect();
            if inside.is_empty() {
                order.extend(members);
            } else {
                self.cycle(&members, &inside);
            }
        }
        order
    }

    fn cycle(&mut self, members: &[usize], edges: &[&Edge]) {
        // Along the first edge out of each node; where that comes back having met every member, it is the cycle.
        let mut walk = vec![members[0]];
        while let Some(edge) = walk.last().and_then(|last| edges.iter().find(|edge| edge.from == *last))
            && !walk.contains(&edge.to)
        {
            walk.push(edge.to);
        }
        let name = |node: &usize| self.draft.nodes[*node].name.as_str();
        let closes = edges.iter().any(|edge| Some(&edge.from) == walk.last() && edge.to == walk[0]);
        let message = if closes && walk.len() == members.len() {
            let round: Vec<&str> = walk.iter().chain(walk.first()).map(name).collect();
            format!("a cycle: `{}`", round.join(" -> "))
        } else {
            format!("cycles among {}", listed(members.iter().map(name)))
        };
        let mut finding = Finding::error("cycle", message).node(name(&members[0])).label("part of the cycle");
        for edge in &edges[1..] {
            finding = finding.related(span(self.draft, &Place::Flow(edge.place.clone())), "and this");
        }
        let finding = finding.help("streams run one way, from sources to sinks: remove one of these edges");
        self.report(&Place::Flow(edges[0].place.clone()), finding);
    }
}

fn example_edge(node: &DraftNode) -> String {
    match node.kind {
        Kind::Source => format!("add an edge from it, `{} -> …`, or remove it", node.name),
        Kind::Operator => format!("add edges to and from it, `… -> {} -> …`, or remove it", node.name),
        Kind::Sink => format!("add an edge to it, `… -> {}`, or remove it", node.name),
    }
}
