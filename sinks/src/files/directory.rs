//! The directory of part files, and the steps that make an epoch's parts appear in it all at once and once only.
//!
//! A part is written as `.part-00000003-0001.json.staged`, synced, and renamed to `part-00000003-0001.json` when its
//! epoch is committed. After a commit the visible files of that epoch are exactly those of its receipts, whatever an
//! attempt before a crash had left. Leftovers with a hidden name are removed when the directory is opened; nothing else
//! in it is touched. A lock on the directory keeps a second sink or run out.
//!
//! ```text
//! open      sync the directory's own name · remove leftovers
//! stage     write .part-….staged · sync it
//! commit    remove surplus files · rename each staged file · sync the directory · remove unused staged files
//! ```
//!
//! A crash may leave any of these steps done or not done, in any order where no sync lies between. The epoch is then run
//! again, and whatever is there of it, its second commit ends in the same listing: the tests try every such state.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use watershed_core::epoch::Epoch;
use watershed_core::error::{Error, Result};
use watershed_core::node::Part;

use super::spec::Existing;

const HIDDEN: &str = ".";
const STAGED: &str = ".staged";

/// The name of a part file. Names sort as parts do, up to a hundred million epochs of ten thousand parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartName {
    part: Part,
    extension: String,
}

impl PartName {
    const EPOCH_DIGITS: usize = 8;
    const INDEX_DIGITS: usize = 4;

    /// The file of `part`.
    pub(crate) fn new(part: Part, extension: &str) -> Self {
        Self { part, extension: extension.to_owned() }
    }

    /// What sorts before every part of `epoch` and after those of earlier ones.
    fn before(epoch: Epoch) -> Self {
        Self::new(Part { epoch, index: 0 }, "")
    }

    /// The epoch it belongs to.
    pub(crate) fn epoch(&self) -> Epoch {
        self.part.epoch
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (epoch, rest) = name.strip_prefix("part-")?.split_once('-')?;
        let (index, extension) = rest.split_once('.')?;
        let part = Part { epoch: Epoch(epoch.parse().ok()?), index: index.parse().ok()? };
        let known = Self::new(part, extension);
        (known.to_string() == name && !extension.contains('/')).then_some(known)
    }

    fn parse_staged(name: &str) -> Option<Self> {
        Self::parse(name.strip_prefix(HIDDEN)?.strip_suffix(STAGED)?)
    }

    fn staged(&self) -> String {
        format!("{HIDDEN}{self}{STAGED}")
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part { epoch: Epoch(epoch), index } = self.part;
        write!(
            f,
            "part-{epoch:0epochs$}-{index:0parts$}.{}",
            self.extension,
            epochs = Self::EPOCH_DIGITS,
            parts = Self::INDEX_DIGITS
        )
    }
}

/// An open directory of part files.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Whether epoch 0 takes the place of all that an earlier run left; also when it is run again after a crash.
    replaces: bool,
    /// Locked and synced through; none where the system cannot open a directory.
    handle: Option<File>,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    visible: BTreeSet<PartName>,
    staged: BTreeSet<PartName>,
}

impl Content {
    /// What is known of the directory, and the hidden leftovers in it.
    fn read(path: &Path) -> io::Result<(Self, Vec<PathBuf>)> {
        let mut content = Self::default();
        let mut leftovers = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if PartName::parse_staged(&name).is_some() {
                leftovers.push(entry.path());
            } else if let Some(name) = PartName::parse(&name) {
                content.visible.insert(name);
            }
        }
        Ok((content, leftovers))
    }
}

impl Directory {
    /// Creates the directory if need be, locks it, clears what an earlier crash left half written and sees that files can be
    /// written. A run that does not go on from an earlier one does with that one's files as `existing` says.
    pub(crate) fn open(path: &Path, existing: Existing, resumes: bool) -> Result<Self> {
        create_durably(path)?;
        let handle = match File::open(path) {
            Ok(handle) => Some(handle),
            Err(_) if cfg!(not(unix)) => None,
            Err(source) => return Err(Error::io("open", path, source)),
        };
        if let Some(handle) = &handle {
            lock(handle, path)?;
        }
        let (content, leftovers) = Content::read(path).map_err(|source| Error::io("list", path, source))?;
        if let Some(last) = content.visible.last().filter(|_| !resumes && existing == Existing::Refuse) {
            let cause = format!(
                "it holds part files of an earlier run, up to epoch {}, and this run starts anew: empty it, choose another \
                 `path`, or say `existing: Replace`",
                last.epoch()
            );
            return Err(Error::io("write into", path, io::Error::new(io::ErrorKind::AlreadyExists, cause)));
        }
        for leftover in leftovers {
            remove(&leftover)?;
        }
        try_to_write(path)?;
        let replaces = existing == Existing::Replace;
        Ok(Self { path: path.to_owned(), replaces, handle, content: Mutex::new(content) })
    }

    /// Writes a part under its hidden name with `write` and makes it durable there.
    pub(crate) fn stage(&self, name: PartName, write: impl FnOnce(File, &Path) -> Result<File>) -> Result<()> {
        let path = self.path.join(name.staged());
        let file = File::create(&path).map_err(|source| Error::io("create", &path, source))?;
        let synced = |file: File| file.sync_all().map_err(|source| Error::io("sync", &path, source));
        if let Err(error) = write(file, &path).and_then(synced) {
            // A full disk is none the better for half a file.
            fs::remove_file(&path).ok();
            return Err(error);
        }
        self.content(|content| content.staged.insert(name));
        Ok(())
    }

    /// Forgets a part staged before, if there is one.
    pub(crate) fn unstage(&self, name: &PartName) -> Result<()> {
        if self.content(|content| content.staged.remove(name)) {
            remove(&self.path.join(name.staged()))?;
        }
        Ok(())
    }

    /// Makes the visible files of `epoch` exactly `names`. Doing it again changes nothing.
    pub(crate) fn commit(&self, epoch: Epoch, names: &BTreeSet<PartName>) -> Result<()> {
        self.content(|content| {
            let all = self.replaces && epoch == Epoch::default();
            let concerned = |name: &&PartName| all || name.epoch() == epoch;
            let visible = content.visible.range(PartName::before(epoch)..).take_while(concerned);
            let surplus: Vec<PartName> = visible.filter(|name| !names.contains(name)).cloned().collect();
            // ORDER: surplus files go first, so that no listing shows a row both in an old and in a new file.
            for name in &surplus {
                remove(&self.path.join(name.to_string()))?;
                content.visible.remove(name);
            }
            for name in names {
                self.show(name)?;
                content.staged.remove(name);
                content.visible.insert(name.clone());
            }
            // Also when nothing was renamed: the commit that did may have been cut off just before this line.
            if !names.is_empty() || !surplus.is_empty() {
                self.sync()?;
            }
            let later = content.staged.split_off(&PartName::before(epoch.next()));
            for unused in std::mem::replace(&mut content.staged, later) {
                remove(&self.path.join(unused.staged()))?;
            }
            Ok(())
        })
    }

    fn show(&self, name: &PartName) -> Result<()> {
        let (staged, visible) = (self.path.join(name.staged()), self.path.join(name.to_string()));
        match fs::rename(&staged, &visible) {
            Ok(()) => Ok(()),
            Err(source) if source.kind() == io::ErrorKind::NotFound && visible.exists() => Ok(()),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                let cause =
                    format!("the part of epoch {} is neither staged nor there; was it removed by hand?", name.epoch());
                Err(Error::io("commit", &visible, io::Error::new(io::ErrorKind::NotFound, cause)))
            }
            Err(source) => Err(Error::io("rename", &staged, source)),
        }
    }

    fn content<T>(&self, work: impl FnOnce(&mut Content) -> T) -> T {
        work(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sync(&self) -> Result<()> {
        let Some(handle) = &self.handle else { return Ok(()) };
        handle.sync_all().map_err(|source| Error::io("sync", &self.path, source))
    }
}

/// Creates a directory and those above it, and makes their names durable.
fn create_durably(path: &Path) -> Result<()> {
    let ancestors = || path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty());
    let missing: Vec<&Path> = ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    // ORDER: each name is durable before the next is made. So only the last one that is there may lack its sync, when a
    // crash came between. That directory may be somebody else's, and above it not readable.
    if let Some(last) = ancestors().nth(missing.len()) {
        sync_parent(last).ok();
    }
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            Err(source) if !directory.is_dir() => return Err(Error::io("create", directory, source)),
            _ => sync_parent(directory).map_err(|source| Error::io("sync", directory, source))?,
        }
    }
    if path.is_dir() {
        return Ok(());
    }
    Err(Error::io("create", path, io::Error::new(io::ErrorKind::AlreadyExists, "it is there and is no directory")))
}

fn sync_parent(directory: &Path) -> io::Result<()> {
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
}

/// Finds out before the first row is read whether parts can be written.
fn try_to_write(directory: &Path) -> Result<()> {
    // A name that is taken for a leftover, should a crash come between.
    let trial = directory.join(PartName::new(Part { epoch: Epoch::default(), index: 0 }, "trial").staged());
    let written = File::create(&trial).and_then(|_| fs::remove_file(&trial));
    written.map_err(|source| Error::io("write into", directory, source))
}

/// Two writers in one directory would remove each other's files. A file system without locks is taken at its word.
fn lock(handle: &File, path: &Path) -> Result<()> {
    match handle.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let cause = "another sink or another run is writing into it: give each its own directory";
            Err(Error::io("lock", path, io::Error::new(io::ErrorKind::ResourceBusy, cause)))
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, source)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_is_written_and_no_other_file_is_taken_for_a_part() {
        let name = PartName::new(Part { epoch: Epoch(3), index: 12 }, "csv.gz");
        assert_eq!(name.to_string(), "part-00000003-0012.csv.gz");
        assert_eq!(PartName::parse("part-00000003-0012.csv.gz"), Some(name.clone()));
        assert_eq!(name.staged(), ".part-00000003-0012.csv.gz.staged");
        assert_eq!(PartName::parse_staged(&name.staged()), Some(name));
        let long = PartName::new(Part { epoch: Epoch(123_456_789_012), index: 12_345 }, "json");
        assert_eq!(PartName::parse(&long.to_string()), Some(long));
        for other in [
            "part-3-12.csv",
            "part-00000003-0012",
            "part-00000-8f3a-c000.snappy.parquet",
            "part-+0000003-0012.csv",
            "part-000000003-0012.csv",
            "notes.txt",
            ".part-00000003-0012.csv.staged",
            "part-00000003-0012.csv/../x",
        ] {
            assert_eq!(PartName::parse(other), None, "{other}");
        }
    }
}
