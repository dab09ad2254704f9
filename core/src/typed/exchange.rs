//! What happens to rows before they are regrouped by key: late ones leave, and columns that nobody reads stay behind.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::TimestampMicrosecondType;

use crate::epoch::Port;
use crate::error::Result;
use crate::node::{BeforeExchange, Collector, EpochContext, LateCount};
use crate::time::Watermark;

/// The port of rows that came too late to reach a key.
pub(super) const LATE: Port = Port(1);

/// Which columns of an input go on, and how late rows are told.
#[derive(Debug)]
pub(super) struct Projection {
    /// By input port, the columns that go on: those of the key first.
    pub(super) columns: Vec<Vec<usize>>,
    /// The column of event time, where late rows are dropped.
    pub(super) time: Option<usize>,
}

pub(super) struct LateFilter(pub(super) Arc<Projection>);

impl BeforeExchange for LateFilter {
    fn process(&mut self, port: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let (on_time, late) = match self.0.time {
            Some(time) if port == Port::FIRST => split(batch, time, cx.late)?,
            _ => (batch, None),
        };
        if let Some(late) = late {
            let rows = late.num_rows() as u64;
            out.count_late(LateCount { rows, dropped: rows });
            out.emit(LATE, late);
        }
        out.exchange(port, on_time.project(&self.0.columns[port.0])?);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &EpochContext, _: &mut Collector) -> Result<()> {
        Ok(())
    }
}

/// The rows that are on time, and those that are late, if any. A row without a time is never late.
fn split(batch: RecordBatch, time: usize, late: Watermark) -> Result<(RecordBatch, Option<RecordBatch>)> {
    let Some(watermark) = late.0 else { return Ok((batch, None)) };
    let times = batch.column(time).as_primitive::<TimestampMicrosecondType>();
    let is_late = |row| Some(times.is_valid(row) && times.value(row) <= watermark.micros());
    let is_late: BooleanArray = (0..times.len()).map(is_late).collect();
    if is_late.true_count() == 0 {
        return Ok((batch, None));
    }
    Ok((filter_record_batch(&batch, &not(&is_late)?)?, Some(filter_record_batch(&batch, &is_late)?)))
}
