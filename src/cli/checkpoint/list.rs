//! `watershed checkpoint list`: epochs, watermarks, chains and sizes.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::Args;
use serde_json::{Value, json};
use watershed_core::checkpoint::inspect::{EpochOverview, EpochState, Overview, TableOverview};
use watershed_core::checkpoint::{Chain, CheckpointStorage, Decision};

use super::{epochs, failed, goes_on, holdings};
use crate::cli::arguments::Format;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::run::numbers::{bytes, count};
use crate::cli::storage;
use crate::cli::table::columns;
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed checkpoint list checkpoints/visits
  watershed checkpoint list checkpoints/visits --format json | jq .epochs[-1].watermarks
  watch watershed checkpoint list checkpoints/visits      while a run goes on";

/// List what a checkpoint holds: epochs, watermarks, files, sizes
///
/// Shows each epoch that is kept: whether it is committed, its processing time, the watermarks after it, and how large the files of
/// state are that it wrote; then, for each table of state, the files that the newest version is made of: a snapshot with all rows
/// and the deltas after it. The last line says how a run would go on.
///
/// Reads the small files alone, takes no lock and changes nothing, so it may look at a checkpoint that a run is using.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArguments {
    /// The checkpoint
    #[arg(value_name = "DIR")]
    checkpoint: String,
    /// How to write the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &ListArguments, terminal: Terminal) -> Outcome {
    let storage = storage::open(&arguments.checkpoint)?;
    let overview = Overview::of(&holdings(&*storage)?);
    let holder = storage.holder().map_err(|error| failed(&error))?;
    let text = match arguments.format {
        Format::Json => format!("{:#}\n", as_json(&overview, &*storage, holder.as_deref())),
        Format::Text => as_text(&overview, &*storage, holder.as_deref(), terminal),
    };
    terminal.print(&text)?;
    Ok(Exit::Ok)
}

fn as_json(overview: &Overview, storage: &dyn CheckpointStorage, holder: Option<&str>) -> Value {
    let chain = |chain: &Chain| json!({"snapshot": chain.snapshot, "deltas": chain.deltas});
    let table = |table: &TableOverview| {
        json!({
            "node": table.node,
            "table": table.table,
            "bytes": table.bytes,
            "partitions": table.chains.iter().map(chain).collect::<Vec<_>>(),
        })
    };
    json!({
        "location": storage.location(),
        "graph": overview.graph,
        "created": overview.created,
        "partitions": overview.partitions,
        "files": overview.files,
        "bytes": overview.bytes,
        "in_use_by": holder,
        "epochs": overview.epochs,
        "version": overview.version,
        "tables": overview.tables.iter().map(table).collect::<Vec<_>>(),
        "next": next(&overview.decision),
    })
}

/// How a run would go on, for programs.
pub(super) fn next(decision: &Decision) -> Value {
    let said = |damages: &[watershed_core::checkpoint::Damage]| -> Vec<Value> {
        damages.iter().map(|damage| json!({"file": damage.file, "damage": damage.to_string()})).collect()
    };
    match decision {
        Decision::Fresh => json!({"can_go_on": true, "from": null, "replays": [], "without": []}),
        Decision::GoOn { version, replay, damages } => {
            json!({"can_go_on": true, "from": version, "replays": replay, "without": said(damages)})
        }
        Decision::Damaged { damages, remedy } => {
            json!({"can_go_on": false, "damages": said(damages), "remedy": remedy})
        }
    }
}

fn as_text(overview: &Overview, storage: &dyn CheckpointStorage, holder: Option<&str>, terminal: Terminal) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("writing to a string cannot fail");
    let graph = overview.graph.as_deref().unwrap_or("a graph that is not named");
    line(format!(
        "{} in {}: {}, {}{}",
        terminal.paint_out(graph, "1"),
        storage.location(),
        files(overview.files),
        bytes(overview.bytes),
        overview.partitions.map(|partitions| format!(", {}", partitions_of(partitions))).unwrap_or_default(),
    ));
    if let Some(created) = overview.created {
        line(format!("made {created}"));
    }
    if let Some(holder) = holder {
        line(format!("in use by {holder}"));
    }
    if !overview.epochs.is_empty() {
        line(format!("\n{}", epoch_table(&overview.epochs)));
    }
    if let (Some(version), false) = (overview.version, overview.tables.is_empty()) {
        line(terminal.paint_out(&format!("state after epoch {version}"), "1"));
        line(table_table(&overview.tables));
    }
    line(goes_on(&overview.decision));
    if let Decision::GoOn { damages, .. } = &overview.decision {
        for damage in damages {
            line(format!(
                "{} {damage}; `watershed checkpoint verify` says more",
                terminal.paint_out("damaged:", "1;31")
            ));
        }
    }
    text
}

fn epoch_table(all: &[EpochOverview]) -> String {
    // The watermarks of several nodes each have a column.
    let nodes: BTreeSet<&String> = all.iter().flat_map(|epoch| epoch.watermarks.keys()).collect();
    let mut heading = vec!["epoch".to_owned(), "state".to_owned(), "processing time".to_owned()];
    heading.extend(nodes.iter().map(|node| format!("watermark of {node}")));
    heading.extend(["new files".to_owned(), "new bytes".to_owned()]);
    let row = |epoch: &EpochOverview| {
        let mut row = vec![epoch.epoch.to_string(), epoch.state.name().to_owned()];
        row.push(epoch.processing_time.map_or("unknown".to_owned(), |time| time.to_string()));
        row.extend(nodes.iter().map(|node| match (epoch.watermarks.get(*node), epoch.state) {
            (None, _) => String::new(),
            (Some(watermark), EpochState::Uncommitted) => watermark.in_force.to_string(),
            (Some(watermark), _) => watermark.next.to_string(),
        }));
        row.extend([count(epoch.new_files as u64), bytes(epoch.new_bytes)]);
        row
    };
    let right = [0, heading.len() - 2, heading.len() - 1];
    columns(&heading, all.iter().map(row), &right)
}

fn table_table(tables: &[TableOverview]) -> String {
    let heading = ["node", "table", "partitions", "snapshot", "deltas", "bytes"].map(str::to_owned);
    let row = |table: &TableOverview| {
        let snapshots: Vec<_> = table.chains.iter().map(|chain| chain.snapshot).collect();
        let snapshot = match (snapshots.iter().min(), snapshots.iter().max()) {
            (Some(Some(first)), Some(Some(last))) if first == last => format!("epoch {first}"),
            (Some(Some(first)), Some(Some(last))) => epochs(&[*first, *last]).replace(", ", " and "),
            (Some(None), Some(Some(last))) => format!("none, epoch {last}"),
            _ => "none".to_owned(),
        };
        let deltas = |chain: &Chain| chain.deltas.len() as u64;
        let (least, most) = (
            table.chains.iter().map(deltas).min().unwrap_or_default(),
            table.chains.iter().map(deltas).max().unwrap_or_default(),
        );
        let deltas = if least == most { count(most) } else { format!("{} to {}", count(least), count(most)) };
        vec![
            table.node.clone(),
            table.table.clone(),
            count(table.chains.len() as u64),
            snapshot,
            deltas,
            bytes(table.bytes),
        ]
    };
    columns(&heading, tables.iter().map(row), &[2, 4, 5])
}

fn files(number: usize) -> String {
    if number == 1 { "1 file".to_owned() } else { format!("{} files", count(number as u64)) }
}

fn partitions_of(number: usize) -> String {
    if number == 1 { "1 partition".to_owned() } else { format!("{} partitions", count(number as u64)) }
}
