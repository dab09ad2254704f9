//! `watershed checkpoint prune`: removes what nobody needs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZero;

use clap::Args;
use watershed_core::checkpoint::inspect::{Removal, prune};
use watershed_core::checkpoint::{FileName, Holder, StateContent};
use watershed_core::time::{Clock, SystemClock};

use super::{epochs, failed, holdings};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::run::numbers::{bytes, count};
use crate::cli::storage;
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed checkpoint prune checkpoints/visits --dry-run     what would go
  watershed checkpoint prune checkpoints/visits               keep the newest version alone
  watershed checkpoint prune checkpoints/visits --keep 3      keep the newest three

A run does this by itself, as its graph says in `run: (retain: …)`.";

/// Remove old versions and files that nobody needs
///
/// Keeps the newest versions of the state with all they need, and the plan of an epoch that was not committed, so that a run goes on
/// as if nothing had been removed. Older epochs can no longer be looked into, nor gone back to should the newest files be damaged.
/// The version that a run would go on from is read to the last byte first; when something is damaged, what a run would go on from
/// stays, whatever is newer stays with it, and nothing goes that may be needed in its place.
///
/// Takes the lock: a checkpoint in use is left alone.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct PruneArguments {
    /// The checkpoint
    #[arg(value_name = "DIR")]
    checkpoint: String,
    /// How many versions to keep
    #[arg(long, value_name = "N", default_value = "1")]
    keep: NonZero<usize>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &PruneArguments, terminal: Terminal) -> Outcome {
    let storage = storage::open(&arguments.checkpoint)?;
    // Before the lock, which would make a directory where none is.
    holdings(&*storage)?;
    let _lock = if arguments.dry_run {
        None
    } else {
        let holder = Holder::of_this_process("checkpoint prune", SystemClock.now());
        Some(storage.lock(&holder).map_err(|error| failed(&error))?)
    };
    let removal = prune(&*storage, arguments.keep.get()).map_err(|error| failed(&error))?;
    if !arguments.dry_run {
        let names: Vec<String> = removal.files.iter().map(|(name, _)| name.clone()).collect();
        storage.remove(&names).map_err(|error| failed(&error))?;
    }
    terminal.print(&as_text(&removal, arguments.dry_run))?;
    Ok(Exit::Ok)
}

fn as_text(removal: &Removal, dry_run: bool) -> String {
    let kept = match removal.kept.as_slice() {
        [] => "no epoch is committed yet".to_owned(),
        kept => format!("{} kept", epochs(kept)),
    };
    if removal.files.is_empty() {
        return format!("nothing to remove: {kept}\n");
    }
    let mut text = String::new();
    for (what, (files, size)) in by_kind(removal) {
        let files = if files == 1 { "1 file".to_owned() } else { format!("{} files", count(files)) };
        writeln!(text, "  {what}: {files}, {}", bytes(size)).expect("writing to a string cannot fail");
    }
    let (done, total) = (if dry_run { "would remove" } else { "removed" }, bytes(removal.bytes()));
    let files = if removal.files.len() == 1 { "file" } else { "files" };
    format!("{done} {} {files}, {total}; {kept}\n{text}", count(removal.files.len() as u64))
}

/// How many files of each kind go, and their bytes.
fn by_kind(removal: &Removal) -> BTreeMap<String, (u64, u64)> {
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (name, size) in &removal.files {
        let kind = match FileName::parse(name) {
            Some(FileName::Intent(_) | FileName::Commit(_)) if !removal.versions.is_empty() => {
                format!("records of {}", epochs(&removal.versions))
            }
            Some(FileName::Intent(_) | FileName::Commit(_)) => "records of epochs".to_owned(),
            Some(FileName::Graph(_)) => "graphs of old".to_owned(),
            Some(FileName::State(file)) => {
                let kind = if file.content == StateContent::Delta { "deltas" } else { "snapshots" };
                format!("{kind} of `{}`, table `{}`", file.node, file.table)
            }
            Some(FileName::Metadata) | None => "other files".to_owned(),
        };
        let (files, total) = kinds.entry(kind).or_default();
        *files += 1;
        *total += size;
    }
    kinds
}
