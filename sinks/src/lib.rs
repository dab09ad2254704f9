//! Watershed's built-in sinks: a table on the terminal, part files, a table in the program, code of the program, and nothing.
//!
//! Each sink is one descriptor that a graph file names ([`Console`], [`Files`], [`Memory`], [`ForeachBatch`], [`Foreach`], [`Discard`]). None shows a
//! row before its epoch is committed. [`table`] is how this program shows rows to people, here and in the command.

pub mod table;

mod console;
mod discard;
mod files;
mod foreach;
mod json_lines;
mod memory;
mod staging;
mod text;
mod upsert;

pub use console::{Console, ConsoleFormat, ConsoleOutput};
pub use discard::Discard;
pub use files::{Compression, Existing, FileFormat, Files};
pub use foreach::{Foreach, ForeachBatch, ForeachBatchHandler, ForeachError, ForeachHandler, ForeachWriter};
pub use memory::{Memory, MemorySnapshot, MemoryTable, WaitError};

/// What the macros of the tests' rows name.
#[cfg(test)]
extern crate watershed_core as watershed;

#[cfg(test)]
mod testing;
