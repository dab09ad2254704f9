//! Why a run ended before its end: with the node, the epoch and the partition.

use std::sync::Arc;

use crate::checkpoint::CheckpointError;
use crate::epoch::{Epoch, Partition};
use crate::error::Error;
use crate::fault::Fault;

/// Why a graph could not start or go on. Nothing of the epoch in hand was committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A source or sink could not be opened, or the code that makes a node ready panicked.
    #[error("node `{node}` cannot be opened: {source}")]
    Open {
        /// The node.
        node: Arc<str>,
        /// Why.
        source: Error,
    },
    /// An operator could not be built from what the graph says.
    #[error("node `{node}` cannot be built: {}", faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; "))]
    Build {
        /// The node.
        node: Arc<str>,
        /// Why.
        faults: Vec<Fault>,
    },
    /// A node failed in an epoch.
    #[error("node `{node}` failed in epoch {epoch}{}: {source}", partition.map_or_else(String::new, |partition| format!(", partition {partition}")))]
    Node {
        /// The node.
        node: Arc<str>,
        /// The epoch, which was not committed.
        epoch: Epoch,
        /// The partition of the node's keys, where it has any.
        partition: Option<Partition>,
        /// Why.
        source: Error,
    },
    /// The checkpoint could not be used, or no longer be written.
    #[error("{}{source}", epoch.map_or_else(String::new, |epoch| format!("epoch {epoch} cannot be made durable: ")))]
    Checkpoint {
        /// The epoch that was to be made durable, where it was one.
        epoch: Option<Epoch>,
        /// Why.
        source: CheckpointError,
    },
    /// What was asked for about the state in the checkpoint names no such node.
    #[error("{}", .0.join("; "))]
    Adjustments(Vec<String>),
    /// The engine was asked to go on after a failure.
    #[error("epoch {epoch} failed before; open the graph again to run it")]
    Failed {
        /// The epoch that failed.
        epoch: Epoch,
    },
    /// The machine did not give the engine its threads.
    #[error("threads cannot be started: {0}")]
    Threads(String),
}
