//! Sources: ranges of offsets, and splits that read the same rows of a range as often as asked.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::{Node, OpenContext};
use crate::error::Result;
use crate::fault::Faults;
use crate::state::{StateStore, TableSchema};
use crate::stream::Mode;

/// What a graph file says of a source. Its one output port is `out`.
#[typetag::serde]
pub trait SourceSpec: Node + Debug + Send + Sync {
    /// The columns as far as the text says them. Opens nothing.
    fn schema(&self) -> Result<SourceSchema, Faults>;

    /// How its rows relate to those of earlier epochs. Most bring facts. One that reads tables is [`Mode::Complete`]: the rows of
    /// a range replace those of all earlier ranges, also when there are none.
    fn mode(&self) -> Mode {
        Mode::Append
    }

    /// Looks at the data for columns that were not declared. Called before a run, never by `check`.
    fn infer_schema(&self) -> Result<SchemaRef>;

    /// Whether the same offsets give the same rows again after a restart.
    fn replayable(&self) -> bool;

    /// Opens the source. `schema` is what was declared or inferred.
    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>>;
}

/// What is known of a source's columns before it is opened.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceSchema {
    /// They are declared.
    Declared(SchemaRef),
    /// They are found by looking at the data.
    Inferred,
}

/// A place in a source, in the source's own terms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub serde_json::Value);

/// What one epoch reads of a source: after `start`, up to and including `end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// Where the epoch before stopped; [`Offset::default`] at the beginning.
    pub start: Offset,
    /// Where this epoch stops.
    pub end: Offset,
    /// All that the source needs to read these very rows again, such as a list of files.
    pub detail: serde_json::Value,
    /// How much that is, in the unit of [`Source::remaining`]; 0 when unknown.
    pub size: u64,
}

/// How much may be taken for one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// As much as the source's own options allow for one epoch.
    Epoch,
    /// All there is (trigger `Once`).
    Everything,
}

/// What a source has to offer.
#[derive(Clone, Debug, PartialEq)]
pub enum Available {
    /// Rows for an epoch.
    Range(OffsetRange),
    /// Nothing at present, and after [`Source::freeze`] nothing ever again.
    Nothing,
    /// Nothing yet, but more is sure to come or to end, also after [`Source::freeze`]: a pipe that is still open.
    Later,
    /// Nothing ever again, or nothing that a run should go on for. As long as it goes on for other sources, this one is asked as
    /// well.
    Finished,
}

/// An open source. Only the driver thread calls it; splits are read by the intake threads.
pub trait Source: Send {
    /// The tables in which the source keeps what a later run must know besides the offset, such as the files already read.
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }

    /// The run goes on where an earlier one stopped: everything up to `committed` was read, and `state` holds what was kept
    /// then. Called at most once, before anything else. A source whose offset says all has nothing to do here.
    fn resume(&mut self, committed: &Offset, state: &mut StateStore) -> Result<()> {
        let _ = (committed, state);
        Ok(())
    }

    /// Puts into `state` what a later run must know of `range`, which is about to be committed.
    fn remember(&mut self, range: &OffsetRange, state: &mut StateStore) -> Result<()> {
        let _ = (range, state);
        Ok(())
    }

    /// From now on offers nothing that is not there already (trigger `AvailableNow`). A source that cannot tell what is
    /// there, such as a pipe, goes on to its end.
    fn freeze(&mut self) -> Result<()>;

    /// What there is after `after`, at most `limit`. Does not wait for more to come.
    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available>;

    /// How much is left after `after`, for a progress bar: in bytes, rows or files, as [`OffsetRange::size`] counts.
    /// `None` when unknown.
    fn remaining(&self, after: &Offset) -> Option<u64>;

    /// The pieces of `range`, in the order in which their rows count as arriving. Equal ranges give equal pieces.
    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>>;

    /// Everything up to `offset` is committed. It is asked for again only when the checkpoint turns out to be damaged and the run
    /// goes back to an older version, as far as the checkpoint retains one.
    fn release(&mut self, offset: &Offset) -> Result<()>;

    /// What is wrong with the source at present although it goes on, in words for people: progress tells it with every epoch.
    fn trouble(&self) -> Option<&str> {
        None
    }
}

/// A piece of a range that one thread reads.
pub trait Split: Send {
    /// Reads all rows in order. Stops with the error that `out` gives when the run stops.
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()>;
}

/// Where a split puts its rows.
pub trait RowOutput {
    /// Hands on a batch; waits while the engine is busy.
    fn push(&mut self, batch: RecordBatch) -> Result<()>;

    /// Counts records that could not be read and were dropped or kept as text.
    fn count_bad_records(&mut self, records: u64);
}
