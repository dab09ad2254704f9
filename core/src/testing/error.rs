//! Why a test cannot go on, or has failed.

use std::fmt;

use crate::checkpoint::CheckpointError;
use crate::engine::EngineError;
use crate::error::Error;
use crate::fault::Fault;

use super::difference::{Diverged, NotTheSame};
use super::way::Way;

/// What the test kit returns. In a test that returns it, `?` is all there is to write.
pub type Result<T, E = TestError> = std::result::Result<T, E>;

/// Why a test cannot go on, or has failed. Its debug form, which a failed test prints, is the message itself.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// What the test gave is no rows of the columns it is for, or what it asks for is not there.
    #[error("{0}")]
    Given(String),
    /// The operator refuses its inputs.
    #[error("{}", shown(.0))]
    Faults(Vec<Fault>),
    /// The engine ended the run: nothing of the epoch was committed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Something that is not part of a run failed.
    #[error(transparent)]
    Node(#[from] Error),
    /// An epoch that was run again after a crash put out other rows than the first time.
    #[error("{0}")]
    Diverged(Box<Diverged>),
    /// A run failed that was made to see whether its answer is the same.
    #[error("with {way}{}, feed {feed}: {source}", cut.map(|cut| format!(", {cut}")).unwrap_or_default())]
    Way {
        /// Which of the feeds it was, from 0.
        feed: usize,
        /// How it was run.
        way: Way,
        /// How the feed was cut into epochs, where that is not as it was given.
        cut: Option<&'static str>,
        /// Why.
        source: Box<TestError>,
    },
    /// Two runs that should give the same answer do not.
    #[error("{0}")]
    NotTheSame(Box<NotTheSame>),
}

impl fmt::Debug for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Every fault with its code, path and help, a line each.
fn shown(faults: &[Fault]) -> String {
    let shown = faults.iter().map(|fault| {
        let help = fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}: {}{help}", fault.code, fault.message)
    });
    shown.collect::<Vec<_>>().join("\n")
}
