//! What an author's code is given of the key it is called for: its state, its timers, and how late it is.

use std::any::Any;
use std::fmt;

use super::rows::Emitter;
use super::sides::{Side, SideRows};
use super::timers::{Clock, Timer, TimerCells};
use super::variables::Variable;
use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::node::EpochContext;
use crate::row::Row;
use crate::time::{Timestamp, Watermark};

/// The key at work, as [`KeyedOperator`](super::KeyedOperator)'s methods see it. Handles of state variables and side outputs take it to
/// know which key is meant.
pub struct KeyContext {
    /// The key's place among those at work.
    pub(super) key: usize,
    pub(super) epoch: EpochContext,
    pub(super) variables: Vec<Box<dyn Variable>>,
    /// The names of the variables.
    pub(super) names: Vec<&'static str>,
    pub(super) timers: TimerCells,
    pub(super) sides: Vec<Box<dyn Side>>,
    /// The clocks whose timers the operator may set.
    pub(super) clocks: &'static [Clock],
}

impl KeyContext {
    /// Asks for a call at an instant. A timer that is there already is the same one. While rows are processed, a timer that is due
    /// already fires in the same epoch; one that is set by [`on_timer`](super::KeyedOperator::on_timer) in the next one at the earliest.
    ///
    /// # Errors
    /// If the operator's [`time_mode`](super::KeyedOperator::time_mode) has no such timers.
    pub fn register_timer(&mut self, timer: Timer) -> Result<()> {
        if !self.clocks.contains(&timer.clock()) {
            let modes = match timer {
                Timer::Event(_) => "`TimeMode::EventTime`",
                Timer::Processing(_) => "`TimeMode::ProcessingTime` or `TimeMode::EventTime`",
            };
            return Err(Error::other(format!("a timer at {timer} needs a `time_mode` of {modes}")));
        }
        self.timers.add(self.key, timer);
        Ok(())
    }

    /// Takes a timer back. It need not be there.
    pub fn delete_timer(&mut self, timer: Timer) {
        if self.clocks.contains(&timer.clock()) {
            self.timers.remove(self.key, timer);
        }
    }

    /// The key's timers, those of event time first, each clock's in the order of time. In `on_timer` the one that fired is still there.
    pub fn timers(&self) -> impl Iterator<Item = Timer> {
        let of = |clock: &Clock| {
            let clock = *clock;
            self.timers.of(self.key, clock).iter().map(move |time| clock.timer(*time))
        };
        self.clocks.iter().flat_map(of)
    }

    /// How far event time has come in this epoch. Before the first row, and without a watermark above, there is none.
    pub fn watermark(&self) -> Watermark {
        self.epoch.evict
    }

    /// The epoch's processing time: the same for all its calls, and when it is run again.
    pub fn processing_time(&self) -> Timestamp {
        self.epoch.processing_time
    }

    /// The epoch's number.
    pub fn epoch(&self) -> Epoch {
        self.epoch.epoch
    }

    pub(super) fn cells<C: Variable>(&self, variable: usize) -> &C {
        let cells: &dyn Any = &*self.variables[variable];
        cells.downcast_ref().expect(FOREIGN)
    }

    pub(super) fn cells_mut<C: Variable>(&mut self, variable: usize) -> &mut C {
        let cells: &mut dyn Any = &mut *self.variables[variable];
        cells.downcast_mut().expect(FOREIGN)
    }

    pub(super) fn side<R: Row + 'static>(&mut self, side: usize) -> &mut Emitter<R> {
        let side: &mut dyn Any = &mut *self.sides[side];
        &mut side.downcast_mut::<SideRows<R>>().expect(FOREIGN).0
    }
}

/// What a handle that is used with another operator's keys dies of.
const FOREIGN: &str = "a handle is used with keys of the operator that declared it";

impl fmt::Debug for KeyContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyContext").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
