//! The timers of the keys at work. A key's timers are two lists, one per clock, in the order of time.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, TimestampMicrosecondArray, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Fields};

use super::variables::{Written, instants_in};
use crate::error::Result;
use crate::schema::TIMESTAMP;
use crate::state::Gathered;
use crate::time::Timestamp;

/// A request for a call at an instant, of event time or of processing time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// When the watermark has come so far.
    Event(Timestamp),
    /// When processing time has come so far.
    Processing(Timestamp),
}

impl Timer {
    /// The instant.
    pub const fn time(self) -> Timestamp {
        match self {
            Self::Event(time) | Self::Processing(time) => time,
        }
    }

    pub(super) const fn clock(self) -> Clock {
        match self {
            Self::Event(_) => Clock::Event,
            Self::Processing(_) => Clock::Processing,
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = match self {
            Self::Event(_) => "event time",
            Self::Processing(_) => "processing time",
        };
        write!(f, "{} in {clock}", self.time())
    }
}

/// What timers go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Event,
    Processing,
}

impl Clock {
    pub(super) const ALL: [Self; 2] = [Self::Event, Self::Processing];

    pub(super) const fn timer(self, time: Timestamp) -> Timer {
        match self {
            Self::Event => Timer::Event(time),
            Self::Processing => Timer::Processing(time),
        }
    }

    /// The column of its timers.
    const fn column(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Processing => "processing",
        }
    }
}

/// The value columns of the table of timers.
pub(super) fn fields() -> Fields {
    let list = DataType::List(Arc::new(Field::new_list_field(TIMESTAMP, true)));
    Clock::ALL.iter().map(|clock| Field::new(clock.column(), list.clone(), false)).collect()
}

/// The timers by one clock in such a row, in the order of time.
pub(super) fn in_row(columns: &[ArrayRef], clock: Clock, row: usize) -> &[i64] {
    instants_in(columns[clock as usize].as_list(), row)
}

/// The timers of the keys at work.
#[derive(Default)]
pub(super) struct TimerCells {
    now: Vec<[Vec<Timestamp>; 2]>,
    /// By key its row of `store`.
    rows: Vec<Option<usize>>,
    store: Vec<ArrayRef>,
}

impl TimerCells {
    pub(super) fn begin(&mut self, kept: Gathered, keys: usize) {
        self.store = kept.values;
        self.rows = vec![None; keys];
        self.now = vec![<[Vec<Timestamp>; 2]>::default(); keys];
        for (row, key) in kept.groups.into_iter().enumerate() {
            self.rows[key] = Some(row);
            self.now[key] = Clock::ALL
                .map(|clock| in_row(&self.store, clock, row).iter().copied().map(Timestamp::from_micros).collect());
        }
    }

    /// The key's timers by one clock, in the order of time.
    pub(super) fn of(&self, key: usize, clock: Clock) -> &[Timestamp] {
        &self.now[key][clock as usize]
    }

    /// Adds a timer. One that is there already stays as it is.
    pub(super) fn add(&mut self, key: usize, timer: Timer) {
        let times = &mut self.now[key][timer.clock() as usize];
        if let Err(place) = times.binary_search(&timer.time()) {
            times.insert(place, timer.time());
        }
    }

    /// Takes a timer away, if it is there.
    pub(super) fn remove(&mut self, key: usize, timer: Timer) {
        let times = &mut self.now[key][timer.clock() as usize];
        if let Ok(place) = times.binary_search(&timer.time()) {
            times.remove(place);
        }
    }

    pub(super) fn has(&self, key: usize, timer: Timer) -> bool {
        self.of(key, timer.clock()).binary_search(&timer.time()).is_ok()
    }

    /// Takes all timers of a key away.
    pub(super) fn clear(&mut self, key: usize) {
        self.now[key].iter_mut().for_each(Vec::clear);
    }

    /// The key's first timer.
    pub(super) fn first(&self, key: usize, clock: Clock) -> Option<Timestamp> {
        self.of(key, clock).first().copied()
    }

    /// The key's first timer as it was when the work began.
    pub(super) fn first_in_store(&self, key: usize, clock: Clock) -> Option<Timestamp> {
        in_row(&self.store, clock, self.rows[key]?).first().copied().map(Timestamp::from_micros)
    }

    fn is_changed(&self, key: usize) -> bool {
        match self.rows[key] {
            None => self.now[key].iter().any(|times| !times.is_empty()),
            Some(row) => Clock::ALL.iter().any(|&clock| {
                !self
                    .of(key, clock)
                    .iter()
                    .map(|time| time.micros())
                    .eq(in_row(&self.store, clock, row).iter().copied())
            }),
        }
    }

    pub(super) fn end(&mut self) -> Result<Written> {
        let keys = self.now.len();
        let mut written = Written { kept: vec![false; keys], values: Vec::new(), gone: vec![false; keys] };
        for key in 0..keys {
            if self.is_changed(key) {
                let any = self.now[key].iter().any(|times| !times.is_empty());
                written.kept[key] = any;
                written.gone[key] = !any;
            }
        }
        for clock in Clock::ALL {
            let lists: Vec<&[Timestamp]> =
                (0..keys).filter(|&key| written.kept[key]).map(|key| self.of(key, clock)).collect();
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(|times| times.len()));
            let times = TimestampMicrosecondArray::from_iter_values(
                lists.iter().flat_map(|times| times.iter()).map(|time| time.micros()),
            );
            let field = Arc::new(Field::new_list_field(TIMESTAMP, true));
            written.values.push(Arc::new(ListArray::try_new(field, offsets, Arc::new(times), None)?));
        }
        Ok(written)
    }
}

/// Rows of the table of timers, with only those timers that go by `clocks`.
pub(super) fn only_of(clocks: &[Clock], rows: &RecordBatch, keys: usize) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    for clock in Clock::ALL.into_iter().filter(|clock| !clocks.contains(clock)) {
        let column = &mut columns[keys + clock as usize];
        let none = ListArray::try_new(
            Arc::new(Field::new_list_field(TIMESTAMP, true)),
            OffsetBuffer::new_zeroed(rows.num_rows()),
            new_empty_array(&TIMESTAMP),
            None,
        )?;
        *column = Arc::new(none);
    }
    let has_timer = |row: usize| Clock::ALL.iter().any(|&clock| !in_row(&columns[keys..], clock, row).is_empty());
    let mask: BooleanArray = (0..rows.num_rows()).map(|row| Some(has_timer(row))).collect();
    Ok(filter_record_batch(&RecordBatch::try_new(rows.schema(), columns)?, &mask)?)
}
