//! The source `Rate`: generated rows, for trying a graph out without data.
//!
//! A step is a second of the clock or, with `rows_per_epoch`, an epoch. Step *k* brings the values *k n* to *(k+1) n − 1*, where
//! *n* is the number of rows per step; the offset counts steps. It also holds the instant of the first step, so that the
//! same offset means the same rows in every run.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    Available, Limit, Offset, OffsetRange, OpenContext, RowOutput, Source, SourceSchema, SourceSpec, Split,
};
use watershed_core::register_source;
use watershed_core::schema::TIMESTAMP;
use watershed_core::time::{Clock, TimeSpan, Timestamp};

/// How many rows a split makes.
const SPLIT_ROWS: u64 = 1 << 20;

const SECOND: TimeSpan = TimeSpan::from_seconds(1);

/// Generates rows with the columns `timestamp` TIMESTAMP and `value` BIGINT, which counts from 0.
///
/// With `rows_per_second`, rows come as time goes by, spread evenly over each second from the moment of the first start. With
/// `rows_per_epoch`, every epoch brings as many, at once, all at the instant `start` + epoch × `advance`: the same rows in
/// every run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many rows each second brings; 1 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<u64>,
    /// How many rows each epoch brings, independent of the clock. Not together with `rows_per_second`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_epoch: Option<u64>,
    /// With `rows_per_epoch`: the instant of the first epoch's rows; 1970 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub start: Option<Timestamp>,
    /// With `rows_per_epoch`: how much later each epoch's rows are; a second unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance: Option<TimeSpan>,
    /// How many rows there are in all; without end unless said otherwise. With `rows_per_epoch`, the trigger `Once` takes them
    /// all, and `AvailableNow` runs through them; without this, each takes one epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_rows: Option<u64>,
}

register_source!(Rate, example: "Rate(rows_per_second: 10)");

impl Rate {
    fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let counts = [
            ("rows_per_second", self.rows_per_second),
            ("rows_per_epoch", self.rows_per_epoch),
            ("total_rows", self.total_rows),
        ];
        for (name, count) in counts {
            if count.is_some_and(|count| count == 0 || i64::try_from(count).is_err()) {
                faults
                    .push(Fault::new("bad_option", format!("`{name}` must be at least 1, and fit a BIGINT")).at(name));
            }
        }
        if self.rows_per_epoch.is_some() && self.rows_per_second.is_some() {
            let message = "`rows_per_second` and `rows_per_epoch` exclude each other";
            faults.push(Fault::new("bad_option", message).at("rows_per_epoch").help("leave one of them out"));
        }
        for (name, given) in [("start", self.start.is_some()), ("advance", self.advance.is_some())] {
            if given && self.rows_per_epoch.is_none() {
                let message =
                    format!("`{name}` has a meaning only with `rows_per_epoch`: otherwise the clock tells the time");
                faults.push(Fault::new("bad_option", message).at(name));
            }
        }
        faults
    }
}

#[typetag::serde]
impl SourceSpec for Rate {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let faults = self.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let timestamp = Field::new("timestamp", TIMESTAMP, false);
        let value = Field::new("value", DataType::Int64, false);
        Ok(SourceSchema::Declared(SchemaRef::new(Schema::new(vec![timestamp, value]))))
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        match self.schema() {
            Ok(SourceSchema::Declared(schema)) => Ok(schema),
            Ok(SourceSchema::Inferred) => Err(Error::BadInput("find the columns of generated rows".to_owned())),
            Err(faults) => {
                Err(Error::BadInput(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")))
            }
        }
    }

    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        let steps = match self.rows_per_epoch {
            Some(rows) => {
                Steps { rows, advance: self.advance.unwrap_or(SECOND), spread: false, total: self.total_rows }
            }
            None => {
                Steps { rows: self.rows_per_second.unwrap_or(1), advance: SECOND, spread: true, total: self.total_rows }
            }
        };
        Ok(Box::new(RateSource {
            schema,
            steps,
            start: if steps.spread { cx.clock.now() } else { self.start.unwrap_or(Timestamp::from_micros(0)) },
            clock: Arc::clone(&cx.clock),
            batch_rows: cx.batch_rows.max(1) as u64,
            frozen_at: None,
        }))
    }
}

/// What a step brings.
#[derive(Clone, Copy, Debug)]
struct Steps {
    rows: u64,
    advance: TimeSpan,
    /// Whether the rows of a step are spread over it.
    spread: bool,
    total: Option<u64>,
}

impl Steps {
    /// How many steps there are.
    fn count(self) -> u64 {
        self.total.map_or(u64::MAX, |total| total.div_ceil(self.rows))
    }

    /// The values of a run of steps.
    fn values(self, steps: Range<u64>) -> Range<u64> {
        let last = self.total.unwrap_or(i64::MAX as u64);
        let bound = |step: u64| step.saturating_mul(self.rows).min(last);
        bound(steps.start)..bound(steps.end)
    }

    fn time_of(self, value: u64, start: Timestamp) -> i64 {
        let advance = i128::from(self.advance.micros());
        let (step, row) = (i128::from(value / self.rows), i128::from(value % self.rows));
        let within = if self.spread { row * advance / i128::from(self.rows) } else { 0 };
        let micros = i128::from(start.micros()) + step * advance + within;
        micros.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}

/// What an offset holds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    /// The instant of step 0.
    start: Timestamp,
    /// How many steps came before.
    steps: u64,
}

struct RateSource {
    schema: SchemaRef,
    steps: Steps,
    start: Timestamp,
    clock: Arc<dyn Clock>,
    batch_rows: u64,
    /// The last step that is offered.
    frozen_at: Option<u64>,
}

impl RateSource {
    fn place(&self, offset: &Offset) -> Result<Place> {
        if offset.0.is_null() {
            return Ok(Place { start: self.start, steps: 0 });
        }
        serde_json::from_value(offset.0.clone())
            .map_err(|error| Error::BadInput(format!("read the offset {} of generated rows: {error}", offset.0)))
    }

    /// How many steps have been, by the clock.
    fn steps_now(&self, start: Timestamp) -> u64 {
        let passed = self.clock.now().micros().saturating_sub(start.micros());
        u64::try_from(passed / SECOND.micros()).unwrap_or(0)
    }
}

impl Source for RateSource {
    fn freeze(&mut self) -> Result<()> {
        if self.steps.spread {
            self.frozen_at.get_or_insert(self.steps_now(self.start));
        } else if self.steps.total.is_none() {
            // Endless rows are all "there already"; one epoch of them is enough to see that the graph works.
            self.frozen_at.get_or_insert(u64::MAX);
        }
        Ok(())
    }

    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let Place { start, steps: done } = self.place(after)?;
        if self.steps.spread && start != self.start {
            // An offset of an earlier run: its clock is gone on with.
            self.frozen_at = self.frozen_at.map(|_| self.steps_now(start));
            self.start = start;
        }
        if self.frozen_at == Some(u64::MAX) {
            self.frozen_at = Some(done.saturating_add(1));
        }
        let there = match (self.steps.spread, limit) {
            (true, _) => self.steps_now(start),
            (false, Limit::Everything) if self.steps.total.is_some() => u64::MAX,
            (false, _) => done.saturating_add(1),
        };
        let last = self.steps.count().min(self.frozen_at.unwrap_or(u64::MAX));
        let end = there.min(last);
        let values = self.steps.values(done..end.max(done));
        if !values.is_empty() {
            let place =
                serde_json::to_value(Place { start, steps: end }).map_err(|error| Error::Other(error.into()))?;
            let size = values.end - values.start;
            let end = Offset(place);
            return Ok(Available::Range(OffsetRange {
                start: after.clone(),
                end,
                detail: serde_json::Value::Null,
                size,
            }));
        }
        let frozen = self.frozen_at.is_some() && done >= last;
        Ok(if frozen || done >= self.steps.count() { Available::Finished } else { Available::Nothing })
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        let done = self.place(after).ok()?.steps;
        let last = self.steps.count().min(self.frozen_at.unwrap_or(u64::MAX));
        let values = self.steps.values(done..last.max(done));
        (last != u64::MAX).then(|| values.end - values.start)
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let end = self.place(&range.end)?;
        let start = if range.start.0.is_null() { 0 } else { self.place(&range.start)?.steps };
        let mut values = self.steps.values(start..end.steps);
        let mut splits: Vec<Box<dyn Split>> = Vec::new();
        while !values.is_empty() {
            let piece = values.start..values.end.min(values.start + SPLIT_ROWS);
            values.start = piece.end;
            splits.push(Box::new(RateSplit {
                schema: SchemaRef::clone(&self.schema),
                steps: self.steps,
                start: end.start,
                values: piece,
                batch_rows: self.batch_rows,
            }));
        }
        Ok(splits)
    }

    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }
}

struct RateSplit {
    schema: SchemaRef,
    steps: Steps,
    start: Timestamp,
    values: Range<u64>,
    batch_rows: u64,
}

impl Split for RateSplit {
    fn read(mut self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        while !self.values.is_empty() {
            let batch = self.values.start..self.values.end.min(self.values.start + self.batch_rows);
            self.values.start = batch.end;
            let times = TimestampMicrosecondArray::from_iter_values(
                batch.clone().map(|value| self.steps.time_of(value, self.start)),
            );
            let values = Int64Array::from_iter_values(batch.map(|value| value as i64));
            out.push(RecordBatch::try_new(SchemaRef::clone(&self.schema), vec![Arc::new(times), Arc::new(values)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::node::Handles;
    use watershed_core::time::ManualClock;

    use super::*;
    use crate::records::testing::Collected;

    const NOON: i64 = 1_424_779_200_000_000;

    fn opened(rate: &Rate, clock: &Arc<ManualClock>, batch_rows: usize) -> Box<dyn Source> {
        let Ok(SourceSchema::Declared(schema)) = rate.schema() else { panic!("the columns are always known") };
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
        let cx = OpenContext { resumes: false, node: "rate".into(), batch_rows, clock, handles: Handles::default() };
        rate.open(schema, &cx).expect("nothing to open")
    }

    fn range(source: &mut dyn Source, after: &Offset, limit: Limit) -> OffsetRange {
        match source.available(after, limit).expect("an answer") {
            Available::Range(range) => range,
            other => panic!("{other:?}, not a range"),
        }
    }

    fn rows(source: &mut dyn Source, range: &OffsetRange) -> Vec<String> {
        Collected::of(source.splits(range).expect("splits")).expect("rows").lines()
    }

    #[test]
    fn rows_come_as_time_goes_by() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOON)));
        let mut source = opened(&Rate { rows_per_second: Some(2), ..Rate::default() }, &clock, 3);
        assert_eq!(source.available(&Offset::default(), Limit::Epoch).expect("an answer"), Available::Nothing);
        clock.set(Timestamp::from_micros(NOON + 2_700_000));
        let first = range(source.as_mut(), &Offset::default(), Limit::Epoch);
        assert_eq!(first.size, 4);
        let expected = [
            "2015-02-24T12:00:00 | 0",
            "2015-02-24T12:00:00.500 | 1",
            "2015-02-24T12:00:01 | 2",
            "2015-02-24T12:00:01.500 | 3",
        ];
        assert_eq!(rows(source.as_mut(), &first), expected);
        assert_eq!(source.available(&first.end, Limit::Epoch).expect("an answer"), Available::Nothing);

        // In another run, with another clock, the offset goes on where it was, and the range means the same rows.
        clock.set(Timestamp::from_micros(NOON + 3_100_000));
        let mut again = opened(&Rate { rows_per_second: Some(2), ..Rate::default() }, &clock, 100);
        assert_eq!(rows(again.as_mut(), &first), expected);
        let second = range(again.as_mut(), &first.end, Limit::Epoch);
        assert_eq!(rows(again.as_mut(), &second), ["2015-02-24T12:00:02 | 4", "2015-02-24T12:00:02.500 | 5"]);
    }

    #[test]
    fn a_total_ends_the_rows() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOON)));
        let mut source = opened(&Rate { rows_per_second: Some(2), total_rows: Some(3), ..Rate::default() }, &clock, 10);
        assert_eq!(source.remaining(&Offset::default()), Some(3));
        clock.set(Timestamp::from_micros(NOON + 60_000_000));
        let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
        assert_eq!((all.size, rows(source.as_mut(), &all).len()), (3, 3));
        assert_eq!(source.available(&all.end, Limit::Epoch).expect("an answer"), Available::Finished);
    }

    #[test]
    fn a_frozen_clock_offers_what_was_there() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOON)));
        let mut source = opened(&Rate::default(), &clock, 10);
        clock.set(Timestamp::from_micros(NOON + 2_000_000));
        source.freeze().expect("a clock");
        clock.set(Timestamp::from_micros(NOON + 9_000_000));
        let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
        assert_eq!(all.size, 2);
        assert_eq!(source.available(&all.end, Limit::Epoch).expect("an answer"), Available::Finished);
    }

    #[test]
    fn epochs_bring_the_same_rows_in_every_run() {
        let rate = Rate {
            rows_per_epoch: Some(2),
            start: Some(Timestamp::from_micros(NOON)),
            advance: Some(TimeSpan::from_seconds(60)),
            total_rows: Some(5),
            ..Rate::default()
        };
        for batch_rows in [1, 100] {
            let mut source = opened(&rate, &Arc::default(), batch_rows);
            source.freeze().expect("nothing to freeze");
            let mut after = Offset::default();
            let mut seen = Vec::new();
            while let Available::Range(range) = source.available(&after, Limit::Epoch).expect("an answer") {
                seen.push(rows(source.as_mut(), &range).join(", "));
                after = range.end;
            }
            assert_eq!(
                seen,
                [
                    "2015-02-24T12:00:00 | 0, 2015-02-24T12:00:00 | 1",
                    "2015-02-24T12:01:00 | 2, 2015-02-24T12:01:00 | 3",
                    "2015-02-24T12:02:00 | 4",
                ]
            );
            assert_eq!(source.available(&after, Limit::Epoch).expect("an answer"), Available::Finished);
            assert_eq!(range(source.as_mut(), &Offset::default(), Limit::Everything).size, 5);
        }
    }

    #[test]
    fn endless_epochs_end_after_one_when_frozen() {
        let mut source = opened(&Rate { rows_per_epoch: Some(2), ..Rate::default() }, &Arc::default(), 10);
        let first = range(source.as_mut(), &Offset::default(), Limit::Everything);
        assert_eq!(first.size, 2);
        source.freeze().expect("nothing to freeze");
        let second = range(source.as_mut(), &first.end, Limit::Epoch);
        assert_eq!(rows(source.as_mut(), &second), ["1970-01-01T00:00:01 | 2", "1970-01-01T00:00:01 | 3"]);
        assert_eq!(source.available(&second.end, Limit::Epoch).expect("an answer"), Available::Finished);
    }

    #[test]
    fn many_rows_are_cut_into_splits() {
        let mut source =
            opened(&Rate { rows_per_epoch: Some(2 * SPLIT_ROWS + 1), ..Rate::default() }, &Arc::default(), 1 << 16);
        let range = range(source.as_mut(), &Offset::default(), Limit::Epoch);
        let splits = source.splits(&range).expect("splits");
        assert_eq!(splits.len(), 3);
        assert_eq!(Collected::of(splits).expect("rows").rows() as u64, range.size);
    }

    #[test]
    fn every_fault_is_found() {
        let rate = Rate { rows_per_second: Some(0), rows_per_epoch: Some(1), ..Rate::default() };
        assert_eq!(rate.schema().expect_err("two faults").len(), 2);
        let rate = Rate { start: Some(Timestamp::from_micros(0)), advance: Some(SECOND), ..Rate::default() };
        assert_eq!(rate.schema().expect_err("two faults").len(), 2);
    }
}
