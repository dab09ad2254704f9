//! Where a node puts what it makes.

use arrow::array::RecordBatch;

use crate::epoch::Port;
use crate::time::{Timestamp, Watermark};

/// Rows that came too late, counted as Spark counts them and as people do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateCount {
    /// Input rows that had no effect at all.
    pub rows: u64,
    /// What Spark's `numRowsDroppedByWatermark` counts: rows, or for an aggregation the groups of a split.
    pub dropped: u64,
}

/// The output of one call of a node: batches per port, and what the engine is to know of them. The engine empties it
/// after each call.
#[derive(Debug, Default)]
pub struct Collector {
    emitted: Vec<(Port, RecordBatch)>,
    exchanged: Vec<(Port, RecordBatch)>,
    newest: Watermark,
    late: LateCount,
    bad_times: u64,
}

impl Collector {
    /// Hands `batch` to whatever is connected to `port`.
    pub fn emit(&mut self, port: Port, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.emitted.push((port, batch));
        }
    }

    /// Hands `batch`, as input of `port`, to the node's own partitions: for
    /// [`BeforeExchange`](crate::node::BeforeExchange) only.
    pub fn exchange(&mut self, port: Port, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.exchanged.push((port, batch));
        }
    }

    /// Tells the newest event time among the rows seen: for watermark nodes.
    pub fn observe(&mut self, time: Timestamp) {
        self.newest = self.newest.max(Watermark(Some(time)));
    }

    /// Counts rows that were dropped because they came too late.
    pub fn count_late(&mut self, late: LateCount) {
        self.late.rows += late.rows;
        self.late.dropped += late.dropped;
    }

    /// Counts rows whose event time cannot be right.
    pub fn count_bad_times(&mut self, rows: u64) {
        self.bad_times += rows;
    }

    /// Takes the batches for other nodes, in the order they were emitted.
    pub fn take_emitted(&mut self) -> Vec<(Port, RecordBatch)> {
        std::mem::take(&mut self.emitted)
    }

    /// Takes the batches for the node's own partitions.
    pub fn take_exchanged(&mut self) -> Vec<(Port, RecordBatch)> {
        std::mem::take(&mut self.exchanged)
    }

    /// Takes the newest event time observed.
    pub fn take_newest(&mut self) -> Watermark {
        std::mem::take(&mut self.newest)
    }

    /// Takes the count of rows whose event time cannot be right.
    pub fn take_bad_times(&mut self) -> u64 {
        std::mem::take(&mut self.bad_times)
    }

    /// Takes the count of late rows.
    pub fn take_late(&mut self) -> LateCount {
        std::mem::take(&mut self.late)
    }
}
