//! What can go wrong while a graph runs. The engine adds the node, the epoch and the partition; what stands here says
//! only what happened.

use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// The work on one key of a stateful operator failed.
    #[error("at key {key}: {source}")]
    AtKey {
        /// The key's columns with their values, such as "`user` = `a`".
        key: String,
        /// Why.
        source: Box<Error>,
    },
    /// A node's code panicked. What it was at work on is thrown away with the epoch.
    #[error("panicked{}: {message}", place.as_ref().map_or_else(String::new, |place| format!(" at {place}")))]
    Panicked {
        /// What the panic said.
        message: String,
        /// File, line and column, where the program's panic hook [noted](crate::guard::note_panic) them.
        place: Option<String>,
    },
    /// A call of a node's code took longer than the run allows.
    #[error("took {took:?}, and a call may take {limit:?}")]
    Slow {
        /// How long it took.
        took: Duration,
        /// How long it may take: [`EngineOptions::call_limit`](crate::engine::EngineOptions::call_limit).
        limit: Duration,
    },
    /// An operator or connector of somebody else's failed.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An input or output error at `path`; `action` is a verb, as in "failed to `read`".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.as_ref().to_owned(), source }
    }

    /// Whatever made an operator or connector of somebody else's fail: any error, or just words.
    /// `text.parse::<i64>().map_err(Error::other)?`.
    pub fn other(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        cause.into().into()
    }

    /// The error as one of the work on `key`, which is written as in "`user` = `a`".
    #[must_use]
    pub fn at_key(self, key: impl Into<String>) -> Self {
        Self::AtKey { key: key.into(), source: Box::new(self) }
    }
}

/// An error that was boxed on its way is itself again.
impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        cause.downcast::<Self>().map_or_else(Self::Other, |own| *own)
    }
}

impl From<String> for Error {
    fn from(words: String) -> Self {
        Self::Other(words.into())
    }
}

impl From<&str> for Error {
    fn from(words: &str) -> Self {
        Self::Other(words.into())
    }
}

/// The result of a node's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_users_goes_up_as_it_is() {
        fn boxed() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Err(Error::Stopped)?
        }
        fn passed_on() -> Result<()> {
            Ok(boxed()?)
        }
        assert!(matches!(passed_on(), Err(Error::Stopped)), "what was boxed on the way is itself again");
        let parsed = "x".parse::<i64>().map_err(Error::other).expect_err("no number");
        assert_eq!(parsed.to_string(), "invalid digit found in string");
        for error in [Error::from("no more"), Error::from("no more".to_owned()), Error::other("no more")] {
            assert_eq!(error.at_key("`user` = `a`").to_string(), "at key `user` = `a`: no more");
        }
    }

    #[test]
    fn a_panic_says_where_if_that_is_known() {
        let panicked = |place: Option<&str>| {
            Error::Panicked { message: "no rows".to_owned(), place: place.map(str::to_owned) }.to_string()
        };
        assert_eq!(panicked(None), "panicked: no rows");
        assert_eq!(panicked(Some("src/lib.rs:7:5")), "panicked at src/lib.rs:7:5: no rows");
        let slow = Error::Slow { took: Duration::from_millis(1500), limit: Duration::from_secs(1) };
        assert_eq!(slow.to_string(), "took 1.5s, and a call may take 1s");
    }
}
