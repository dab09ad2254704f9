//! A plan made ready to run: every node with its running operator, and where its outputs go.
//!
//! From each origin of rows, a source or a stateful node, the stateless nodes below it are laid out as a tree of routes. Where a
//! stream fans out and comes together again there is a route for each way, so that the order of rows is that of the routes
//! and does not depend on how the rows were cut into batches.

use std::sync::Arc;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::visit::EdgeRef;

use super::error::EngineError;
use crate::epoch::Port;
use crate::guard::guarded;
use crate::node::{BuildContext, Distribution, Operator, OutputWatermark, Stateful, Stateless};
use crate::plan::{Plan, Role};
use crate::state::TableSchema;
use crate::stream::Mode;
use crate::time::TimeSpan;

/// The place of a node in [`Topology::nodes`].
pub(super) type NodeId = usize;

/// The place of a route in [`Routes::all`].
pub(super) type RouteId = usize;

/// The ways of the rows of one origin, down to exchanges and sinks.
#[derive(Default)]
pub(super) struct Routes {
    /// Each after the one it continues.
    pub(super) all: Vec<Route>,
    /// Where the origin's output ports lead.
    pub(super) first: Vec<Vec<RouteId>>,
}

/// A node as it is reached on one way.
pub(super) struct Route {
    pub(super) node: NodeId,
    /// The input port it is entered by.
    pub(super) port: Port,
    /// Where its output ports lead.
    pub(super) next: Vec<Vec<RouteId>>,
}

/// The nodes of a plan in an order in which every node comes after those that feed it.
pub(super) struct Topology {
    pub(super) nodes: Vec<Node>,
}

pub(super) struct Node {
    pub(super) name: Arc<str>,
    pub(super) work: Work,
    /// Per output port, in the order of `flow`.
    pub(super) outputs: Vec<Vec<(NodeId, Port)>>,
    /// The nodes whose watermarks reach it: those that feed it, but for results that are looked up beside a stream of facts.
    pub(super) inputs: Vec<NodeId>,
    /// The nodes that feed it with results which replace each other as a whole, and by which port.
    pub(super) results: Vec<(NodeId, Port)>,
    /// The watermark of what leaves it.
    pub(super) watermark: OutputWatermark,
    /// Whether a watermark that moved calls for an epoch.
    pub(super) wakes: bool,
    /// For a source or a stateful node: the ways of its rows.
    pub(super) routes: Routes,
}

pub(super) enum Work {
    Source,
    Stateless(Arc<dyn Stateless>),
    Stateful(StatefulNode),
    Sink,
}

pub(super) struct StatefulNode {
    pub(super) operator: Arc<dyn Stateful>,
    pub(super) tables: Vec<TableSchema>,
    /// The columns of exchanged rows that choose the partition; empty with a single partition.
    pub(super) keys: Vec<usize>,
    pub(super) partitions: usize,
}

impl Topology {
    pub(super) fn build(plan: &Plan, partitions: usize, batch_rows: usize) -> Result<Self, EngineError> {
        let order = toposort(&plan.dag, None).expect("checking a graph refuses cycles");
        let mut place = vec![0; order.len()];
        for (id, index) in order.iter().enumerate() {
            place[index.index()] = id;
        }
        let mut nodes = Vec::with_capacity(order.len());
        for index in order {
            let node = &plan.dag[index];
            // petgraph walks edges newest first; `flow` order is the order of their indices.
            let mut edges: Vec<_> = plan.dag.edges_directed(index, Direction::Outgoing).collect();
            edges.sort_by_key(petgraph::graph::EdgeReference::id);
            let ports = edges.iter().map(|edge| edge.weight().from.0 + 1).max().unwrap_or(0);
            let mut outputs = vec![Vec::new(); ports];
            for edge in edges {
                outputs[edge.weight().from.0].push((place[edge.target().index()], edge.weight().to));
            }
            let (results, facts): (Vec<_>, Vec<_>) = plan
                .dag
                .edges_directed(index, Direction::Incoming)
                .map(|edge| (edge, place[edge.source().index()]))
                .partition(|(edge, _)| is_complete(&plan.dag[edge.source()].role, edge.weight().from));
            let above = if facts.is_empty() { &results } else { &facts };
            let inputs = above.iter().map(|(_, from)| *from).collect();
            let results = results.iter().map(|(edge, from)| (*from, edge.weight().to)).collect();
            let mut node = Node {
                name: Arc::clone(&node.name),
                work: match &node.role {
                    Role::Source(..) => Work::Source,
                    Role::Sink(..) => Work::Sink,
                    Role::Operator { spec, inputs, signature } => {
                        let cx = BuildContext { node: Arc::clone(&node.name), batch_rows };
                        let built = guarded(|| {
                            Ok(spec.build(inputs, &cx).map(|operator| {
                                let tables = match &operator {
                                    Operator::Stateful(operator) => operator.tables(),
                                    Operator::Stateless(_) => Vec::new(),
                                };
                                (operator, tables)
                            }))
                        });
                        let failed = |source| EngineError::Open { node: Arc::clone(&node.name), source };
                        match built.map_err(failed)? {
                            Ok((Operator::Stateless(operator), _)) => Work::Stateless(operator),
                            Ok((Operator::Stateful(operator), tables)) => {
                                let (keys, partitions) = match &signature.distribution {
                                    Distribution::Hash(keys) if !keys.is_empty() => (keys.clone(), partitions),
                                    _ => (Vec::new(), 1),
                                };
                                Work::Stateful(StatefulNode { operator, tables, keys, partitions })
                            }
                            Err(faults) => return Err(EngineError::Build { node: Arc::clone(&node.name), faults }),
                        }
                    }
                },
                outputs,
                inputs,
                results,
                watermark: OutputWatermark::default(),
                wakes: false,
                routes: Routes::default(),
            };
            if let Role::Operator { signature, .. } = &plan.dag[index].role {
                node.watermark = signature.watermark;
                node.wakes = signature.wakes;
            }
            nodes.push(node);
        }
        for origin in 0..nodes.len() {
            if matches!(nodes[origin].work, Work::Source | Work::Stateful(_)) {
                let mut all = Vec::new();
                let first = lay_out(&nodes, origin, &mut all);
                nodes[origin].routes = Routes { all, first };
            }
        }
        Ok(Self { nodes })
    }

    /// By node, whether what it puts out as a whole result is a new one in an epoch that reads these sources: a table is when it is
    /// read, what is made of results when one of them is, and what is made of facts always.
    pub(super) fn renewed(&self, read: impl Fn(NodeId) -> bool) -> Vec<bool> {
        let mut renewed: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            renewed.push(match &node.work {
                Work::Source => read(id),
                _ => node.results.is_empty() || node.results.iter().any(|(from, _)| renewed[*from]),
            });
        }
        renewed
    }

    /// The stateful nodes, each after those that feed it.
    pub(super) fn stateful(&self) -> impl Iterator<Item = (NodeId, &StatefulNode)> {
        self.nodes.iter().enumerate().filter_map(|(id, node)| match &node.work {
            Work::Stateful(stateful) => Some((id, stateful)),
            _ => None,
        })
    }
}

impl Node {
    /// For a watermark node: how long it may observe nothing until nodes below do not wait for it any more.
    pub(super) fn idle_after(&self) -> Option<TimeSpan> {
        match self.watermark {
            OutputWatermark::Own { idle_after, .. } => idle_after,
            OutputWatermark::Input | OutputWatermark::HeldBack(_) | OutputWatermark::None => None,
        }
    }

    /// For a watermark node its delay.
    pub(super) fn delay(&self) -> Option<TimeSpan> {
        match self.watermark {
            OutputWatermark::Own { delay, .. } => Some(delay),
            OutputWatermark::Input | OutputWatermark::HeldBack(_) | OutputWatermark::None => None,
        }
    }
}

/// Whether the rows that leave a node by `port` replace each other as a whole.
fn is_complete(role: &Role, port: Port) -> bool {
    let stream = match role {
        Role::Source(_, stream) => Some(stream),
        Role::Operator { signature, .. } => signature.outputs.get(port.0),
        Role::Sink(..) => None,
    };
    stream.is_some_and(|stream| matches!(stream.mode, Mode::Complete(_)))
}

/// Adds the routes that leave `node`; a route ends at a stateful node or a sink, but for what leaves a stateful node before its
/// exchange.
fn lay_out(nodes: &[Node], node: NodeId, all: &mut Vec<Route>) -> Vec<Vec<RouteId>> {
    let lead = |&(target, port): &(NodeId, Port), all: &mut Vec<Route>| {
        let route = all.len();
        all.push(Route { node: target, port, next: Vec::new() });
        all[route].next = lay_out(nodes, target, all);
        route
    };
    nodes[node].outputs.iter().map(|targets| targets.iter().map(|target| lead(target, all)).collect()).collect()
}
