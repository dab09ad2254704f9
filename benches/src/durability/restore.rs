//! How long it takes to go on from a checkpoint with many keys, and what they take in memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use watershed::core::checkpoint::{
    CheckpointStorage, Commit, DamageCause, FileName, Holdings, LocalDirectory, StateFile, decode_state,
};
use watershed::core::state::{PlacedBy, StateStore, TableSchema};

use super::rows::{BATCH_ROWS, KeyType, Users, batches};
use super::runs::{Input, Question, Run, plan};
use super::{Durability, directory_in};
use crate::Failure;
use crate::measure::{Costs, forget_peak, measured, resident};

const PARTITIONS: usize = 2;
/// Deltas after the snapshot, and the keys that each names.
const DELTAS: u64 = 5;
const DELTA_KEYS: u64 = 100_000;

/// How the checkpoint came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// All keys in one epoch.
    AtOnce,
    /// Epoch by epoch, then put together in the background.
    Gathered,
}

/// What going on took.
#[derive(Debug)]
pub(super) struct Restore {
    question: Question,
    key: KeyType,
    form: Form,
    keys: usize,
    bytes: u64,
    warm: Costs,
    /// With the files out of the system's memory; none where that cannot be done.
    cold: Costs,
    /// One after the other on one thread.
    reading: f64,
    decoding: f64,
    indexing: f64,
    state_bytes: u64,
    resident: Option<u64>,
    peak: Option<u64>,
}

pub(super) fn measure(wanted: &Durability, place: &Path, each: &mut dyn FnMut(&Restore)) -> Result<(), Failure> {
    for (question, key, form) in [
        (Question::Aggregate, KeyType::Integer, Form::AtOnce),
        (Question::Aggregate, KeyType::Integer, Form::Gathered),
        (Question::Aggregate, KeyType::Text, Form::Gathered),
        (Question::Dedup, KeyType::Integer, Form::Gathered),
    ] {
        each(&measure_one(wanted, place, question, key, form)?);
    }
    Ok(())
}

fn measure_one(
    wanted: &Durability,
    place: &Path,
    question: Question,
    key: KeyType,
    form: Form,
) -> Result<Restore, Failure> {
    let plan = plan(question, key, PARTITIONS, 10)?;
    let directory = directory_in(place)?;
    let run = Run::durable(PARTITIONS, directory.path());
    let (pieces, delta) = (11, DELTA_KEYS.min(wanted.keys / 100).max(1));
    let begun = wanted.keys.div_ceil(BATCH_ROWS as u64) * BATCH_ROWS as u64;
    let more = begun..begun + (DELTAS + 1) * delta;
    let end = {
        let all: Vec<_> = batches(0..begun, Users::Counted, key, BATCH_ROWS);
        let per_epoch = if form == Form::AtOnce { all.len() } else { all.len().div_ceil(pieces) };
        let end = all.len();
        run.run(&plan, &Input { batches: all.into(), batches_per_epoch: per_epoch })?;
        end
    };
    // The source goes on behind what is read: in place of that, batches without rows.
    let few = batches(more, Users::Counted, key, delta as usize);
    let read = few[0].slice(0, 0);
    let after: Arc<[_]> = std::iter::repeat_n(read, end).chain(few).collect();
    let after = Input { batches: after, batches_per_epoch: 1 };
    Run { max_epochs: Some(DELTAS), ..run.clone() }.run(&plan, &after)?;

    let storage = LocalDirectory::new(directory.path());
    let commit = newest(&storage)?;
    let files: Vec<StateFile> = commit.state_files().collect();
    let held = Holdings::read(&storage)?.state;
    let mut restore = Restore {
        question,
        key,
        form,
        keys: 0,
        bytes: files.iter().filter_map(|file| held.get(file)).sum(),
        warm: Costs::default(),
        cold: Costs::default(),
        reading: 0.0,
        decoding: 0.0,
        indexing: 0.0,
        state_bytes: 0,
        resident: None,
        peak: None,
    };
    restore.measure_parts(&storage, &files)?;
    for _ in 0..wanted.runs {
        forget_peak();
        let before = resident();
        let (engine, cost) = measured(|| run.open(&plan, &after));
        let engine = engine?;
        if let Some((before, (now, peak))) = before.zip(resident()) {
            restore.resident = Some(now.saturating_sub(before.0));
            restore.peak = Some(peak.saturating_sub(before.0));
        }
        restore.warm.0.push(cost);
        drop(engine);
    }
    for _ in 0..wanted.runs {
        if !files.iter().all(|file| forget(&directory.path().join(FileName::State(file.clone()).to_string()))) {
            break;
        }
        let (engine, cost) = measured(|| run.open(&plan, &after));
        engine?;
        restore.cold.0.push(cost);
    }
    let progress = Run { max_epochs: Some(1), ..run }.run(&plan, &after)?;
    let kept = progress.iter().flat_map(|progress| &progress.operators).find(|operator| operator.node == "kept");
    restore.state_bytes = kept.map_or(0, |kept| kept.state_bytes);
    let expected = begun + (DELTAS + 1) * delta;
    if kept.is_none_or(|kept| kept.state_rows != expected) {
        return Err(Failure::Differs(format!("{kept:?} is not {expected} keys")));
    }
    Ok(restore)
}

/// The newest version.
fn newest(storage: &dyn CheckpointStorage) -> Result<Commit, Failure> {
    let commits = Holdings::read(storage)?.commits.into_values().next_back();
    let commit = commits.ok_or_else(|| Failure::Differs("nothing was committed".to_owned()))?;
    commit.map_err(|cause| damaged(&cause))
}

fn damaged(cause: &DamageCause) -> Failure {
    Failure::Differs(format!("a file is damaged: {cause:?}"))
}

/// Asks the system to forget what it holds of a file; whether it could be asked.
fn forget(file: &Path) -> bool {
    let mut command = Command::new("dd");
    command.arg(format!("of={}", file.display())).args(["oflag=nocache", "conv=notrunc,fdatasync", "count=0"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub(super) const HEAD: &str = "graph     key     checkpoint       keys      MB   warm s  spread   cold s  spread  | reading  decoding  indexing |  state B/key  resident  peak";

impl Restore {
    /// The parts one after the other, on this thread.
    fn measure_parts(&mut self, storage: &dyn CheckpointStorage, files: &[StateFile]) -> Result<(), Failure> {
        let mut stores: Vec<Option<StateStore>> = Vec::new();
        for file in files {
            let (content, cost) = measured(|| storage.read(&FileName::State(file.clone()).to_string()));
            self.reading += cost.wall;
            let content = content?.ok_or_else(|| Failure::Differs("a file is missing".to_owned()))?;
            let (rows, cost) = measured(|| decode_state(file, content));
            self.decoding += cost.wall;
            let rows = rows.map_err(|cause| damaged(&cause))?;
            let (keys, values) = rows.schema.fields().split_at(rows.header.key_columns);
            let (keys, values) = (keys.iter().cloned().collect(), values.iter().cloned().collect());
            let declared = TableSchema { name: "kept", keys, values, placed_by: PlacedBy::Keys, slots: String::new() };
            stores.resize_with(stores.len().max(file.partition + 1), || None);
            let store = stores[file.partition].get_or_insert_with(|| StateStore::new(vec![declared.clone()]));
            let (done, cost) = measured(|| -> Result<(), Failure> {
                for change in &rows.changes(&declared).map_err(|cause| damaged(&cause))? {
                    store.table(0).apply(change)?;
                }
                store.commit()?;
                Ok(())
            });
            done?;
            self.indexing += cost.wall;
        }
        self.keys = stores.iter().flatten().map(StateStore::rows).sum();
        Ok(())
    }

    pub(super) fn line(&self) -> String {
        let form = if self.form == Form::AtOnce { "at once" } else { "gathered" };
        let per_key = |bytes: u64| bytes as f64 / self.keys as f64;
        let optional = |bytes: Option<u64>| bytes.map_or(f64::NAN, per_key);
        format!(
            "{:<9} {:<7} {form:<9} {:>11} {:>7.0} {:>8.2} {:>5.0} % {:>8.2} {:>5.0} %  | {:>7.2} {:>9.2} {:>9.2} | {:>12.1} {:>9.1} {:>5.1}",
            self.question.name(),
            self.key.name(),
            self.keys,
            self.bytes as f64 / 1e6,
            self.warm.median(),
            100.0 * self.warm.spread(),
            self.cold.median(),
            100.0 * self.cold.spread(),
            self.reading,
            self.decoding,
            self.indexing,
            per_key(self.state_bytes),
            optional(self.resident),
            optional(self.peak),
        )
    }
}
