//! The log of epochs: what an epoch is to do before its first row is used, and the proof that it is done.
//!
//! This version keeps the log in memory: it ends with the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::epoch::Epoch;
use crate::node::OffsetRange;
use crate::time::{Timestamp, Watermark};

/// What an epoch is to do: with the state of the epoch before, all that a replay needs to give the same answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The epoch.
    pub epoch: Epoch,
    /// What it reads, by source.
    pub ranges: BTreeMap<String, OffsetRange>,
    /// The watermark that makes rows late, by watermark node: the one of the epoch before.
    pub late: BTreeMap<String, Watermark>,
    /// The watermark that closes and evicts, by watermark node.
    pub evict: BTreeMap<String, Watermark>,
    /// The epoch's processing time.
    pub processing_time: Timestamp,
}

/// The intents and commits of a run. An intent is logged before its epoch starts, a commit when all of it is done.
#[derive(Debug, Default)]
pub struct EpochLog {
    intended: Option<Intent>,
    committed: Option<Epoch>,
}

impl EpochLog {
    /// Logs what an epoch is to do.
    pub fn intend(&mut self, intent: Intent) {
        self.intended = Some(intent);
    }

    /// Logs that the epoch is done: its state, its output and its sources' offsets.
    pub fn commit(&mut self, epoch: Epoch) {
        self.committed = Some(epoch);
    }

    /// The newest intent.
    pub fn intended(&self) -> Option<&Intent> {
        self.intended.as_ref()
    }

    /// The newest epoch that is done.
    pub fn committed(&self) -> Option<Epoch> {
        self.committed
    }
}
