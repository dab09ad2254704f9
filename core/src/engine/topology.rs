//! A plan made ready to run: every node with its running operator, and where its outputs go.

use std::sync::Arc;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::visit::EdgeRef;

use super::error::EngineError;
use crate::epoch::Port;
use crate::node::{BuildContext, Distribution, Operator, Stateful, Stateless};
use crate::plan::{Plan, Role};
use crate::time::TimeSpan;

/// The place of a node in [`Topology::nodes`].
pub(super) type NodeId = usize;

/// The nodes of a plan in an order in which every node comes after those that feed it.
pub(super) struct Topology {
    pub(super) nodes: Vec<Node>,
}

pub(super) struct Node {
    pub(super) name: Arc<str>,
    pub(super) work: Work,
    /// Per output port, in the order of `flow`.
    pub(super) outputs: Vec<Vec<(NodeId, Port)>>,
    /// The nodes that feed it.
    pub(super) inputs: Vec<NodeId>,
    /// For a watermark node its delay.
    pub(super) delay: Option<TimeSpan>,
    /// Whether a watermark that moved calls for an epoch.
    pub(super) wakes: bool,
}

pub(super) enum Work {
    Source,
    Stateless(Arc<dyn Stateless>),
    Stateful(StatefulNode),
    Sink,
}

pub(super) struct StatefulNode {
    pub(super) operator: Arc<dyn Stateful>,
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
            let inputs =
                plan.dag.neighbors_directed(index, Direction::Incoming).map(|from| place[from.index()]).collect();
            let mut node = Node {
                name: Arc::clone(&node.name),
                work: match &node.role {
                    Role::Source(..) => Work::Source,
                    Role::Sink(..) => Work::Sink,
                    Role::Operator { spec, inputs, signature } => {
                        let cx = BuildContext { node: Arc::clone(&node.name), batch_rows };
                        match spec.build(inputs, &cx) {
                            Ok(Operator::Stateless(operator)) => Work::Stateless(operator),
                            Ok(Operator::Stateful(operator)) => {
                                let (keys, partitions) = match &signature.distribution {
                                    Distribution::Hash(keys) if !keys.is_empty() => (keys.clone(), partitions),
                                    _ => (Vec::new(), 1),
                                };
                                Work::Stateful(StatefulNode { operator, keys, partitions })
                            }
                            Err(faults) => return Err(EngineError::Build { node: Arc::clone(&node.name), faults }),
                        }
                    }
                },
                outputs,
                inputs,
                delay: None,
                wakes: false,
            };
            if let Role::Operator { signature, .. } = &plan.dag[index].role {
                node.delay = signature.watermark;
                node.wakes = signature.wakes;
            }
            nodes.push(node);
        }
        Ok(Self { nodes })
    }

    /// The stateful nodes, each after those that feed it.
    pub(super) fn stateful(&self) -> impl Iterator<Item = (NodeId, &StatefulNode)> {
        self.nodes.iter().enumerate().filter_map(|(id, node)| match &node.work {
            Work::Stateful(stateful) => Some((id, stateful)),
            _ => None,
        })
    }
}
