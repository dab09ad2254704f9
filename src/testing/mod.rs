//! Tests of whole graphs, written as data: rows in, rows out, epoch by epoch.
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
//! # A case
//!
//! - `name`; `epochs`: the script.
//! - `feed: Stepwise` (left out, this one): an input is offered when the graph has come to rest. `feed: Queued`: all
//!   inputs wait from the start, one epoch each, and epochs without `input` come only after the last. The feed takes the
//!   place of the trigger that the graph's `run` section names; `partitions` and `at_end` hold as written there.
//! - `ordered: true`: the rows of an epoch must come in the order written. Without it any order will do.
//!
//! # An epoch
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
//! # Ways
//!
//! The answer may not depend on how the graph is run, so every case is run in several [`Way`]s: by default sequentially,
//! in parallel, and with a crash after every epoch, whose commit is lost and which is therefore run again. Ways with as many
//! partitions must agree to the last digit and in the order of rows, whatever the script leaves open.
//!
//! # A row
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
//! `script` and `capture` stand in for sources and sinks, `trial` drives the engine and `compare` judges; `run` does so for
//! every case and [`Way`], and the report is shown by `render`, `junit` and `json`.

mod capture;
mod cells;
mod compare;
mod discover;
mod file;
mod json;
mod junit;
mod literal;
mod reader;
mod render;
mod report;
mod rows;
mod run;
mod script;
mod trial;
mod way;

pub use cells::Cell;
pub use discover::{SUFFIX, discover};
pub use report::{Broken, CaseReport, Counts, EpochReport, Failure, FileReport, Mismatch, Outcome, Report, SinkRows};
pub use run::{DEFAULT_CLOCK, Options, run_file, run_paths};
pub use way::{Restarts, Way};
