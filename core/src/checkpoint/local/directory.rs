//! A checkpoint in a directory.
//!
//! ```text
//! 1. each content to  .<name>.<n>.tmp  beside its place        nothing is visible
//! 2. sync each of them                                         contents are durable
//! 3. rename each to its name                                   visible, as a whole; a crash may still undo it
//! 4. sync each folder                                          names are durable: `write` returns
//! ```
//!
//! A crash before 3 leaves temporary files, which nobody lists and the next lock removes.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::file_system::{EntryKind, FileLock, FileSystem, LockAttempt};
use super::standard::StdFileSystem;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::name::{LOCK, check_file_name};
use crate::checkpoint::storage::{CheckpointLock, CheckpointStorage, Holder, NewFile, StoredFile};

/// A checkpoint in a directory, which is made with the folders above it by the first lock or write and by no reading.
#[derive(Debug)]
pub struct LocalDirectory {
    root: PathBuf,
    file_system: Arc<dyn FileSystem>,
    /// Folders that are there and durable, by name; the directory itself is the empty name. What another process may have
    /// made is not believed: it may have died before its sync.
    durable_folders: Mutex<BTreeSet<String>>,
}

/// The folders of a checkpoint.
const FOLDERS: [&str; 3] = ["graphs", "epochs", "state"];

/// Keeps apart what several threads of this process write under one name. Other processes are kept off by the lock.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

impl LocalDirectory {
    /// The checkpoint at `path` on this machine.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::on(Arc::new(StdFileSystem), path)
    }

    /// The checkpoint at `path` of `file_system`.
    pub fn on(file_system: Arc<dyn FileSystem>, path: impl Into<PathBuf>) -> Self {
        // Without a `.` at its end, with which no directory can be made.
        let mut root: PathBuf = path.into().components().collect();
        if root.as_os_str().is_empty() {
            root.push(".");
        }
        Self { root, file_system, durable_folders: Mutex::default() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn fault(&self, action: &'static str, file: &str, source: io::Error) -> CheckpointError {
        let file = if file.is_empty() { self.root.display().to_string() } else { file.to_owned() };
        CheckpointError::Storage { location: self.location(), action, file, source }
    }

    fn check_name(&self, action: &'static str, name: &str) -> Result<(), CheckpointError> {
        check_file_name(name).map_err(|error| self.fault(action, name, error))
    }

    fn place(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    /// Makes all folders above `names`, and the directory itself, durably.
    fn make_folders<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), CheckpointError> {
        let mut unknown: BTreeSet<&str> = BTreeSet::new();
        {
            let durable = self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner);
            for name in names {
                let mut folder = folder_of(name);
                while !durable.contains(folder) && unknown.insert(folder) && !folder.is_empty() {
                    folder = folder_of(folder);
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        // A folder sorts before those in it. Another thread may be at the same: whoever comes second syncs as well.
        for folder in &unknown {
            if folder.is_empty() {
                self.make_directory(&self.root).map_err(|error| self.fault("create folder", folder, error))?;
                continue;
            }
            match self.file_system.create_directory(&self.place(folder)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.fault("create folder", folder, error)),
            }
        }
        self.sync_folders(unknown.iter().filter(|folder| !folder.is_empty()).map(|folder| folder_of(folder)))?;
        let mut durable = self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner);
        durable.extend(unknown.into_iter().map(str::to_owned));
        Ok(())
    }

    /// Makes the directory and all above it. Each is durable before anything is made in it, so one that holds something is
    /// durable, and its parent alone can be in doubt.
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let parent = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Ok(()),
        };
        if path == Path::new(".") {
            return Ok(());
        }
        let existed = self.file_system.is_directory(path)?;
        if !existed {
            self.make_directory(parent)?;
            match self.file_system.create_directory(path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        match self.file_system.sync_directory(parent) {
            // What we may not even read, we have not made.
            Err(error) if existed && error.kind() == ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        }
    }

    fn sync_folders<'a>(&self, folders: impl Iterator<Item = &'a str>) -> Result<(), CheckpointError> {
        let folders: Vec<&str> = folders.collect::<BTreeSet<_>>().into_iter().collect();
        self.all_at_once(&folders, |folder| {
            let synced = self.file_system.sync_directory(&self.place(folder));
            synced.map_err(|error| self.fault("sync folder", folder, error))
        })
    }

    /// Does `sync` for each, in order or on as many threads as the file system has a use for. Gives the first error.
    fn all_at_once<T: Sync>(
        &self,
        of: &[T],
        sync: impl Fn(&T) -> Result<(), CheckpointError> + Sync,
    ) -> Result<(), CheckpointError> {
        let threads = self.file_system.syncs_at_once().clamp(1, of.len().max(1));
        if threads == 1 {
            return of.iter().try_for_each(sync);
        }
        let next = AtomicU64::new(0);
        let work = || {
            while let Some(one) = of.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                sync(one)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let mut workers = Vec::with_capacity(threads);
            for _ in 1..threads {
                // A thread less is slower, no more.
                workers.extend(std::thread::Builder::new().spawn_scoped(scope, work));
            }
            let mut done = work();
            for worker in workers {
                let theirs = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                done = done.and(theirs);
            }
            done
        })
    }

    /// Writes the temporary files and moves them to their places. Where it fails, some temporary files may be left.
    fn stage_and_rename(&self, files: &[NewFile], temporaries: &[PathBuf]) -> Result<(), CheckpointError> {
        for (file, temporary) in files.iter().zip(temporaries) {
            let written = self.file_system.create_file(temporary, &file.content);
            written.map_err(|error| self.fault("write", &file.name, error))?;
        }
        let staged: Vec<(&NewFile, &PathBuf)> = files.iter().zip(temporaries).collect();
        // ORDER: contents before names. A name that outlives its content would be a damaged file.
        self.all_at_once(&staged, |(file, temporary)| {
            self.file_system.sync_file(temporary).map_err(|error| self.fault("sync", &file.name, error))
        })?;
        for (file, temporary) in staged {
            let renamed = self.file_system.rename(temporary, &self.place(&file.name));
            renamed.map_err(|error| self.fault("rename", &file.name, error))?;
        }
        Ok(())
    }

    /// Calls `found` with each file: its name, whether it is a temporary one, its size.
    fn walk(
        &self,
        mut found: impl FnMut(&str, bool, u64) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = match self.file_system.entries(&self.place(&folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(self.fault("list", &folder, error)),
            };
            for entry in entries {
                let name = if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
                match entry.kind {
                    EntryKind::Directory => folders.push(name),
                    EntryKind::File { bytes } => found(&name, is_temporary(&entry.name), bytes)?,
                }
            }
        }
        Ok(())
    }

    fn remove_leftovers(&self) -> Result<(), CheckpointError> {
        // Only where this storage writes: the directory may hold other things of its owner's.
        let ours = |name: &str| !name.contains('/') || FOLDERS.contains(&name.split('/').next().unwrap_or_default());
        self.walk(|name, temporary, _| {
            match (temporary && ours(name)).then(|| self.file_system.remove_file(&self.place(name))) {
                Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(self.fault("remove", name, error)),
                _ => Ok(()),
            }
        })
    }
}

impl CheckpointStorage for LocalDirectory {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self) -> Result<Vec<StoredFile>, CheckpointError> {
        let mut files = Vec::new();
        self.walk(|name, temporary, bytes| {
            if !temporary && check_file_name(name).is_ok() {
                files.push(StoredFile { name: name.to_owned(), bytes });
            }
            Ok(())
        })?;
        files.sort_unstable();
        Ok(files)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.check_name("read", name)?;
        match self.file_system.read(&self.place(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => Ok(None),
            Err(error) => Err(self.fault("read", name, error)),
        }
    }

    fn write(&self, files: &[NewFile]) -> Result<(), CheckpointError> {
        for file in files {
            self.check_name("write", &file.name)?;
        }
        self.make_folders(files.iter().map(|file| file.name.as_str()))?;
        let number = NEXT_TEMPORARY.fetch_add(files.len() as u64, Ordering::Relaxed);
        let temporaries: Vec<PathBuf> =
            files.iter().zip(number..).map(|(file, number)| self.place(&temporary_name(&file.name, number))).collect();
        if let Err(error) = self.stage_and_rename(files, &temporaries) {
            // A full disk gets its room back; the first error is the one to tell.
            for temporary in &temporaries {
                let _ = self.file_system.remove_file(temporary);
            }
            return Err(error);
        }
        self.sync_folders(files.iter().map(|file| folder_of(&file.name)))
    }

    fn remove(&self, names: &[String]) -> Result<(), CheckpointError> {
        for name in names {
            self.check_name("remove", name)?;
            match self.file_system.remove_file(&self.place(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.fault("remove", name, error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn CheckpointLock>, CheckpointError> {
        self.make_folders(std::iter::once(LOCK))?;
        let mut words = serde_json::to_vec(holder).expect("a holder is text and numbers");
        words.push(b'\n');
        match self.file_system.try_lock(&self.place(LOCK), &words) {
            Ok(LockAttempt::Taken(lock)) => {
                // Only now: before, they may be what another process is writing.
                self.remove_leftovers()?;
                Ok(Box::new(DirectoryLock { _lock: lock }))
            }
            Ok(LockAttempt::Held(words)) => {
                Err(CheckpointError::Held { location: self.location(), holder: said(&words) })
            }
            Err(error) => Err(self.fault("lock", LOCK, error)),
        }
    }

    fn holder(&self) -> Result<Option<String>, CheckpointError> {
        let words = self.file_system.lock_words(&self.place(LOCK)).map_err(|error| self.fault("read", LOCK, error))?;
        Ok(words.map(|words| said(&words)))
    }
}

/// Who a lock's words say that its holder is.
fn said(words: &[u8]) -> String {
    match serde_json::from_slice::<Holder>(words) {
        Ok(holder) => holder.to_string(),
        Err(_) => format!("a process that has not said who it is in `{LOCK}`"),
    }
}

#[derive(Debug)]
struct DirectoryLock {
    _lock: Box<dyn FileLock>,
}

impl CheckpointLock for DirectoryLock {}

/// The folder of a file or folder; empty for one at the top.
fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn temporary_name(name: &str, number: u64) -> String {
    match name.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/.{file}.{number}.tmp"),
        None => format!(".{name}.{number}.tmp"),
    }
}

/// Whether [`temporary_name`] may have made this name.
fn is_temporary(file: &str) -> bool {
    let middle = file.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp"));
    middle.and_then(|middle| middle.rsplit_once('.')).is_some_and(|(_, number)| number.parse::<u64>().is_ok())
}
