//! Watershed's built-in sinks: a table on the terminal, part files, a table in the program, and nothing.
//!
//! Each sink is one descriptor that a graph file names ([`Console`], [`Files`], [`Memory`], [`Discard`]). None shows a
//! row before its epoch is committed. [`table`] is how this program shows rows to people, here and in the command.

pub mod table;

mod console;
mod discard;
mod files;
mod json_lines;
mod memory;
mod staging;
mod text;
mod upsert;

pub use console::{Console, ConsoleFormat, ConsoleOutput};
pub use discard::Discard;
pub use files::{Compression, Existing, FileFormat, Files};
pub use memory::{Memory, MemorySnapshot, MemoryTable};

#[cfg(test)]
mod testing;
