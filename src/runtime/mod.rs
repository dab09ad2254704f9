//! Graphs that run inside a program: a [`Runtime`] with the threads, a [`Query`] for each graph that was started.
//!
//! ```
//! use watershed::{Graph, Runtime, operators, sinks, sources};
//! use watershed::core::row::Row;
//! use watershed::core::schema::Ddl;
//!
//! #[derive(Row)]
//! struct Click<'a> {
//!     page: &'a str,
//!     user: i64,
//! }
//!
//! let graph = Graph::builder("clicks")
//!     .source("clicks", sources::Memory {
//!         schema: Ddl("page STRING, user BIGINT".to_owned()),
//!         max_rows_per_epoch: None,
//!         capacity: Some(10_000),
//!     })
//!     .operator("known", operators::Filter("user > 0".to_owned()))
//!     .sink("table", sinks::Memory {})
//!     .flow("clicks -> known -> table")
//!     .build();
//! let runtime = Runtime::new()?;
//! let query = runtime.query(graph).start()?;
//!
//! query.feed("clicks")?.push_rows::<Click>([Click { page: "/", user: 1 }, Click { page: "/", user: -1 }])?;
//! query.process_all_available()?;
//! assert_eq!(query.table("table")?.snapshot()?.row_count(), 1);
//! query.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A query has a driver thread of its own; all queries of a runtime compute on the runtime's one pool of threads. There is no global
//! state: a process may have several runtimes, and what one query does touches no other. An error, also a panic in the code of a node,
//! ends its query and is told by [`Query::exception`]; the process lives on.

mod driver;
mod error;
mod explain;
mod inside;
mod listener;
mod options;
mod pool;
mod query;
mod shared;

pub use error::RuntimeError;
pub use listener::{QueryInfo, QueryListener};
pub use options::QueryBuilder;
pub use pool::{Runtime, RuntimeBuilder};
pub use query::Query;
pub use shared::QueryStatus;
