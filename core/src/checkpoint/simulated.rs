//! A disk in memory that can lose its power between any two operations: for tests of what must survive a crash.
//!
//! It keeps what was written apart from what is durable. [`SimulatedDisk::stop_at`] cuts the power at the *k*-th operation;
//! [`SimulatedDisk::crash`] gives the disk as it may be found afterwards. Trying every *k*, with each way of crashing, tries
//! every crash that the file system's promises allow.
//!
//! ```
//! use std::path::Path;
//! use watershed_core::checkpoint::{Crash, FileSystem, SimulatedDisk};
//!
//! let (disk, file) = (SimulatedDisk::new(), Path::new("note"));
//! disk.create_file(file, &[b"text".to_vec()])?;
//! disk.sync_directory(Path::new("."))?; // its name is durable, its content is not
//! assert_eq!(disk.crash(Crash::KeepsSynced).read(file)?, b"");
//! assert_eq!(disk.crash(Crash::KeepsAll).read(file)?, b"text");
//! # Ok::<(), std::io::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::local::{DirectoryEntry, EntryKind, FileLock, FileSystem, LockAttempt};
use crate::dice::Dice;

/// A file system in memory that can be stopped, crashed and damaged. Clones are the same disk.
///
/// Operations that change something are counted, and done one at a time; reading is neither counted nor, before the power
/// is cut, refused.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<Disk>>);

/// What of the things that nobody has synced is found after a crash. What was synced always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing of them: files have the content, directories the names, that they had when last synced.
    KeepsSynced,
    /// All of them.
    KeepsAll,
    /// Some of them: files are whole, old, cut off, or go on with zeros or garbage, and changes of names are there or not.
    /// The number says which; the same number says the same.
    Torn(u64),
}

/// A number that says which file it is, whatever its name.
type FileNumber = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File(FileNumber),
}

#[derive(Clone, Debug)]
struct File {
    written: Arc<[u8]>,
    /// The content when it was last synced; `None` before.
    synced: Option<Arc<[u8]>>,
}

/// A change of names in one directory, of which a crash leaves all or nothing.
#[derive(Clone, Debug)]
struct NameChange {
    directory: PathBuf,
    names: Vec<(PathBuf, Option<Node>)>,
}

#[derive(Debug, Default)]
struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Node>,
    synced_names: BTreeMap<PathBuf, Node>,
    /// In the order in which they were made: what `names` has over `synced_names`.
    name_changes: Vec<NameChange>,
    /// Locks that are held, with their words.
    locks: BTreeMap<PathBuf, Vec<u8>>,
    operations: u64,
    stop_at: Option<u64>,
    stopped: bool,
    fail: Option<(u64, ErrorKind)>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations were begun since the disk is there.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Cuts the power at the operation with this number, the first being 1: it is not done, or by half if it writes a file,
    /// and all that come after it fail.
    pub fn stop_at(&self, operation: u64) {
        self.disk().stop_at = Some(operation);
    }

    /// Whether the power was cut.
    pub fn is_stopped(&self) -> bool {
        self.disk().stopped
    }

    /// Makes operations fail with `kind`, from the one with this number on until [`heal`](Self::heal). A disk that is full
    /// ([`ErrorKind::StorageFull`]) takes half of a file, and still removes.
    pub fn fail_from(&self, operation: u64, kind: ErrorKind) {
        self.disk().fail = Some((operation, kind));
    }

    /// Ends what [`fail_from`](Self::fail_from) began.
    pub fn heal(&self) {
        self.disk().fail = None;
    }

    /// The disk as it may be found when the power is lost now, or was cut before. It is another disk: this one stays as it is,
    /// so that several crashes can be tried from one point. Nobody holds a lock there.
    #[must_use]
    pub fn crash(&self, crash: Crash) -> Self {
        let disk = self.disk();
        let mut dice = Dice::new(match crash {
            Crash::Torn(seed) => seed,
            Crash::KeepsSynced | Crash::KeepsAll => 0,
        });
        let mut names = disk.synced_names.clone();
        for change in &disk.name_changes {
            let kept = match crash {
                Crash::KeepsSynced => false,
                Crash::KeepsAll => true,
                Crash::Torn(_) => dice.throw(2) == 0,
            };
            if kept {
                change.apply(&mut names);
            }
        }
        // What lies in a directory that is lost is lost.
        let found: BTreeSet<PathBuf> = names.keys().cloned().collect();
        names.retain(|path, _| path.ancestors().skip(1).all(|above| is_top(above) || found.contains(above)));
        let files = disk.files.iter().map(|file| File::durable(file.found_after(crash, &mut dice))).collect();
        let synced_names = names.clone();
        Self(Arc::new(Mutex::new(Disk { files, names, synced_names, ..Disk::default() })))
    }

    /// All files that are there now, durable or not, by path.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let disk = self.disk();
        let content = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(number) => Some((path.clone(), disk.files[*number].written.to_vec())),
            Node::Directory => None,
        };
        disk.names.iter().filter_map(content).collect()
    }

    /// Puts a file with this content there, durably, with the directories above it: for tests of damage. No operation is
    /// counted.
    pub fn replace(&self, file: &Path, content: impl Into<Vec<u8>>) {
        let (mut disk, file) = (self.disk(), plain(file));
        for above in file.ancestors().skip(1).filter(|above| !is_top(above)) {
            disk.set_durably(above, Some(Node::Directory));
        }
        let number = disk.files.len();
        disk.files.push(File::durable(content.into().into()));
        disk.set_durably(&file, Some(Node::File(number)));
    }

    /// Takes a file away, durably: for tests of damage. No operation is counted.
    pub fn lose(&self, file: &Path) {
        self.disk().set_durably(&plain(file), None);
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        for (path, node) in &self.names {
            match node {
                Some(node) => names.insert(path.clone(), *node),
                None => names.remove(path),
            };
        }
    }
}

impl File {
    fn durable(content: Arc<[u8]>) -> Self {
        Self { synced: Some(Arc::clone(&content)), written: content }
    }

    fn found_after(&self, crash: Crash, dice: &mut Dice) -> Arc<[u8]> {
        let synced = || self.synced.clone().unwrap_or_else(|| Arc::from([]));
        if self.synced.as_ref() == Some(&self.written) {
            return synced();
        }
        match crash {
            Crash::KeepsSynced => synced(),
            Crash::KeepsAll => Arc::clone(&self.written),
            Crash::Torn(_) => {
                let kept = dice.throw(self.written.len() as u64 + 1) as usize;
                let mut torn = self.written[..kept].to_vec();
                match dice.throw(5) {
                    0 => return synced(),
                    1 => return Arc::clone(&self.written),
                    2 => torn.resize(self.written.len(), 0),
                    3 => torn.extend(self.written[kept..].iter().map(|byte| byte ^ 0b0101_1010)),
                    _ => {}
                }
                torn.into()
            }
        }
    }
}

impl Disk {
    fn check_power(&self) -> io::Result<()> {
        if self.stopped { Err(power_lost()) } else { Ok(()) }
    }

    /// Counts an operation. `Err` when it is not to be done.
    fn begin(&mut self) -> io::Result<()> {
        self.check_power()?;
        self.operations += 1;
        if self.stop_at.is_some_and(|stop_at| self.operations >= stop_at) {
            self.stopped = true;
            return Err(power_lost());
        }
        match self.fail {
            Some((from, kind)) if self.operations >= from => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        if is_top(path) {
            return Ok(Node::Directory);
        }
        if let Some(node) = self.names.get(path) {
            return Ok(*node);
        }
        // What is missing below a file is another fault than what is missing.
        let file_above = path.ancestors().skip(1).any(|above| matches!(self.names.get(above), Some(Node::File(_))));
        Err(if file_above { ErrorKind::NotADirectory } else { ErrorKind::NotFound }.into())
    }

    fn file(&self, path: &Path) -> io::Result<FileNumber> {
        match self.node(path)? {
            Node::File(number) => Ok(number),
            Node::Directory => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn directory(&self, path: &Path) -> io::Result<()> {
        match self.node(path)? {
            Node::Directory => Ok(()),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn change(&mut self, directory: &Path, names: Vec<(PathBuf, Option<Node>)>) {
        let change = NameChange { directory: directory.to_owned(), names };
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn set_durably(&mut self, path: &Path, node: Option<Node>) {
        let change = NameChange { directory: directory_of(path), names: vec![(path.to_owned(), node)] };
        for earlier in &mut self.name_changes {
            earlier.names.retain(|(name, _)| name != path);
        }
        change.apply(&mut self.names);
        change.apply(&mut self.synced_names);
    }

    fn write(&mut self, path: &Path, content: Vec<u8>) -> io::Result<()> {
        let directory = directory_of(path);
        self.directory(&directory)?;
        match self.file(path) {
            Ok(number) => self.files[number].written = content.into(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let number = self.files.len();
                self.files.push(File { written: content.into(), synced: None });
                self.change(&directory, vec![(path.to_owned(), Some(Node::File(number)))]);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl FileSystem for SimulatedDisk {
    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        let disk = self.disk();
        disk.check_power()?;
        match disk.directory(&plain(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            found => found.map(|()| true),
        }
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let (mut disk, path) = (self.disk(), plain(path));
        disk.begin()?;
        if disk.node(&path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let directory = directory_of(&path);
        disk.directory(&directory)?;
        disk.change(&directory, vec![(path, Some(Node::Directory))]);
        Ok(())
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let (disk, directory) = (self.disk(), plain(directory));
        disk.check_power()?;
        disk.directory(&directory)?;
        let mut entries = Vec::new();
        for (path, node) in disk.names.iter().filter(|(path, _)| directory_of(path) == directory) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let kind = match node {
                Node::Directory => EntryKind::Directory,
                Node::File(number) => EntryKind::File { bytes: disk.files[*number].written.len() as u64 },
            };
            entries.push(DirectoryEntry { name: name.to_owned(), kind });
        }
        Ok(entries)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        disk.check_power()?;
        let number = disk.file(&plain(file))?;
        Ok(disk.files[number].written.to_vec())
    }

    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()> {
        let (mut disk, file) = (self.disk(), plain(file));
        let mut content = content.concat();
        let was_stopped = disk.stopped;
        match disk.begin() {
            Ok(()) => disk.write(&file, content),
            Err(error) => {
                let cut_now = disk.stopped && !was_stopped;
                if cut_now || error.kind() == ErrorKind::StorageFull {
                    content.truncate(content.len() / 2);
                    disk.write(&file, content)?;
                }
                Err(error)
            }
        }
    }

    fn sync_file(&self, file: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        let number = disk.file(&plain(file))?;
        let file = &mut disk.files[number];
        file.synced = Some(Arc::clone(&file.written));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut disk, from, to) = (self.disk(), plain(from), plain(to));
        disk.begin()?;
        let node = Node::File(disk.file(&from)?);
        let (old, new) = (directory_of(&from), directory_of(&to));
        disk.directory(&new)?;
        if disk.node(&to).is_ok_and(|node| node == Node::Directory) {
            return Err(ErrorKind::IsADirectory.into());
        }
        if old == new {
            disk.change(&old, vec![(from, None), (to, Some(node))]);
        } else {
            disk.change(&new, vec![(to, Some(node))]);
            disk.change(&old, vec![(from, None)]);
        }
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let (mut disk, directory) = (self.disk(), plain(directory));
        disk.begin()?;
        disk.directory(&directory)?;
        let changes = std::mem::take(&mut disk.name_changes);
        let (here, elsewhere): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.directory == directory);
        disk.name_changes = elsewhere;
        for change in here {
            change.apply(&mut disk.synced_names);
        }
        Ok(())
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        let (mut disk, file) = (self.disk(), plain(file));
        match disk.begin() {
            Err(error) if error.kind() != ErrorKind::StorageFull => return Err(error),
            _ => {}
        }
        disk.file(&file)?;
        disk.change(&directory_of(&file), vec![(file, None)]);
        Ok(())
    }

    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt> {
        let (mut disk, path) = (self.disk(), plain(path));
        disk.begin()?;
        if let Some(words) = disk.locks.get(&path) {
            return Ok(LockAttempt::Held(words.clone()));
        }
        disk.write(&path, words.to_vec())?;
        disk.locks.insert(path.clone(), words.to_vec());
        Ok(LockAttempt::Taken(Box::new(SimulatedLock { disk: self.clone(), path })))
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl FileLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut disk = self.disk.disk();
        disk.locks.remove(&self.path);
        if let Ok(number) = disk.file(&self.path) {
            disk.files[number].written = Arc::from([]);
        }
    }
}

fn power_lost() -> io::Error {
    io::Error::other("the simulated disk has lost its power")
}

/// The path without `.`, which is how all paths are kept.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// Whether this is where relative or absolute paths start, which is always there.
fn is_top(path: &Path) -> bool {
    path.parent().is_none()
}
