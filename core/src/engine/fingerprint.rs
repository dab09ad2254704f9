//! What a checkpoint remembers of a graph: enough to tell what state and offsets mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::visit::EdgeRef;

use super::topology::{Topology, Work};
use crate::checkpoint::{GraphNode, GraphRecord, NodeRecord, NodeRole};
use crate::node::{OperatorSpec, SinkSpec, SourceSpec};
use crate::plan::{Plan, PlanEdge, PlanNode, Role};
use crate::state::TableRecord;

/// A plan as a checkpoint remembers it, and as it is held against what one remembers.
pub(super) struct Fingerprint {
    pub(super) record: GraphRecord,
    pub(super) nodes: BTreeMap<String, GraphNode>,
}

impl Fingerprint {
    pub(super) fn of(plan: &Plan, topology: &Topology, partitions: usize) -> Self {
        let nodes = graph_nodes(plan, topology);
        let records = nodes.iter().map(|(name, node)| (name.clone(), node.record.clone())).collect();
        let (name, text, flow) = (plan.name.clone(), plan.text.clone(), flow(plan));
        Self { record: GraphRecord { name, text, partitions, nodes: records, flow }, nodes }
    }
}

fn flow(plan: &Plan) -> Vec<String> {
    let edge = |edge: petgraph::graph::EdgeReference<'_, PlanEdge>| {
        let (from, to) = (&plan.dag[edge.source()].name, &plan.dag[edge.target()].name);
        format!("{from}:{} -> {to}:{}", edge.weight().from.0, edge.weight().to.0)
    };
    plan.dag.edge_references().map(edge).collect()
}

fn graph_nodes(plan: &Plan, topology: &Topology) -> BTreeMap<String, GraphNode> {
    let of = |node: &PlanNode| {
        let stateful = topology.nodes.iter().find(|other| other.name == node.name).and_then(|node| match &node.work {
            Work::Stateful(stateful) => Some(stateful),
            _ => None,
        });
        let (role, kind, spec) = match &node.role {
            Role::Source(spec, _) => {
                (NodeRole::Source, spec.typetag_name(), serde_json::to_value(&**spec as &dyn SourceSpec))
            }
            Role::Operator { spec, .. } => {
                (NodeRole::Operator, spec.typetag_name(), serde_json::to_value(&**spec as &dyn OperatorSpec))
            }
            Role::Sink(spec, _) => {
                (NodeRole::Sink, spec.typetag_name(), serde_json::to_value(&**spec as &dyn SinkSpec))
            }
        };
        let (free_fields, state_version) = match &node.role {
            Role::Source(..) => (&[][..], 0),
            Role::Operator { spec, .. } => (spec.free_fields(), spec.state_version()),
            Role::Sink(spec, _) => (spec.free_fields(), 0),
        };
        // A spec that cannot be written as JSON is told apart by its type alone.
        let spec = match spec {
            Ok(serde_json::Value::Object(map)) => map.into_iter().next().map(|(_, fields)| fields).unwrap_or_default(),
            _ => serde_json::Value::Null,
        };
        let tables = stateful.iter().flat_map(|stateful| &stateful.tables).map(TableRecord::from).collect();
        let record = NodeRecord { role, kind: kind.to_owned(), spec, state_version, tables };
        (
            node.name.to_string(),
            GraphNode {
                record,
                free_fields: free_fields.to_vec(),
                operator: stateful.map(|stateful| Arc::clone(&stateful.operator)),
            },
        )
    };
    plan.dag.node_weights().map(of).collect()
}
