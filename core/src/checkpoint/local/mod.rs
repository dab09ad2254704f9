//! A checkpoint in a directory: the protocol that makes its files whole and durable, over a handful of operations that a
//! file system offers.

mod directory;
mod file_system;
mod standard;

pub use directory::LocalDirectory;
pub use file_system::{DirectoryEntry, EntryKind, FileLock, FileSystem, LockAttempt};
pub use standard::StdFileSystem;
