//! What `check --explain` tells of each node: a block of lines.

use watershed_core::plan::Plan;
use watershed_graphs::describe::{NodeDescription, PortDescription, describe_nodes};

use super::terminal::Terminal;

/// A block per node, in the order of the file.
pub(super) fn explain(plan: &Plan, terminal: Terminal) -> String {
    let blocks: Vec<String> = describe_nodes(plan).iter().map(|node| block(node, terminal)).collect();
    blocks.join("\n")
}

fn block(node: &NodeDescription, terminal: Terminal) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    lines.extend(node.inputs.iter().map(|port| ("in", end(port, "in", "from"))));
    lines.extend(node.outputs.iter().map(|port| ("out", end(port, "out", "to"))));
    lines.extend(node.watermark.iter().map(|watermark| ("watermark", watermark.clone())));
    lines.extend(node.notes.iter().map(|note| ("state", note.clone())));
    let head = format!("{}  {}\n", terminal.paint_out(&node.name, "1"), node.type_name);
    lines.iter().fold(head, |text, (word, line)| {
        text + &format!("  {}  {line}\n", terminal.paint_out(&format!("{word:9}"), "36"))
    })
}

/// An edge, with the node's own port where it is not the default.
fn end(port: &PortDescription, default: &str, way: &str) -> String {
    let own = if port.port == default { String::new() } else { format!("{} ", port.port) };
    format!("{own}{way} `{}`: {}", port.node, port.stream)
}
