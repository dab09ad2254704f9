//! What a directory checkpoint needs of a file system, in operations small enough to be stopped between any two.
//!
//! The promises are those that POSIX gives and no more: content is durable when its file was synced, a name when its
//! directory was, and a rename puts one whole file in place of another.

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// The operations on files and directories. Methods may be called from several threads.
pub trait FileSystem: Debug + Send + Sync {
    /// Whether there is a directory at `path`: `false` when nothing is there, [`io::ErrorKind::NotADirectory`] when something
    /// else is.
    fn is_directory(&self, path: &Path) -> io::Result<bool>;

    /// Makes a directory in one that is there; [`io::ErrorKind::AlreadyExists`] when the name is taken.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// What a directory holds, in no order; what is neither file nor directory is left out.
    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>>;

    /// A file's content.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// Writes a file, the pieces one after another, in place of what it held. Nothing of it is durable yet.
    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()>;

    /// Makes a file's content durable; not its name.
    fn sync_file(&self, file: &Path) -> io::Result<()>;

    /// How many files or directories may be synced at once with a gain. `1` keeps their order.
    fn syncs_at_once(&self) -> usize {
        1
    }

    /// Gives a file another name, in place of a file that has it. At any time either of the two has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes durable which names a directory holds.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Removes a file. A crash may bring it back until its directory is synced.
    fn remove_file(&self, file: &Path) -> io::Result<()>;

    /// Takes the lock that is the file at `path`, which is made when it is not there, and writes `words` into it, for others to
    /// read. Whoever holds a lock already, be it this process, keeps it. The lock of a process that has died is free.
    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt>;

    /// The words that the holder of the lock at `path` has left; `None` when nobody holds it, or when that cannot be told.
    /// Makes nothing.
    fn lock_words(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let _ = path;
        Ok(None)
    }
}

/// What came of an attempt to take a lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// It is taken, until this is dropped.
    Taken(Box<dyn FileLock>),
    /// Somebody holds it: the words that they have left, as far as those can be read.
    Held(Vec<u8>),
}

/// A lock in hand; dropping it frees it, and empties its file.
pub trait FileLock: Debug + Send {}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryEntry {
    /// The name, without the directory's.
    pub name: String,
    /// What has this name.
    pub kind: EntryKind,
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Its size.
        bytes: u64,
    },
}
