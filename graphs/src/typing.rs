//! Types, down the edges: what each node makes of its inputs, and the plan that comes of it.
//!
//! A node that fails is reported once. What lies below it is not typed, so that one mistake makes one message.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use watershed_core::epoch::Port;
use watershed_core::fault::{Fault, Faults, Severity};
use watershed_core::guard::guarded;
use watershed_core::node::{OutputWatermark, Ports, Signature, SourceSchema, SourceSpec};
use watershed_core::plan::{Dag, Plan, PlanEdge, PlanNode, Role};
use watershed_core::stream::Stream;

use crate::check::{Checker, Place, SchemaMode, span};
use crate::finding::Finding;
use crate::flow::Edge;
use crate::graph::Spec;
use crate::place::{locate, path_text};
use crate::text;

impl Checker<'_> {
    /// Types every node that has all its inputs. `None` when a node is left without types.
    pub(crate) fn types(&mut self, order: &[usize], edges: &[Edge]) -> Option<Vec<Role>> {
        let mut outputs: Vec<Option<Vec<Stream>>> = vec![None; self.draft.nodes.len()];
        let mut roles: BTreeMap<usize, Role> = BTreeMap::new();
        for &index in order {
            let Some(spec) = self.draft.nodes[index].spec.as_ref().filter(|_| self.is_first_of_its_name(index)) else {
                continue;
            };
            let Some(role) = self.role(index, spec, edges, &outputs) else { continue };
            outputs[index] = match &role {
                Role::Source(_, stream) => Some(vec![stream.clone()]),
                Role::Operator { signature, .. } => Some(signature.outputs.clone()),
                Role::Sink(..) => None,
            };
            roles.insert(index, role);
        }
        (roles.len() == self.draft.nodes.len()).then(|| roles.into_values().collect())
    }

    fn role(&mut self, index: usize, spec: &Spec, edges: &[Edge], outputs: &[Option<Vec<Stream>>]) -> Option<Role> {
        match spec {
            Spec::Source(spec) => Some(Role::Source(Arc::clone(spec), self.source(index, spec)?)),
            Spec::Operator(spec) => {
                let ports = spec.ports();
                let inputs = inputs_of(index, &ports, edges, outputs)?;
                let answer = ask(|| spec.signature(&inputs));
                let signature = self.signature(index, &ports, &inputs, answer)?;
                Some(Role::Operator { spec: Arc::clone(spec), inputs, signature })
            }
            Spec::Sink(spec) => {
                let input = inputs_of(index, &Ports::PLAIN, edges, outputs)?.into_iter().flatten().next()?;
                self.accepted(index, ask(|| spec.check(&input))).then(|| Role::Sink(Arc::clone(spec), input))
            }
        }
    }

    fn source(&mut self, index: usize, spec: &Arc<dyn SourceSpec>) -> Option<Stream> {
        let of = |schema| Stream { mode: spec.mode(), ..Stream::of(schema) };
        match ask(|| spec.schema()) {
            Ok(SourceSchema::Declared(schema)) => Some(of(schema)),
            Err(faults) => {
                self.accepted(index, Err(faults));
                None
            }
            Ok(SourceSchema::Inferred) => {
                let name = &self.draft.nodes[index].name;
                match self.mode {
                    SchemaMode::Offline => {
                        let message =
                            format!("{} declares no columns: what it feeds is not checked", self.subject(index));
                        let finding = Finding::warning("undeclared_schema", message)
                            .node(name)
                            .label("columns are found at the start");
                        self.report(
                            &Place::Node(index),
                            finding.help("declare them: `schema: \"user STRING, x DOUBLE\"`"),
                        );
                        None
                    }
                    SchemaMode::Infer => match guarded(|| spec.infer_schema()) {
                        Ok(schema) => Some(of(schema)),
                        Err(cause) => {
                            let message = format!("{}: cannot find its columns: {cause}", self.subject(index));
                            let finding = Finding::error("no_schema", message).node(name).label("no columns");
                            self.report(
                                &Place::Node(index),
                                finding.help("declare them: `schema: \"user STRING, x DOUBLE\"`"),
                            );
                            None
                        }
                    },
                }
            }
        }
    }

    /// Takes an operator's signature, with what no operator can know itself: its name, and the graph above it.
    fn signature(
        &mut self,
        index: usize,
        ports: &Ports,
        inputs: &[Vec<Stream>],
        answer: Result<Signature, Vec<Fault>>,
    ) -> Option<Signature> {
        let mut signature = match answer {
            Ok(signature) => signature,
            Err(faults) => {
                self.accepted(index, Err(faults));
                return None;
            }
        };
        for warning in &signature.warnings {
            self.fault(index, warning);
        }
        let name = self.draft.nodes[index].name.clone();
        if signature.outputs.len() != ports.outputs.len() {
            let message = format!(
                "{}: its type is faulty: {} output ports, but {} streams",
                self.subject(index),
                ports.outputs.len(),
                signature.outputs.len()
            );
            self.report(
                &Place::Node(index),
                Finding::error("faulty_node_type", message).node(&name).label("tell its author"),
            );
            return None;
        }
        if signature.watermark == OutputWatermark::None {
            // What follows cannot tell how far event time has come.
            for output in &mut signature.outputs {
                output.watermarks.clear();
                output.event_times.clear();
            }
        }
        if let OutputWatermark::Own { .. } = signature.watermark {
            let above: Vec<&String> = inputs.iter().flatten().flat_map(|stream| &stream.watermarks).collect();
            if let Some(first) = above.first() {
                let message =
                    format!("{} is a second watermark on one path: `{first}` is above it", self.subject(index));
                let other = self.draft.nodes.iter().position(|node| node.name == **first);
                let related = other.and_then(|other| span(self.draft, &Place::Node(other)));
                let finding =
                    Finding::error("second_watermark", message).node(&name).label("second").related(related, "first");
                self.report(&Place::Node(index), finding.help("a path takes one watermark: remove one of the two"));
                return None;
            }
            for output in &mut signature.outputs {
                output.watermarks.insert(name.clone());
            }
        }
        Some(signature)
    }

    /// Reports what a node says against its inputs; whether it accepts them.
    fn accepted(&mut self, index: usize, answer: Result<(), Vec<Fault>>) -> bool {
        let Err(faults) = answer else { return true };
        for fault in &faults {
            self.fault(index, fault);
        }
        if !faults.iter().any(|fault| fault.severity == Severity::Error) {
            let message = format!("{} refuses its input without a reason", self.subject(index));
            let finding = Finding::error("faulty_node_type", message)
                .node(&self.draft.nodes[index].name)
                .label("tell its author");
            self.report(&Place::Node(index), finding);
        }
        false
    }

    fn fault(&mut self, index: usize, fault: &Fault) {
        let node = &self.draft.nodes[index];
        let mut finding =
            Finding::error(fault.code, format!("{}: {}", self.subject(index), fault.message)).node(&node.name);
        finding.severity = fault.severity;
        finding.span = node.text.as_ref().map(|text| locate(&text.tree, &fault.path, fault.within.as_ref()));
        finding.path = path_text(&fault.path);
        finding.label.clone_from(&fault.label);
        finding.help.clone_from(&fault.help);
        self.findings.push(finding);
    }

    pub(crate) fn assemble(&self, roles: Vec<Role>, edges: &[Edge]) -> Plan {
        let text = text::of(self.draft, &roles);
        let mut dag = Dag::with_capacity(roles.len(), edges.len());
        for (node, role) in self.draft.nodes.iter().zip(roles) {
            dag.add_node(PlanNode { name: node.name.as_str().into(), role });
        }
        for edge in edges {
            let (from, to) = (Port(edge.from_port.unwrap_or(0)), Port(edge.to_port.unwrap_or(0)));
            dag.add_edge(NodeIndex::new(edge.from), NodeIndex::new(edge.to), PlanEdge { from, to });
        }
        Plan { name: self.draft.name.clone(), text, dag, run: self.draft.run.clone() }
    }
}

/// Asks a node; that it panics is a fault of its type.
fn ask<T>(question: impl FnOnce() -> Result<T, Faults>) -> Result<T, Faults> {
    guarded(|| Ok(question())).unwrap_or_else(|panicked| {
        let message = format!("its type is faulty: {panicked}");
        Err(vec![Fault::new("faulty_node_type", message).label("tell its author")])
    })
}

/// The streams that enter a node, per port in the order of the flow; `None` unless each port that needs one has one and all are
/// typed.
fn inputs_of(node: usize, ports: &Ports, edges: &[Edge], outputs: &[Option<Vec<Stream>>]) -> Option<Vec<Vec<Stream>>> {
    let mut inputs = vec![Vec::new(); ports.inputs.len()];
    for edge in edges.iter().filter(|edge| edge.to == node) {
        let stream = outputs[edge.from].as_ref()?.get(edge.from_port?)?;
        inputs.get_mut(edge.to_port?)?.push(stream.clone());
    }
    let is_missing = |(port, streams): (usize, &Vec<Stream>)| streams.is_empty() && !ports.is_optional(Port(port));
    (!inputs.iter().enumerate().any(is_missing)).then_some(inputs)
}
