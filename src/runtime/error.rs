//! Why a query could not start, or came to its end.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::engine::EngineError;
use crate::core::error::Error;
use crate::graphs::Diagnostics;
use crate::storage::StorageError;

/// Why a query could not start, or why it ended. A clone is cheap: everybody who asks is told the same.
///
/// `Debug` shows the message too, so that a `main` which returns it tells its reader what is wrong.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The graph's file cannot be read.
    #[error("read `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The graph is wrong: all that is, each with its place in the text.
    #[error("{}", .0.render(false).trim_end())]
    Graph(Box<Diagnostics>),
    /// What was handed over for a node finds no such node.
    #[error("{given} is for node `{node}`, which graph `{graph}` does not have{help}")]
    NoSuchNode {
        /// What was handed over.
        given: &'static str,
        /// The node that was named.
        node: String,
        /// The graph.
        graph: String,
        /// The names there are.
        help: String,
    },
    /// The checkpoint's place is none.
    #[error(transparent)]
    Checkpoint(Arc<StorageError>),
    /// What was asked for about a node's state contradicts itself.
    #[error("{0}")]
    Adjustments(String),
    /// The graph could not be opened, or failed in an epoch. Nothing of that epoch was committed.
    #[error(transparent)]
    Engine(Arc<EngineError>),
    /// The engine itself failed, which it never should.
    #[error("the query's thread {0}")]
    Thread(Arc<Error>),
    /// The machine did not give the runtime or the query its threads.
    #[error("threads cannot be started: {0}")]
    Threads(String),
    /// The query was stopped before it had done what was waited for.
    #[error("query `{query}` was stopped")]
    Stopped {
        /// The query.
        query: String,
    },
    /// The query was asked to wait for itself, by its own listener or by the closure of one of its sinks.
    #[error(
        "`{call}` waits for query `{query}` and was called by its own code, which it would wait for; `ask_to_stop` does not wait"
    )]
    OwnThread {
        /// What was called.
        call: &'static str,
        /// The query.
        query: String,
    },
    /// The node has nothing of this sort to hand out.
    #[error("node `{node}` of query `{query}` has no {wanted}")]
    NoHandle {
        /// The node.
        node: String,
        /// The query.
        query: String,
        /// What was asked for.
        wanted: &'static str,
    },
}

impl fmt::Debug for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<EngineError> for RuntimeError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Arc::new(error))
    }
}
