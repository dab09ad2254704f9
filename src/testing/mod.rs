//! The test kit: operators alone, whole graphs, and tests written as data.
//!
//! Whatever is tested runs on the engine that runs it in earnest, with its epochs, exchanges, partitions and checkpoint; but no connector
//! is opened, and time stands still unless the test moves it. All of it returns [`Result`]: a test is a function that returns it
//! too, and `?` is all there is to write.
//!
//! # An operator alone
//!
//! [`Tested`] is an operator with the streams it is given; [`OperatorHarness`] runs it. Rows are written as a table of text, by
//! Rust structs that are a [`Row`](crate::core::row::Row), or as a `RecordBatch`; what comes out can be read in the same three ways.
//!
//! ```
//! use watershed::operators::Dedup;
//! use watershed::testing::{Result, Tested, assert_table};
//!
//! # fn main() -> Result<()> {
//! let dedup = Dedup { keys: vec!["user".to_owned(), "at".to_owned()], within_watermark: false };
//! let mut harness = Tested::new(dedup).input("user STRING, at TIMESTAMP, n BIGINT").event_time("at").harness()?;
//! harness.feed("in", "
//!     user | at                   | n
//!     ann  | 2015-02-24T10:00:05Z | 1
//!     ann  | 2015-02-24T10:00:05Z | 2
//!     bob  | 2015-02-24T10:00:09Z | 3
//! ")?;
//! let output = harness.end_epoch()?;
//! assert_table!(output["out"], "
//!     user | at                   | n
//!     ann  | 2015-02-24T10:00:05Z | 1
//!     bob  | 2015-02-24T10:00:09Z | 3
//! ");
//!
//! // This epoch forgets what the watermark has passed; the one after it takes such rows for late.
//! harness.set_watermark("2015-02-24T10:00:08Z")?;
//! harness.end_epoch()?;
//! harness.feed("in", "user | at | n \n ann | 2015-02-24T10:00:05Z | 4")?;
//! let output = harness.end_epoch()?;
//! assert_table!(output["late"], "user | at | n \n ann | 2015-02-24T10:00:05Z | 4");
//! assert_eq!((output["out"].len(), output.rows_late()), (0, 1));
//!
//! // What it keeps, and what becomes of it in another number of partitions.
//! let snapshot = harness.snapshot()?;
//! harness.restart_into(3)?;
//! harness.restore(&snapshot)?;
//! # Ok(())
//! # }
//! ```
//!
//! State is set as rows too ([`OperatorHarness::set_state`]), and so are the timers of a typed operator
//! ([`OperatorHarness::set_timers`]): the columns of the key, `clock` and `fires_at`.
//!
//! An error is the engine's, with node, epoch, partition and key. [`OperatorHarness::crash`] runs the last epoch again from its
//! intent and says so if it puts out anything else.
//!
//! # One answer in every way
//!
//! [`same_answer()`] is the property that every operator and graph has to have: the answer does not depend on batches, splits,
//! threads, partitions, restarts and crashes. An operator that keeps something beside its state, or that looks at batches,
//! fails it; the error names the way and shows the rows that differ.
//!
//! ```
//! use watershed::operators::Dedup;
//! use watershed::testing::{Epochs, Feed, Result, Tested, same_answer};
//!
//! # fn main() -> Result<()> {
//! let tested = Tested::new(Dedup { keys: vec!["user".to_owned()], within_watermark: false }).input("user STRING");
//! let written = Feed::new().rows("in", "user \n a \n a").end_epoch().rows("in", "user \n b \n a");
//! let random = (0..5).map(|seed| Feed::random(seed, &tested)).collect::<Result<Vec<_>>>()?;
//! // A duplicate is a duplicate wherever an epoch ends, so the cut into epochs may not show either.
//! same_answer(&tested, random.into_iter().chain([written]), Epochs::Any)?;
//! # Ok(())
//! # }
//! ```
//!
//! # A whole graph
//!
//! [`GraphDriver`] feeds the sources of a graph, runs it epoch by epoch and reads its sinks.
//!
//! ```
//! use watershed::testing::{GraphDriver, Result, Way, assert_table, plan};
//!
//! # fn main() -> Result<()> {
//! let plan = plan(r#"Graph(
//!     name: "counts",
//!     sources: {"clicks": Memory(schema: "page STRING")},
//!     operators: {"counts": Aggregate(keys: ["page"], aggregates: ["count(*) AS clicks"], output_mode: Update)},
//!     sinks: {"table": Memory()},
//!     flow: ["clicks -> counts -> table"],
//! )"#)?;
//! let mut driver = GraphDriver::new(&plan).way(Way::PARALLEL);
//! driver.feed("clicks", "page \n / \n /docs \n /")?;
//! let epochs = driver.run()?;
//! assert_table!(epochs[0]["table"], "page | clicks \n / | 2 \n /docs | 1");
//! driver.crash()?;
//! driver.feed("clicks", "page \n /")?;
//! let epochs = driver.run()?;
//! assert_table!(epochs[0]["table"], "page | clicks \n / | 3");
//! # Ok(())
//! # }
//! ```
//!
//! # Test files
//!
//! A test file (`*.test.ron`) names a graph and scripts what its sources bring and what must reach its sinks. The graph
//! runs as it would in earnest, on the same engine, but no connector is opened: the rows come from the file, and the
//! output is compared with it.
//!
//! ```ron
//! Tests(
//!     graph: "../activity-windows.ron",      // a path relative to this file, or a Graph(…) in place
//!     cases: [
//!         (
//!             name: "a row older than the watermark is ignored",
//!             feed: Stepwise,                // the default; or Queued
//!             epochs: [
//!                 (input: {"activity": [{"User": "a", "x": 1.5}]}, output: {"console": []}),
//!                 (watermark: "2015-02-24T09:30:00Z", output: {"console": []}),
//!             ],
//!         ),
//!     ],
//! )
//! ```
//!
//! A file with `refused: "text"` instead of `cases` passes when checking the graph fails and an error's message contains
//! the text (`""`: any message).
//!
//! ## A case
//!
//! - `name`; `epochs`: the script.
//! - `feed: Stepwise` (left out, this one): an input is offered when the graph has come to rest. `feed: Queued`: all
//!   inputs wait from the start, one epoch each, and epochs without `input` come only after the last. The feed takes the
//!   place of the trigger that the graph's `run` section names; `partitions` and `at_end` hold as written there.
//! - `ordered: true`: the rows of an epoch must come in the order written. Without it any order will do.
//!
//! ## An epoch
//!
//! Every epoch that the engine runs is in the script, and every epoch in the script is run.
//!
//! - `input`: the rows by source. A source that is not named reads nothing; `{"in": []}` is input, an empty file. Without
//!   `input`, the epoch is one that the engine must run of its own accord.
//! - `output`: the rows that the epoch sends to each sink, in update and complete mode too. A sink that is not named is
//!   not looked at.
//! - `watermark`: the one in force during the epoch, the least of several watermark nodes; `None` before the first row.
//! - `clock`: the processing time from this epoch on; until one is given it is [`DEFAULT_CLOCK`].
//! - `restart: true`: stop, and go on from the checkpoint, before this epoch. The checkpoint is in memory; the one that the
//!   graph names is not touched.
//!
//! ## Ways
//!
//! The answer may not depend on how the graph is run, so every case is run in several [`Way`]s: by default sequentially,
//! in parallel, and with a crash after every epoch, whose commit is lost and which is therefore run again. Ways with as many
//! partitions must agree to the last digit and in the order of rows, whatever the script leaves open.
//!
//! ## A row
//!
//! A map from column to value. A column that is missing is null, and so is `None`. Instants are RFC 3339 strings, days
//! `"2015-02-24"`; where the column is a number, so is the value. Lists are lists, structs are maps, bytes are `b"…"` or
//! text. Rows of a source must fit its declared schema; a source whose schema would be inferred from its data cannot be
//! tested, because a test opens nothing.
//!
//! Numbers compare by what they are worth, `3` equals `3.0`. Floating-point numbers may differ by one part in 10⁹ (near
//! zero by 10⁻¹²), since a sum may be added up in another order.
//!
//! ```
//! use watershed::testing::{self, Options};
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("doubled.test.ron");
//! std::fs::write(&path, r#"Tests(
//!     graph: Graph(
//!         name: "doubled",
//!         sources: {"in": Memory(schema: "v BIGINT")},
//!         operators: {"doubled": Select(["v * 2 AS w"])},
//!         sinks: {"out": Memory()},
//!         flow: ["in -> doubled -> out"],
//!     ),
//!     cases: [(name: "twice one is two", epochs: [
//!         (input: {"in": [{"v": 1}]}, output: {"out": [{"w": 2}]}),
//!     ])],
//! )"#)?;
//! let report = testing::run_file(&path, &Options::default());
//! assert!(report.passed(), "{}", report.render(false));
//! # Ok::<_, std::io::Error>(())
//! ```
//!
//! The rooms: `reader` and `file` read the text as data, `literal` and `rows` turn it into columns,
//! `trial` drives the graph and judges each epoch; `run` does so for every case and [`Way`], and the report is shown by `render`,
//! `junit` and `json`.

mod discover;
mod file;
mod json;
mod junit;
mod literal;
mod plan;
mod reader;
mod render;
mod report;
mod rows;
mod run;
mod trial;

pub use discover::{SUFFIX, discover};
pub use plan::plan;
pub use report::{Broken, CaseReport, Counts, EpochReport, Failure, FileReport, Mismatch, Outcome, Report, SinkRows};
pub use run::{Options, run_file, run_paths};
pub use watershed_core::assert_table;
pub use watershed_core::testing::{
    AsTable, Cell, DEFAULT_CLOCK, Diverged, EpochOutput, Epochs, Feed, Given, GraphDriver, Moment, NotTheSame,
    OperatorHarness, Restarts, Result, Snapshot, Stores, Table, TestError, Testable, Tested, Way, same_answer,
};
