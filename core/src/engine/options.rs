//! What the program around the engine decides: threads, batch sizes, the clock, the stop.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rayon::ThreadPool;

use super::activity::Activity;
use crate::checkpoint::{Adjustments, CheckpointStorage};
use crate::node::{Handles, Sink, Source};
use crate::time::{Clock, SystemClock};

/// How an engine runs. None of it changes an answer, but for a `call_limit` that ends the run.
#[derive(Debug)]
pub struct EngineOptions {
    /// Threads that compute, and threads that read.
    pub threads: usize,
    /// The threads that compute, where several engines of a process share them; else the engine starts its own.
    pub pool: Option<Arc<ThreadPool>>,
    /// The most rows in a batch that a source makes.
    pub batch_rows: usize,
    /// Where processing time comes from.
    pub clock: Arc<dyn Clock>,
    /// What the program and opened nodes hand each other.
    pub handles: Handles,
    /// Where the run keeps its checkpoint, in place of the directory that the graph names.
    pub checkpoint: Option<Arc<dyn CheckpointStorage>>,
    /// What is to become of state in the checkpoint that does not fit the graph.
    pub adjustments: Adjustments,
    /// Ends the run after so many epochs.
    pub max_epochs: Option<u64>,
    /// Ends the run after the epoch in hand.
    pub stop: StopSignal,
    /// How long a node may take for a batch, a typed operator for a key, or a sink for a part of its output. A call that took
    /// longer fails its epoch once it returns.
    pub call_limit: Option<Duration>,
    /// Shows what is at work.
    pub activity: Activity,
    /// Open sources and sinks to use in place of those that the plan would open.
    pub connectors: Connectors,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            pool: None,
            batch_rows: 32_768,
            clock: Arc::new(SystemClock),
            handles: Handles::default(),
            checkpoint: None,
            adjustments: Adjustments::default(),
            max_epochs: None,
            stop: StopSignal::default(),
            call_limit: None,
            activity: Activity::default(),
            connectors: Connectors::default(),
        }
    }
}

/// Open sources and sinks by node name.
#[derive(Default)]
pub struct Connectors {
    /// Sources.
    pub sources: HashMap<String, Box<dyn Source>>,
    /// Sinks.
    pub sinks: HashMap<String, Box<dyn Sink>>,
}

impl std::fmt::Debug for Connectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connectors").field("sources", &self.sources.keys()).field("sinks", &self.sinks.keys()).finish()
    }
}

/// Asks a run to end after the epoch in hand. Clones share the one signal.
#[derive(Clone, Debug)]
pub struct StopSignal {
    ask: Sender<()>,
    asked: Receiver<()>,
}

impl Default for StopSignal {
    fn default() -> Self {
        let (ask, asked) = bounded(1);
        Self { ask, asked }
    }
}

impl StopSignal {
    /// Asks for the end. Asking again changes nothing.
    pub fn stop(&self) {
        // A full channel holds the request already.
        let _ = self.ask.try_send(());
    }

    /// Whether the end was asked for.
    pub fn is_stopped(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Waits for `time`, or less when the end is asked for.
    pub(super) fn wait(&self, time: Duration) {
        match self.asked.recv_timeout(time) {
            Ok(()) => self.stop(),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}
