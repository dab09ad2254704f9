//! How large files of state are.

use std::collections::BTreeMap;
use std::path::Path;

use watershed::core::checkpoint::{CheckpointStorage, FileName, LocalDirectory, StateContent};
use watershed::core::epoch::Epoch;

use super::rows::{KeyType, Users, batches};
use super::runs::{Input, Question, Run, plan};
use super::{Durability, directory_in};
use crate::Failure;
use crate::measure::median;

/// Bytes of files of state by epoch, all partitions together.
#[derive(Debug, Default)]
pub(super) struct ByEpoch(pub(super) BTreeMap<Epoch, u64>);

impl ByEpoch {
    pub(super) fn median_bytes(&self) -> u64 {
        let bytes: Vec<f64> = self.0.values().map(|bytes| *bytes as f64).collect();
        if bytes.is_empty() { 0 } else { median(&bytes) as u64 }
    }
}

/// The files of state in a directory.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) deltas: ByEpoch,
    pub(super) snapshots: ByEpoch,
}

/// Lists the files of state in `directory`.
pub(super) fn written(directory: &Path) -> Result<Written, Failure> {
    let mut written = Written::default();
    for file in LocalDirectory::new(directory).list()? {
        if let Some(FileName::State(state)) = FileName::parse(&file.name) {
            let of = match state.content {
                StateContent::Delta => &mut written.deltas,
                StateContent::Snapshot => &mut written.snapshots,
            };
            *of.0.entry(state.epoch).or_default() += file.bytes;
        }
    }
    Ok(written)
}

/// Bytes for each key.
#[derive(Debug)]
pub(super) struct Sizes {
    question: Question,
    key: KeyType,
    delta: f64,
    snapshot: f64,
    compressed: f64,
    /// What the store says it holds.
    memory: f64,
}

pub(super) fn measure(wanted: &Durability, place: &Path, each: &mut dyn FnMut(&Sizes)) -> Result<(), Failure> {
    // All keys in the first epoch; then a tenth as many new ones in each, until a snapshot was due.
    let keys = wanted.keys.div_ceil(10);
    let tenth = keys.div_ceil(10);
    let partitions = 2;
    for question in Question::KEEPING {
        for key in [KeyType::Integer, KeyType::Text] {
            let plan = plan(question, key, partitions, 1_000)?;
            let rows = batches(0..tenth * 22, Users::Counted, key, tenth as usize);
            let directory = directory_in(place)?;
            let run = Run::durable(partitions, directory.path());
            let all = Input { batches: rows.into(), batches_per_epoch: 10 };
            Run { max_epochs: Some(1), ..run.clone() }.run(&plan, &all)?;
            let epochs = run.run(&plan, &Input { batches_per_epoch: 1, ..all })?;
            let kept = |progress: &watershed::core::engine::Progress| {
                let kept = progress.operators.iter().find(|operator| operator.node == "kept");
                kept.map_or((0, 0), |kept| (kept.state_rows, kept.state_bytes))
            };
            let (rows, bytes) = epochs.last().map(kept).unwrap_or_default();
            let Written { deltas, snapshots } = written(directory.path())?;
            let bytes_of = |epoch: Option<&Epoch>| epoch.map_or(f64::NAN, |epoch| snapshots.0[epoch] as f64);
            let (first, last) = (snapshots.0.keys().next(), snapshots.0.keys().next_back());
            let last = last.filter(|last| Some(*last) != first);
            each(&Sizes {
                question,
                key,
                delta: deltas.median_bytes() as f64 / tenth as f64,
                snapshot: bytes_of(first) / (tenth * 10) as f64,
                compressed: bytes_of(last) / last.map_or(f64::NAN, |epoch| (tenth * (10 + epoch.0)) as f64),
                memory: bytes as f64 / rows as f64,
            });
        }
    }
    Ok(())
}

pub(super) const HEAD: &str = "graph     key      delta B/key  snapshot B/key   lz4 B/key  memory B/key";

impl Sizes {
    pub(super) fn line(&self) -> String {
        let Self { question, key, delta, snapshot, compressed, memory } = self;
        let (question, key) = (question.name(), key.name());
        format!("{question:<9} {key:<7} {delta:>12.1} {snapshot:>15.1} {compressed:>11.1} {memory:>13.1}")
    }
}
