//! Rows before the exchange: each is a span of time, and late ones are taken out.
//!
//! A row is late by its own span, also where it would have bridged the way to a session that is open. Rows that are sure to be of one
//! session are summed up at once: those of a key that lie in one *cell*, a stretch of time as long as their gap, are less than the
//! gap apart, whatever else there is. Where the order of rows counts, each row stays alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::late;
use watershed_core::node::{BeforeExchange, Collector, EpochContext, LateCount};
use watershed_core::time::Timestamp;

use super::operator::Sessions;
use crate::grouping::PartialSums;

/// What tells groups apart besides the key: the number of the cell, and the gap, which is the cell's length.
const CELL: [DataType; 2] = [DataType::Int64, DataType::Int64];

/// The rows of one split, summed up by key and cell.
pub(super) struct Spans {
    sessions: Arc<Sessions>,
    sums: Option<PartialSums>,
    /// Of each group the first start and the last end.
    starts: Vec<i64>,
    ends: Vec<i64>,
    /// The number of rows so far, where each is a cell of its own.
    rows: i64,
}

/// Rows of a batch that are of a session, or late for it.
#[derive(Default)]
struct Sorted {
    on_time: Vec<u32>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    gaps: Vec<i64>,
    late: Vec<u32>,
}

impl Spans {
    pub(super) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions, sums: None, starts: Vec::new(), ends: Vec::new(), rows: 0 }
    }

    /// Which rows are of a session, and their spans. Rows without a time or a gap are of none.
    fn sorted(&self, batch: &RecordBatch, cx: &EpochContext) -> Result<Sorted> {
        let frame = &self.sessions.frame;
        let watermark = frame.judging(cx.late);
        let times = batch.column(frame.time).as_primitive::<TimestampMicrosecondType>();
        let gaps = self.sessions.gap.of(batch, cx)?;
        let mut sorted = Sorted::default();
        for (row, (time, gap)) in times.iter().zip(&gaps).enumerate() {
            let (Some(time), Some(gap)) = (time, gap.filter(|gap| *gap > 0)) else { continue };
            let start = time.saturating_sub(frame.before()).min(Timestamp::END.micros());
            let end = start.saturating_add(gap).min(Timestamp::END.micros());
            if watermark.has_passed(Timestamp::from_micros(end)) {
                sorted.late.push(row as u32);
            } else {
                sorted.on_time.push(row as u32);
                sorted.starts.push(start);
                sorted.ends.push(end);
                sorted.gaps.push(gap);
            }
        }
        Ok(sorted)
    }

    /// The cell of each row.
    fn cells(&mut self, Sorted { starts, gaps, .. }: &Sorted) -> Int64Array {
        if self.sessions.frame.grouping.looks_at_order() {
            let first = self.rows;
            self.rows += starts.len() as i64;
            Int64Array::from_iter_values(first..self.rows)
        } else {
            Int64Array::from_iter_values(starts.iter().zip(gaps).map(|(start, gap)| start.div_euclid(*gap)))
        }
    }

    fn add(&mut self, batch: &RecordBatch, sorted: Sorted, cx: &EpochContext) -> Result<()> {
        let rows = if sorted.on_time.len() == batch.num_rows() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(sorted.on_time.clone()))?
        };
        let cells: [ArrayRef; 2] = [Arc::new(self.cells(&sorted)), Arc::new(Int64Array::from(sorted.gaps))];
        let sums = match &mut self.sums {
            Some(sums) => sums,
            none => none.insert(PartialSums::new(&self.sessions.frame.grouping, &CELL)?),
        };
        let groups = sums.add(&cells, &rows, cx)?;
        for (&group, (start, end)) in groups.iter().zip(sorted.starts.into_iter().zip(sorted.ends)) {
            // Groups are numbered in the order of their first rows.
            if group == self.starts.len() {
                self.starts.push(start);
                self.ends.push(end);
            } else {
                self.starts[group] = self.starts[group].min(start);
                self.ends[group] = self.ends[group].max(end);
            }
        }
        Ok(())
    }
}

impl BeforeExchange for Spans {
    fn process(&mut self, _: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut sorted = self.sorted(&batch, cx)?;
        if !sorted.late.is_empty() {
            let late = UInt32Array::from(std::mem::take(&mut sorted.late));
            out.count_late(LateCount { rows: late.len() as u64, dropped: late.len() as u64 });
            out.emit(late::PORT, take_record_batch(&batch, &late)?);
        }
        if sorted.on_time.is_empty() {
            return Ok(());
        }
        self.add(&batch, sorted, cx)
    }

    fn finish(self: Box<Self>, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let Some(sums) = self.sums else { return Ok(()) };
        let bounds = [self.starts, self.ends].map(|times| Arc::new(TimestampMicrosecondArray::from(times)) as ArrayRef);
        let columns = bounds.into_iter().chain(sums.finish()?.split_off(CELL.len())).collect();
        out.exchange(Port::FIRST, RecordBatch::try_new(Arc::clone(&self.sessions.exchanged), columns)?);
        Ok(())
    }
}
