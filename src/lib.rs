//! Watershed: event-time stream processing from a RON file, or inside a program.
//!
//! A **graph** of sources, operators and sinks runs in **epochs** over Arrow record batches. Event-time windows, watermarks and state
//! have the semantics of Spark's Structured Streaming, and a checkpoint makes them survive a crash with every row seen once.
//!
//! # A graph
//!
//! is written in RON, for the `watershed` command and for programs alike, or put together by [`Graph::builder`]:
//!
//! ```
//! use watershed::prelude::*;
//! use watershed::Runtime;
//!
//! #[derive(Row)]
//! struct Reading<'a> {
//!     device: &'a str,
//!     at: Timestamp,
//!     x: f64,
//! }
//!
//! #[derive(Row, Debug, PartialEq)]
//! struct Mean<'a> {
//!     device: &'a str,
//!     mean: f64,
//! }
//!
//! let graph = r#"Graph(
//!     name: "means",
//!     sources: { "readings": Memory(schema: "device STRING NOT NULL, at TIMESTAMP NOT NULL, x DOUBLE NOT NULL") },
//!     operators: {
//!         "timed": Watermark(column: "at", delay: "10 seconds"),
//!         "means": Window(
//!             window: Tumbling(size: "1 minute"),
//!             keys: ["device"],
//!             aggregates: ["avg(x) AS mean"],
//!             output_mode: Append,
//!         ),
//!     },
//!     sinks: { "table": Memory() },
//!     flow: ["readings -> timed -> means -> table"],
//! )"#;
//! let query = Runtime::new()?.query_text(graph).start()?;
//!
//! let reading = |second: i64, x| Reading { device: "boiler", at: Timestamp::from_micros(second * 1_000_000), x };
//! query.feed("readings")?.push_rows::<Reading>([reading(0, 1.0), reading(30, 2.0), reading(70, 9.0)])?;
//! query.process_all_available()?;
//!
//! // The watermark has passed the end of the first minute, so its mean is final.
//! let means = query.table("table")?.snapshot()?;
//! assert_eq!(means.rows::<Mean>()?, [Mean { device: "boiler", mean: 1.5 }]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to read on
//!
//! - **To run graphs in a program**: [`runtime`], with [`Runtime`] and [`Query`]; rows go in by a [`MemoryFeed`](sources::MemoryFeed),
//!   and come out by a [`MemoryTable`](sinks::MemoryTable) or by closures ([`ForeachBatch`](sinks::ForeachBatch)). The guide is
//!   `docs/embedding.md`.
//! - **To write operators**: [`prelude`] has all that is needed, [`testing`] what they are tested with. The guide is
//!   `docs/operators-of-your-own.md`; `watershed new` makes a crate to begin with.
//! - **To write graphs**: [`sources`], [`operators`] and [`sinks`] have a type for every node, with the fields that RON writes; [`graphs`]
//!   loads, checks, describes and draws.
//! - **To know what happens**: [`core`] holds the contracts and the [engine](core::engine), [`storage`] the places where a checkpoint may
//!   lie.
//! - **To make a command of one's own**: [`cli::main`] is the whole `watershed` command, with every node that the program links.

pub mod cli;
pub mod prelude;
pub mod runtime;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use runtime::{Query, Runtime};
pub use watershed_graphs::Graph;

pub use arrow;
pub use watershed_core as core;
pub use watershed_graphs as graphs;
pub use watershed_operators as operators;
pub use watershed_sinks as sinks;
pub use watershed_sources as sources;

/// What the macros of the prelude name.
#[doc(hidden)]
pub use watershed_core::private;

/// The code in the guide for embedders.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;

/// The code in the guide for operator authors.
#[cfg(doctest)]
#[doc = include_str!("../docs/operators-of-your-own.md")]
struct OperatorsOfYourOwn;
