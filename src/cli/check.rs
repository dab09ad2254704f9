//! `watershed check`: every fault of a graph, without opening anything.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use watershed_graphs::SchemaMode;

use super::arguments::Format;
use super::delivery::delivery;
use super::exit::{Exit, Outcome};
use super::files;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed check pipeline.ron
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
    /// How to write what was found; JSON is one array with an object per fault, on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &CheckArguments, terminal: Terminal) -> Outcome {
    let mode = if arguments.infer { SchemaMode::Infer } else { SchemaMode::Offline };
    let mut exit = Exit::Ok;
    let mut faults = Vec::new();
    for file in &arguments.files {
        // A file that cannot be read does not keep the others from being checked; the worst outcome counts.
        let (diagnostics, promise) = match files::check(file, mode) {
            Ok(checked) => (checked.diagnostics, checked.plan.as_ref().map(delivery)),
            Err(failure) => {
                terminal.report(&failure);
                exit = failure.exit;
                continue;
            }
        };
        let refused = diagnostics.has_errors() || (arguments.deny_warnings && !diagnostics.is_empty());
        if refused && exit == Exit::Ok {
            exit = Exit::BadGraph;
        }
        match (arguments.format, diagnostics.to_json()) {
            (Format::Json, Value::Array(items)) => faults.extend(items),
            (Format::Json, other) => faults.push(other),
            (Format::Text, _) if diagnostics.is_empty() => {
                let promise = promise.map(|promise| format!("{promise}\n")).unwrap_or_default();
                terminal.print(&format!("{}\n{promise}", diagnostics.summary()))?;
            }
            (Format::Text, _) => {
                terminal.note(diagnostics.render(terminal.error_colour).trim_end());
                if let Some(promise) = promise {
                    terminal.note(&promise);
                }
            }
        }
    }
    if arguments.format == Format::Json {
        terminal.print(&format!("{:#}\n", Value::Array(faults)))?;
    }
    Ok(exit)
}
