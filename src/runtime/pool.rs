//! The runtime: threads and defaults that queries share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::RuntimeError;
use super::listener::QueryListener;
use super::options::{GraphFrom, QueryBuilder};
use crate::core::engine::EngineOptions;
use crate::core::time::{Clock, SystemClock, Timestamp};
use crate::graphs::Graph;

/// Runs graphs in this process, as many as are started, all on one pool of threads. A clone is the same runtime; the pool lives as
/// long as the runtime or one of its queries.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    pool: Arc<ThreadPool>,
    threads: usize,
    batch_rows: usize,
    recent_progress: usize,
    listeners: Vec<Arc<dyn QueryListener>>,
    started: AtomicU64,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("threads", &self.0.threads)
            .field("batch_rows", &self.0.batch_rows)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime with as many threads as there are cores.
    pub fn new() -> Result<Self, RuntimeError> {
        Self::builder().build()
    }

    /// A runtime of one's own choice.
    pub fn builder() -> RuntimeBuilder {
        let EngineOptions { threads, batch_rows, .. } = EngineOptions::default();
        RuntimeBuilder { threads, batch_rows, recent_progress: 100, listeners: Vec::new() }
    }

    /// Prepares a query of this graph.
    pub fn query(&self, graph: Graph) -> QueryBuilder {
        QueryBuilder::new(self.clone(), GraphFrom::Graph(Box::new(graph)))
    }

    /// Prepares a query of the graph that this text is, in RON.
    pub fn query_text(&self, text: impl Into<String>) -> QueryBuilder {
        QueryBuilder::new(self.clone(), GraphFrom::Text(text.into()))
    }

    /// Prepares a query of the graph in this file.
    pub fn query_file(&self, path: impl Into<PathBuf>) -> QueryBuilder {
        QueryBuilder::new(self.clone(), GraphFrom::File(path.into()))
    }

    pub(super) fn pool(&self) -> Arc<ThreadPool> {
        Arc::clone(&self.0.pool)
    }

    pub(super) fn threads(&self) -> usize {
        self.0.threads
    }

    pub(super) fn batch_rows(&self) -> usize {
        self.0.batch_rows
    }

    pub(super) fn recent_progress(&self) -> usize {
        self.0.recent_progress
    }

    pub(super) fn listeners(&self) -> Vec<Arc<dyn QueryListener>> {
        self.0.listeners.clone()
    }

    /// A name for a start of a query that no other start has, and the instant.
    pub(super) fn next_run(&self) -> (String, Timestamp) {
        let (process, now) = (std::process::id(), SystemClock.now());
        let number = self.0.started.fetch_add(1, Ordering::Relaxed);
        (format!("{process}-{}-{number}", now.micros()), now)
    }
}

/// Makes a [`Runtime`].
#[must_use]
pub struct RuntimeBuilder {
    threads: usize,
    batch_rows: usize,
    recent_progress: usize,
    listeners: Vec<Arc<dyn QueryListener>>,
}

impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl RuntimeBuilder {
    /// How many threads compute; each query has as many more that read. As many as there are cores, unless said otherwise.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The most rows in a batch, for queries that do not say otherwise.
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// How many of its last epochs a query remembers, unless it says otherwise: 100.
    pub fn recent_progress(mut self, epochs: usize) -> Self {
        self.recent_progress = epochs;
        self
    }

    /// Is told of every query of the runtime.
    pub fn listener(mut self, listener: impl QueryListener + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Starts the threads.
    pub fn build(self) -> Result<Runtime, RuntimeError> {
        let Self { threads, batch_rows, recent_progress, listeners } = self;
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|number| format!("watershed-{number}"));
        let pool = Arc::new(pool.build().map_err(|cause| RuntimeError::Threads(cause.to_string()))?);
        let started = AtomicU64::new(0);
        Ok(Runtime(Arc::new(Inner { pool, threads, batch_rows, recent_progress, listeners, started })))
    }
}
