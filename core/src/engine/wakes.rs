//! Wake-ups: nodes that want an epoch at a processing time, whether there is input or not.
//!
//! Which time that is follows from the state alone, so it holds after a restart as it did before. The epoch itself is like any
//! other: its processing time is in its intent, and a replay gives the same rows.

use std::sync::Arc;

use rayon::prelude::*;

use super::driver::Engine;
use super::error::EngineError;
use super::planning::Awaits;
use crate::epoch::Partition;
use crate::node::Stateful;
use crate::plan::Trigger;
use crate::state::StateStore;
use crate::time::{TimeSpan, Timestamp, Watermark};

/// The step of processing time.
const MILLISECOND: TimeSpan = TimeSpan::from_micros(1000);

impl Engine {
    /// Asks every partition of every stateful node when it wants an epoch; the least of their answers.
    pub(super) fn ask_when_to_wake(&self) -> Result<Option<Timestamp>, EngineError> {
        let answers = self.ask(|operator, store, _| operator.wake_at(store))?;
        Ok(answers.into_iter().flatten().min())
    }

    /// Asks every partition of every stateful node whether the present watermark left it anything to do. At the end of time nobody is
    /// asked: an operator could go on for ever.
    pub(super) fn ask_for_due_work(&self) -> Result<bool, EngineError> {
        let ended = |evict: Watermark| evict.0 == Some(Timestamp::END);
        let answers = self.ask(|operator, store, evict| !ended(evict) && operator.is_due(store, evict))?;
        Ok(answers.contains(&true))
    }

    fn ask<T: Send>(
        &self,
        question: impl Fn(&dyn Stateful, &StateStore, Watermark) -> T + Sync,
    ) -> Result<Vec<T>, EngineError> {
        let (calls, epoch, mut all) = (&self.calls, self.next, Vec::new());
        let in_force = self.watermarks.in_force(&self.topology);
        for (id, stateful) in self.topology.stateful() {
            let node = &self.topology.nodes[id].name;
            let ask = |(partition, store)| {
                let failed = |source| {
                    let (node, partition) = (Arc::clone(node), Some(Partition(partition)));
                    EngineError::Node { node, epoch, partition, source }
                };
                calls.call(|| Ok(question(&*stateful.operator, store, in_force.evict[id]))).map_err(failed)
            };
            let stores = &self.stores[id];
            let answers: Vec<Result<_, EngineError>> =
                self.pool.install(|| stores.par_iter().enumerate().map(ask).collect());
            for answer in answers {
                all.push(answer?);
            }
        }
        Ok(all)
    }

    /// Whether the time has come. A run that takes what is available ends: of the wake-ups, it has those that are due when its
    /// input is `used_up`, and no node can keep it going by asking for one more each time.
    pub(super) fn wake_is_due(&self, used_up: &mut Option<Timestamp>) -> bool {
        let Some(wake) = self.wake else { return false };
        let mut now = self.clock.now().floor_to_millis();
        if self.run.trigger == Trigger::AvailableNow && !self.awaits(Awaits::Later) {
            now = *used_up.get_or_insert(now);
        }
        // What the last epoch did not see to, it could not: the next one comes when the clock has moved.
        let next = self.ran_at.map_or(wake, |ran_at| wake.max(ran_at.plus(MILLISECOND)));
        next <= now
    }

    /// Whether the run has a wake-up to wait for when there will be no input any more.
    pub(super) fn waits_to_wake(&self) -> bool {
        let waits = match self.run.trigger {
            Trigger::Continuous | Trigger::Every(_) => true,
            Trigger::AvailableNow | Trigger::Once => false,
        };
        waits && self.wake.is_some()
    }
}
