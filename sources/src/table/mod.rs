//! Tables as sources: what rows are looked up in, replaced as a whole when it has changed.
//!
//! [`spec`] is the table in files as a graph file writes it, [`pushed`] the one that the embedding program pushes. Both are run
//! by [`source`]: it asks for a new version now and then, and gives each to the epoch that is planned next. What is read is kept
//! in the intent of that epoch, as [`version`] writes it: the epoch has the same rows when it is run again, although the file may
//! be another by then.

mod pushed;
mod source;
mod spec;
mod version;

#[cfg(test)]
mod tests;

pub use pushed::{PushedTable, TableFeed};
pub use spec::{OnError, Reload, Table};
