//! Ways to break the promises on which recovery rests, each of which the tests must notice.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use watershed::core::checkpoint::{
    CheckpointError, CheckpointLock, CheckpointStorage, DirectoryEntry, FileName, FileSystem, Holder, LocalDirectory,
    LockAttempt, NewFile, StoredFile,
};

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The disk says that it has synced, and has not.
    NeverSyncs,
    /// The checkpoint writes an epoch's state only after its commit record.
    StateAfterCommit,
    /// The checkpoint writes an intent only after the commit record of its epoch.
    IntentAfterCommit,
    /// A sink shows an epoch when the next one is committed.
    ShowsLate,
    /// A sink that is asked to commit again adds to what it has shown.
    ShowsTwice,
    /// A source throws rows away as soon as it has handed them on.
    ReleasesEarly,
}

impl Sabotage {
    pub(crate) const ALL: [Self; 6] = [
        Self::NeverSyncs,
        Self::StateAfterCommit,
        Self::IntentAfterCommit,
        Self::ShowsLate,
        Self::ShowsTwice,
        Self::ReleasesEarly,
    ];
}

/// A disk whose syncs do nothing.
#[derive(Debug)]
pub(super) struct Unsynced(pub(super) Arc<dyn FileSystem>);

impl FileSystem for Unsynced {
    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        self.0.is_directory(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.0.create_directory(path)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.0.entries(directory)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.0.read(file)
    }

    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()> {
        self.0.create_file(file, content)
    }

    fn sync_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        self.0.remove_file(file)
    }

    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt> {
        self.0.try_lock(path, words)
    }
}

/// A checkpoint that keeps some files back until others are written.
#[derive(Debug)]
pub(super) struct Reordered {
    storage: LocalDirectory,
    sabotage: Sabotage,
    kept_back: Mutex<Vec<NewFile>>,
}

impl Reordered {
    pub(super) fn new(storage: LocalDirectory, sabotage: Sabotage) -> Self {
        Self { storage, sabotage, kept_back: Mutex::default() }
    }

    /// Whether these files are to wait, and whether those that wait are to follow them.
    fn order(&self, files: &[NewFile]) -> (bool, bool) {
        let is = |wanted: fn(&FileName) -> bool| {
            files.iter().any(|file| FileName::parse(&file.name).as_ref().is_some_and(wanted))
        };
        let waits = match self.sabotage {
            Sabotage::StateAfterCommit => is(|name| matches!(name, FileName::State(_))),
            _ => is(|name| matches!(name, FileName::Intent(_))),
        };
        (waits, is(|name| matches!(name, FileName::Commit(_))))
    }
}

impl CheckpointStorage for Reordered {
    fn location(&self) -> String {
        self.storage.location()
    }

    fn list(&self) -> Result<Vec<StoredFile>, CheckpointError> {
        self.storage.list()
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.storage.read(name)
    }

    fn write(&self, files: &[NewFile]) -> Result<(), CheckpointError> {
        let (waits, lets_follow) = self.order(files);
        let mut kept_back = self.kept_back.lock().unwrap_or_else(PoisonError::into_inner);
        if waits {
            kept_back.extend_from_slice(files);
            return Ok(());
        }
        self.storage.write(files)?;
        if lets_follow { self.storage.write(&std::mem::take(&mut *kept_back)) } else { Ok(()) }
    }

    fn remove(&self, names: &[String]) -> Result<(), CheckpointError> {
        self.storage.remove(names)
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn CheckpointLock>, CheckpointError> {
        self.storage.lock(holder)
    }
}
