//! The name of a slot: the event time at which its rows are done with.

use std::fmt;

use crate::time::Timestamp;

/// The event time at which a set of rows is done with. Ordered by time; [`Slot::NEVER`] is last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(Timestamp);

impl Slot {
    /// Rows that no watermark evicts.
    pub const NEVER: Self = Self(Timestamp::MAX);

    /// The slot of rows that are done with when the watermark reaches `time`.
    pub const fn at(time: Timestamp) -> Self {
        Self(time)
    }

    /// The slot's time; `None` for [`Slot::NEVER`].
    pub fn time(self) -> Option<Timestamp> {
        (self != Self::NEVER).then_some(self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time() {
            Some(time) => time.fmt(f),
            None => f.write_str("never"),
        }
    }
}
