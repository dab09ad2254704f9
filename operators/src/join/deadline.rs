//! When a row that is kept is of no use any more.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray, BooleanArray, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, TimestampMicrosecondType};
use watershed_core::state::Slot;
use watershed_core::time::{TimeSpan, Timestamp, Watermark};

use super::condition::{Kept, Moment};
use crate::buckets::Buckets;

/// The time of a row, moved on by a span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    /// The place of that time among the exchanged columns.
    pub(super) place: usize,
    extra: TimeSpan,
    buckets: Buckets,
}

impl Deadline {
    /// The deadline that `kept` means, if any; `places` are those of the stream's columns among the exchanged ones.
    pub(super) fn of(kept: Kept, places: &[Option<usize>]) -> Option<Self> {
        let Kept::Until { time, kind, extra } = kept else { return None };
        let place = match time {
            Moment::Key(key) => key,
            Moment::Column(column) => places[column].expect("the time by which rows are kept is carried"),
        };
        Some(Self { place, extra, buckets: Buckets::of_kind(kind) })
    }

    /// What the slots stand for: by this rule rows are put there.
    pub(super) fn slots_of(&self, exchanged: &Schema) -> String {
        let time = exchanged.field(self.place).name();
        let extra = match self.extra.micros() {
            0 => String::new(),
            later @ 1.. => format!(" + {}", TimeSpan::from_micros(later)),
            earlier => format!(" - {}", TimeSpan::from_micros(earlier.saturating_neg())),
        };
        self.buckets.slots_of(&format!("{time}{extra}"))
    }

    /// The rows of each slot, by their times. Rows without one are for ever.
    pub(super) fn slots(&self, times: &ArrayRef) -> BTreeMap<Slot, Vec<u32>> {
        self.buckets.split(&self.of_rows(times))
    }

    /// The slot in which the deadlines are that `watermark` is just passing.
    pub(super) fn border(&self, watermark: Watermark) -> Slot {
        watermark.0.map_or(Slot::NEVER, |now| self.buckets.slot(now.micros()))
    }

    /// Which rows, by their times, `watermark` has passed.
    pub(super) fn passed(&self, times: &ArrayRef, watermark: Watermark) -> BooleanArray {
        let deadlines = self.of_rows(times);
        let passed =
            |deadline: Option<i64>| Some(deadline.is_some_and(|at| watermark.has_passed(Timestamp::from_micros(at))));
        deadlines.iter().map(passed).collect()
    }

    fn of_rows(&self, times: &ArrayRef) -> TimestampMicrosecondArray {
        times.as_primitive::<TimestampMicrosecondType>().unary(|time| time.saturating_add(self.extra.micros()))
    }
}
