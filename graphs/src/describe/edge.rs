//! What flows along the edges of a plan, in words.

use serde::Serialize;
use watershed_core::epoch::Port;
use watershed_core::node::{PortName, Ports};
use watershed_core::plan::{Plan, PlanNode, Role};
use watershed_core::schema::type_to_ddl;
use watershed_core::stream::{EventTimeKind, Mode, Stream};

/// What flows along an edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EdgeDescription {
    /// The node it leaves.
    pub from: String,
    /// The port it leaves by.
    pub from_port: PortName,
    /// The node it enters.
    pub to: String,
    /// The port it enters by.
    pub to_port: PortName,
    /// `Append`, `Update` or `Complete`.
    pub mode: String,
    /// The columns by which a row replaces an earlier one; none in mode `Append`.
    pub keys: Vec<String>,
    /// The columns that are event time.
    pub event_times: Vec<EventTimeDescription>,
    /// The watermark nodes above.
    pub watermarks: Vec<String>,
    /// The columns, in order.
    pub columns: Vec<ColumnDescription>,
}

/// A column that is event time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventTimeDescription {
    /// The column's name.
    pub column: String,
    /// `instant` or `window_end`.
    pub kind: &'static str,
    /// How far the watermark stays behind it; none without a watermark.
    pub delay: Option<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// Its type, as a schema in a graph file writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it may hold nulls.
    pub nullable: bool,
}

/// Describes all edges, in the order of the flow.
pub fn describe_edges(plan: &Plan) -> Vec<EdgeDescription> {
    let ends = plan.dag.edge_indices().filter_map(|edge| Some((plan.dag.edge_endpoints(edge)?, plan.dag[edge])));
    let described = ends.filter_map(|((from, to), edge)| {
        let (from, to) = (&plan.dag[from], &plan.dag[to]);
        let (from_port, to_port) =
            (ports(from).outputs.get(edge.from.0)?.clone(), ports(to).inputs.get(edge.to.0)?.clone());
        let stream = outgoing(from, edge.from)?;
        Some(described(from, from_port, to, to_port, stream))
    });
    described.collect()
}

fn described(
    from: &PlanNode,
    from_port: PortName,
    to: &PlanNode,
    to_port: PortName,
    stream: &Stream,
) -> EdgeDescription {
    let keys = match &stream.mode {
        Mode::Append => Vec::new(),
        Mode::Update(keys) | Mode::Complete(keys) => keys.clone(),
    };
    let event_times = stream.event_times.iter().map(|tag| EventTimeDescription {
        column: tag.column.clone(),
        kind: match tag.kind {
            EventTimeKind::Instant => "instant",
            EventTimeKind::WindowEnd => "window_end",
        },
        delay: (!stream.watermarks.is_empty()).then(|| tag.delay.to_string()),
    });
    let columns = stream.schema.fields().iter().map(|field| ColumnDescription {
        name: field.name().clone(),
        type_name: type_to_ddl(field.data_type()),
        nullable: field.is_nullable(),
    });
    EdgeDescription {
        from: from.name.to_string(),
        from_port,
        to: to.name.to_string(),
        to_port,
        mode: stream.mode.to_string(),
        keys,
        event_times: event_times.collect(),
        watermarks: stream.watermarks.iter().cloned().collect(),
        columns: columns.collect(),
    }
}

/// The stream that leaves `node` by `port`.
pub(crate) fn outgoing(node: &PlanNode, port: Port) -> Option<&Stream> {
    match &node.role {
        Role::Source(_, stream) => Some(stream),
        Role::Operator { signature, .. } => signature.outputs.get(port.0),
        Role::Sink(..) => None,
    }
}

/// The ports of a node.
pub(crate) fn ports(node: &PlanNode) -> Ports {
    match &node.role {
        Role::Operator { spec, .. } => spec.ports(),
        Role::Source(..) | Role::Sink(..) => Ports::PLAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::sketch;

    #[test]
    fn an_edge_tells_ports_mode_event_time_and_columns() {
        let edges = describe_edges(&sketch::activity());
        let (plain, late) = (&edges[3], &edges[4]);
        assert_eq!((plain.mode.as_str(), plain.keys.as_slice()), ("Update", ["User".to_owned()].as_slice()));
        assert_eq!((&*late.from_port, &*late.to_port, late.mode.as_str()), ("late", "in", "Append"));
        assert_eq!(late.event_times[0].delay.as_deref(), Some("30m"));
        assert_eq!((late.columns[1].name.as_str(), late.columns[1].type_name.as_str()), ("event_time", "TIMESTAMP"));
    }

    #[test]
    fn event_time_without_a_watermark_has_no_delay() {
        assert!(describe_edges(&sketch::activity())[0].event_times.is_empty());
    }
}
