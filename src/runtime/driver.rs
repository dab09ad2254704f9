//! A query's own thread: runs the engine to its end and tells of it.

use std::sync::Arc;

use super::error::RuntimeError;
use super::listener::Listeners;
use super::shared::{Phase, Shared};
use crate::core::engine::{Engine, Observer, Progress};
use crate::core::epoch::Epoch;
use crate::core::guard::guarded;

/// Runs the engine. `kept`: how many epochs are remembered.
pub(super) fn drive(mut engine: Engine, shared: &Arc<Shared>, listeners: Listeners, kept: usize) {
    let mut driver = Driver { shared, listeners, kept, request: 0 };
    let ran = guarded(|| Ok(engine.run_observed(&mut driver)));
    let mut end = match ran {
        Ok(ran) => ran.map_err(RuntimeError::from),
        Err(panicked) => Err(RuntimeError::Thread(Arc::new(panicked))),
    };
    driver.shared.change(|state| state.exception = end.as_ref().err().cloned());
    // ORDER: the sources and sinks are closed and the checkpoint is given back before anybody hears that the query has ended, so
    // that whoever waited for the end can start it again.
    if let Err(panicked) = guarded(|| {
        drop(engine);
        Ok(())
    }) {
        let panicked = RuntimeError::Thread(Arc::new(panicked));
        driver.shared.change(|state| state.exception.get_or_insert_with(|| panicked.clone()).clone());
        end = end.and(Err(panicked));
    }
    driver.listeners.tell(|listener| listener.on_terminated(&shared.info, &end));
    driver.shared.change(|state| state.end = Some(end));
}

struct Driver<'a> {
    shared: &'a Shared,
    listeners: Listeners,
    kept: usize,
    /// Up to which request the answer may be given once the run rests.
    request: u64,
}

impl Observer for Driver<'_> {
    fn looks_for_input(&mut self) {
        self.request = self.shared.state().asked;
    }

    fn begins(&mut self, epoch: Epoch, has_input: bool) {
        self.shared.change(|state| state.phase = Phase::Running { epoch, has_input });
    }

    fn committed(&mut self, progress: &Progress) {
        let kept = self.kept;
        self.shared.change(|state| {
            state.waiting.clone_from(&progress.waiting);
            state.recent.push_back(Arc::new(progress.clone()));
            while state.recent.len() > kept {
                state.recent.pop_front();
            }
            if matches!(state.phase, Phase::Running { epoch, .. } if epoch == progress.epoch) {
                state.phase = Phase::Between;
            }
        });
        self.listeners.tell(|listener| listener.on_progress(&self.shared.info, progress));
    }

    fn rests(&mut self) {
        let request = self.request;
        let rested = self.shared.change(|state| {
            state.answered = request;
            std::mem::replace(&mut state.phase, Phase::Resting) == Phase::Resting
        });
        if !rested {
            self.listeners.tell(|listener| listener.on_idle(&self.shared.info));
        }
    }
}
