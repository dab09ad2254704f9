//! What every kind of window has in common, bound to the input: keys and aggregates, the event time, the output.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use watershed_core::error::Result;
use watershed_core::node::EpochContext;
use watershed_core::schema::TIMESTAMP;
use watershed_core::stream::{EventTime, EventTimeKind, OutputMode};
use watershed_core::time::Watermark;

use crate::grouping::Grouping;
use crate::inputs::TimeColumn;

pub(crate) const START: &str = "window_start";
pub(crate) const END: &str = "window_end";

/// The part of a window operator that does not depend on how event time is cut.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) grouping: Arc<Grouping>,
    /// The place of the time column.
    pub(crate) time: usize,
    /// The tag of the time column; without one nothing is late and no window closes.
    pub(crate) event_time: Option<EventTime>,
    pub(crate) mode: OutputMode,
    /// The columns that come out: a window's bounds, the keys, the results.
    pub(crate) output: SchemaRef,
}

impl Frame {
    pub(crate) fn new(grouping: Grouping, time: TimeColumn, mode: OutputMode) -> Self {
        let keys = grouping.key_fields().iter().map(|field| field.as_ref().clone());
        let output = Schema::new(bounds().into_iter().chain(keys).chain(grouping.result_fields()).collect::<Vec<_>>());
        Self { grouping: Arc::new(grouping), time: time.index, event_time: time.tag, mode, output: Arc::new(output) }
    }

    /// The number of key columns.
    pub(crate) fn keys(&self) -> usize {
        self.grouping.key_fields().len()
    }

    /// The watermark that judges the operator's rows: none without a tag.
    pub(crate) fn judging(&self, watermark: Watermark) -> Watermark {
        if self.event_time.is_none() { Watermark::NONE } else { watermark }
    }

    /// How long before the value of the time column a row was: the end of a window stands for its last microsecond.
    pub(crate) fn before(&self) -> i64 {
        i64::from(self.event_time.as_ref().is_some_and(|tag| tag.kind == EventTimeKind::WindowEnd))
    }

    /// The output rows of windows with these bounds.
    pub(crate) fn rows(
        &self,
        bounds: [ArrayRef; 2],
        keys: &[ArrayRef],
        states: &[ArrayRef],
        cx: &EpochContext,
    ) -> Result<RecordBatch> {
        let results = self.grouping.results(states, cx)?;
        let columns = bounds.into_iter().chain(keys.iter().cloned()).chain(results).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.output), columns)?)
    }
}

/// The columns of a window's start and its exclusive end.
pub(crate) fn bounds() -> [Field; 2] {
    [START, END].map(|name| Field::new(name, TIMESTAMP, false))
}
