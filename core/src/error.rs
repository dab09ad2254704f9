//! What can go wrong while a graph runs. The engine adds the node, the epoch and the partition; what stands here says
//! only what happened.

use std::path::{Path, PathBuf};

use arrow::error::ArrowError;

/// A failure inside one node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something outside the program did not answer: a file, a directory, a terminal.
    #[error("{action} `{}`: {source}", path.display())]
    Io {
        /// What was being done: `read`, `create`, `rename`, …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The input holds something that the graph does not allow.
    #[error("{0}")]
    BadInput(String),
    /// An expression could not be evaluated over the rows it met.
    #[error("evaluate `{expression}`: {cause}")]
    Evaluation {
        /// The expression as the graph file writes it.
        expression: String,
        /// What the evaluator said.
        cause: String,
    },
    /// Arrow refused an operation on columns.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// The run was told to stop while this was under way.
    #[error("stopped")]
    Stopped,
    /// An operator or connector of somebody else's failed.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An input or output error at `path`; `action` is a verb, as in "failed to `read`".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.as_ref().to_owned(), source }
    }
}

/// The result of a node's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;
