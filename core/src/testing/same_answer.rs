//! Whether an answer depends on what it may not depend on.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::compare::{CellRow, compare};
use super::difference::{NotTheSame, first_difference};
use super::driver::GraphDriver;
use super::error::{Result, TestError};
use super::feed::{FedEpoch, Feed};
use super::harness::{OperatorHarness, Tested};
use super::output::EpochOutput;
use super::table::{Table, told};
use super::way::{Restarts, Way};
use crate::plan::{Plan, Role};
use crate::stream::{Mode, column_names};
use crate::time::Timestamp;

/// In how far the answer may depend on the epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epochs {
    /// It may: only runs with the same epochs are compared. What a watermark closes, what is late and what an update shows follow from
    /// where an epoch ends, so this holds for every operator.
    #[default]
    Same,
    /// It may not: the same rows in other epochs leave the same state, and give in the end the same rows. Of a stream of updates
    /// the last of each key counts, of a complete result the last whole. A watermark still comes before the rows it came before.
    /// It holds for an operator that looks at each row or key alone (a filter, a duplicate dropped, a sum), and not for one that says
    /// something of an epoch as a whole.
    Any,
}

/// Checks that an answer does not depend on how it is computed: a [`Tested`] operator, or the [`Plan`] of a graph, is run with each
/// feed once in order, and then in every way of [`Way::ALL`]: with other batches, several splits, threads and partitions, with a
/// restart before every epoch, with a crash after every epoch that is then run again from its intent, and shared out among another
/// number of partitions before every epoch.
///
/// Each time, every epoch must put out the same rows by every port, leave out as many as late, and the state must be the same in the
/// end. The order of rows, and the last digits of floating-point numbers, may depend on splits and partitions, and on nothing else.
/// With [`Epochs::Any`] the rows are also cut into other epochs.
///
/// # Errors
///
/// [`TestError::NotTheSame`] names the way and shows the first difference.
pub fn same_answer(tested: &impl Testable, feeds: impl IntoIterator<Item = Feed>, epochs: Epochs) -> Result<()> {
    for (number, feed) in feeds.into_iter().enumerate() {
        let inputs: BTreeMap<String, SchemaRef> = tested.inputs()?.into_iter().collect();
        let fed = feed.into_epochs()?.into_iter().map(|epoch| bound(epoch, &inputs)).collect::<Result<Vec<_>>>()?;
        let mut tried: Vec<(Way, Answer)> = Vec::with_capacity(Way::ALL.len());
        for way in Way::ALL {
            let answer = run(tested, &fed, way).map_err(|error| failed(error, number, way, None))?;
            let differs = tried.iter().find_map(|(reference, expected)| {
                let exactly = way.must_agree_with(*reference);
                // The first is the reference of all; any other only of those that must agree with it to the bit.
                let compares = exactly || *reference == Way::SEQUENTIAL;
                let (what, difference) = compares.then(|| expected.epoch_by_epoch(&answer, exactly)).flatten()?;
                Some(NotTheSame { feed: number, reference: *reference, way, cut: None, what, difference })
            });
            if let Some(differs) = differs {
                return Err(TestError::NotTheSame(Box::new(differs)));
            }
            tried.push((way, answer));
        }
        if epochs == Epochs::Any {
            let (reference, expected) = &tried[0];
            for cut in Cut::ALL {
                let answer = run(tested, &cut.apply(&fed), Way::SEQUENTIAL);
                let answer = answer.map_err(|error| failed(error, number, Way::SEQUENTIAL, Some(cut.words())))?;
                if let Some((what, difference)) = expected.as_a_whole(&answer) {
                    let (reference, cut) = (*reference, Some(cut.words()));
                    let differs = NotTheSame { feed: number, reference, way: reference, cut, what, difference };
                    return Err(TestError::NotTheSame(Box::new(differs)));
                }
            }
        }
    }
    Ok(())
}

/// What became of a run that came to no end, with the way it was run.
fn failed(error: TestError, feed: usize, way: Way, cut: Option<&'static str>) -> TestError {
    match error {
        TestError::Diverged(diverged) => {
            let what = format!("`{}` in epoch {}, run again after a crash,", diverged.output, diverged.epoch);
            let (reference, difference) = (Way { restarts: Restarts::AsWritten, ..way }, diverged.table());
            TestError::NotTheSame(Box::new(NotTheSame { feed, reference, way, cut, what, difference }))
        }
        error => TestError::Way { feed, way, cut, source: Box::new(error) },
    }
}

/// What [`same_answer`] can run.
pub trait Testable {
    /// The inputs, and their columns.
    fn inputs(&self) -> Result<Vec<(String, SchemaRef)>>;

    /// Whether the feed moves the watermark.
    fn moves_watermark(&self) -> bool;

    /// A run from the start.
    fn start(&self, way: Way) -> Result<Box<dyn TestRun>>;
}

/// A run of a [`Testable`].
pub trait TestRun {
    /// Gives an input rows.
    fn feed(&mut self, input: &str, rows: &RecordBatch) -> Result<()>;

    /// Moves the watermark on.
    fn set_watermark(&mut self, to: Timestamp) -> Result<()>;

    /// Sets the processing time.
    fn set_clock(&mut self, time: Timestamp) -> Result<()>;

    /// Runs what was fed: the epochs that came of it.
    fn run(&mut self) -> Result<Vec<EpochOutput>>;

    /// The state at the end, table by table.
    fn finish(&mut self) -> Result<BTreeMap<String, Table>>;

    /// How the rows of each output replace each other.
    fn modes(&self) -> BTreeMap<String, Mode>;
}

impl Testable for Tested {
    fn inputs(&self) -> Result<Vec<(String, SchemaRef)>> {
        Ok(self.named_inputs().into_iter().map(|(name, stream)| (name, Arc::clone(&stream.schema))).collect())
    }

    fn moves_watermark(&self) -> bool {
        self.named_inputs().iter().any(|(_, stream)| !stream.watermarks.is_empty())
    }

    fn start(&self, way: Way) -> Result<Box<dyn TestRun>> {
        Ok(Box::new(self.clone().way(way).harness()?))
    }
}

impl TestRun for OperatorHarness {
    fn feed(&mut self, input: &str, rows: &RecordBatch) -> Result<()> {
        Self::feed(self, input, rows)
    }

    fn set_watermark(&mut self, to: Timestamp) -> Result<()> {
        Self::set_watermark(self, to)
    }

    fn set_clock(&mut self, time: Timestamp) -> Result<()> {
        Self::set_clock(self, time)
    }

    fn run(&mut self) -> Result<Vec<EpochOutput>> {
        Ok(vec![self.end_epoch()?])
    }

    fn finish(&mut self) -> Result<BTreeMap<String, Table>> {
        self.driver().finish()
    }

    fn modes(&self) -> BTreeMap<String, Mode> {
        self.output_modes()
    }
}

impl Testable for Plan {
    fn inputs(&self) -> Result<Vec<(String, SchemaRef)>> {
        let driver = GraphDriver::new(self);
        driver.sources().map(|name| Ok((name.to_owned(), driver.columns(name)?))).collect()
    }

    fn moves_watermark(&self) -> bool {
        false
    }

    fn start(&self, way: Way) -> Result<Box<dyn TestRun>> {
        Ok(Box::new(GraphDriver::new(self).way(way)))
    }
}

impl TestRun for GraphDriver {
    fn feed(&mut self, input: &str, rows: &RecordBatch) -> Result<()> {
        Self::feed(self, input, rows)
    }

    fn set_watermark(&mut self, _: Timestamp) -> Result<()> {
        Err(TestError::Given("the watermark of a graph follows from its rows: leave it out of the feed".to_owned()))
    }

    fn set_clock(&mut self, time: Timestamp) -> Result<()> {
        Self::set_clock(self, time)
    }

    fn run(&mut self) -> Result<Vec<EpochOutput>> {
        Self::run(self)
    }

    fn finish(&mut self) -> Result<BTreeMap<String, Table>> {
        self.restart_if_due()?;
        self.all_state()
    }

    fn modes(&self) -> BTreeMap<String, Mode> {
        let mode = |node: &crate::plan::PlanNode| match &node.role {
            Role::Sink(_, stream) => Some((node.name.to_string(), stream.mode.clone())),
            _ => None,
        };
        self.plan.dag.node_weights().filter_map(mode).collect()
    }
}

/// An epoch of a feed with its rows as batches.
#[derive(Clone, Debug, Default)]
struct BoundEpoch {
    rows: Vec<(String, RecordBatch)>,
    watermark: Option<Timestamp>,
    clock: Option<Timestamp>,
}

fn bound(epoch: FedEpoch, inputs: &BTreeMap<String, SchemaRef>) -> Result<BoundEpoch> {
    let FedEpoch { rows, watermark, clock } = epoch;
    let batch = |(input, given): (String, super::given::Given)| {
        let known = || inputs.keys().map(String::as_str);
        let schema = inputs.get(&input).ok_or_else(|| super::table::unknown("input", &input, known()))?;
        let table = given.table(schema)?;
        Ok((input, table.batch().clone()))
    };
    Ok(BoundEpoch { rows: rows.into_iter().map(batch).collect::<Result<_>>()?, watermark, clock })
}

/// How rows are cut into other epochs.
#[derive(Clone, Copy, Debug)]
enum Cut {
    InTwo,
    RowByRow,
    Together,
}

impl Cut {
    const ALL: [Self; 3] = [Self::InTwo, Self::RowByRow, Self::Together];

    const fn words(self) -> &'static str {
        match self {
            Self::InTwo => "each epoch cut in two",
            Self::RowByRow => "each row in an epoch of its own",
            Self::Together => "epochs run as one where neither watermark nor clock moved",
        }
    }

    fn apply(self, epochs: &[BoundEpoch]) -> Vec<BoundEpoch> {
        match self {
            Self::InTwo => epochs.iter().flat_map(|epoch| epoch.cut(|rows| rows.div_ceil(2))).collect(),
            Self::RowByRow => epochs.iter().flat_map(|epoch| epoch.cut(|_| 1)).collect(),
            Self::Together => {
                let mut whole: Vec<BoundEpoch> = Vec::new();
                // Rows are late from the epoch after the one in which the watermark moved.
                let mut moved = false;
                for epoch in epochs {
                    let moves = epoch.watermark.is_some() || epoch.clock.is_some();
                    match whole.last_mut() {
                        Some(last) if !moves && !moved => last.rows.extend(epoch.rows.iter().cloned()),
                        _ => whole.push(epoch.clone()),
                    }
                    moved = moves;
                }
                whole
            }
        }
    }
}

impl BoundEpoch {
    /// The same rows in several epochs. The clock moves before the first and the watermark before the last, so that no more and no
    /// fewer rows are late.
    fn cut(&self, rows_each: impl Fn(usize) -> usize) -> Vec<Self> {
        let mut pieces: Vec<Self> = Vec::new();
        for (input, rows) in &self.rows {
            let size = rows_each(rows.num_rows()).max(1);
            for (number, start) in (0..rows.num_rows()).step_by(size).enumerate() {
                if pieces.len() == number {
                    pieces.push(Self::default());
                }
                let piece = rows.slice(start, size.min(rows.num_rows() - start));
                pieces[number].rows.push((input.clone(), piece));
            }
        }
        if pieces.is_empty() {
            pieces.push(Self::default());
        }
        pieces[0].clock = self.clock;
        pieces.last_mut().expect("there is one").watermark = self.watermark;
        pieces
    }
}

/// What a run gave.
struct Answer {
    epochs: Vec<EpochOutput>,
    state: BTreeMap<String, Table>,
    modes: BTreeMap<String, Mode>,
}

fn run(tested: &impl Testable, feed: &[BoundEpoch], way: Way) -> Result<Answer> {
    let mut run = tested.start(way)?;
    let mut epochs = Vec::new();
    for epoch in feed {
        if let Some(clock) = epoch.clock {
            run.set_clock(clock)?;
        }
        if let Some(watermark) = epoch.watermark {
            run.set_watermark(watermark)?;
        }
        for (input, rows) in &epoch.rows {
            run.feed(input, rows)?;
        }
        epochs.extend(run.run()?);
    }
    Ok(Answer { epochs, state: run.finish()?, modes: run.modes() })
}

/// What differs, and how.
type Differs = Option<(String, String)>;

impl Answer {
    fn epoch_by_epoch(&self, other: &Self, exactly: bool) -> Differs {
        for (here, there) in self.epochs.iter().zip(&other.epochs) {
            let epoch = here.epoch();
            for ((output, expected), (_, seen)) in here.tables().zip(there.tables()) {
                if let Some(difference) = tables_differ(expected, seen, exactly) {
                    return Some((format!("`{output}` in epoch {epoch}"), difference));
                }
            }
            if here.rows_late() != there.rows_late() {
                let difference = format!("{} instead of {}", there.rows_late(), here.rows_late());
                return Some((format!("the number of late rows in epoch {epoch}"), difference));
            }
        }
        if self.epochs.len() != other.epochs.len() {
            let difference = format!("{} instead of {}", other.epochs.len(), self.epochs.len());
            return Some(("the number of epochs".to_owned(), difference));
        }
        self.state_differs(other)
    }

    fn as_a_whole(&self, other: &Self) -> Differs {
        for (output, mode) in &self.modes {
            let (expected, seen) = (self.in_the_end(output, mode), other.in_the_end(output, mode));
            let schema = match self.epochs.first() {
                Some(epoch) => epoch[output].schema(),
                None => continue,
            };
            if let Some(difference) = compare(&schema, &expected, &seen, false) {
                return Some((
                    format!("what `{output}` gave in the end"),
                    told(&schema, &expected, &seen, &difference),
                ));
            }
        }
        self.state_differs(other)
    }

    fn state_differs(&self, other: &Self) -> Differs {
        let differs = |(name, expected): (&String, &Table)| {
            let difference = tables_differ(expected, other.state.get(name)?, false)?;
            Some((format!("state {name} in the end"), difference))
        };
        self.state.iter().find_map(differs)
    }

    /// The rows that an output stands for after the last epoch.
    fn in_the_end(&self, output: &str, mode: &Mode) -> Vec<CellRow> {
        let mut tables = self.epochs.iter().map(|epoch| &epoch[output]);
        match mode {
            Mode::Append => tables.flat_map(Table::cells).collect(),
            Mode::Complete(_) => tables.next_back().map(Table::cells).unwrap_or_default(),
            Mode::Update(keys) => {
                let mut newest = BTreeMap::new();
                for table in tables {
                    let schema = table.schema();
                    let is_key: Vec<bool> =
                        column_names(&schema).map(|name| keys.iter().any(|key| key == name)).collect();
                    for row in table.cells() {
                        let key = row.iter().zip(&is_key).filter(|(_, is_key)| **is_key).map(|(cell, _)| cell);
                        newest.insert(format!("{:?}", key.collect::<Vec<_>>()), row);
                    }
                }
                newest.into_values().collect()
            }
        }
    }
}

/// How tables differ: in any order, or `exactly`, to the bit.
fn tables_differ(expected: &Table, seen: &Table, exactly: bool) -> Option<String> {
    let schema = expected.schema();
    let (expected, seen) = (expected.cells(), seen.cells());
    if let Some(difference) = compare(&schema, &expected, &seen, false) {
        return Some(told(&schema, &expected, &seen, &difference));
    }
    let at = first_difference(&expected, &seen).filter(|_| exactly)?;
    Some(told(&schema, &expected, &seen, &super::compare::Difference::Order { at }))
}
