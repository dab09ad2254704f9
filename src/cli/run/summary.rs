//! What a run did, in a table and a line.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use watershed_core::engine::Summary;
use watershed_core::epoch::Port;
use watershed_core::plan::{Plan, PlanNode, Role};
use watershed_core::time::Watermark;

use super::numbers::{bytes, count, rate, seconds};
use crate::cli::delivery::delivery;
use crate::cli::terminal::Terminal;

/// The table of all nodes, the lines below it, and what the author may want to look into.
pub(super) fn render(summary: &Summary, plan: &Plan, terminal: Terminal) -> String {
    let mut text = String::new();
    if summary.epochs > 0 {
        writeln!(text, "{}", table(summary, plan)).expect("writing to a string cannot fail");
    }
    let stopped = if summary.stopped { ", stopped" } else { "" };
    let watermark = match summary.watermark {
        Watermark(None) => String::new(),
        passed => format!("; watermark {passed}"),
    };
    let epochs = if summary.epochs == 1 { "1 epoch".to_owned() } else { format!("{} epochs", count(summary.epochs)) };
    let line = format!(
        "{}{epochs}, {} rows in {} ({}){watermark}{stopped}",
        terminal.paint(&format!("{}: ", plan.name), "1"),
        count(summary.input_rows),
        seconds(summary.seconds),
        rate(summary.input_rows, summary.seconds),
    );
    writeln!(text, "{line}").expect("writing to a string cannot fail");
    writeln!(text, "{}", delivery(plan)).expect("writing to a string cannot fail");
    for hint in hints(summary, plan) {
        writeln!(text, "{} {hint}", terminal.paint("note:", "36")).expect("writing to a string cannot fail");
    }
    text
}

fn table(summary: &Summary, plan: &Plan) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let has_state = summary.operators.iter().any(|operator| operator.state_rows > 0);
    let has_watermark = summary.operators.iter().any(|operator| operator.watermark != Watermark::NONE);
    let mut header = vec!["node", "", "rows in", "rows out", "late"];
    if has_watermark {
        header.push("watermark");
    }
    if has_state {
        header.extend(["state rows", "state size"]);
    }
    let columns = header.len();
    table.set_header(header);
    let mut row = |mut cells: Vec<String>| {
        cells.resize(columns, String::new());
        table.add_row(cells);
    };
    for source in &summary.sources {
        row(vec![source.node.clone(), "source".to_owned(), String::new(), count(source.rows)]);
    }
    for operator in &summary.operators {
        let late = if has_late_port(plan, &operator.node) { count(operator.rows_late) } else { String::new() };
        let mut cells =
            vec![operator.node.clone(), "operator".to_owned(), count(operator.rows_in), count(operator.rows_out), late];
        if has_watermark {
            let reached = operator.watermark != Watermark::NONE;
            cells.push(if reached { operator.watermark.to_string() } else { String::new() });
        }
        if operator.state_rows > 0 {
            cells.extend([count(operator.state_rows), bytes(operator.state_bytes)]);
        }
        row(cells);
    }
    for sink in &summary.sinks {
        row(vec![sink.node.clone(), "sink".to_owned(), count(sink.rows)]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What went by without being seen.
fn hints(summary: &Summary, plan: &Plan) -> Vec<String> {
    let mut hints = Vec::new();
    for operator in summary.operators.iter().filter(|operator| operator.rows_late > 0) {
        let node = plan.dag.node_indices().find(|&node| *plan.dag[node].name == *operator.node);
        let Some((node, port)) = node.and_then(|node| Some((node, late_port(&plan.dag[node])?))) else { continue };
        if !plan.dag.edges(node).any(|edge| edge.weight().from == port) {
            let (name, rows) = (&operator.node, count(operator.rows_late));
            hints.push(format!("{rows} rows came too late for `{name}` and were dropped; `\"{name}.late -> …\"` in `flow` would keep them"));
        }
    }
    for source in summary.sources.iter().filter(|source| source.bad_records > 0) {
        hints.push(format!("{} records of `{}` could not be read", count(source.bad_records), source.node));
    }
    hints
}

fn has_late_port(plan: &Plan, name: &str) -> bool {
    plan.dag.node_weights().any(|node| *node.name == *name && late_port(node).is_some())
}

fn late_port(node: &PlanNode) -> Option<Port> {
    match &node.role {
        Role::Operator { spec, .. } => spec.ports().outputs.iter().position(|port| *port == "late").map(Port),
        Role::Source(..) | Role::Sink(..) => None,
    }
}
