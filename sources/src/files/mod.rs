//! The source `Files`: the files of a directory or glob, each taken once, oldest first.
//!
//! [`spec`] is what a graph file says; [`listing`] finds the files; [`source`] takes them epoch by epoch and [`ledger`] keeps
//! them in the checkpoint; [`pieces`] cuts each into splits, which [`text`] or [`columnar`] read; [`adapt`] makes a file's
//! columns those of the schema, and [`infer`] finds a schema that nobody declared. [`whole`] reads all files at once, for tables.

mod adapt;
mod columnar;
mod format;
mod infer;
mod ledger;
mod listing;
mod pieces;
mod source;
mod spec;
mod text;
mod whole;

#[cfg(test)]
mod tests;

pub use format::Format;
pub(crate) use format::{check_dialect, comma, dialect, double_quote, yes};
pub use spec::Files;
pub(crate) use spec::is_fail;
pub(crate) use whole::{AllRows, WholeFiles};
