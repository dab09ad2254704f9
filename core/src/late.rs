//! Rows that came too late: at or before the watermark of the epoch before.

use crate::epoch::Port;
use crate::error::Result;
use crate::time::Watermark;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::TimestampMicrosecondType;

/// The port by which rows leave that came too late to have an effect.
pub const PORT: Port = Port(1);

/// The rows of `batch` that are on time, and those that are late, if any, by the event time in column `time`. A row
/// without a time is never late.
pub fn split(batch: RecordBatch, time: usize, late: Watermark) -> Result<(RecordBatch, Option<RecordBatch>)> {
    let Some(watermark) = late.0 else {
        return Ok((batch, None));
    };
    let times = batch.column(time).as_primitive::<TimestampMicrosecondType>();
    let is_late = |row| Some(times.is_valid(row) && times.value(row) <= watermark.micros());
    let is_late: BooleanArray = (0..times.len()).map(is_late).collect();
    if is_late.true_count() == 0 {
        return Ok((batch, None));
    }
    Ok((filter_record_batch(&batch, &not(&is_late)?)?, Some(filter_record_batch(&batch, &is_late)?)))
}
