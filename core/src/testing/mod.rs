//! The test kit: what operators and graphs are tested with, on the engine that runs them in earnest.
//!
//! - [`Tested`] and [`OperatorHarness`]: an operator alone. The test feeds rows, moves watermark and clock, ends epochs, and looks at
//!   what came out by each port and at the state.
//! - [`GraphDriver`]: a whole graph. The test feeds its sources, steps epochs, reads its sinks, crashes and recovers it.
//! - [`same_answer()`]: whether an answer depends on what it may not depend on: batches, threads, partitions, crashes, and if the
//!   author says so the cut into epochs. It is fed a [`Feed`], written or random.
//! - [`Table`] and [`assert_table!`](crate::assert_table): rows as text, wherever a test writes or reads some; a failure shows what
//!   differs.
//!
//! Everything returns [`Result`], so a test is a function that returns it too and needs `?` only. The guide, with examples that run,
//! is the module `testing` of the crate `watershed`.
//!
//! How it is made: a harness is a driver over a plan of one node. A driver gives the engine the source of `feeder` and the sink of
//! `captured` in place of connectors, and a checkpoint in memory. What a test does between epochs (`state`: rows of state, a
//! watermark) is remembered by epoch, and done again when that epoch is run again after a crash.

mod assert;
mod captured;
mod cell;
mod columns;
mod compare;
mod difference;
mod driver;
mod error;
mod feed;
mod feeder;
mod given;
mod harness;
mod literal;
mod moment;
mod nodes;
mod number;
mod output;
mod same_answer;
mod snapshot;
mod state;
mod table;
mod text;
mod timers;
mod way;

#[doc(hidden)]
pub use assert::difference;
pub use cell::{Cell, TOLERANCE, TOLERANCE_AT_ZERO};
pub use columns::{batch_of, cells_of};
pub use compare::{CellRow, Difference, compare};
pub use difference::{Diverged, NotTheSame, first_difference};
pub use driver::{DEFAULT_CLOCK, GraphDriver};
pub use error::{Result, TestError};
pub use feed::Feed;
pub use feeder::Input;
pub use given::Given;
pub use harness::{OperatorHarness, Tested};
pub use literal::day;
pub use moment::Moment;
pub use number::{is_writable, number_of_type};
pub use output::EpochOutput;
pub use same_answer::{Epochs, TestRun, Testable, same_answer};
pub use snapshot::Snapshot;
pub use state::Stores;
pub use table::{AsTable, Table};
pub use way::{Restarts, Way};
