//! One case run in one way: the engine is driven epoch by epoch, and each epoch is held against the script.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::engine::{Connectors, Engine, EngineOptions, Progress, Step};
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
use super::way::Way;

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
    let failed =
        |at: usize, error: &dyn std::fmt::Display| Wrong { at, mismatches: vec![Mismatch::Error(error.to_string())] };
    let mut trial = Trial::open(plan, case, way).map_err(|error| failed(0, &error))?;
    if case.feed == Feed::Queued {
        trial.feeder.release_all();
    }
    let mut outputs = Vec::with_capacity(case.epochs.len());
    for (at, epoch) in case.epochs.iter().enumerate() {
        if let Some(clock) = epoch.clock {
            trial.clock.set(clock);
        }
        if case.feed == Feed::Stepwise && epoch.input.is_some() {
            trial.is_at_rest().map_err(|mismatch| Wrong { at, mismatches: vec![mismatch] })?;
            trial.feeder.release_one();
        }
        let progress = match trial.engine.step() {
            Ok(Step::Ran(progress)) => progress,
            Ok(Step::Idle | Step::Finished) => return Err(Wrong { at, mismatches: vec![Mismatch::NotRun] }),
            Err(error) => return Err(failed(at, &error)),
        };
        let output = trial.output(&progress).map_err(|error| failed(at, &error))?;
        let mismatches = judge(epoch, case.ordered, &progress, &output);
        if !mismatches.is_empty() {
            return Err(Wrong { at, mismatches });
        }
        outputs.push(output);
    }
    let at = case.epochs.len();
    trial.is_at_rest().map_err(|mismatch| Wrong { at, mismatches: vec![mismatch] })?;
    Ok(outputs)
}

/// A graph with the sources and sinks of a test in place of its own.
struct Trial {
    engine: Engine,
    feeder: Feeder,
    clock: Arc<ManualClock>,
    /// By sink: its columns, and what it got.
    sinks: BTreeMap<String, (Vec<String>, Captured)>,
}

impl Trial {
    fn open(plan: &Plan, case: &BoundCase, way: Way) -> Result<Self, crate::core::engine::EngineError> {
        let mut plan = plan.clone();
        // The feed takes the trigger's place: an epoch as soon as there is input, and never a wait.
        plan.run.trigger = Trigger::Continuous;
        plan.run.partitions = plan.run.partitions.or(Some(way.partitions));
        let feeder = Feeder::new(case.epochs.iter().filter_map(|epoch| epoch.input.clone()).collect());
        let (mut connectors, mut sinks) = (Connectors::default(), BTreeMap::new());
        for node in plan.dag.node_weights() {
            match &node.role {
                Role::Source(..) => {
                    let source = feeder.source(&node.name, way.splits, way.batch_rows);
                    connectors.sources.insert(node.name.to_string(), source);
                }
                Role::Sink(_, stream) => {
                    let captured = Captured::default();
                    connectors.sinks.insert(node.name.to_string(), captured.sink());
                    let columns = column_names(&stream.schema).map(str::to_owned).collect();
                    sinks.insert(node.name.to_string(), (columns, captured));
                }
                Role::Operator { .. } => {}
            }
        }
        let clock = Arc::new(ManualClock::at(DEFAULT_CLOCK));
        let options = EngineOptions {
            threads: way.threads,
            batch_rows: way.batch_rows,
            clock: Arc::<ManualClock>::clone(&clock),
            connectors,
            ..EngineOptions::default()
        };
        Ok(Self { engine: Engine::open(&plan, options)?, feeder, clock, sinks })
    }

    /// Whether the engine has nothing to do; an epoch that it runs all the same is in no script.
    fn is_at_rest(&mut self) -> Result<(), Mismatch> {
        match self.engine.step() {
            Ok(Step::Idle | Step::Finished) => Ok(()),
            Ok(Step::Ran(progress)) => {
                let output = self.output(&progress).map_err(|error| Mismatch::Error(error.to_string()))?;
                Err(Mismatch::Unlisted { output, watermark: in_force(&progress) })
            }
            Err(error) => Err(Mismatch::Error(error.to_string())),
        }
    }

    fn output(&self, progress: &Progress) -> Result<Vec<SinkRows>, arrow::error::ArrowError> {
        let sinks = self.sinks.iter().map(|(sink, (columns, captured))| {
            let rows = rows_of(&captured.rows(progress.epoch))?;
            Ok(SinkRows { sink: sink.clone(), columns: columns.clone(), rows })
        });
        sinks.collect()
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
        for (here, there) in here.iter().zip(there) {
            let rows = here.rows.len().max(there.rows.len());
            let differs = (0..rows).find(|&row| !is_same(here.rows.get(row), there.rows.get(row)));
            if let Some(row) = differs {
                let mismatch = Mismatch::Unsteady {
                    sink: here.sink.clone(),
                    other,
                    columns: here.columns.clone(),
                    there: there.rows.get(row).cloned(),
                    here: here.rows.get(row).cloned(),
                };
                return Err(Wrong { at, mismatches: vec![mismatch] });
            }
        }
    }
    Ok(())
}

fn is_same(here: Option<&CellRow>, there: Option<&CellRow>) -> bool {
    // `NaN` is not equal to itself, but it looks the same.
    here == there || format!("{here:?}") == format!("{there:?}")
}
