//! A query: a graph that was started.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::RuntimeError;
use super::listener::QueryInfo;
use super::shared::{QueryStatus, Shared};
use crate::core::engine::{Progress, Recovery, Summary};
use crate::core::node::Handles;
use crate::graphs::Diagnostics;
use crate::sinks::MemoryTable;
use crate::sources::{MemoryFeed, TableFeed};

/// A graph that was started, running on a thread of its own. Any thread may ask and wait.
///
/// **Dropping a query stops it** after the epoch in hand, and waits for that; an error it has ended with is then lost. Keep the query as
/// long as it is to run, in an `Arc` where several parts of a program need it.
pub struct Query {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) handles: Handles,
    pub(super) explanation: String,
    pub(super) recovery: Option<Recovery>,
    pub(super) diagnostics: Diagnostics,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("info", &self.shared.info)
            .field("status", &self.status().message)
            .finish_non_exhaustive()
    }
}

impl Query {
    /// Waits until everything that was there when this was called is processed and committed, and the graph is at rest: no input is left,
    /// and no watermark calls for one more epoch. Fails when the query fails, or is stopped before.
    ///
    /// Rows pushed meanwhile are waited for as well, as long as they keep coming before the graph has come to rest. With the trigger
    /// `Every` it takes as long as that does. A query whose trigger has ended it has processed all it ever will.
    pub fn process_all_available(&self) -> Result<(), RuntimeError> {
        let request = self.shared.change(|state| {
            state.asked += 1;
            state.asked
        });
        let stopped = || RuntimeError::Stopped { query: self.name().to_owned() };
        let answer = self.shared.wait("process_all_available", None, |state| {
            if state.answered >= request {
                return Some(Ok(()));
            }
            state.end.as_ref().map(|end| match end {
                Ok(summary) if summary.stopped => Err(stopped()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.clone()),
            })
        })?;
        answer.expect("a wait without a timeout has an answer")
    }

    /// Waits for the end: the trigger's, that of all sources, a stop or an error, which is returned. `None` when the query still runs
    /// after `timeout`.
    pub fn await_termination(&self, timeout: Option<Duration>) -> Result<Option<Summary>, RuntimeError> {
        self.shared.wait("await_termination", timeout, |state| state.end.clone())?.transpose()
    }

    /// Stops the query after the epoch in hand and waits for that. Input that is left is there for the next start, where the query has a
    /// checkpoint. The error is the one that the query ended with.
    pub fn stop(&self) -> Result<Summary, RuntimeError> {
        self.ask_to_stop();
        let end = self.shared.wait("stop", None, |state| state.end.clone())?;
        end.expect("a wait without a timeout has an answer")
    }

    /// Stops the query after the epoch in hand, without waiting: for a listener, the closure of a sink, or a signal.
    pub fn ask_to_stop(&self) {
        self.shared.stop.stop();
    }

    /// Whether the query has not ended.
    pub fn is_active(&self) -> bool {
        self.shared.state().end.is_none()
    }

    /// What the query failed with, if it did.
    pub fn exception(&self) -> Option<RuntimeError> {
        self.shared.state().exception.clone()
    }

    /// What the newest committed epoch did.
    pub fn last_progress(&self) -> Option<Arc<Progress>> {
        self.shared.state().recent.back().cloned()
    }

    /// What the last epochs did, the newest last: as many as the query remembers.
    pub fn recent_progress(&self) -> Vec<Arc<Progress>> {
        self.shared.state().recent.iter().cloned().collect()
    }

    /// What the query is doing.
    pub fn status(&self) -> QueryStatus {
        self.shared.status()
    }

    /// Which query this is.
    pub fn info(&self) -> &QueryInfo {
        &self.shared.info
    }

    /// What the program calls it; the graph's name unless said otherwise.
    pub fn name(&self) -> &str {
        &self.shared.info.name
    }

    /// The same over restarts: where the query's checkpoint lies; without one, the [`run_id`](Self::run_id).
    pub fn id(&self) -> &str {
        &self.shared.info.id
    }

    /// This start of the query, unlike every other.
    pub fn run_id(&self) -> &str {
        &self.shared.info.run_id
    }

    /// The graph as it runs: its nodes in order, and what flows between them.
    pub fn explain(&self) -> &str {
        &self.explanation
    }

    /// What the run goes on from; `None` without a checkpoint.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// What the author of the graph should know of it, although it runs.
    pub fn warnings(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Where rows are pushed into the `Memory` source of this name.
    pub fn feed(&self, node: &str) -> Result<Arc<MemoryFeed>, RuntimeError> {
        self.handle(node, "feed: it is no `Memory` source")
    }

    /// Where the table of the `PushedTable` source of this name is pushed.
    pub fn table_feed(&self, node: &str) -> Result<Arc<TableFeed>, RuntimeError> {
        self.handle(node, "feed of a table: it is no `PushedTable` source")
    }

    /// What the `Memory` sink of this name has taken.
    pub fn table(&self, node: &str) -> Result<Arc<MemoryTable>, RuntimeError> {
        self.handle(node, "table: it is no `Memory` sink")
    }

    /// What the run and its nodes have handed each other, for connectors of one's own.
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    fn handle<T: Send + Sync + 'static>(&self, node: &str, wanted: &'static str) -> Result<Arc<T>, RuntimeError> {
        let missing = || RuntimeError::NoHandle { node: node.to_owned(), query: self.name().to_owned(), wanted };
        self.handles.get(node).ok_or_else(missing)
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        self.ask_to_stop();
        // Code that the query waits for cannot wait for the query: it ends by itself.
        if let Some(thread) = self.thread.take().filter(|_| !self.shared.inside.is_here()) {
            // The thread catches every panic and tells of it.
            let _ = thread.join();
        }
    }
}
