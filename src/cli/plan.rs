//! `watershed plan`: holds a graph against its checkpoint, before a start and without one.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use watershed_core::checkpoint::{Change, Damage, NodeRole, NodeVerdict, Verdict};
use watershed_core::engine::{Recovery, foresee};
use watershed_core::plan::Plan;
use watershed_graphs::SchemaMode;

use super::arguments::Format;
use super::checkpointed::{CheckpointArguments, explain, shared_out_anew, warn, whence};
use super::exit::{Exit, Outcome};
use super::files;
use super::run::bytes;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Verdicts:
  keep          goes on as before; what has changed of it does no harm
  new           begins with nothing
  renamed       goes on with what another name kept
  removed       is gone, and kept nothing
  reset         its state is dropped, as asked for
  lost          is gone, and what it kept would be lost: refused unless it is renamed or reset
  incompatible  what it kept does not fit any more: refused unless it is reset

Examples:
  watershed plan pipeline.ron
  watershed plan pipeline.ron --rename counts=per_user    is that all that is needed?
  watershed plan pipeline.ron --checkpoint copies/monday
  watershed plan pipeline.ron --format json | jq .compatible";

/// Hold a graph against its checkpoint, before a start
///
/// Tells of every node whether it goes on with what the checkpoint keeps of it, and why not; where a run would go on; and which
/// options of `watershed run` would resolve what does not fit. Nothing is run, locked or changed, so a run may be under way.
///
/// Stateless nodes, sinks, the path of a source, a watermark's delay, triggers and limits may always change. Ends with 0 when the
/// graph may go on, else with 65. What the files of state hold is not looked at: `watershed checkpoint verify` does that.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct PlanArguments {
    /// A graph file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    /// How to write what was found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &PlanArguments, terminal: Terminal) -> Outcome {
    let mut plan = files::plan(&arguments.file, SchemaMode::Infer, terminal)?;
    let Some(storage) = arguments.checkpoint.open(&mut plan)? else {
        let text = match arguments.format {
            Format::Json => format!("{:#}\n", json!({"graph": plan.name, "checkpoint": null, "compatible": true})),
            Format::Text => format!(
                "`{}` has no checkpoint: every run starts with epoch 0 and empty state\n  help: `run: (checkpoint: \"DIR\")` in the graph keeps it\n",
                plan.name
            ),
        };
        terminal.print(&text)?;
        return Ok(Exit::Ok);
    };
    let adjustments = arguments.checkpoint.adjustments()?;
    let recovery = foresee(&plan, &*storage, &adjustments).map_err(|error| explain(&error, &plan, &*storage))?;
    match arguments.format {
        Format::Json => terminal.print(&format!("{:#}\n", to_json(&recovery, &plan)))?,
        Format::Text => {
            terminal.print(&render(&recovery, &plan))?;
            warn(&recovery, &plan, terminal);
        }
    }
    Ok(if fits(&recovery) { Exit::Ok } else { Exit::BadGraph })
}

fn fits(recovery: &Recovery) -> bool {
    recovery.verdict.as_ref().is_none_or(Verdict::is_compatible)
}

/// What was found, for people.
pub(super) fn render(recovery: &Recovery, plan: &Plan) -> String {
    let location = &recovery.location;
    if recovery.is_fresh() {
        return format!("checkpoint `{location}` holds nothing yet: a run starts with epoch 0\n");
    }
    let mut lines = Vec::new();
    if let Some(verdict) = &recovery.verdict {
        lines.extend(table(verdict, recovery).lines().map(|line| line.trim_end().to_owned()));
        lines.push(String::new());
    }
    if let Some((before, now)) = shared_out_anew(recovery, plan) {
        lines.push(format!("{before} partitions become {now}: the state is shared out anew"));
    }
    lines.push(if fits(recovery) {
        format!("`{}` fits checkpoint `{location}`: a run {}", plan.name, whence(recovery))
    } else {
        format!("`{}` does not fit checkpoint `{location}`: put back what has changed, or run it with", plan.name)
    });
    let ways = recovery.verdict.as_ref().map(|verdict| ways_out(verdict, recovery)).unwrap_or_default();
    let width = ways.iter().map(|way| way.option.chars().count()).max().unwrap_or(0);
    lines.extend(ways.iter().map(|Way { option, effect }| format!("  {option:width$}  {effect}")));
    lines.join("\n") + "\n"
}

fn table(verdict: &Verdict, recovery: &Recovery) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["node", "role", "verdict", "state", ""]);
    for node in &verdict.nodes {
        let size = state_bytes(node, recovery).map(bytes).unwrap_or_default();
        let word = if node.migrated { "migrate" } else { word(&node.change) }.to_owned();
        table.add_row([node.node.clone(), node.role.name().to_owned(), word, size, reasons(node).join("\n")]);
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn reasons(node: &NodeVerdict) -> Vec<String> {
    let renamed = match &node.change {
        Change::Renamed { from } => Some(format!("it was `{from}`")),
        _ => None,
    };
    renamed.into_iter().chain(node.reasons.iter().cloned()).collect()
}

/// The size of what the checkpoint keeps of a node.
fn state_bytes(node: &NodeVerdict, recovery: &Recovery) -> Option<u64> {
    let name = match &node.change {
        Change::Renamed { from } => from,
        _ => &node.node,
    };
    recovery.state_bytes.get(name).copied()
}

const fn word(change: &Change) -> &'static str {
    match change {
        Change::Keep => "keep",
        Change::New => "new",
        Change::Renamed { .. } => "renamed",
        Change::Reset => "reset",
        Change::Removed => "removed",
        Change::Lost => "lost",
        Change::Incompatible => "incompatible",
    }
}

/// An option of `run` and what it would do.
struct Way {
    option: String,
    effect: String,
}

/// What would let the graph go on.
fn ways_out(verdict: &Verdict, recovery: &Recovery) -> Vec<Way> {
    let mut ways = Vec::new();
    for node in &verdict.nodes {
        let name = &node.node;
        // A sink keeps nothing that could be lost, but a new one may take what the old one wrote for somebody else's.
        let is_sink_gone = node.change == Change::Removed && node.role == NodeRole::Sink;
        if node.change.stops() || is_sink_gone {
            ways.extend(node.successors.iter().map(|new| Way {
                option: format!("--rename {name}={new}"),
                effect: match node.role {
                    NodeRole::Sink => {
                        format!("if `{new}` is `{name}` under another name: it goes on with what that wrote")
                    }
                    NodeRole::Source => format!("`{new}` goes on where `{name}` stopped"),
                    NodeRole::Operator => format!("`{new}` goes on with what `{name}` kept"),
                },
            }));
        }
        let effect = match (&node.change, node.role) {
            (Change::Lost, NodeRole::Source) => "forgets how far it was read".to_owned(),
            (Change::Lost, _) if state_bytes(node, recovery).is_none() => {
                "forgets its watermark, so that rows which were late may count again".to_owned()
            }
            (Change::Lost, _) => "drops its state".to_owned(),
            (Change::Incompatible, NodeRole::Source) => "reads it from its beginning".to_owned(),
            (Change::Incompatible, _) => {
                let after = recovery.version.map_or_else(String::new, |epoch| format!(" after epoch {epoch}"));
                format!("drops its state: it begins with nothing{after}, and rows read before are not read again")
            }
            _ => continue,
        };
        ways.push(Way { option: format!("--reset {name}"), effect });
    }
    ways
}

/// What was found, for programs.
fn to_json(recovery: &Recovery, plan: &Plan) -> Value {
    let node = |node: &NodeVerdict| {
        let mut object = json!({
            "node": node.node,
            "role": node.role,
            "verdict": word(&node.change),
            "reasons": node.reasons,
        });
        if let Change::Renamed { from } = &node.change {
            object["from"] = json!(from);
        }
        if let Some(bytes) = state_bytes(node, recovery) {
            object["state_bytes"] = json!(bytes);
        }
        object
    };
    let nodes = recovery.verdict.iter().flat_map(|verdict| &verdict.nodes);
    let ways = recovery.verdict.as_ref().map(|verdict| ways_out(verdict, recovery)).unwrap_or_default();
    let partitions =
        recovery.partitions.map(|before| json!({"before": before, "now": plan.run.partitions.unwrap_or(before)}));
    json!({
        "graph": plan.name,
        "checkpoint": recovery.location,
        "compatible": fits(recovery),
        "after_epoch": recovery.version,
        "replay": recovery.replay,
        "partitions": partitions,
        "watermarks": recovery.watermarks,
        "damages": recovery.damages.iter().map(Damage::to_string).collect::<Vec<_>>(),
        "nodes": nodes.map(node).collect::<Vec<_>>(),
        "options": ways.iter().map(|way| json!({"option": way.option, "effect": way.effect})).collect::<Vec<_>>(),
    })
}
