//! `watershed schema`: what flows along each edge.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use watershed_core::fault::listed;
use watershed_graphs::SchemaMode;
use watershed_graphs::describe::{EdgeDescription, describe_edges};

use super::arguments::Format;
use super::exit::{Exit, Failure, Outcome};
use super::files;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed schema pipeline.ron
  watershed schema pipeline.ron --edge counts         only what enters or leaves `counts`
  watershed schema pipeline.ron --format json";

/// Show the columns and types on each edge of a graph
///
/// Types are written as in a `schema: "…"` field. With each edge goes its mode (what a row means for earlier ones) and its event time
/// with the watermark's delay. Columns that a source does not declare are found by looking at the data, as `run` does.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct SchemaArguments {
    /// A graph file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only edges that enter or leave this node
    #[arg(long, value_name = "NODE")]
    edge: Option<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &SchemaArguments, terminal: Terminal) -> Outcome {
    let plan = files::plan(&arguments.file, SchemaMode::Infer, terminal)?;
    let mut edges = describe_edges(&plan);
    if let Some(node) = &arguments.edge {
        if !plan.dag.node_weights().any(|known| *known.name == **node) {
            let names: Vec<&str> = plan.dag.node_weights().map(|node| &*node.name).collect();
            let failure = Failure::new(Exit::Usage, format!("`{node}` is not a node of `{}`", plan.name));
            return Err(failure.help(format!("nodes are {}", listed(names))));
        }
        edges.retain(|edge| edge.from == *node || edge.to == *node);
    }
    let text = match arguments.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&edges).expect("a schema is plain text and lists");
            format!("{text}\n")
        }
        Format::Text => edges.iter().map(|edge| edge_text(edge, terminal)).collect::<Vec<_>>().join("\n"),
    };
    terminal.print(&text)?;
    Ok(Exit::Ok)
}

fn edge_text(edge: &EdgeDescription, terminal: Terminal) -> String {
    let named = |node: &str, port: &str, default: &str| {
        if port == default { node.to_owned() } else { format!("{node}.{port}") }
    };
    let ends = format!("{} -> {}", named(&edge.from, &edge.from_port, "out"), named(&edge.to, &edge.to_port, "in"));
    let keys = if edge.keys.is_empty() { String::new() } else { format!(" by {}", edge.keys.join(", ")) };
    let mut text = format!("{}  {}{keys}\n", terminal.paint_out(&ends, "1"), edge.mode);
    let widest = edge.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
    let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "  {line}").expect("writing to a string cannot fail");
    for column in &edge.columns {
        let not_null = if column.nullable { "" } else { " NOT NULL" };
        let tag = edge.event_times.iter().find(|tag| tag.column == column.name);
        let note = tag.map(|tag| match &tag.delay {
            Some(delay) => format!("  event time, watermark {delay} behind"),
            None => "  event time, no watermark".to_owned(),
        });
        line(format_args!(
            "{:widest$}  {}{not_null}{}",
            column.name,
            column.type_name,
            terminal.paint_out(&note.unwrap_or_default(), "36")
        ));
    }
    text
}
