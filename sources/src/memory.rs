//! The source `Memory`: rows pushed by the embedding program.
//!
//! Rows are numbered from 0 in the order of the pushes, and an offset is the number of the row to go on with. What was pushed
//! stays until its epoch is committed and released. Across a restart the numbers are all that is kept: the embedding program
//! pushes the rows again, from the one that [`MemoryFeed::next_row`] names.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

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

mod feed;

pub use feed::{MemoryFeed, PushError};
pub(crate) use feed::{Readers, with_columns};

/// How many rows one split reads.
const SPLIT_ROWS: u64 = 1 << 20;

/// Takes the rows that the embedding program pushes into its [`MemoryFeed`], and is at its end when that is closed.
///
/// The feed is found under the node's name among the run's handles once the source is open; a program that wants to push rows
/// before the start leaves a feed there itself. When the run has ended, pushes are refused until the feed is given to another.
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
    /// How many rows may wait or be at work before a push has to wait or is refused; without limit unless said otherwise. A batch is
    /// always taken when there is none before it.
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
            Some(feed) if *feed.schema() == schema => feed,
            Some(feed) => {
                let (seen, declared) = (to_ddl(feed.schema()), to_ddl(&schema));
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
        feed.change(|rows| {
            rows.capacity = self.capacity;
            rows.readers.open();
        });
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
        let committed = rows_before(offset)?;
        self.feed.change(|rows| rows.release(committed));
        Ok(())
    }
}

impl Drop for MemorySource {
    fn drop(&mut self) {
        self.feed.change(|rows| rows.readers.close());
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
