//! What a node of a graph promises: descriptors that a file is read into, and the running things they build.
//!
//! A descriptor ([`SourceSpec`], [`OperatorSpec`], [`SinkSpec`]) is plain data: it can be compared, printed and checked
//! without opening anything. The running thing it builds ([`Source`], [`Operator`], [`Sink`]) does the work. A node type
//! is added in one file: the struct, its `impl`, and one `register_…!` line.

mod collector;
mod operator;
mod registry;
mod sink;
mod source;

pub use collector::{Collector, LateCount};
pub use operator::{
    BeforeExchange, BuildContext, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, OutputWatermark,
    Signature, StateNeed, Stateful, Stateless,
};
#[doc(hidden)]
pub use registry::Registered;
pub use registry::{Kind, Node, NodeEntry, PortName, Ports, entries};
pub use sink::{Delivery, Part, Receipt, Sink, SinkSpec};
pub use source::{Available, Limit, Offset, OffsetRange, RowOutput, Source, SourceSchema, SourceSpec, Split};

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::time::Clock;

/// What a connector is given when it is opened.
#[derive(Clone, Debug)]
pub struct OpenContext {
    /// The node's name in the graph.
    pub node: Arc<str>,
    /// Whether the run goes on from a checkpoint; if not, it starts anew at epoch 0.
    pub resumes: bool,
    /// The most rows a batch should hold.
    pub batch_rows: usize,
    /// Where processing time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where an opened node leaves what the embedding program may hold on to, and finds what it was given.
    pub handles: Handles,
}

/// What embedding program and opened nodes hand each other, by node name: the feeder of a memory source, the table of a
/// memory sink.
#[derive(Clone, Default)]
pub struct Handles(Arc<Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>>);

impl Handles {
    /// Leaves `handle` for node `node`.
    pub fn publish<T: Send + Sync + 'static>(&self, node: &str, handle: Arc<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node.to_owned(), handle);
    }

    /// Takes away what was left for node `node`, if it is a `T`: for what is to live no longer than the node.
    pub fn take<T: Send + Sync + 'static>(&self, node: &str) -> Option<Arc<T>> {
        let handle = self.get(node)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        Some(handle)
    }

    /// What was left for node `node`, if it is a `T`.
    pub fn get<T: Send + Sync + 'static>(&self, node: &str) -> Option<Arc<T>> {
        let handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(handles.get(node)?).downcast().ok()
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handles")
    }
}
