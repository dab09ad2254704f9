//! The world around a run: one disk for the checkpoint and for what sinks show, and what sources have thrown away, which no
//! crash brings back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use watershed::core::checkpoint::{Crash, DirectoryEntry, FileSystem, LocalDirectory, LockAttempt, SimulatedDisk};

/// The directory of the checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// The directory of the output.
pub(crate) const OUTPUT: &str = "out";

/// A disk, and what sources have released. Clones are the same world.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) disk: SimulatedDisk,
    released: Arc<Mutex<BTreeMap<String, u64>>>,
    /// Called before every operation on the disk.
    watcher: Option<Watcher>,
}

#[derive(Clone)]
struct Watcher(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

/// Files by their path.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

impl World {
    /// The world as it may be found after a crash that comes now, or came when the power was cut.
    pub(crate) fn crash(&self, crash: Crash) -> Self {
        let released = Arc::new(Mutex::new(self.lock().clone()));
        Self { disk: self.disk.crash(crash), released, watcher: None }
    }

    /// A world with this disk, in which nothing was thrown away.
    pub(crate) fn with_disk(disk: SimulatedDisk) -> Self {
        Self { disk, ..Self::default() }
    }

    /// The same world, seen by somebody who is called before every operation on the disk.
    pub(crate) fn watched(&self, watcher: impl Fn() + Send + Sync + 'static) -> Self {
        Self { watcher: Some(Watcher(Arc::new(watcher))), ..self.clone() }
    }

    /// The disk as a run sees it.
    pub(crate) fn file_system(&self) -> Arc<dyn FileSystem> {
        match &self.watcher {
            None => Arc::new(self.disk.clone()),
            Some(watcher) => Arc::new(Watched { disk: self.disk.clone(), watcher: watcher.clone() }),
        }
    }

    /// The checkpoint as a run keeps it.
    pub(crate) fn checkpoint(&self) -> LocalDirectory {
        LocalDirectory::on(self.file_system(), CHECKPOINT)
    }

    /// What everybody can see of the output.
    pub(crate) fn shown(&self) -> Files {
        let mut files = self.files();
        files.retain(|path, _| path.starts_with(OUTPUT));
        files
    }

    /// All files that are there by their own names: what nobody will ever look at again is left out.
    pub(crate) fn files(&self) -> Files {
        let mut files = self.disk.files();
        files.retain(|path, _| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
        files
    }

    /// What a run finds: two worlds in which it is the same are the same to it.
    pub(crate) fn found(&self) -> (Files, BTreeMap<String, u64>) {
        let mut files = self.files();
        // What the last holder said is of no account once the lock is free.
        files.remove(&PathBuf::from(CHECKPOINT).join("lock"));
        (files, self.lock().clone())
    }

    /// A source throws away all inputs before `place`.
    pub(crate) fn release(&self, source: &str, place: u64) {
        let mut released = self.lock();
        let before = released.entry(source.to_owned()).or_default();
        *before = place.max(*before);
    }

    /// Up to where a source has thrown its input away.
    pub(crate) fn released(&self, source: &str) -> u64 {
        self.lock().get(source).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A disk that calls a watcher before each operation that changes something.
#[derive(Debug)]
struct Watched {
    disk: SimulatedDisk,
    watcher: Watcher,
}

impl FileSystem for Watched {
    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        self.disk.is_directory(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        (self.watcher.0)();
        self.disk.create_directory(path)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.disk.entries(directory)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(file)
    }

    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()> {
        (self.watcher.0)();
        self.disk.create_file(file, content)
    }

    fn sync_file(&self, file: &Path) -> io::Result<()> {
        (self.watcher.0)();
        self.disk.sync_file(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.watcher.0)();
        self.disk.rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        (self.watcher.0)();
        self.disk.sync_directory(directory)
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        (self.watcher.0)();
        self.disk.remove_file(file)
    }

    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt> {
        (self.watcher.0)();
        self.disk.try_lock(path, words)
    }
}
