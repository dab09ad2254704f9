//! What the tests of crashes and damage share: graphs over all nodes, sources that replay, sinks that show files, and the
//! world around a run, of which a crash leaves what it may leave.

pub(crate) mod graphs;
pub(crate) mod run;
pub(crate) mod sabotage;
mod sink;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod world;
