//! What a query's driver and everybody who asks after the query know in common.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::RuntimeError;
use super::inside::Inside;
use super::listener::QueryInfo;
use crate::core::engine::{Activity, AtWork, Progress, StopSignal, Summary, Waiting};
use crate::core::epoch::Epoch;

/// What a query is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueryStatus {
    /// In a few words.
    pub message: String,
    /// Whether the epoch in hand has input; one may also run because time has passed.
    pub is_data_available: bool,
    /// Whether an epoch is in hand: being computed or committed.
    pub is_trigger_active: bool,
    /// The nodes whose code is at work, the longest first. Stateless operators are not shown.
    pub at_work: Vec<AtWork>,
    /// Why nothing comes out: the nodes that hold rows after the last epoch until a watermark has come further, in the order of the
    /// flow.
    pub waiting: Vec<Waiting>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) info: QueryInfo,
    pub(super) stop: StopSignal,
    pub(super) activity: Activity,
    pub(super) inside: Inside,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// How often somebody has asked to be told when all is processed.
    pub(super) asked: u64,
    /// Up to which of these it was.
    pub(super) answered: u64,
    /// The newest last.
    pub(super) recent: VecDeque<Arc<Progress>>,
    /// What was waiting after the last epoch, however few are kept in `recent`.
    pub(super) waiting: Vec<Waiting>,
    /// What has gone wrong; told before the query is at its end.
    pub(super) exception: Option<RuntimeError>,
    pub(super) end: Option<Result<Summary, RuntimeError>>,
}

/// How far a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Running {
        epoch: Epoch,
        has_input: bool,
    },
    /// The last epoch is committed, and the next one's time has not come.
    Between,
    Resting,
}

impl Shared {
    pub(super) fn new(info: QueryInfo, stop: StopSignal, activity: Activity, inside: Inside) -> Self {
        let state = State {
            phase: Phase::Starting,
            asked: 0,
            answered: 0,
            recent: VecDeque::new(),
            waiting: Vec::new(),
            exception: None,
            end: None,
        };
        Self { info, stop, activity, inside, state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave it half changed: nobody calls foreign code while holding it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change and tells those who wait for one.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.state());
        self.changed.notify_all();
        answer
    }

    /// Waits until `answer` is some; `None` when the time is up. `call` is who waits.
    pub(super) fn wait<T>(
        &self,
        call: &'static str,
        timeout: Option<Duration>,
        mut answer: impl FnMut(&State) -> Option<T>,
    ) -> Result<Option<T>, RuntimeError> {
        if self.inside.is_here() {
            return Err(RuntimeError::OwnThread { call, query: self.info.name.clone() });
        }
        let mut found = None;
        let goes_on = |state: &mut State| {
            found = answer(state);
            found.is_none()
        };
        drop(match timeout {
            None => self.changed.wait_while(self.state(), goes_on).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(self.state(), timeout, goes_on);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        });
        Ok(found)
    }

    pub(super) fn status(&self) -> QueryStatus {
        let (phase, waiting, exception, end) = {
            let state = self.state();
            let end = state.end.as_ref().map(Result::is_ok);
            (state.phase, state.waiting.clone(), state.exception.clone(), end)
        };
        let at_work = self.activity.at_work();
        let message = match (exception, end, phase) {
            (Some(error), _, _) => format!("failed: {error}"),
            (None, Some(_), _) if self.stop.is_stopped() => "stopped".to_owned(),
            (None, Some(_), _) => "ended".to_owned(),
            (None, None, Phase::Starting) => "starting".to_owned(),
            (None, None, Phase::Running { epoch, .. }) => format!("running epoch {epoch}"),
            (None, None, Phase::Between) => "waiting for the next epoch".to_owned(),
            (None, None, Phase::Resting) => "waiting for input".to_owned(),
        };
        let runs = end.is_none();
        QueryStatus {
            message,
            is_data_available: runs && matches!(phase, Phase::Running { has_input: true, .. }),
            is_trigger_active: runs && matches!(phase, Phase::Running { .. }),
            at_work,
            waiting,
        }
    }
}
