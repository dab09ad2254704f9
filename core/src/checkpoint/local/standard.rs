//! The file system of the machine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::Path;

use super::file_system::{DirectoryEntry, EntryKind, FileLock, FileSystem, LockAttempt};

/// Many small pieces, as Arrow IPC makes them, become few calls to the system.
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// Syncs that run at the same time share a commit of the file system's journal: 32 files of 100 kB on ext4 take a third of the
/// time; more threads gain nothing.
const SYNCS_AT_ONCE: usize = 8;

/// The file system of the machine, through the standard library.
///
/// Directories are synced on Unix; elsewhere the system makes names durable by itself, as far as it does. Locks are `flock`
/// or what the system has in its place: they end with the process that holds them.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdFileSystem;

impl FileSystem for StdFileSystem {
    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(true),
            Ok(_) => Err(ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // Names that are not text are not ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Through links: a folder may have been moved to another disk.
            let metadata = match fs::metadata(entry.path()) {
                Ok(metadata) => metadata,
                // Removed since, or a link to nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => EntryKind::Directory,
                kind if kind.is_file() => EntryKind::File { bytes: metadata.len() },
                _ => continue,
            };
            entries.push(DirectoryEntry { name, kind });
        }
        Ok(entries)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(file)
    }

    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()> {
        let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, File::create(file)?);
        for piece in content {
            writer.write_all(piece)?;
        }
        writer.flush()
    }

    fn sync_file(&self, file: &Path) -> io::Result<()> {
        // Some systems sync only what was opened for writing.
        OpenOptions::new().write(true).open(file)?.sync_all()
    }

    fn syncs_at_once(&self) -> usize {
        SYNCS_AT_ONCE
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[cfg(unix)]
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = StdLock(file);
                lock.0.set_len(0)?;
                lock.0.rewind()?;
                lock.0.write_all(words)?;
                Ok(LockAttempt::Taken(Box::new(lock)))
            }
            Err(TryLockError::WouldBlock) => {
                let mut words = Vec::new();
                if file.read_to_end(&mut words).is_err() {
                    // Where locks also keep readers off, the words are the holder's alone.
                    words.clear();
                }
                Ok(LockAttempt::Held(words))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock_words(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut words = Vec::new();
        file.read_to_end(&mut words)?;
        if words.is_empty() {
            return Ok(None);
        }
        // A holder that was killed leaves its words, and a lock that is free: to be seen by taking a share of it for a moment.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Ok(Some(words)),
            Ok(()) => file.unlock().map(|()| None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The file stays when the lock goes: removing it would let two others lock two files of one name.
#[derive(Debug)]
struct StdLock(File);

impl FileLock for StdLock {}

impl Drop for StdLock {
    fn drop(&mut self) {
        // Nothing rests on either: words without a lock are not read, and closing the file frees the lock as well.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}
