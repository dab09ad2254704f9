//! Contracts, state and engine of Watershed: everything that does not depend on a file format, a connector or SQL.
//!
//! Reading order: [`time`] and [`stream`] say what flows, [`node`] what a source, an operator and a sink promise,
//! [`state`] where everything lives that must survive an epoch, [`plan`] what a checked graph is, and [`engine`] how
//! epochs are run. The contracts never import the engine. `testing`, a feature, is what operators and graphs are tested with.

pub mod epoch;
pub mod error;
pub mod fault;
pub mod guard;
pub mod keys;
pub mod late;
pub mod names;
pub mod node;
pub mod plan;
pub mod row;
pub mod schema;
pub mod state;
pub mod stream;
pub mod time;
pub mod typed;

mod dice;

pub mod checkpoint;
pub mod engine;
#[cfg(feature = "testing")]
pub mod testing;

pub use watershed_derive::{operator, record, setting};

/// What the macros name in the crates they are used in, so that those need to know no crate but this one.
#[doc(hidden)]
pub mod private {
    pub use inventory;
    pub use schemars;
    pub use serde;
    pub use typetag;

    pub use arrow::array::{Array, ArrayRef, NullBufferBuilder};
    pub use arrow::datatypes::DataType;

    pub use crate::fault::Faults;
    pub use crate::node::{BuildContext, Operator, OperatorSpec, Ports, Signature};
    pub use crate::register_operator;
    pub use crate::row::generated as row;
    pub use crate::stream::Stream;
    pub use crate::typed::adapters as typed;
}
