//! The source that gives a table as it is, and again when it has changed.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::Value;
use watershed_core::error::{Error, Result};
use watershed_core::node::{Available, Limit, Offset, OffsetRange, RowOutput, Source, Split};
use watershed_core::time::{Clock, TimeSpan, Timestamp};

use super::spec::OnError;
use super::version::Version;
use crate::files::AllRows;
use crate::rebatch::Rebatcher;

/// Where the versions of a table come from.
pub(super) trait Origin: Send {
    /// All rows of the table, unless they are sure to be those of the last time.
    fn newest(&mut self) -> Result<Option<AllRows>>;
}

/// When a table is looked at, and what comes of failures.
pub(super) struct Looks {
    pub(super) clock: Arc<dyn Clock>,
    /// How long after a look the next one is due; there is but one without it.
    pub(super) every: Option<TimeSpan>,
    pub(super) on_error: OnError,
}

/// The open source. An offset is the number of versions given so far, over all runs.
///
/// Every run gives the version that it finds at its start, also if an earlier one has given the same: whoever looks rows up in it
/// may be new, or may have lost what it kept.
pub(super) struct TableSource<O> {
    origin: O,
    looks: Looks,
    schema: SchemaRef,
    batch_rows: usize,
    looked_at: Option<Timestamp>,
    frozen: bool,
    newest: Option<Version>,
    /// The offset after which the newest version was offered.
    offered_after: Option<Offset>,
    trouble: Option<String>,
}

impl<O: Origin> TableSource<O> {
    pub(super) fn new(origin: O, looks: Looks, schema: SchemaRef, batch_rows: usize) -> Self {
        Self {
            origin,
            looks,
            schema,
            batch_rows,
            looked_at: None,
            frozen: false,
            newest: None,
            offered_after: None,
            trouble: None,
        }
    }

    fn look_is_due(&self, now: Timestamp) -> bool {
        match (self.looked_at, self.looks.every) {
            (None, _) => true,
            (Some(last), Some(every)) => !self.frozen && now >= last.plus(every),
            (Some(_), None) => false,
        }
    }

    /// Looks whether there is another version.
    fn look(&mut self) -> Result<()> {
        let Some(AllRows { rows, bad_records }) = self.origin.newest()? else { return Ok(()) };
        let version = Version::new(&rows, bad_records)?;
        if self.newest.as_ref() != Some(&version) {
            (self.newest, self.offered_after) = (Some(version), None);
        }
        Ok(())
    }
}

fn versions_before(offset: &Offset) -> Result<u64> {
    match &offset.0 {
        Value::Null => Ok(0),
        value => value
            .as_u64()
            .ok_or_else(|| Error::BadInput(format!("read the offset {value} of a table: it should be a count"))),
    }
}

impl<O: Origin> Source for TableSource<O> {
    fn freeze(&mut self) -> Result<()> {
        self.frozen = true;
        Ok(())
    }

    fn available(&mut self, after: &Offset, _: Limit) -> Result<Available> {
        let before = versions_before(after)?;
        let now = self.looks.clock.now();
        if self.look_is_due(now) {
            self.looked_at = Some(now);
            self.trouble = match self.look() {
                Ok(()) => None,
                // There is a version that can be gone on with: an earlier epoch, or an earlier run, has given it.
                Err(error) if self.looks.on_error == OnError::Keep && before > 0 => {
                    Some(format!("the table stays as it was: {error}"))
                }
                Err(error) => return Err(error),
            };
        }
        let Some(newest) = &self.newest else { return Ok(Available::Finished) };
        if self.offered_after.as_ref().is_some_and(|offered| offered != after) {
            return Ok(Available::Finished);
        }
        self.offered_after = Some(after.clone());
        Ok(Available::Range(OffsetRange {
            start: after.clone(),
            end: Offset(Value::from(before + 1)),
            detail: newest.to_detail()?,
            size: newest.size(),
        }))
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        let waits = self.offered_after.as_ref().is_none_or(|offered| offered == after);
        Some(self.newest.as_ref().filter(|_| waits).map_or(0, Version::size))
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let version = Version::of_detail(&range.detail)?;
        Ok(vec![Box::new(TableSplit {
            batches: version.rows(&self.schema)?,
            bad_records: version.bad_records,
            schema: SchemaRef::clone(&self.schema),
            batch_rows: self.batch_rows,
        })])
    }

    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

struct TableSplit {
    batches: Vec<RecordBatch>,
    bad_records: u64,
    schema: SchemaRef,
    batch_rows: usize,
}

impl Split for TableSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        out.count_bad_records(self.bad_records);
        let mut rebatcher = Rebatcher::new(self.schema, self.batch_rows);
        for batch in &self.batches {
            rebatcher.push(batch, out)?;
        }
        rebatcher.flush(out)
    }
}
