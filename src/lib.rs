//! Watershed: event-time stream processing from a RON file.
//!
//! The facade links every built-in node and gathers the crates an embedding program needs: [`graphs`] loads and checks a
//! graph, [`core`] holds the contracts and the [engine](core::engine), [`sources`], [`operators`] and [`sinks`] the built-in
//! nodes, and [`cli`] the whole `watershed` command.

pub mod cli;
pub mod storage;
pub mod testing;

pub use arrow;
pub use watershed_core as core;
pub use watershed_graphs as graphs;
pub use watershed_operators as operators;
pub use watershed_sinks as sinks;
pub use watershed_sources as sources;
