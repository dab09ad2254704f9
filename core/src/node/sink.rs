//! Sinks: output that is staged where nobody sees it and becomes visible when its epoch is committed.

use std::fmt::{self, Debug};

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::{Node, OpenContext};
use crate::epoch::Epoch;
use crate::error::Result;
use crate::fault::Faults;
use crate::stream::Stream;

/// What a graph file says of a sink. Its one input port is `in`.
#[typetag::serde]
pub trait SinkSpec: Node + Debug + Send + Sync {
    /// Whether the sink can take this stream: its mode and its columns. Opens nothing.
    fn check(&self, input: &Stream) -> Result<(), Faults>;

    /// What is promised for an epoch that is run twice.
    fn delivery(&self) -> Delivery;

    /// Fields of the node, as the graph file writes them, that may change between runs while the output goes on where it was. A
    /// sink of which another field has changed is opened as one that starts anew.
    fn free_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Opens the sink.
    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>>;
}

/// What a sink promises for an epoch that is run again after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Delivery {
    /// A row may be seen twice.
    AtLeastOnce,
    /// A row is seen once.
    ExactlyOnce,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeastOnce => "at least once",
            Self::ExactlyOnce => "exactly once",
        })
    }
}

/// A share of an epoch's output: the same rows in the same part on every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The epoch.
    pub epoch: Epoch,
    /// Its number within the epoch.
    pub index: usize,
}

/// What a sink wants to remember of a staged part until the commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receipt(pub serde_json::Value);

/// An open sink. Parts are staged in parallel; commits come one at a time, in the order of the epochs, and parts of the next
/// epoch may be staged while one is committed.
pub trait Sink: Send + Sync {
    /// Takes the rows of a part without showing them. Staging a part again replaces what was staged. Rows may come in
    /// batches of any size, and the size must not show in the output.
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt>;

    /// Shows what was staged for `epoch`, in the order of the parts. Called for every epoch, also when nothing was staged,
    /// and again after a crash: the second time it changes nothing.
    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()>;

    /// Called in place of [`commit`](Self::commit) for a stream of mode [`Complete`](crate::stream::Mode::Complete) whose rows were
    /// not replaced in `epoch`: what was shown before is still the result.
    fn keep(&self, epoch: Epoch) -> Result<()> {
        let _ = epoch;
        Ok(())
    }
}
