//! The author's traits as the kernel sees them: one face for all.

use arrow::array::RecordBatch;

use super::context::KeyContext;
use super::group_state::GroupState;
use super::keyed::KeyedOperator;
use super::migrate::Earlier;
use super::rows::{Emitter, Rows};
use super::stateful::{StatefulOperator, Timeout};
use super::timers::Timer;
use super::variables::{ValueState, read_initial};
use crate::error::{Error, Result};
use crate::row::{Of, ReadRow, Row};

/// What is called for keys.
pub(super) trait Logic: Send + Sync + 'static {
    type Key: Row + 'static;
    type Input: ReadRow + 'static;
    type Output: Row + 'static;

    /// The key has rows.
    fn rows<'a>(
        &self,
        key: Of<'a, Self::Key>,
        rows: Rows<'a, Self::Input>,
        cx: &mut KeyContext,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()>;

    /// A timer's time has come.
    fn timer(
        &self,
        key: Of<'_, Self::Key>,
        timer: Timer,
        cx: &mut KeyContext,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()>;

    /// Takes over what an earlier version kept for the key in a variable.
    fn migrate(&self, from: u32, earlier: Earlier<'_>, cx: &mut KeyContext) -> Result<()>;

    /// Gives keys the state in these rows, the key's columns left out: row by row the key at that place of `keys`.
    fn initial(&self, _rows: &RecordBatch, _keys: &[usize], _cx: &mut KeyContext) -> Result<()> {
        Ok(())
    }
}

/// A [`StatefulOperator`] at work: one value variable, and one timer as timeout.
pub(super) struct OfGroups<O: StatefulOperator> {
    pub(super) operator: O,
    pub(super) state: ValueState<O::State>,
    pub(super) timeout: Timeout,
    pub(super) has_watermark: bool,
}

impl<O: StatefulOperator> OfGroups<O> {
    /// The state as a call begins with it: without a timeout.
    fn state<'c>(&self, cx: &'c mut KeyContext, timed_out: bool) -> GroupState<'c, O::State> {
        let timeout = self.timeout;
        if timeout != Timeout::None {
            cx.timers.clear(cx.key);
        }
        GroupState { value: self.state, cx, timeout, timed_out, has_watermark: self.has_watermark }
    }
}

impl<O: StatefulOperator> Logic for OfGroups<O> {
    type Key = O::Key;
    type Input = O::Input;
    type Output = O::Output;

    fn rows<'a>(
        &self,
        key: Of<'a, O::Key>,
        rows: Rows<'a, O::Input>,
        cx: &mut KeyContext,
        out: &mut Emitter<O::Output>,
    ) -> Result<()> {
        self.operator.process(key, rows, &mut self.state(cx, false), out)
    }

    fn timer(&self, key: Of<'_, O::Key>, _: Timer, cx: &mut KeyContext, out: &mut Emitter<O::Output>) -> Result<()> {
        self.operator.timed_out(key, &mut self.state(cx, true), out)
    }

    fn migrate(&self, from: u32, earlier: Earlier<'_>, cx: &mut KeyContext) -> Result<()> {
        if let Some(state) = self.operator.migrate(from, earlier)? {
            self.state.set(cx, state);
        }
        Ok(())
    }

    fn initial(&self, rows: &RecordBatch, keys: &[usize], cx: &mut KeyContext) -> Result<()> {
        let mut states = read_initial::<O::State>(rows)?.into_iter();
        for &key in keys {
            cx.key = key;
            if self.state.exists(cx) {
                return Err(Error::BadInput(
                    "the key has state already, and gets another one by port `initial`: initial state comes once, before any rows".to_owned(),
                ));
            }
            if let Some(state) = states.next() {
                self.state.set(cx, state);
            }
        }
        Ok(())
    }
}

/// A [`KeyedOperator`] at work.
pub(super) struct OfKeys<O: KeyedOperator> {
    pub(super) operator: O,
    pub(super) state: O::State,
}

impl<O: KeyedOperator> Logic for OfKeys<O> {
    type Key = O::Key;
    type Input = O::Input;
    type Output = O::Output;

    fn rows<'a>(
        &self,
        key: Of<'a, O::Key>,
        rows: Rows<'a, O::Input>,
        cx: &mut KeyContext,
        out: &mut Emitter<O::Output>,
    ) -> Result<()> {
        self.operator.process(key, rows, &self.state, cx, out)
    }

    fn timer(
        &self,
        key: Of<'_, O::Key>,
        timer: Timer,
        cx: &mut KeyContext,
        out: &mut Emitter<O::Output>,
    ) -> Result<()> {
        self.operator.on_timer(key, timer, &self.state, cx, out)
    }

    fn migrate(&self, from: u32, earlier: Earlier<'_>, cx: &mut KeyContext) -> Result<()> {
        self.operator.migrate(from, earlier, &self.state, cx)
    }
}
