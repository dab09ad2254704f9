//! Rows of tumbling and sliding windows before the exchange.
//!
//! They are summed up per *pane*, the largest stretch of time whose rows all belong to the same windows, so a sliding window
//! costs hardly more than a tumbling one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::late;
use watershed_core::node::{BeforeExchange, Collector, EpochContext, LateCount};
use watershed_core::time::Timestamp;

use super::fixed::FixedWindows;
use crate::grouping::{LateGroups, PartialSums};
use crate::windows::Windows;

/// The rows of one split, summed up per pane, or per window where the order of rows counts.
pub(super) struct Panes {
    bound: Arc<FixedWindows>,
    sums: BTreeMap<i64, PartialSums>,
    late: LateGroups,
}

impl Panes {
    pub(super) fn new(bound: Arc<FixedWindows>) -> Self {
        let late = LateGroups::new(&bound.frame.grouping);
        Self { bound, sums: BTreeMap::new(), late }
    }
}

impl BeforeExchange for Panes {
    fn process(&mut self, _: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let bound = Arc::clone(&self.bound);
        let watermark = bound.judging(cx.late);
        let is_late = |end: i64| watermark.has_passed(Timestamp::from_micros(end));
        let times = batch.column(bound.frame.time).as_primitive::<TimestampMicrosecondType>();
        let panes = by_pane(times, bound.frame.before(), &bound.windows);
        let mut late_rows = Vec::new();
        let mut on_time = Vec::with_capacity(panes.len());
        for (pane, rows) in panes {
            for end in bound.ends(pane).filter(|end| is_late(*end)) {
                self.late.add(end, &rows.of(&batch)?)?;
            }
            if is_late(bound.windows.last_end(pane)) {
                late_rows.extend(rows.indices());
            } else {
                on_time.push((pane, rows));
            }
        }
        if bound.sums_by_window() {
            on_time = by_window(on_time, &bound, is_late);
        }
        for (key, rows) in on_time {
            let sums = match self.sums.entry(key) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(PartialSums::new(&bound.frame.grouping, &[])?),
            };
            sums.add(&[], &rows.of(&batch)?, cx)?;
        }
        if !late_rows.is_empty() {
            late_rows.sort_unstable();
            out.count_late(LateCount { rows: late_rows.len() as u64, dropped: 0 });
            out.emit(late::PORT, take_record_batch(&batch, &UInt32Array::from(late_rows))?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let Self { bound, sums, late } = *self;
        let watermark = bound.judging(cx.late);
        out.count_late(LateCount { rows: 0, dropped: late.count() });
        for (key, sums) in sums {
            let groups = sums.len();
            let columns = sums.finish()?;
            let ends: Vec<i64> = if bound.sums_by_window() { vec![key] } else { bound.ends(key).collect() };
            for end in ends.into_iter().filter(|end| !watermark.has_passed(Timestamp::from_micros(*end))) {
                let ends: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(end, groups));
                let columns = std::iter::once(ends).chain(columns.iter().cloned()).collect();
                out.exchange(Port::FIRST, RecordBatch::try_new(Arc::clone(&bound.exchanged), columns)?);
            }
        }
        Ok(())
    }
}

impl FixedWindows {
    /// The ends of the windows that hold the pane.
    fn ends(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let windows = self.windows;
        windows.starts(pane).map(move |start| windows.end(start))
    }

    /// Whether rows must be summed up per window, in the order in which they arrive, since panes put together are in the order
    /// of their times.
    fn sums_by_window(&self) -> bool {
        !self.windows.is_tumbling() && self.frame.grouping.looks_at_order()
    }
}

/// The rows of each window that is not late, by the window's end, in the order of arrival.
fn by_window(panes: Vec<(i64, Rows)>, bound: &FixedWindows, is_late: impl Fn(i64) -> bool) -> Vec<(i64, Rows)> {
    let mut windows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (pane, rows) in panes {
        let rows = rows.indices();
        for end in bound.ends(pane).filter(|end| !is_late(*end)) {
            windows.entry(end).or_default().extend(&rows);
        }
    }
    let in_order = |(end, mut rows): (i64, Vec<u32>)| {
        rows.sort_unstable();
        (end, Rows::Listed(rows))
    };
    windows.into_iter().map(in_order).collect()
}

/// Which rows of a batch are meant.
enum Rows {
    Slice(usize, usize),
    Listed(Vec<u32>),
}

impl Rows {
    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match self {
            Self::Slice(start, length) => Ok(batch.slice(*start, *length)),
            Self::Listed(rows) => Ok(take_record_batch(batch, &UInt32Array::from(rows.clone()))?),
        }
    }

    fn indices(self) -> Vec<u32> {
        match self {
            Self::Slice(start, length) => (start as u32..(start + length) as u32).collect(),
            Self::Listed(rows) => rows,
        }
    }
}

/// The rows of each pane, in order. Rows without a time are left out. Free where a pane's rows lie together.
fn by_pane(times: &TimestampMicrosecondArray, before: i64, windows: &Windows) -> Vec<(i64, Rows)> {
    let mut runs: Vec<(i64, usize, usize)> = Vec::new();
    // The pane of the run in hand; empty where none is.
    let (mut from, mut to) = (0, 0);
    for (row, &time) in times.values().iter().enumerate() {
        if times.is_null(row) {
            (from, to) = (0, 0);
            continue;
        }
        let time = time.saturating_sub(before);
        match runs.last_mut() {
            Some((_, _, length)) if (from..to).contains(&time) => *length += 1,
            _ => {
                from = windows.pane(time);
                to = windows.pane_end(from);
                runs.push((from, row, 1));
            }
        }
    }
    let mut panes: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
    for (pane, start, length) in runs {
        panes.entry(pane).or_default().push((start, length));
    }
    let joined = |runs: Vec<(usize, usize)>| match runs.as_slice() {
        [(start, length)] => Rows::Slice(*start, *length),
        _ => Rows::Listed(runs.iter().flat_map(|&(start, length)| start as u32..(start + length) as u32).collect()),
    };
    panes.into_iter().map(|(pane, runs)| (pane, joined(runs))).collect()
}
