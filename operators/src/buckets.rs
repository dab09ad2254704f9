//! Buckets of event time: which slot of the state a key belongs to that holds an event time itself.
//!
//! A slot per distinct time would be a table per row. So an instant goes into the slot of the bucket it lies in, named by
//! the bucket's last microsecond: when the watermark has passed that, it has passed every time in the bucket. A window's end
//! is shared by many rows and is its own slot.

use std::collections::BTreeMap;

use arrow::array::{Array, TimestampMicrosecondArray};
use watershed_core::state::Slot;
use watershed_core::stream::{EventTime, EventTimeKind};
use watershed_core::time::Timestamp;

/// The width of a bucket, in microseconds: a slot costs a table, and keeping keys some seconds longer costs less. It must not
/// depend on the delay, which may change while the state in a checkpoint goes on to be used.
const WIDTH: i64 = 60_000_000;

/// How event times are shared out over slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Buckets {
    width: i64,
}

impl Buckets {
    /// Buckets of a minute.
    pub(crate) const MINUTES: Self = Self { width: WIDTH };

    /// Buckets that suit a tagged column: of one value for ends of windows, else of a minute.
    pub(crate) fn of(tag: &EventTime) -> Self {
        Self::of_kind(tag.kind)
    }

    /// Buckets that suit times of this kind.
    pub(crate) fn of_kind(kind: EventTimeKind) -> Self {
        match kind {
            EventTimeKind::WindowEnd => Self { width: 1 },
            EventTimeKind::Instant => Self::MINUTES,
        }
    }

    /// What the slots stand for, where the time is the key column at this place.
    pub(crate) fn slots(self, key: usize) -> String {
        self.slots_of(&format!("key column {key}"))
    }

    /// What the slots stand for, where the time is `what`.
    pub(crate) fn slots_of(self, what: &str) -> String {
        let times = if self.width == 1 { "ends of windows" } else { "minutes" };
        format!("{times} of {what}")
    }

    /// The slot of an event time.
    pub(crate) fn slot(self, time: i64) -> Slot {
        let start = time.saturating_sub(time.rem_euclid(self.width));
        Slot::at(Timestamp::from_micros(start.saturating_add(self.width - 1)).min(Timestamp::END))
    }

    /// The rows of each slot, in order. Rows without a time are in [`Slot::NEVER`].
    pub(crate) fn split(self, times: &TimestampMicrosecondArray) -> BTreeMap<Slot, Vec<u32>> {
        let mut slots: BTreeMap<Slot, Vec<u32>> = BTreeMap::new();
        for (row, &time) in times.values().iter().enumerate() {
            let slot = if times.is_null(row) { Slot::NEVER } else { self.slot(time) };
            slots.entry(slot).or_default().push(row as u32);
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::time::{TimeSpan, Watermark};

    use super::*;

    fn buckets(kind: EventTimeKind, delay: i64) -> Buckets {
        Buckets::of(&EventTime { column: "t".to_owned(), kind, delay: TimeSpan::from_seconds(delay) })
    }

    #[test]
    fn a_slot_is_passed_only_when_all_of_its_times_are() {
        let buckets = buckets(EventTimeKind::Instant, 40);
        for time in [i64::MIN, -25_000_001, -1, 0, 9_999_999, 10_000_000] {
            let end = buckets.slot(time).time().expect("a time's slot has a time");
            assert!(end.micros() >= time && end.micros().abs_diff(time) < 60_000_000, "{time} in {end}");
            assert!(Watermark(Some(end)).has_passed(Timestamp::from_micros(time)));
        }
        assert_eq!(buckets.slot(0), buckets.slot(59_999_999));
        assert_ne!(buckets.slot(0), buckets.slot(60_000_000));
        assert_ne!(buckets.slot(-1), buckets.slot(0));
    }

    /// State of a run was not found again after its delay had changed.
    #[test]
    fn the_slot_of_a_time_does_not_depend_on_the_delay() {
        for time in [-1, 0, 59_999_999, 1_424_686_733_090_638] {
            let slots = [0, 1, 600, 86_400].map(|delay| buckets(EventTimeKind::Instant, delay).slot(time));
            assert!(slots.iter().all(|slot| *slot == slots[0]), "{time}");
        }
    }

    #[test]
    fn a_window_end_is_its_own_slot_and_null_never_expires() {
        let buckets = buckets(EventTimeKind::WindowEnd, 0);
        assert_eq!(buckets.slot(7), Slot::at(Timestamp::from_micros(7)));
        let slots = buckets.split(&TimestampMicrosecondArray::from(vec![Some(7), None, Some(7)]));
        assert_eq!(slots[&Slot::NEVER], [1]);
        assert_eq!(slots[&buckets.slot(7)], [0, 2]);
    }
}
