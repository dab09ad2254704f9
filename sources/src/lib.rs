//! Watershed's built-in sources: files, lines from standard input, generated rows, and rows pushed by the embedding program; and
//! tables of either kind, which are looked up and replaced as a whole.
//!
//! [`Files`] and [`Stdin`] share the decoders of [`json`] and CSV, which go from text straight into Arrow columns and go on
//! after a bad record.

mod csv;
mod files;
mod instant;
pub mod json;
mod memory;
mod rate;
mod rebatch;
mod records;
mod stdin;
mod table;

pub use files::{Files, Format};
pub use memory::{Memory, MemoryFeed, PushError};
pub use rate::Rate;
pub use records::{BadRecord, OnBadRecord};
pub use stdin::{Stdin, StdinFormat};
pub use table::{OnError, PushedTable, Reload, Table, TableFeed};
