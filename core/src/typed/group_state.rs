//! The state of one key under [`StatefulOperator`](super::StatefulOperator): one value and at most one timeout.

use std::fmt;

use super::context::KeyContext;
use super::stateful::Timeout;
use super::timers::Timer;
use super::variables::{State, ValueState};
use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::time::{TimeSpan, Timestamp, Watermark};

/// What is kept for a key from epoch to epoch, with Spark's meaning: a call begins without a timeout, and what the call does not
/// change stays.
pub struct GroupState<'a, S> {
    pub(super) value: ValueState<S>,
    pub(super) cx: &'a mut KeyContext,
    pub(super) timeout: Timeout,
    pub(super) timed_out: bool,
    /// Whether event time reaches the operator.
    pub(super) has_watermark: bool,
}

impl<S: State> GroupState<'_, S> {
    /// Whether the key has state.
    pub fn exists(&self) -> bool {
        self.value.exists(self.cx)
    }

    /// The key's state, if it has any.
    pub fn get(&self) -> Option<&S> {
        self.value.get(self.cx)
    }

    /// The key's state to be changed in place: it counts as an update.
    pub fn get_mut(&mut self) -> Option<&mut S> {
        self.value.get_mut(self.cx)
    }

    /// Takes the key's state out, or makes a new one: the way to work on it and [`update`](Self::update) it. What is not put
    /// back is gone.
    pub fn take_or_default(&mut self) -> S
    where
        S: Default,
    {
        self.value.take(self.cx).unwrap_or_default()
    }

    /// Gives the key this state.
    pub fn update(&mut self, state: S) {
        self.value.set(self.cx, state);
    }

    /// Takes the key's state away. A timeout that is set, before or after, stays: the key is then called without state.
    pub fn remove(&mut self) {
        self.value.clear(self.cx);
    }

    /// Whether this call is for a timeout.
    pub fn has_timed_out(&self) -> bool {
        self.timed_out
    }

    /// Asks for a call in the first epoch whose processing time is later than now and this length of time, unless a call for rows
    /// comes before.
    ///
    /// # Errors
    /// If the operator's timeout is not [`Timeout::ProcessingTime`], or the length of time is not greater than 0.
    pub fn set_timeout_duration(&mut self, after: TimeSpan) -> Result<()> {
        self.check_timeout(Timeout::ProcessingTime, "set_timeout_duration")?;
        if after <= TimeSpan::ZERO {
            return Err(Error::other(format!("a timeout after `{after}`: it must be longer than 0")));
        }
        let time = self.cx.processing_time().plus(after);
        self.set(Timer::Processing(time))
    }

    /// Asks for a call in the first epoch whose watermark is later than this, unless a call for rows comes before.
    ///
    /// # Errors
    /// If the operator's timeout is not [`Timeout::EventTime`], or the watermark is past that time already.
    pub fn set_timeout_timestamp(&mut self, time: Timestamp) -> Result<()> {
        self.check_timeout(Timeout::EventTime, "set_timeout_timestamp")?;
        let watermark = self.cx.watermark();
        if watermark.0 == Some(Timestamp::END) {
            // No time is left to wait: what the last rows set is over before the run is.
            return self.set(Timer::Event(time.min(Timestamp::END.minus(TimeSpan::from_micros(1)))));
        }
        if Watermark(Some(time)) < watermark {
            return Err(Error::other(format!(
                "a timeout at {time} is earlier than the watermark, {watermark}: it must be at that time or later"
            )));
        }
        self.set(Timer::Event(time))
    }

    /// How far event time has come in this epoch; none before the first row.
    ///
    /// # Errors
    /// If no watermark node stands above the operator.
    pub fn current_watermark(&self) -> Result<Watermark> {
        if self.has_watermark {
            return Ok(self.cx.watermark());
        }
        Err(Error::other("there is no watermark: put a `Watermark` node above the operator"))
    }

    /// The epoch's processing time: the same for all its calls, and when it is run again.
    pub fn current_processing_time(&self) -> Timestamp {
        self.cx.processing_time()
    }

    /// The epoch's number.
    pub fn epoch(&self) -> Epoch {
        self.cx.epoch()
    }

    fn check_timeout(&self, needed: Timeout, call: &str) -> Result<()> {
        if self.timeout == needed {
            return Ok(());
        }
        Err(Error::other(format!(
            "`{call}` needs an operator with `Timeout::{needed:?}`, and this one has `Timeout::{:?}`",
            self.timeout
        )))
    }

    /// A key has one timeout.
    fn set(&mut self, timer: Timer) -> Result<()> {
        self.cx.timers.clear(self.cx.key);
        self.cx.register_timer(timer)
    }
}

impl<S: State + fmt::Debug> fmt::Debug for GroupState<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("GroupState");
        shown.field("state", &self.get()).field("timed_out", &self.timed_out).finish_non_exhaustive()
    }
}
