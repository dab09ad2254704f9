//! Contracts, state and engine of Watershed: everything that does not depend on a file format, a connector or SQL.
//!
//! Reading order: [`time`] and [`stream`] say what flows, [`node`] what a source, an operator and a sink promise,
//! [`state`] where everything lives that must survive an epoch, [`plan`] what a checked graph is, and [`engine`] how
//! epochs are run. The contracts never import the engine.

pub mod epoch;
pub mod error;
pub mod fault;
pub mod keys;
pub mod node;
pub mod plan;
pub mod schema;
pub mod state;
pub mod stream;
pub mod time;

pub mod checkpoint;
pub mod engine;

/// What the registration macros need from other crates, so that an operator's crate need not name them.
#[doc(hidden)]
pub mod private {
    pub use inventory;
    pub use schemars;
}
