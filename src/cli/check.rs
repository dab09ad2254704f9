//! `watershed check`: every fault of a graph, without opening anything.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use watershed_graphs::describe::describe_nodes;
use watershed_graphs::{Checked, SchemaMode};

use super::arguments::Format;
use super::delivery::delivery;
use super::exit::{Exit, Failure, Outcome};
use super::explain::explain;
use super::files;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed check pipeline.ron
  watershed check pipeline.ron --explain           what each node keeps, and until when
  watershed check graphs/*.ron --deny-warnings     in a build, before merging
  watershed check pipeline.ron --infer             look at the data, as `run` does
  watershed check --format json - < pipeline.ron   for an editor; `-` is standard input";

/// Find every fault of a graph, without opening anything
///
/// Loads, resolves and types the whole graph and tells all that is wrong with it in one run, each fault with its line, what is known
/// there and the nearest name. Columns, event time, keys and output modes are followed along the edges. Of a good graph it tells
/// what it promises after a crash: as much as the weakest of its sinks.
///
/// No file, pipe or network is touched besides the graph itself. Columns that a source does not declare are then unknown, and what
/// depends on them is not judged; `--infer` looks at the data for them, as `run` does.
///
/// With `--explain` it tells of each node of a good graph what enters and leaves it, where its watermark comes from and how far it
/// is held back, what the node keeps from epoch to epoch, and until when.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArguments {
    /// Graph files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// Look at the data for columns that are not declared
    #[arg(long)]
    infer: bool,
    /// Tell of each node where its watermark comes from, what it keeps and until when
    #[arg(long)]
    explain: bool,
    /// How to write what was found; JSON is one array with an object per fault, on standard output, and with `--explain` one with an
    /// object per graph, with `graph`, `faults` and `nodes`
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &CheckArguments, terminal: Terminal) -> Outcome {
    let mode = if arguments.infer { SchemaMode::Infer } else { SchemaMode::Offline };
    let mut exit = Exit::Ok;
    let mut found = Vec::new();
    for file in &arguments.files {
        // A file that cannot be read does not keep the others from being checked; the worst outcome counts.
        let checked = match files::check(file, mode) {
            Ok(checked) => checked,
            Err(failure) => {
                terminal.report(&failure);
                exit = failure.exit;
                continue;
            }
        };
        let diagnostics = &checked.diagnostics;
        let refused = diagnostics.has_errors() || (arguments.deny_warnings && !diagnostics.is_empty());
        if refused && exit == Exit::Ok {
            exit = Exit::BadGraph;
        }
        match arguments.format {
            Format::Json if arguments.explain => {
                let nodes = checked.plan.as_ref().map(describe_nodes);
                let graph = file.display().to_string();
                found.push(json!({"graph": graph, "faults": diagnostics.to_json(), "nodes": nodes}));
            }
            Format::Json => match diagnostics.to_json() {
                Value::Array(items) => found.extend(items),
                other => found.push(other),
            },
            Format::Text => tell(&checked, arguments.explain, terminal)?,
        }
    }
    if arguments.format == Format::Json {
        terminal.print(&format!("{:#}\n", Value::Array(found)))?;
    }
    Ok(exit)
}

/// What was found in a graph, for people.
fn tell(checked: &Checked, with_nodes: bool, terminal: Terminal) -> Result<(), Failure> {
    let diagnostics = &checked.diagnostics;
    let promise = checked.plan.as_ref().map(delivery);
    if diagnostics.is_empty() {
        let promise = promise.map(|promise| format!("{promise}\n")).unwrap_or_default();
        terminal.print(&format!("{}\n{promise}", diagnostics.summary()))?;
    } else {
        terminal.note(diagnostics.render(terminal.error_colour).trim_end());
        if let Some(promise) = promise {
            terminal.note(&promise);
        }
    }
    match &checked.plan {
        Some(plan) if with_nodes => terminal.print(&format!("\n{}", explain(plan, terminal))),
        None if with_nodes && !diagnostics.has_errors() => {
            terminal.note(
                "not all columns are known, so there is nothing to explain: `--infer` looks at the data for them",
            );
            Ok(())
        }
        _ => Ok(()),
    }
}
