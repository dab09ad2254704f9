//! Where a checkpoint lies: a directory, memory, or a store of objects.
//!
//! A storage knows whole files by names such as `epochs/00000012.commit`. It promises three things, on which recovery
//! rests, and the tests hold every storage to them: a file is there as a whole or not at all, what [`write`] gave back
//! survives a crash, and of two processes at most one holds the lock.
//!
//! [`write`]: CheckpointStorage::write

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use crate::time::Timestamp;

/// The place of one checkpoint. Methods may be called from several threads.
pub trait CheckpointStorage: Debug + Send + Sync {
    /// The place in words, for messages: a path or a URL.
    fn location(&self) -> String;

    /// All files, sorted by name. What an interrupted write left behind is not among them.
    fn list(&self) -> Result<Vec<StoredFile>, CheckpointError>;

    /// A file's content; `None` when there is no such file.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError>;

    /// Writes files, each in place of one with the same name. A crash leaves of each the old content or the new; when this
    /// returns, all of them are durable.
    fn write(&self, files: &[NewFile]) -> Result<(), CheckpointError>;

    /// Removes files; one that is not there is no error. A crash may bring them back.
    fn remove(&self, names: &[String]) -> Result<(), CheckpointError>;

    /// Takes the checkpoint for this process until the lock is dropped. A lock whose holder is dead is taken over; one whose
    /// holder lives is [`CheckpointError::Held`].
    fn lock(&self, holder: &Holder) -> Result<Box<dyn CheckpointLock>, CheckpointError>;

    /// Who holds the lock at present, in words, as far as that can be told without taking it.
    fn holder(&self) -> Result<Option<String>, CheckpointError> {
        Ok(None)
    }
}

/// Keeps other processes off a checkpoint until it is dropped.
pub trait CheckpointLock: Debug + Send {}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Its name: folders and file, with `/` between.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A file to be written.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its name: folders and file, with `/` between.
    pub name: String,
    /// Its content, in pieces.
    pub content: Vec<Vec<u8>>,
}

impl NewFile {
    /// The size in bytes.
    pub fn bytes(&self) -> u64 {
        self.content.iter().map(|piece| piece.len() as u64).sum()
    }
}

/// The process that uses a checkpoint: what its lock says to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine; empty when it does not know its name.
    pub host: String,
    /// The graph that is run.
    pub graph: String,
    /// Since when.
    pub since: Timestamp,
}

impl Holder {
    /// This process, which runs `graph` since then.
    pub fn of_this_process(graph: &str, since: Timestamp) -> Self {
        let host = std::fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()).unwrap_or_default();
        Self { pid: std::process::id(), host, graph: graph.to_owned(), since }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.pid)?;
        if !self.host.is_empty() {
            write!(f, " on {}", self.host)?;
        }
        write!(f, ", which runs `{}` since {}", self.graph, self.since)
    }
}
