//! What an epoch did, in numbers: Spark's `StreamingQueryProgress` under Watershed's names.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::waiting::Waiting;
use crate::epoch::Epoch;
use crate::node::Offset;
use crate::time::{Timestamp, Watermark};

/// What one epoch did.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// The graph's name.
    pub graph: String,
    /// The epoch (Spark: `batchId`).
    pub epoch: Epoch,
    /// The epoch's processing time.
    pub timestamp: Timestamp,
    /// Where the time went, in milliseconds.
    pub duration_ms: Durations,
    /// Rows read from all sources.
    pub input_rows: u64,
    /// Rows read per second of the epoch.
    pub processed_rows_per_second: f64,
    /// Event time; left out for a graph without a watermark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<EventTimeProgress>,
    /// Per source.
    pub sources: Vec<SourceProgress>,
    /// Per operator, in the order of the flow.
    pub operators: Vec<OperatorProgress>,
    /// Per sink.
    pub sinks: Vec<SinkProgress>,
    /// The nodes that hold rows after the epoch until a watermark has come further, in the order of the flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
}

/// Where an epoch's time went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Durations {
    /// The epoch's intent written to the checkpoint.
    pub intent: f64,
    /// From the intent to the last row taken in: waiting for rows, stateless nodes and partial aggregates.
    pub intake: f64,
    /// Stateful nodes and what follows them.
    pub compute: f64,
    /// Output written where nobody sees it.
    pub stage: f64,
    /// State and commit written to the checkpoint, output shown. The next epoch may compute at the same time.
    pub commit: f64,
    /// All of it.
    pub total: f64,
}

/// Event time in an epoch.
#[derive(Clone, Debug, Serialize)]
pub struct EventTimeProgress {
    /// The newest event time that a watermark node saw in this epoch.
    pub max: Watermark,
    /// The watermark in force during the epoch: the least of all watermark nodes that are waited for.
    pub watermark: Watermark,
    /// The watermark nodes that nobody waits for, since they have been silent for longer than `idle_after`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub idle: BTreeSet<String>,
}

/// A source in an epoch.
#[derive(Clone, Debug, Serialize)]
pub struct SourceProgress {
    /// The node.
    pub node: String,
    /// Where the epoch's range starts.
    pub start: Offset,
    /// Where it ends.
    pub end: Offset,
    /// Rows read.
    pub rows: u64,
    /// Records that could not be read and were dropped or kept as text.
    pub bad_records: u64,
    /// What was read, in the source's unit (bytes for files).
    pub size: u64,
    /// What is wrong with the source although it goes on, such as a table that cannot be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// An operator in an epoch.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorProgress {
    /// The node.
    pub node: String,
    /// Rows that reached it.
    pub rows_in: u64,
    /// Rows that left it by its first port.
    pub rows_out: u64,
    /// Input rows that came too late to have any effect.
    pub rows_late: u64,
    /// What Spark counts as `numRowsDroppedByWatermark`: rows, or groups of a split for an aggregation.
    pub dropped_by_watermark: u64,
    /// Rows whose event time was too far ahead of the clock to be right.
    #[serde(skip_serializing_if = "is_zero")]
    pub rows_bad_time: u64,
    /// Rows of state after the epoch.
    pub state_rows: u64,
    /// Bytes of memory the state holds.
    pub state_bytes: u64,
    /// The watermark that reached it, in force during the epoch.
    pub watermark: Watermark,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A sink in an epoch.
#[derive(Clone, Debug, Serialize)]
pub struct SinkProgress {
    /// The node.
    pub node: String,
    /// Rows committed.
    pub rows: u64,
}

/// What a whole run did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The graph's name.
    pub graph: String,
    /// Epochs that were committed.
    pub epochs: u64,
    /// Seconds from the first epoch's start to the last one's end, waiting included.
    pub seconds: f64,
    /// Rows read from all sources.
    pub input_rows: u64,
    /// The watermark after the last epoch: the least of all watermark nodes.
    pub watermark: Watermark,
    /// Per source: sums over all epochs; the range is the whole.
    pub sources: Vec<SourceProgress>,
    /// Per operator: sums over all epochs, state as it is at the end.
    pub operators: Vec<OperatorProgress>,
    /// Per sink: sums over all epochs.
    pub sinks: Vec<SinkProgress>,
    /// The nodes that hold rows at the end until a watermark has come further, in the order of the flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// Whether the run was stopped before its end.
    pub stopped: bool,
}

impl Summary {
    /// Adds an epoch.
    pub(super) fn add(&mut self, progress: &Progress) {
        if self.epochs == 0 {
            self.graph.clone_from(&progress.graph);
            self.sources.clone_from(&progress.sources);
            self.operators.clone_from(&progress.operators);
            self.sinks.clone_from(&progress.sinks);
        } else {
            for (sum, epoch) in self.sources.iter_mut().zip(&progress.sources) {
                sum.end.clone_from(&epoch.end);
                sum.rows += epoch.rows;
                sum.bad_records += epoch.bad_records;
                sum.size += epoch.size;
                sum.trouble.clone_from(&epoch.trouble);
            }
            for (sum, epoch) in self.operators.iter_mut().zip(&progress.operators) {
                let before = std::mem::replace(sum, epoch.clone());
                sum.rows_in += before.rows_in;
                sum.rows_out += before.rows_out;
                sum.rows_late += before.rows_late;
                sum.dropped_by_watermark += before.dropped_by_watermark;
                sum.rows_bad_time += before.rows_bad_time;
            }
            for (sum, epoch) in self.sinks.iter_mut().zip(&progress.sinks) {
                sum.rows += epoch.rows;
            }
        }
        self.epochs += 1;
        self.input_rows += progress.input_rows;
    }
}

/// Measures the parts of an epoch. No answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "durations are reported, never used in an answer")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Milliseconds since the start or the last lap.
    pub(super) fn lap_ms(&mut self) -> f64 {
        let elapsed = self.elapsed();
        self.0 += elapsed;
        elapsed.as_secs_f64() * 1000.0
    }
}
