//! The board that shows which node is at work, for whoever looks at a run from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::progress::Stopwatch;
use crate::epoch::{Epoch, Partition};

/// Shows the calls of nodes that are under way: partitions of stateful nodes, splits being read, output being staged or
/// committed. Batches in stateless nodes are not shown. Clones share the one board; several engines may write on it.
#[derive(Clone, Debug, Default)]
pub struct Activity(Arc<Mutex<Board>>);

#[derive(Debug, Default)]
struct Board {
    begun: u64,
    /// By the order in which they began.
    at_work: BTreeMap<u64, AtWork>,
}

/// A node at work.
#[derive(Clone, Debug)]
pub struct AtWork {
    /// The node.
    pub node: Arc<str>,
    /// The epoch it works for: of a source often the next one, which is read ahead.
    pub epoch: Epoch,
    /// The partition of the node's keys, where it has any.
    pub partition: Option<Partition>,
    since: Stopwatch,
}

impl AtWork {
    /// How long this call has been under way.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Activity {
    /// What is under way, the longest first.
    pub fn at_work(&self) -> Vec<AtWork> {
        self.board().at_work.values().cloned().collect()
    }

    /// Shows a call until the answer is dropped.
    pub(super) fn show(&self, node: &Arc<str>, epoch: Epoch, partition: Option<Partition>) -> Shown<'_> {
        let at_work = AtWork { node: Arc::clone(node), epoch, partition, since: Stopwatch::start() };
        let mut board = self.board();
        let number = board.begun;
        board.begun += 1;
        board.at_work.insert(number, at_work);
        Shown { activity: self, number }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call on the board.
pub(super) struct Shown<'a> {
    activity: &'a Activity,
    number: u64,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.activity.board().at_work.remove(&self.number);
    }
}
