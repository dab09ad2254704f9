//! One case run in one way: the graph is driven epoch by epoch, and each epoch is held against the script.

use crate::core::engine::Progress;
use crate::core::plan::Plan;
use crate::core::stream::column_names;
use crate::core::testing::{
    CellRow, Difference, EpochOutput, GraphDriver, Input, Restarts, TestError, Way, compare, first_difference,
};
use crate::core::time::Watermark;

use super::file::Feed;
use super::report::{Mismatch, SinkRows};
use super::rows::{BoundCase, BoundEpoch};

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
    let mut trial = Trial { driver: GraphDriver::new(plan).way(way), outputs: Vec::with_capacity(case.epochs.len()) };
    let inputs = || case.epochs.iter().filter_map(|epoch| epoch.input.as_ref());
    let mut left = inputs().count();
    if case.feed == Feed::Queued || left == 0 {
        trial.offer(inputs(), true)?;
    }
    for epoch in &case.epochs {
        if epoch.restart && way.restarts == Restarts::AsWritten {
            trial.driver.restart().map_err(|error| trial.failed(error))?;
        }
        if let (Feed::Stepwise, Some(input)) = (case.feed, &epoch.input) {
            trial.is_at_rest(case)?;
            left -= 1;
            trial.offer([input], left == 0)?;
        }
        // ORDER: after the rest was looked at. The clock may wake a node, and that goes into the epoch of this input.
        if let Some(clock) = epoch.clock {
            trial.driver.set_clock(clock).map_err(|error| trial.failed(error))?;
        }
        let Some(output) = trial.step(case)? else { return Err(trial.wrong(vec![Mismatch::NotRun])) };
        let rows = rows_of(&output);
        let mismatches = judge(epoch, case.ordered, &output.progress, &rows);
        if !mismatches.is_empty() {
            return Err(trial.wrong(mismatches));
        }
        trial.outputs.push(rows);
    }
    trial.is_at_rest(case)?;
    Ok(trial.outputs)
}

/// A graph that runs with the sources and sinks of a test.
struct Trial {
    driver: GraphDriver,
    /// Of the epochs so far.
    outputs: Outputs,
}

impl Trial {
    /// Something is wrong with the epoch in hand.
    fn wrong(&self, mismatches: Vec<Mismatch>) -> Wrong {
        Wrong { at: self.outputs.len(), mismatches }
    }

    fn failed(&self, error: TestError) -> Wrong {
        self.wrong(vec![match error {
            TestError::Diverged(diverged) => Mismatch::Diverged {
                sink: diverged.output,
                columns: diverged.columns,
                first: diverged.first,
                again: diverged.again,
            },
            error => Mismatch::Error(error.to_string()),
        }])
    }

    /// Gives the sources inputs of one epoch each; `all`: there will be no more.
    fn offer<'a>(&mut self, inputs: impl IntoIterator<Item = &'a Input>, all: bool) -> Result<(), Wrong> {
        let offer = || {
            for input in inputs {
                for (source, rows) in input {
                    self.driver.feed(source, rows)?;
                }
                self.driver.queue()?;
            }
            if all { self.driver.end_input() } else { Ok(()) }
        };
        offer().map_err(|error| self.failed(error))
    }

    /// Runs an epoch; what had to be run again before it must come out as it did the first time.
    fn step(&mut self, case: &BoundCase) -> Result<Option<EpochOutput>, Wrong> {
        let output = self.driver.step().map_err(|error| self.failed(error))?;
        if let (Some(again), Some(at)) = (self.driver.replayed().last(), self.outputs.len().checked_sub(1)) {
            let mismatches = judge(&case.epochs[at], case.ordered, &again.progress, &rows_of(again));
            if !mismatches.is_empty() {
                return Err(Wrong { at, mismatches });
            }
        }
        Ok(output)
    }

    /// An epoch that the engine runs although it should have nothing to do is in no script.
    fn is_at_rest(&mut self, case: &BoundCase) -> Result<(), Wrong> {
        match self.step(case)? {
            None => Ok(()),
            Some(output) => {
                let (rows, watermark) = (rows_of(&output), in_force(&output.progress));
                Err(self.wrong(vec![Mismatch::Unlisted { output: rows, watermark }]))
            }
        }
    }
}

fn rows_of(output: &EpochOutput) -> Vec<SinkRows> {
    let rows = output.tables().map(|(sink, table)| SinkRows {
        sink: sink.to_owned(),
        columns: column_names(&table.schema()).map(str::to_owned).collect(),
        rows: table.cells(),
    });
    rows.collect()
}

fn in_force(progress: &Progress) -> Option<Watermark> {
    progress.event_time.as_ref().map(|event_time| event_time.watermark)
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
        if let Some(Apart { sink, columns, there, here }) = first_apart(there, here) {
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

fn first_apart(there: &[SinkRows], here: &[SinkRows]) -> Option<Apart> {
    there.iter().zip(here).find_map(|(there, here)| {
        let row = first_difference(&there.rows, &here.rows)?;
        let (sink, columns) = (here.sink.clone(), here.columns.clone());
        Some(Apart { sink, columns, there: there.rows.get(row).cloned(), here: here.rows.get(row).cloned() })
    })
}
