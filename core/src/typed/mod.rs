//! Operators as their authors write them: a struct, the types of its rows, and one method.
//!
//! | trait | for |
//! |---|---|
//! | [`StatefulOperator`] | one state per key, any number of rows out, a timeout |
//! | [`MapGroups`] | the same with one row out for each call |
//! | [`KeyedOperator`] | several state variables per key (values, lists, maps), many timers, side outputs |
//! | [`MapRows`], [`FlatMapRows`], [`FilterRows`] | each row alone |
//! | [`MapBatches`] | whole columns, for speed |
//!
//! ```
//! # extern crate watershed_core as watershed;
//! use watershed::error::Result;
//! use watershed::operator;
//! use watershed::row::Row;
//! use watershed::time::{TimeSpan, Timestamp};
//! use watershed::typed::{Emitter, GroupState, Rows, StatefulOperator, Timeout};
//!
//! #[derive(Row)]
//! struct ByUser<'a> {
//!     user: &'a str,
//! }
//!
//! #[derive(Row)]
//! struct Reading {
//!     at: Timestamp,
//! }
//!
//! #[derive(Row, Default)]
//! struct Session {
//!     readings: u64,
//! }
//!
//! #[derive(Row)]
//! struct Ended<'a> {
//!     user: &'a str,
//!     readings: u64,
//! }
//!
//! /// Counts the readings of a session, which ends after some time without any.
//! #[operator(StatefulOperator, example: r#"Sessions(gap: "5 minutes")"#)]
//! struct Sessions {
//!     /// How long without readings.
//!     gap: TimeSpan,
//! }
//!
//! impl StatefulOperator for Sessions {
//!     type Key = ByUser<'static>;
//!     type Input = Reading;
//!     type State = Session;
//!     type Output = Ended<'static>;
//!
//!     fn timeout(&self) -> Timeout {
//!         Timeout::EventTime
//!     }
//!
//!     fn process(
//!         &self,
//!         _: ByUser,
//!         rows: Rows<Reading>,
//!         state: &mut GroupState<Session>,
//!         _: &mut Emitter<Ended>,
//!     ) -> Result<()> {
//!         let mut session = state.take_or_default();
//!         session.readings += rows.len() as u64;
//!         if let Some(last) = rows.map(|reading| reading.at).max() {
//!             let watermark = state.current_watermark()?.0.unwrap_or(Timestamp::MIN);
//!             state.set_timeout_timestamp(last.plus(self.gap).max(watermark))?;
//!         }
//!         state.update(session);
//!         Ok(())
//!     }
//!
//!     fn timed_out(&self, key: ByUser, state: &mut GroupState<Session>, out: &mut Emitter<Ended>) -> Result<()> {
//!         let readings = state.get().map_or(0, |session| session.readings);
//!         out.emit(Ended { user: key.user, readings });
//!         state.remove();
//!         Ok(())
//!     }
//! }
//! ```
//!
//! Reading order: the traits in `stateful` and `keyed` with what their methods are given (`rows`, `group_state`, `context`,
//! `variables`), then how it works: `logic` gives all of them one face, `layout` says which tables there are, `epoch` runs an epoch,
//! `due` finds keys whose time has come, `by_row` is the stateless traits at work, `spec` checks before the start, and `migrate` takes over what
//! earlier versions kept, and `adapters` is what the attribute `#[operator]` calls.

mod by_row;
mod calls;
mod context;
mod declare;
pub(crate) mod due;
mod epoch;
mod exchange;
mod group_state;
mod keyed;
pub(crate) mod layout;
mod logic;
mod migrate;
mod rows;
mod sides;
mod spec;
mod stateful;
mod stateless;
mod timers;
mod variables;

#[doc(hidden)]
pub mod adapters;

pub use context::KeyContext;
pub use declare::Declare;
pub use group_state::GroupState;
pub use keyed::{KeyedOperator, TimeMode};
pub use migrate::Earlier;
pub use rows::{Emitter, Rows};
pub use sides::SideOutput;
pub use stateful::{MapGroups, RowOrder, StatefulOperator, Timeout};
pub use stateless::{FilterRows, FlatMapRows, ItemOf, MapBatches, MapRows};
pub use timers::Timer;
pub use variables::{ListState, MapState, State, ValueState};
