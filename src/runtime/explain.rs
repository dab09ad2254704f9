//! A plan in words, for whoever asks what a query does.

use std::fmt::Write;

use crate::core::node::StateNeed;
use crate::core::plan::{Plan, Role};
use crate::graphs::describe::{EdgeDescription, describe_edges};

/// The nodes in the order of the graph, each with what it puts out.
pub(super) fn explain(plan: &Plan) -> String {
    let edges = describe_edges(plan);
    let mut text = format!("{}\n", plan.name);
    for node in plan.dag.node_weights() {
        let (role, kind, state) = match &node.role {
            Role::Source(spec, _) => ("source", spec.typetag_name(), StateNeed::None),
            Role::Operator { spec, signature, .. } => ("operator", spec.typetag_name(), signature.state),
            Role::Sink(spec, _) => ("sink", spec.typetag_name(), StateNeed::None),
        };
        let keeps = match state {
            StateNeed::None => "",
            StateNeed::Bounded => ", keeps state",
            StateNeed::Unbounded => ", keeps state that nothing bounds",
        };
        writeln!(text, "  {}: {role} {kind}{keeps}", node.name).expect("a string takes all");
        for edge in edges.iter().filter(|edge| edge.from == *node.name) {
            writeln!(text, "    {}", described(edge)).expect("a string takes all");
        }
    }
    text
}

/// `-> counts: Update by page; page STRING, clicks BIGINT; event time at, 10m behind`.
fn described(edge: &EdgeDescription) -> String {
    let port = |port: &str, first: &str| if port == first { String::new() } else { format!(".{port}") };
    let mut text = format!(".{} -> {}{}: {}", edge.from_port, edge.to, port(&edge.to_port, "in"), edge.mode);
    if !edge.keys.is_empty() {
        text.push_str(" by ");
        text.push_str(&edge.keys.join(", "));
    }
    for (number, column) in edge.columns.iter().enumerate() {
        let comma = if number == 0 { ';' } else { ',' };
        write!(text, "{comma} {} {}", column.name, column.type_name).expect("a string takes all");
    }
    for time in &edge.event_times {
        write!(text, "; event time {}", time.column).expect("a string takes all");
        if let Some(delay) = &time.delay {
            write!(text, ", watermark {delay} behind").expect("a string takes all");
        }
    }
    text
}
