//! How node code is called: under guard, timed where the run limits it, and shown while it is at work.

use std::sync::Arc;
use std::time::Duration;

use super::activity::Activity;
use crate::epoch::{Epoch, Partition};
use crate::error::Result;
use crate::guard::{Pace, guarded};

/// What holds for every call of a node.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) limit: Option<Duration>,
    pub(super) activity: Activity,
}

impl Calls {
    /// A call for one batch, or one that is over at once.
    pub(super) fn call<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let pace = Pace::start(self.limit);
        let answer = guarded(call)?;
        pace.keep()?;
        Ok(answer)
    }

    /// A call for all rows of a partition in an epoch, however many there are: shown, and not timed as a whole. Typed operators time
    /// the call for each key.
    pub(super) fn call_for_epoch<T>(
        &self,
        node: &Arc<str>,
        epoch: Epoch,
        partition: Partition,
        call: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let _shown = self.activity.show(node, epoch, Some(partition));
        guarded(call)
    }

    /// A call that may take its time.
    pub(super) fn call_shown<T>(
        &self,
        node: &Arc<str>,
        epoch: Epoch,
        partition: Option<Partition>,
        call: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let _shown = self.activity.show(node, epoch, partition);
        self.call(call)
    }
}
