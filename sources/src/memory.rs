//! The source `Memory`: rows pushed by the embedding program.
//!
//! An offset is the number of rows pushed so far. What was pushed stays until its epoch is committed and released.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    Available, Limit, Offset, OffsetRange, OpenContext, RowOutput, Source, SourceSchema, SourceSpec, Split,
};
use watershed_core::register_source;
use watershed_core::schema::{Ddl, to_ddl};

use crate::rebatch::Rebatcher;

/// How many rows one split reads.
const SPLIT_ROWS: u64 = 1 << 20;

/// Takes the rows that the embedding program pushes into its [`MemoryFeed`], and is at its end when that is closed.
///
/// The feed is found under the node's name among the run's handles once the source is open; a program that wants to push rows
/// before the start leaves a feed there itself. Rows are kept until their epoch is committed; after a restart they are gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The columns of the rows.
    pub schema: Ddl,
    /// The most rows for one epoch; all that were pushed unless said otherwise. The trigger `Once` takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows_per_epoch: Option<u64>,
    /// How many rows may wait or be at work before a push is refused; without limit unless said otherwise. A batch is always
    /// taken when there is none before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
}

register_source!(Memory, example: r#"Memory(schema: "user STRING, ts TIMESTAMP, x DOUBLE")"#);

#[typetag::serde]
impl SourceSpec for Memory {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let mut faults = Faults::new();
        for (name, limit) in [("max_rows_per_epoch", self.max_rows_per_epoch), ("capacity", self.capacity)] {
            if limit == Some(0) {
                let message = format!("`{name}` is 0, and must be at least 1");
                faults.push(Fault::new("bad_option", message).at(name).help("leave it out for no limit"));
            }
        }
        match self.schema.schema() {
            Ok(schema) if faults.is_empty() => Ok(SourceSchema::Declared(schema)),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault.under("schema"));
                Err(faults)
            }
        }
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        self.schema.schema().map_err(|fault| Error::BadInput(fault.message))
    }

    fn replayable(&self) -> bool {
        false
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        let feed = match cx.handles.get::<MemoryFeed>(&cx.node) {
            Some(feed) if feed.schema == schema => feed,
            Some(feed) => {
                let (seen, declared) = (to_ddl(&feed.schema), to_ddl(&schema));
                return Err(Error::BadInput(format!(
                    "use the feed that was left: its columns are `{seen}`, not `{declared}`"
                )));
            }
            None => {
                let feed = Arc::new(MemoryFeed::new(SchemaRef::clone(&schema)));
                cx.handles.publish(&cx.node, Arc::clone(&feed));
                feed
            }
        };
        feed.rows().capacity = self.capacity;
        Ok(Box::new(MemorySource {
            feed,
            schema,
            batch_rows: cx.batch_rows,
            max_rows_per_epoch: self.max_rows_per_epoch.unwrap_or(u64::MAX),
            frozen_at: None,
        }))
    }
}

/// Where the embedding program pushes rows for a [`Memory`] source. Any thread may push; rows arrive in the order of the pushes.
#[derive(Debug)]
pub struct MemoryFeed {
    schema: SchemaRef,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    /// Each batch with the number of rows before it.
    batches: VecDeque<(u64, RecordBatch)>,
    pushed: u64,
    released: u64,
    capacity: Option<u64>,
    closed: bool,
}

/// Why a push was refused. Nothing of the batch was taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The batch has other columns than the source.
    #[error("push rows: {0}")]
    Schema(String),
    /// The source holds as many rows as it may. Push again when an epoch has been committed.
    #[error("push {rows} rows: {held} are waiting or at work, and the capacity is {capacity}")]
    Full {
        /// The rows of the batch.
        rows: u64,
        /// The rows that the source holds.
        held: u64,
        /// The rows that it may hold.
        capacity: u64,
    },
    /// The feed was closed.
    #[error("push rows: the feed is closed")]
    Closed,
}

impl MemoryFeed {
    /// A feed for a source that is not open yet: leave it among the run's handles under the node's name.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, rows: Mutex::default() }
    }

    /// The columns that a batch must have, by name and type, in this order.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes the rows of a batch; no one waits. A column that is NOT NULL must have no nulls.
    pub fn push(&self, batch: &RecordBatch) -> Result<(), PushError> {
        let batch = self.checked(batch)?;
        let count = batch.num_rows() as u64;
        let mut rows = self.rows();
        if rows.closed {
            return Err(PushError::Closed);
        }
        let held = rows.pushed - rows.released;
        if let Some(capacity) = rows.capacity.filter(|capacity| held > 0 && held + count > *capacity) {
            return Err(PushError::Full { rows: count, held, capacity });
        }
        if count > 0 {
            let before = rows.pushed;
            rows.batches.push_back((before, batch));
            rows.pushed += count;
        }
        Ok(())
    }

    /// Says that there will be no more rows. The source is at its end when it has handed on what it holds.
    pub fn close(&self) {
        self.rows().closed = true;
    }

    /// How many rows were pushed and are not released: waiting, at work, or not committed yet.
    pub fn held_rows(&self) -> u64 {
        let rows = self.rows();
        rows.pushed - rows.released
    }

    fn checked(&self, batch: &RecordBatch) -> Result<RecordBatch, PushError> {
        let seen = batch.schema();
        let alike = seen.fields().len() == self.schema.fields().len()
            && seen.fields().iter().zip(self.schema.fields()).all(|(seen, due)| seen.name() == due.name());
        if !alike {
            let (seen, due) = (to_ddl(&seen), to_ddl(&self.schema));
            return Err(PushError::Schema(format!("the columns are `{seen}`, and should be `{due}`")));
        }
        RecordBatch::try_new(SchemaRef::clone(&self.schema), batch.columns().to_vec())
            .map_err(|error| PushError::Schema(error.to_string()))
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic elsewhere cannot leave the rows half changed: every change is one assignment or push.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MemorySource {
    feed: Arc<MemoryFeed>,
    schema: SchemaRef,
    batch_rows: usize,
    max_rows_per_epoch: u64,
    frozen_at: Option<u64>,
}

fn rows_before(offset: &Offset) -> Result<u64> {
    match &offset.0 {
        Value::Null => Ok(0),
        value => value
            .as_u64()
            .ok_or_else(|| Error::BadInput(format!("read the offset {value} of pushed rows: it should be a count"))),
    }
}

impl Source for MemorySource {
    fn freeze(&mut self) -> Result<()> {
        let pushed = self.feed.rows().pushed;
        self.frozen_at.get_or_insert(pushed);
        Ok(())
    }

    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let start = rows_before(after)?;
        let rows = self.feed.rows();
        let there = rows.pushed.min(self.frozen_at.unwrap_or(u64::MAX));
        if start >= there {
            return Ok(if rows.closed || self.frozen_at.is_some() { Available::Finished } else { Available::Nothing });
        }
        let most = match limit {
            Limit::Epoch => self.max_rows_per_epoch,
            Limit::Everything => u64::MAX,
        };
        let end = there.min(start.saturating_add(most));
        Ok(Available::Range(OffsetRange {
            start: after.clone(),
            end: Offset(Value::from(end)),
            detail: Value::Null,
            size: end - start,
        }))
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        let there = self.feed.rows().pushed.min(self.frozen_at.unwrap_or(u64::MAX));
        Some(there.saturating_sub(rows_before(after).ok()?))
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let (start, end) = (rows_before(&range.start)?, rows_before(&range.end)?);
        let rows = self.feed.rows();
        if start < rows.released || end > rows.pushed {
            let (first, last) = (rows.released, rows.pushed);
            return Err(Error::BadInput(format!(
                "read the pushed rows {start} to {end} again: only {first} to {last} are held"
            )));
        }
        let mut splits: Vec<Box<dyn Split>> = Vec::new();
        let mut from = start;
        while from < end {
            let to = end.min(from + SPLIT_ROWS);
            splits.push(Box::new(MemorySplit {
                schema: SchemaRef::clone(&self.schema),
                batches: slices(&rows.batches, from..to),
                batch_rows: self.batch_rows,
            }));
            from = to;
        }
        Ok(splits)
    }

    fn release(&mut self, offset: &Offset) -> Result<()> {
        let offset = rows_before(offset)?;
        let mut rows = self.feed.rows();
        rows.released = rows.released.max(offset.min(rows.pushed));
        let released = rows.released;
        while rows.batches.front().is_some_and(|(before, batch)| before + batch.num_rows() as u64 <= released) {
            rows.batches.pop_front();
        }
        Ok(())
    }
}

/// The wanted rows of these batches, without a copy.
fn slices(batches: &VecDeque<(u64, RecordBatch)>, wanted: Range<u64>) -> Vec<RecordBatch> {
    let first = batches.partition_point(|(before, batch)| before + batch.num_rows() as u64 <= wanted.start);
    let slice = |(before, batch): &(u64, RecordBatch)| {
        let from = wanted.start.saturating_sub(*before) as usize;
        let to = ((wanted.end - before) as usize).min(batch.num_rows());
        batch.slice(from, to - from)
    };
    batches.iter().skip(first).take_while(|(before, _)| *before < wanted.end).map(slice).collect()
}

struct MemorySplit {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    batch_rows: usize,
}

impl Split for MemorySplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let mut rebatcher = Rebatcher::new(self.schema, self.batch_rows);
        for batch in &self.batches {
            rebatcher.push(batch, out)?;
        }
        rebatcher.flush(out)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use proptest::prelude::*;
    use watershed_core::node::Handles;
    use watershed_core::time::SystemClock;

    use super::*;
    use crate::records::testing::Collected;

    fn spec(max_rows_per_epoch: Option<u64>, capacity: Option<u64>) -> Memory {
        Memory { schema: Ddl("v BIGINT NOT NULL".to_owned()), max_rows_per_epoch, capacity }
    }

    fn opened(spec: &Memory, batch_rows: usize) -> (Box<dyn Source>, Arc<MemoryFeed>) {
        let cx = OpenContext {
            resumes: false,
            node: "rows".into(),
            batch_rows,
            clock: Arc::new(SystemClock),
            handles: Handles::default(),
        };
        let source = spec.open(spec.infer_schema().expect("a schema"), &cx).expect("nothing to open");
        (source, cx.handles.get("rows").expect("an open source leaves its feed"))
    }

    fn numbers(values: Range<i64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter_with_nullable([("v", column, true)]).expect("a batch")
    }

    fn epochs(source: &mut dyn Source) -> Vec<Vec<String>> {
        let mut after = Offset::default();
        let mut epochs = Vec::new();
        while let Available::Range(range) = source.available(&after, Limit::Epoch).expect("an answer") {
            epochs.push(Collected::of(source.splits(&range).expect("splits")).expect("rows").lines());
            after = range.end;
        }
        epochs
    }

    #[test]
    fn pushed_rows_come_out_in_order_until_the_feed_is_closed() {
        let (mut source, feed) = opened(&spec(Some(3), None), 2);
        assert_eq!(source.available(&Offset::default(), Limit::Epoch).expect("an answer"), Available::Nothing);
        feed.push(&numbers(0..2)).expect("room");
        feed.push(&numbers(2..7)).expect("room");
        assert_eq!(source.remaining(&Offset::default()), Some(7));
        let expected = [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]];
        assert_eq!(epochs(source.as_mut()), expected);
        assert_eq!(epochs(source.as_mut()), expected, "kept until they are released");
        feed.close();
        assert!(matches!(feed.push(&numbers(0..1)), Err(PushError::Closed)));
        assert_eq!(source.available(&Offset(7.into()), Limit::Epoch).expect("an answer"), Available::Finished);
    }

    #[test]
    fn released_rows_are_gone() {
        let (mut source, feed) = opened(&spec(None, None), 2);
        feed.push(&numbers(0..4)).expect("room");
        let Available::Range(all) = source.available(&Offset::default(), Limit::Epoch).expect("an answer") else {
            panic!("no rows")
        };
        source.release(&Offset(3.into())).expect("a count");
        assert_eq!(feed.held_rows(), 1);
        assert!(source.splits(&all).is_err());
        source.release(&all.end).expect("a count");
        assert_eq!(feed.held_rows(), 0);
    }

    #[test]
    fn a_full_source_refuses_rows() {
        let (mut source, feed) = opened(&spec(None, Some(5)), 2);
        feed.push(&numbers(0..9)).expect("a batch is always taken when there is none before it");
        assert!(matches!(feed.push(&numbers(0..1)), Err(PushError::Full { rows: 1, held: 9, capacity: 5 })));
        source.release(&Offset(6.into())).expect("a count");
        feed.push(&numbers(0..2)).expect("room again");
    }

    #[test]
    fn rows_with_other_columns_are_refused() {
        let (_source, feed) = opened(&spec(None, None), 2);
        let strings: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None]));
        for (name, column, words) in [
            ("w", Arc::clone(&strings), "the columns are `w STRING`, and should be `v BIGINT NOT NULL`"),
            ("v", strings, "expected Int64 but found Utf8"),
            ("v", nulls, "non-nullable"),
        ] {
            let schema = Arc::new(Schema::new(vec![Field::new(name, column.data_type().clone(), true)]));
            let error = feed
                .push(&RecordBatch::try_new(schema, vec![column]).expect("a batch"))
                .expect_err("refused")
                .to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(feed.schema().field(0).data_type(), &DataType::Int64);
    }

    #[test]
    fn a_feed_may_be_filled_before_the_start() {
        let spec = spec(None, None);
        let schema = spec.infer_schema().expect("a schema");
        let feed = Arc::new(MemoryFeed::new(SchemaRef::clone(&schema)));
        feed.push(&numbers(0..2)).expect("room");
        let handles = Handles::default();
        handles.publish("rows", Arc::clone(&feed));
        let cx =
            OpenContext { resumes: false, node: "rows".into(), batch_rows: 10, clock: Arc::new(SystemClock), handles };
        let mut source = spec.open(schema, &cx).expect("the feed fits");
        source.freeze().expect("a count");
        feed.push(&numbers(2..3)).expect("room");
        assert_eq!(epochs(source.as_mut()), [["0", "1"]]);
        assert_eq!(source.available(&Offset(2.into()), Limit::Epoch).expect("an answer"), Available::Finished);
    }

    #[test]
    fn every_fault_is_found() {
        let spec = Memory { schema: Ddl("v BIGIN".to_owned()), max_rows_per_epoch: Some(0), capacity: Some(0) };
        assert_eq!(spec.schema().expect_err("three faults").len(), 3);
    }

    proptest! {
        #[test]
        fn rows_and_their_order_do_not_depend_on_batches(
            pushes in proptest::collection::vec(0_i64..9, 0..9),
            batch_rows in 1_usize..9,
            most in 1_u64..9,
        ) {
            let (mut source, feed) = opened(&spec(Some(most), None), batch_rows);
            let mut next = 0;
            for rows in pushes {
                feed.push(&numbers(next..next + rows)).expect("room");
                next += rows;
            }
            let rows = epochs(source.as_mut());
            prop_assert!(rows.iter().rev().skip(1).all(|epoch| epoch.len() as u64 == most));
            prop_assert_eq!(rows.concat(), (0..next).map(|value| value.to_string()).collect::<Vec<_>>());
        }
    }
}
