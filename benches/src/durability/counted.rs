//! The machine's file system, with its syncs and bytes counted.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use watershed::core::checkpoint::{DirectoryEntry, FileSystem, LockAttempt, StdFileSystem};

/// Counts what is made durable.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) syncs: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl FileSystem for Counted {
    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        StdFileSystem.is_directory(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        StdFileSystem.create_directory(path)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        StdFileSystem.entries(directory)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        StdFileSystem.read(file)
    }

    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()> {
        self.bytes.fetch_add(content.iter().map(|piece| piece.len() as u64).sum(), Ordering::Relaxed);
        StdFileSystem.create_file(file, content)
    }

    fn sync_file(&self, file: &Path) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        StdFileSystem.sync_file(file)
    }

    fn syncs_at_once(&self) -> usize {
        StdFileSystem.syncs_at_once()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        StdFileSystem.rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        StdFileSystem.sync_directory(directory)
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        StdFileSystem.remove_file(file)
    }

    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt> {
        StdFileSystem.try_lock(path, words)
    }
}
