//! What a run did, in a table and a line.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use watershed_core::engine::Summary;
use watershed_core::epoch::Port;
use watershed_core::node::PortName;
use watershed_core::plan::{Plan, PlanNode, Role};
use watershed_core::time::Watermark;

use super::numbers::{bytes, count, rate, seconds};
use super::waiting;
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

/// What went by without being seen, and what is not to be seen yet.
fn hints(summary: &Summary, plan: &Plan) -> Vec<String> {
    let mut hints = Vec::new();
    for operator in &summary.operators {
        let name = &operator.node;
        let unread = |prefix| unread_ports(plan, name, prefix).join(" and ");
        let (late, bad_time) = (unread("late"), unread("bad_time"));
        if operator.rows_late > 0 && !late.is_empty() {
            let rows = count(operator.rows_late);
            hints.push(format!(
                "{rows} rows came too late for `{name}` and were dropped; {late} in `flow` would keep them"
            ));
        }
        if operator.rows_bad_time > 0 && !bad_time.is_empty() {
            let rows = count(operator.rows_bad_time);
            hints.push(format!("{rows} rows were further ahead of the clock than `{name}` believes, and were dropped; {bad_time} in `flow` would keep them"));
        }
    }
    for source in summary.sources.iter().filter(|source| source.bad_records > 0) {
        hints.push(format!("{} records of `{}` could not be read", count(source.bad_records), source.node));
    }
    for source in &summary.sources {
        hints.extend(source.trouble.as_ref().map(|trouble| format!("source `{}`: {trouble}", source.node)));
    }
    hints.extend(waiting::at_the_end(summary, plan));
    hints
}

fn has_late_port(plan: &Plan, name: &str) -> bool {
    plan.dag.node_weights().any(|node| *node.name == *name && !side_ports(node, "late").is_empty())
}

/// The output ports of an operator whose names begin so.
fn side_ports(node: &PlanNode, prefix: &str) -> Vec<(Port, PortName)> {
    let Role::Operator { spec, .. } = &node.role else { return Vec::new() };
    let ports = spec.ports().outputs.into_owned().into_iter().enumerate();
    ports.filter(|(_, name)| name.starts_with(prefix)).map(|(index, name)| (Port(index), name)).collect()
}

/// What would have to stand in `flow` to read these ports; nothing if one of them is read, since who reads some knows of them.
fn unread_ports(plan: &Plan, name: &str, prefix: &str) -> Vec<String> {
    let Some(node) = plan.dag.node_indices().find(|&node| *plan.dag[node].name == *name) else { return Vec::new() };
    let is_read = |port: &Port| plan.dag.edges(node).any(|edge| edge.weight().from == *port);
    let ports = side_ports(&plan.dag[node], prefix);
    if ports.iter().any(|(port, _)| is_read(port)) {
        return Vec::new();
    }
    ports.into_iter().map(|(_, port)| format!("`\"{name}.{port} -> …\"`")).collect()
}
