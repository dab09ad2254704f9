//! Code of the program that is told how queries go on.

use std::sync::Arc;

use super::error::RuntimeError;
use super::inside::Inside;
use crate::core::engine::{Progress, Summary};
use crate::core::guard::guarded;
use crate::core::time::Timestamp;

/// Which query it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryInfo {
    /// What the program calls it; the graph's name unless said otherwise.
    pub name: String,
    /// The graph's name.
    pub graph: String,
    /// The same over restarts: where its checkpoint lies. Without a checkpoint every start is another query, and this is the `run_id`.
    pub id: String,
    /// This start of it, unlike every other.
    pub run_id: String,
    /// When it was started.
    pub started_at: Timestamp,
}

/// Is told how queries go on. All does nothing unless said otherwise.
///
/// [`on_started`](Self::on_started) is called by the thread that starts the query, before it gets it; the others by the query's driver,
/// one after the other, which waits meanwhile: hand over what takes long. A listener that panics is not called again for that query,
/// which goes on.
pub trait QueryListener: Send + Sync {
    /// A query is open and about to run.
    fn on_started(&self, query: &QueryInfo) {
        let _ = query;
    }

    /// An epoch was committed.
    fn on_progress(&self, query: &QueryInfo, progress: &Progress) {
        let _ = (query, progress);
    }

    /// All that was there is processed and committed. Told once, until there is something to do again.
    fn on_idle(&self, query: &QueryInfo) {
        let _ = query;
    }

    /// The query has ended, by itself, by being stopped, or by an error.
    fn on_terminated(&self, query: &QueryInfo, end: &Result<Summary, RuntimeError>) {
        let _ = (query, end);
    }
}

/// The listeners of a query that have not panicked.
pub(super) struct Listeners {
    pub(super) listeners: Vec<Arc<dyn QueryListener>>,
    pub(super) inside: Inside,
}

impl Listeners {
    pub(super) fn tell(&mut self, tell: impl Fn(&dyn QueryListener)) {
        if self.listeners.is_empty() {
            return;
        }
        let _inside = self.inside.enter();
        let tell = |listener: &Arc<dyn QueryListener>| {
            guarded(|| {
                tell(&**listener);
                Ok(())
            })
        };
        self.listeners.retain(|listener| tell(listener).is_ok());
    }
}
