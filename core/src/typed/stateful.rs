//! Operators with one state per key: [`StatefulOperator`] and [`MapGroups`], Spark's `flatMapGroupsWithState` and
//! `mapGroupsWithState`.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::group_state::GroupState;
use super::migrate::Earlier;
use super::rows::{Emitter, Rows};
use super::variables::State;
use crate::error::Result;
use crate::fault::Faults;
use crate::row::{Of, ReadRow, Row};
use crate::stream::OutputMode;
use crate::time::TimeSpan;

/// By which clock a key without rows is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Timeout {
    /// By none: a key is called when it has rows.
    #[default]
    None,
    /// By the epochs' processing time: [`GroupState::set_timeout_duration`].
    ProcessingTime,
    /// By the watermark: [`GroupState::set_timeout_timestamp`]. Rows that come too late leave by port `late` and reach no key.
    EventTime,
}

/// In which order a call sees the rows of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RowOrder {
    /// As they came.
    #[default]
    Arrival,
    /// By event time; rows without one first, those of one time as they came. The input must have event time.
    EventTime,
}

/// An operator that keeps one state per key and puts out any number of rows for it.
///
/// In every epoch [`process`](Self::process) is called once for each key with rows, in the order in which keys come first; then
/// [`timed_out`](Self::timed_out) once for each key whose timeout is over, in the order of time. `#[operator(StatefulOperator)]` on the
/// struct makes it a node of graph files.
///
/// A key's initial state may come by port `initial`: rows of the key's and the state's columns. Such a key is called in that epoch, with rows
/// or without.
pub trait StatefulOperator: Debug + Clone + Send + Sync + 'static {
    /// The columns that make rows belong together.
    type Key: Row + 'static;
    /// The columns that are read.
    type Input: ReadRow + 'static;
    /// What is kept for a key.
    type State: State;
    /// The columns that are put out.
    type Output: Row + 'static;

    /// The version of what is kept. State of an earlier one goes through [`migrate`](Self::migrate).
    const VERSION: u32 = 0;

    /// By which clock keys time out.
    fn timeout(&self) -> Timeout {
        Timeout::None
    }

    /// `Append`: rows are facts. `Update`: a row takes the place of the one with the same key, whose columns must be among those put out.
    fn output_mode(&self) -> OutputMode {
        OutputMode::Append
    }

    /// In which order rows are seen.
    fn order(&self) -> RowOrder {
        RowOrder::Arrival
    }

    /// What is put out has event time, in the field marked `#[row(event_time)]`, and no row is further behind the input's watermark than this.
    /// Without it, nothing is known of the time of what is put out, and what follows has no watermark.
    fn hold_back(&self) -> Option<TimeSpan> {
        None
    }

    /// What is wrong with the operator's own fields.
    fn check(&self) -> Result<(), Faults> {
        Ok(())
    }

    /// Fields that do not concern what is kept: they may change while the state in a checkpoint goes on to be used.
    fn free_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Called once before a run, on the operator's own copy: the place to fill fields that the graph file does not have.
    fn on_start(&mut self) -> Result<()> {
        Ok(())
    }

    /// The key has rows.
    fn process<'a>(
        &self,
        key: Of<'a, Self::Key>,
        rows: Rows<'a, Self::Input>,
        state: &mut GroupState<'_, Self::State>,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()>;

    /// The key's timeout is over.
    fn timed_out(
        &self,
        key: Of<'_, Self::Key>,
        state: &mut GroupState<'_, Self::State>,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()> {
        let _ = (key, state, out);
        Ok(())
    }

    /// What becomes of a key's state that version `from` kept; none forgets the key. Without it, state is read as it is now: fields that
    /// are new have a default.
    fn migrate(&self, from: u32, earlier: Earlier<'_>) -> Result<Option<Self::State>> {
        let _ = from;
        earlier.value().map(Some)
    }
}

/// An operator that keeps one state per key and puts out one row for each call: the key's newest result. Its output is in mode
/// `Update`, by the key's columns, which must be among those put out.
pub trait MapGroups: Debug + Clone + Send + Sync + 'static {
    /// The columns that make rows belong together.
    type Key: Row + 'static;
    /// The columns that are read.
    type Input: ReadRow + 'static;
    /// What is kept for a key.
    type State: State;
    /// The columns that are put out.
    type Output: Row + 'static;

    /// As [`StatefulOperator::VERSION`].
    const VERSION: u32 = 0;

    /// By which clock keys time out.
    fn timeout(&self) -> Timeout {
        Timeout::None
    }

    /// In which order rows are seen.
    fn order(&self) -> RowOrder {
        RowOrder::Arrival
    }

    /// As [`StatefulOperator::hold_back`].
    fn hold_back(&self) -> Option<TimeSpan> {
        None
    }

    /// As [`StatefulOperator::check`].
    fn check(&self) -> Result<(), Faults> {
        Ok(())
    }

    /// As [`StatefulOperator::free_fields`].
    fn free_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// As [`StatefulOperator::on_start`].
    fn on_start(&mut self) -> Result<()> {
        Ok(())
    }

    /// The key has rows, or its timeout is over: then there are none, and [`GroupState::has_timed_out`].
    fn map<'a>(
        &self,
        key: Of<'a, Self::Key>,
        rows: Rows<'a, Self::Input>,
        state: &mut GroupState<'_, Self::State>,
    ) -> Result<Of<'a, Self::Output>>;

    /// As [`StatefulOperator::migrate`].
    fn migrate(&self, from: u32, earlier: Earlier<'_>) -> Result<Option<Self::State>> {
        let _ = from;
        earlier.value().map(Some)
    }
}

impl<O: MapGroups> StatefulOperator for O {
    type Key = O::Key;
    type Input = O::Input;
    type State = O::State;
    type Output = O::Output;

    const VERSION: u32 = O::VERSION;

    fn timeout(&self) -> Timeout {
        MapGroups::timeout(self)
    }

    fn output_mode(&self) -> OutputMode {
        OutputMode::Update
    }

    fn order(&self) -> RowOrder {
        MapGroups::order(self)
    }

    fn hold_back(&self) -> Option<TimeSpan> {
        MapGroups::hold_back(self)
    }

    fn check(&self) -> Result<(), Faults> {
        MapGroups::check(self)
    }

    fn free_fields(&self) -> &'static [&'static str] {
        MapGroups::free_fields(self)
    }

    fn on_start(&mut self) -> Result<()> {
        MapGroups::on_start(self)
    }

    fn process<'a>(
        &self,
        key: Of<'a, Self::Key>,
        rows: Rows<'a, Self::Input>,
        state: &mut GroupState<'_, Self::State>,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()> {
        out.emit(self.map(key, rows, state)?);
        Ok(())
    }

    fn timed_out(
        &self,
        key: Of<'_, Self::Key>,
        state: &mut GroupState<'_, Self::State>,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()> {
        out.emit(self.map(key, Rows::none(), state)?);
        Ok(())
    }

    fn migrate(&self, from: u32, earlier: Earlier<'_>) -> Result<Option<Self::State>> {
        MapGroups::migrate(self, from, earlier)
    }
}
