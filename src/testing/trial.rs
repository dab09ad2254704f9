//! One case run in one way: the engine is driven epoch by epoch, and each epoch is held against the script.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::error::ArrowError;

use crate::core::checkpoint::{CheckpointError, CheckpointStorage, FileName, MemoryStorage};
use crate::core::engine::{Connectors, Engine, EngineError, EngineOptions, Progress, Step};
use crate::core::plan::{Plan, Role, Trigger};
use crate::core::stream::column_names;
use crate::core::time::{ManualClock, Watermark};

use super::capture::Captured;
use super::cells::rows_of;
use super::compare::{CellRow, Difference, compare};
use super::file::Feed;
use super::report::{Mismatch, SinkRows};
use super::rows::{BoundCase, BoundEpoch};
use super::run::DEFAULT_CLOCK;
use super::script::Feeder;
use super::way::{Restarts, Way};

/// What every sink got in every epoch.
pub(super) type Outputs = Vec<Vec<SinkRows>>;

/// The epoch that went wrong, and what was wrong with it. Past the last one: the engine went on.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) mismatches: Vec<Mismatch>,
}

/// Runs a case.
pub(super) fn run(plan: &Plan, case: &BoundCase, way: Way) -> Result<Outputs, Wrong> {
    let bench = Bench::new(plan, case, way);
    if case.feed == Feed::Queued {
        bench.feeder.release_all();
    }
    let mut trial = Trial::open(bench).map_err(|error| failed(0, &error))?;
    let mut outputs: Outputs = Vec::with_capacity(case.epochs.len());
    for (at, epoch) in case.epochs.iter().enumerate() {
        if let Some(clock) = epoch.clock {
            trial.bench.clock.set(clock);
        }
        if epoch.restart || way.restarts != Restarts::AsWritten {
            trial = trial.restart(case, &outputs)?;
        }
        if case.feed == Feed::Stepwise && epoch.input.is_some() {
            trial.is_at_rest().map_err(|mismatch| Wrong { at, mismatches: vec![mismatch] })?;
            trial.bench.feeder.release_one();
        }
        let progress = match trial.engine.step() {
            Ok(Step::Ran(progress)) => progress,
            Ok(Step::Idle | Step::Finished) => return Err(Wrong { at, mismatches: vec![Mismatch::NotRun] }),
            Err(error) => return Err(failed(at, &error)),
        };
        let output = trial.bench.output(&progress).map_err(|error| failed(at, &error))?;
        let mismatches = judge(epoch, case.ordered, &progress, &output);
        if !mismatches.is_empty() {
            return Err(Wrong { at, mismatches });
        }
        outputs.push(output);
    }
    let at = case.epochs.len();
    if way.restarts != Restarts::AsWritten {
        trial = trial.restart(case, &outputs)?;
    }
    trial.is_at_rest().map_err(|mismatch| Wrong { at, mismatches: vec![mismatch] })?;
    Ok(outputs)
}

fn failed(at: usize, error: &dyn std::fmt::Display) -> Wrong {
    Wrong { at, mismatches: vec![Mismatch::Error(error.to_string())] }
}

/// What outlives a restart: the script's sources and sinks in place of the graph's own, the clock, the checkpoint.
struct Bench {
    plan: Plan,
    way: Way,
    feeder: Feeder,
    clock: Arc<ManualClock>,
    /// By sink: its columns, and what it got.
    sinks: BTreeMap<String, (Vec<String>, Captured)>,
    /// A case that is never restarted needs none.
    checkpoint: Option<MemoryStorage>,
    restarts: usize,
}

impl Bench {
    fn new(plan: &Plan, case: &BoundCase, way: Way) -> Self {
        let mut plan = plan.clone();
        // The feed takes the trigger's place: an epoch as soon as there is input, and never a wait.
        plan.run.trigger = Trigger::Continuous;
        // A test opens nothing; where it needs a checkpoint, that is in memory.
        plan.run.checkpoint = None;
        let feeder = Feeder::new(case.epochs.iter().filter_map(|epoch| epoch.input.clone()).collect());
        let mut sinks = BTreeMap::new();
        for node in plan.dag.node_weights() {
            if let Role::Sink(_, stream) = &node.role {
                let columns = column_names(&stream.schema).map(str::to_owned).collect();
                sinks.insert(node.name.to_string(), (columns, Captured::default()));
            }
        }
        let is_restarted = way.restarts != Restarts::AsWritten || case.epochs.iter().any(|epoch| epoch.restart);
        let checkpoint = is_restarted.then(MemoryStorage::new);
        Self { plan, way, feeder, clock: Arc::new(ManualClock::at(DEFAULT_CLOCK)), sinks, checkpoint, restarts: 0 }
    }

    fn open(&mut self) -> Result<Engine, EngineError> {
        let Self { plan, way, feeder, clock, sinks, checkpoint, restarts } = self;
        feeder.rewind();
        let mut connectors = Connectors::default();
        for node in plan.dag.node_weights() {
            if let Role::Source(..) = &node.role {
                let source = feeder.source(&node.name, way.splits, way.batch_rows);
                connectors.sources.insert(node.name.to_string(), source);
            }
        }
        connectors.sinks.extend(sinks.iter().map(|(name, (_, captured))| (name.clone(), captured.sink())));
        let options = EngineOptions {
            threads: way.threads,
            batch_rows: way.batch_rows,
            clock: Arc::<ManualClock>::clone(clock),
            connectors,
            checkpoint: checkpoint.clone().map(|checkpoint| Arc::new(checkpoint) as Arc<dyn CheckpointStorage>),
            ..EngineOptions::default()
        };
        // The way has heard what the graph says.
        plan.run.partitions = Some(way.partitions_after(*restarts));
        Engine::open(plan, options)
    }

    /// What a crash leaves that comes just before the last thing an epoch does.
    fn lose_last_commit(&self) -> Result<(), CheckpointError> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let files = checkpoint.list()?;
        let mut names: Vec<String> = files.into_iter().map(|file| file.name).collect();
        names.retain(|name| matches!(FileName::parse(name), Some(FileName::Commit(_))));
        names.drain(..names.len().saturating_sub(1));
        checkpoint.remove(&names)
    }

    fn output(&self, progress: &Progress) -> Result<Vec<SinkRows>, ArrowError> {
        let sinks = self.sinks.iter().map(|(sink, (columns, captured))| {
            let rows = rows_of(&captured.rows(progress.epoch))?;
            Ok(SinkRows { sink: sink.clone(), columns: columns.clone(), rows })
        });
        sinks.collect()
    }
}

/// A graph that runs with the sources and sinks of a test.
struct Trial {
    engine: Engine,
    bench: Bench,
}

impl Trial {
    fn open(mut bench: Bench) -> Result<Self, EngineError> {
        Ok(Self { engine: bench.open()?, bench })
    }

    /// Stops, and goes on from the checkpoint; `outputs` are those of the epochs so far.
    fn restart(self, case: &BoundCase, outputs: &Outputs) -> Result<Self, Wrong> {
        let Self { engine, mut bench } = self;
        let at = outputs.len();
        drop(engine);
        if bench.way.restarts == Restarts::CommitLost {
            bench.lose_last_commit().map_err(|error| failed(at, &error))?;
        }
        bench.restarts += 1;
        let mut trial = Self::open(bench).map_err(|error| failed(at, &error))?;
        if trial.engine.epochs_to_replay() > 0 {
            trial.run_again(case, outputs)?;
        }
        Ok(trial)
    }

    /// Runs the last epoch again, as it was meant to be.
    fn run_again(&mut self, case: &BoundCase, outputs: &Outputs) -> Result<(), Wrong> {
        let Some(((at, epoch), first)) = case.epochs.iter().enumerate().zip(outputs).next_back() else { return Ok(()) };
        let progress = match self.engine.step() {
            Ok(Step::Ran(progress)) => progress,
            Ok(Step::Idle | Step::Finished) => return Err(Wrong { at, mismatches: vec![Mismatch::NotRun] }),
            Err(error) => return Err(failed(at, &error)),
        };
        let again = self.bench.output(&progress).map_err(|error| failed(at, &error))?;
        let mut mismatches = judge(epoch, case.ordered, &progress, &again);
        mismatches.extend(first_difference(first, &again).map(|Apart { sink, columns, there, here }| {
            Mismatch::Diverged { sink, columns, first: there, again: here }
        }));
        if mismatches.is_empty() { Ok(()) } else { Err(Wrong { at, mismatches }) }
    }

    /// Whether the engine has nothing to do; an epoch that it runs all the same is in no script.
    fn is_at_rest(&mut self) -> Result<(), Mismatch> {
        match self.engine.step() {
            Ok(Step::Idle | Step::Finished) => Ok(()),
            Ok(Step::Ran(progress)) => {
                let output = self.bench.output(&progress).map_err(|error| Mismatch::Error(error.to_string()))?;
                Err(Mismatch::Unlisted { output, watermark: in_force(&progress) })
            }
            Err(error) => Err(Mismatch::Error(error.to_string())),
        }
    }
}

fn in_force(progress: &Progress) -> Option<Watermark> {
    progress.event_time.map(|event_time| event_time.watermark)
}

/// All that is wrong with an epoch.
fn judge(epoch: &BoundEpoch, ordered: bool, progress: &Progress, output: &[SinkRows]) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    if let Some(wanted) = epoch.watermark {
        let seen = in_force(progress);
        if seen != Some(wanted) {
            mismatches.push(Mismatch::Watermark { wanted, seen });
        }
    }
    for expected in &epoch.output {
        let seen = output.iter().find(|rows| rows.sink == expected.sink).map_or(&[][..], |rows| &rows.rows);
        let (sink, columns) = (expected.sink.clone(), column_names(&expected.schema).map(str::to_owned).collect());
        match compare(&expected.schema, &expected.rows, seen, ordered) {
            None => {}
            Some(Difference::Rows { missing, surplus }) => {
                mismatches.push(Mismatch::Rows { sink, columns, missing, surplus });
            }
            Some(Difference::Order { at }) => {
                let (wanted, seen) = (expected.rows.clone(), seen.to_vec());
                mismatches.push(Mismatch::Order { sink, columns, wanted, seen, at });
            }
        }
    }
    mismatches
}

/// Whether two ways that must not differ at all gave the same rows in the same order.
pub(super) fn agree(here: &Outputs, there: &Outputs, other: Way) -> Result<(), Wrong> {
    for (at, (here, there)) in here.iter().zip(there).enumerate() {
        if let Some(Apart { sink, columns, there, here }) = first_difference(there, here) {
            return Err(Wrong { at, mismatches: vec![Mismatch::Unsteady { sink, other, columns, there, here }] });
        }
    }
    Ok(())
}

/// The first row that is not the same in two outputs of one epoch.
struct Apart {
    sink: String,
    columns: Vec<String>,
    there: Option<CellRow>,
    here: Option<CellRow>,
}

fn first_difference(there: &[SinkRows], here: &[SinkRows]) -> Option<Apart> {
    there.iter().zip(here).find_map(|(there, here)| {
        let rows = here.rows.len().max(there.rows.len());
        let row = (0..rows).find(|&row| !is_same(here.rows.get(row), there.rows.get(row)))?;
        let (sink, columns) = (here.sink.clone(), here.columns.clone());
        Some(Apart { sink, columns, there: there.rows.get(row).cloned(), here: here.rows.get(row).cloned() })
    })
}

fn is_same(here: Option<&CellRow>, there: Option<&CellRow>) -> bool {
    // `NaN` is not equal to itself, but it looks the same.
    here == there || format!("{here:?}") == format!("{there:?}")
}
