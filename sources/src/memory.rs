//! The source `Memory`: rows pushed by the embedding program.
//!
//! Rows are numbered from 0 in the order of the pushes, and an offset is the number of the row to go on with. What was pushed
//! stays until its epoch is committed and released. Across a restart the numbers are all that is kept: the embedding program
//! pushes the rows again, from the one that [`MemoryFeed::next_row`] names.

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
use watershed_core::state::StateStore;

use crate::rebatch::Rebatcher;

/// How many rows one split reads.
const SPLIT_ROWS: u64 = 1 << 20;

/// Takes the rows that the embedding program pushes into its [`MemoryFeed`], and is at its end when that is closed.
///
/// The feed is found under the node's name among the run's handles once the source is open; a program that wants to push rows
/// before the start leaves a feed there itself.
///
/// Rows are kept until their epoch is committed; after a restart they are gone. Exactly once over restarts, with a checkpoint,
/// takes a program that can push the same rows again: it goes on with the row that the feed's `next_row` names, in the order of
/// the first time. If an epoch is to be run again, its rows must have been pushed before the run goes on.
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
        true
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        let mut feed_was_left = true;
        let feed = match cx.handles.get::<MemoryFeed>(&cx.node) {
            Some(feed) if feed.schema == schema => feed,
            Some(feed) => {
                let (seen, declared) = (to_ddl(&feed.schema), to_ddl(&schema));
                return Err(Error::BadInput(format!(
                    "use the feed that was left: its columns are `{seen}`, not `{declared}`"
                )));
            }
            None => {
                feed_was_left = false;
                let feed = Arc::new(MemoryFeed::new(SchemaRef::clone(&schema)));
                cx.handles.publish(&cx.node, Arc::clone(&feed));
                feed
            }
        };
        feed.rows().capacity = self.capacity;
        Ok(Box::new(MemorySource {
            feed,
            feed_was_left,
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
    /// Each batch with the number of its first row.
    batches: VecDeque<(u64, RecordBatch)>,
    /// The number of the next row to be pushed.
    pushed: u64,
    /// Rows before this one are committed; more than `pushed` while a program pushes what was committed by an earlier run.
    released: u64,
    capacity: Option<u64>,
    closed: bool,
}

impl Rows {
    fn held(&self) -> u64 {
        self.pushed.saturating_sub(self.released)
    }

    /// Drops the rows before row `row`.
    fn release(&mut self, row: u64) {
        self.released = self.released.max(row);
        while self.batches.front().is_some_and(|(first, batch)| first + batch.num_rows() as u64 <= self.released) {
            self.batches.pop_front();
        }
    }
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
    /// A feed for a source that is not open yet: leave it among the run's handles under the node's name. The first row pushed is
    /// row 0. In a run that goes on from a checkpoint, rows that are committed already are passed over.
    pub fn new(schema: SchemaRef) -> Self {
        Self::from_row(schema, 0)
    }

    /// The same, for a program that knows where to go on: the first row pushed is row `row`.
    pub fn from_row(schema: SchemaRef, row: u64) -> Self {
        Self { schema, rows: Mutex::new(Rows { pushed: row, released: row, ..Rows::default() }) }
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
        let held = rows.held();
        if let Some(capacity) = rows.capacity.filter(|capacity| held > 0 && held + count > *capacity) {
            return Err(PushError::Full { rows: count, held, capacity });
        }
        let first = rows.pushed;
        rows.pushed += count;
        if rows.pushed > rows.released && count > 0 {
            rows.batches.push_back((first, batch));
        }
        Ok(())
    }

    /// Says that there will be no more rows. The source is at its end when it has handed on what it holds.
    pub fn close(&self) {
        self.rows().closed = true;
    }

    /// How many rows were pushed and are not released: waiting, at work, or not committed yet.
    pub fn held_rows(&self) -> u64 {
        self.rows().held()
    }

    /// The number of the row that the next push begins with. When a run goes on from a checkpoint, the feed that the source made
    /// begins with the first row that is not committed.
    pub fn next_row(&self) -> u64 {
        self.rows().pushed
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
    /// Whether the program made the feed, and with it chose the number of the first row.
    feed_was_left: bool,
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

/// Rows as messages name them.
fn named(rows: Range<u64>) -> String {
    let (first, last) = (rows.start, rows.end.saturating_sub(1));
    if first == last { format!("row {first}") } else { format!("rows {first} to {last}") }
}

impl Source for MemorySource {
    fn resume(&mut self, committed: &Offset, _: &mut StateStore) -> Result<()> {
        let committed = rows_before(committed)?;
        let mut rows = self.feed.rows();
        if !self.feed_was_left {
            // What was pushed before this moment was pushed to go on with.
            rows.pushed += committed;
            rows.batches.iter_mut().for_each(|(first, _)| *first += committed);
        }
        rows.release(committed);
        let first = rows.released;
        if first > committed {
            let missing = named(committed..first);
            return Err(Error::BadInput(format!(
                "go on with row {committed}: the feed that was left begins with row {first}, without {missing}"
            )));
        }
        Ok(())
    }

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
        if start < rows.released {
            let released = rows.released;
            return Err(Error::BadInput(format!("read row {start} again: rows before row {released} were released")));
        }
        if end > rows.pushed {
            let (range, due) = (named(start..end), named(rows.pushed.max(start)..end));
            return Err(Error::BadInput(format!(
                "read {range} again: push {due} into the feed before the run, as the first time"
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
        self.feed.rows().release(rows_before(offset)?);
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
mod tests;
