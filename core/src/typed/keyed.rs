//! Operators with several state variables per key, timers and side outputs: [`KeyedOperator`], Spark's `transformWithState`.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::context::KeyContext;
use super::declare::Declare;
use super::migrate::Earlier;
use super::rows::{Emitter, Rows};
use super::stateful::RowOrder;
use super::timers::Timer;
use crate::error::Result;
use crate::fault::Faults;
use crate::row::{Of, ReadRow, Row};
use crate::stream::OutputMode;
use crate::time::TimeSpan;

/// By which clocks an operator may set timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeMode {
    /// None.
    #[default]
    None,
    /// Processing time.
    ProcessingTime,
    /// Event time, and processing time. Rows that come too late leave by port `late` and reach no key.
    EventTime,
}

/// An operator that keeps several variables per key, sets timers, and puts out rows by several ports.
///
/// In every epoch [`process`](Self::process) is called once for each key with rows, in the order in which keys come first; then
/// [`on_timer`](Self::on_timer) for every timer whose time has come: those of event time, then those of processing time, each in the order
/// of time and, at one time, of keys. `#[operator(KeyedOperator)]` on the struct makes it a node of graph files.
pub trait KeyedOperator: Debug + Clone + Send + Sync + 'static {
    /// The columns that make rows belong together.
    type Key: Row + 'static;
    /// The columns that are read.
    type Input: ReadRow + 'static;
    /// The handles of what is kept and of the ports: what [`declare`](Self::declare) gives.
    type State: Send + Sync + 'static;
    /// The columns that are put out by port `out`.
    type Output: Row + 'static;

    /// The version of what is kept. State of an earlier one goes through [`migrate`](Self::migrate).
    const VERSION: u32 = 0;

    /// Declares what is kept and by which ports rows leave. Called before every check and every run; the same fields declare the same.
    fn declare(&self, declare: &mut Declare) -> Self::State;

    /// By which clocks timers are set.
    fn time_mode(&self) -> TimeMode {
        TimeMode::None
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
        state: &Self::State,
        cx: &mut KeyContext,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()>;

    /// A timer's time has come. It is there until the call is over.
    fn on_timer(
        &self,
        key: Of<'_, Self::Key>,
        timer: Timer,
        state: &Self::State,
        cx: &mut KeyContext,
        out: &mut Emitter<Self::Output>,
    ) -> Result<()> {
        let _ = (key, timer, state, cx, out);
        Ok(())
    }

    /// What becomes of what version `from` kept for a key in one variable; called for each variable that the key had. It is put where it
    /// belongs now by the handles. Without it, it stays in the variable of its name, where fields that are new have a default; of a
    /// variable that is no longer declared it is forgotten. Timers go on as they are.
    fn migrate(&self, from: u32, earlier: Earlier<'_>, state: &Self::State, cx: &mut KeyContext) -> Result<()> {
        let _ = (from, state);
        earlier.keep(cx)
    }
}
