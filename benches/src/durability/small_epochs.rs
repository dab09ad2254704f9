//! What an epoch costs that has next to nothing to do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use watershed::core::checkpoint::LocalDirectory;
use watershed::core::engine::Progress;

use super::counted::Counted;
use super::rows::{BATCH_ROWS, KeyType, Users, batches};
use super::runs::{Input, Question, Run, plan};
use super::{Durability, directory_in};
use crate::Failure;
use crate::measure::{measured, median, percentile};

/// Rows of an epoch.
const ROWS: u64 = 10;

/// Many small epochs, one after the other.
#[derive(Debug)]
pub(super) struct SmallEpochs {
    question: Question,
    partitions: usize,
    /// Keys that were there before.
    keys: u64,
    /// Milliseconds from epoch to epoch.
    without: f64,
    durable: f64,
    /// Milliseconds of each epoch's intent, its commit, and both.
    intents: Vec<f64>,
    commits: Vec<f64>,
    both: Vec<f64>,
    /// An epoch's syncs of files and folders, and bytes.
    syncs: f64,
    bytes: f64,
}

pub(super) fn measure(wanted: &Durability, place: &Path, each: &mut dyn FnMut(&SmallEpochs)) -> Result<(), Failure> {
    let many = wanted.keys.div_ceil(10);
    let threads = 2;
    for (question, partitions, keys) in [
        (Question::Nothing, 1, 0),
        (Question::Window, 1, 0),
        (Question::Window, 2, 0),
        (Question::Aggregate, 2, many),
        (Question::Dedup, 2, many),
    ] {
        let plan = plan(question, KeyType::Integer, partitions, 10)?;
        // The keys that are there before, in one epoch; then rows that go on from them.
        let before = batches(0..keys, Users::Counted, KeyType::Integer, BATCH_ROWS);
        let begun = before.len();
        let last = keys + ROWS * wanted.small_epochs;
        let rows = batches(keys..last, Users::Spread(keys.max(1_000)), KeyType::Integer, ROWS as usize);
        let all = Input { batches: before.into_iter().chain(rows).collect(), batches_per_epoch: begun.max(1) };
        let small = Input { batches: Arc::clone(&all.batches), batches_per_epoch: 1 };
        let (epochs, cost) = measured(|| {
            let only_small = Input { batches: small.batches[begun..].into(), batches_per_epoch: 1 };
            Run { threads, ..Run::default() }.run(&plan, &only_small)
        });
        let without = 1e3 * cost.wall / epochs?.len() as f64;
        let directory = directory_in(place)?;
        let counted = Arc::new(Counted::default());
        let storage = Arc::new(LocalDirectory::on(Arc::clone(&counted) as _, directory.path()));
        let run = Run { threads, storage: Some(storage), ..Run::default() };
        if begun > 0 {
            Run { max_epochs: Some(1), ..run.clone() }.run(&plan, &all)?;
        }
        let mut engine = run.open(&plan, &small)?;
        let (syncs, bytes) = (counted.syncs.load(Ordering::Relaxed), counted.bytes.load(Ordering::Relaxed));
        let mut epochs: Vec<Progress> = Vec::new();
        let (done, cost) = measured(|| engine.run(&mut |progress| epochs.push(progress.clone())));
        done?;
        let number = epochs.len() as f64;
        let of = |part: fn(&Progress) -> f64| epochs.iter().map(part).collect::<Vec<f64>>();
        each(&SmallEpochs {
            question,
            partitions,
            keys,
            without,
            durable: 1e3 * cost.wall / number,
            intents: of(|epoch| epoch.duration_ms.intent),
            commits: of(|epoch| epoch.duration_ms.commit),
            both: of(|epoch| epoch.duration_ms.intent + epoch.duration_ms.commit),
            syncs: (counted.syncs.load(Ordering::Relaxed) - syncs) as f64 / number,
            bytes: (counted.bytes.load(Ordering::Relaxed) - bytes) as f64 / number,
        });
    }
    Ok(())
}

pub(super) const HEAD: &str = "graph         partitions  keys there  without ms  durable ms  intent p50   p99  commit p50   p99  both p50   p99  syncs   bytes";

impl SmallEpochs {
    pub(super) fn line(&self) -> String {
        let Self { question, partitions, keys, without, durable, intents, commits, both, syncs, bytes } = self;
        let high = |values: &[f64]| percentile(values, 99);
        format!(
            "{:<13} {partitions:>10} {keys:>11} {without:>11.2} {durable:>11.2} {:>11.2} {:>5.2} {:>11.2} {:>5.2} {:>9.2} {:>5.2} {syncs:>6.1} {bytes:>7.0}",
            question.name(),
            median(intents),
            high(intents),
            median(commits),
            high(commits),
            median(both),
            high(both),
        )
    }
}
