//! What can go wrong with a checkpoint: each variant names the file or the node, and what to do.

use std::fmt;
use std::sync::Arc;

use super::verdict::Verdict;
use crate::epoch::Epoch;
use crate::error::Error;

/// Why a checkpoint cannot be used, or no longer be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The place where the checkpoint lies did not answer.
    #[error("checkpoint `{location}`: {action} `{file}`: {source}")]
    Storage {
        /// The checkpoint.
        location: String,
        /// What was being done: `read`, `write`, `list`, …
        action: &'static str,
        /// The file, as the checkpoint names it.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It lies in a store that the engine cannot open by itself.
    #[error(
        "checkpoint `{location}` is no directory: the program has to open it and give it to the engine \
         (`EngineOptions::checkpoint`)"
    )]
    NotADirectory {
        /// The checkpoint.
        location: String,
    },
    /// Another process uses the checkpoint.
    #[error("checkpoint `{location}` is in use by {holder}")]
    Held {
        /// The checkpoint.
        location: String,
        /// Who uses it, as the lock says.
        holder: String,
    },
    /// Files are damaged, and what they held cannot be had otherwise.
    #[error("checkpoint `{location}` cannot be recovered: {}", listed(damages))]
    Damaged {
        /// The checkpoint.
        location: String,
        /// What is wrong, file by file.
        damages: Vec<Damage>,
        /// What can still be done.
        remedy: String,
    },
    /// The graph does not fit the checkpoint.
    #[error("the graph does not fit checkpoint `{location}`: {verdict}")]
    Incompatible {
        /// The checkpoint.
        location: String,
        /// Node by node, what was found.
        verdict: Box<Verdict>,
    },
    /// A node has no place in a run that can be recovered.
    #[error("source `{node}` cannot read the same rows again after a crash, so it cannot be used with a checkpoint")]
    NotReplayable {
        /// The node.
        node: Arc<str>,
    },
    /// An epoch that is to be run again was planned for another form of the graph.
    #[error("epoch {epoch} in checkpoint `{location}` was planned for another form of this graph{}, and has to be run as it was meant", if node.is_empty() { String::new() } else { format!(", with a source `{node}`") })]
    PlannedForAnother {
        /// The checkpoint.
        location: String,
        /// The epoch.
        epoch: Epoch,
        /// A source that this graph does not have, if that is what is wrong.
        node: String,
    },
    /// A replayed epoch came to another result than it had.
    #[error(
        "the replay of epoch {epoch} gave another watermark for `{node}` than the checkpoint holds: {seen}, not {kept}"
    )]
    Diverged {
        /// The epoch.
        epoch: Epoch,
        /// The watermark node.
        node: String,
        /// What the replay gave.
        seen: String,
        /// What the checkpoint holds.
        kept: String,
    },
    /// State could not be turned into columns of a file, or back.
    #[error("checkpoint `{location}`: {file}: {source}")]
    State {
        /// The checkpoint.
        location: String,
        /// The file.
        file: String,
        /// What was wrong with the columns.
        source: Error,
    },
}

/// What is wrong with one file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, as the checkpoint names it.
    pub file: String,
    /// What is wrong with it.
    pub cause: DamageCause,
}

/// In what way a file is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageCause {
    /// It is not there.
    Missing,
    /// It ends too early, or holds what no such file can hold.
    Malformed(String),
    /// Its content is not what its checksum says.
    Checksum,
    /// A newer version of Watershed wrote it.
    Newer {
        /// The format that the file says it has.
        format: u32,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.cause {
            DamageCause::Missing => write!(f, "`{file}` is missing"),
            DamageCause::Malformed(how) => write!(f, "`{file}` is damaged: {how}"),
            DamageCause::Checksum => write!(f, "`{file}` is damaged: its content does not match its checksum"),
            DamageCause::Newer { format } => {
                write!(
                    f,
                    "`{file}` has format {format}, which a newer version of Watershed wrote; this one knows format {}",
                    super::FORMAT
                )
            }
        }
    }
}

fn listed(damages: &[Damage]) -> String {
    damages.iter().map(Damage::to_string).collect::<Vec<_>>().join("; ")
}
