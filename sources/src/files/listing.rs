//! Which files there are.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use watershed_core::error::{Error, Result};
use watershed_core::time::Timestamp;

/// A file as it was when it was listed. Its order is that in which files are taken: oldest first, ties by path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// When it was last written to.
    pub(super) modified: Timestamp,
    /// Its path, as the source's own leads to it.
    pub(super) path: String,
    /// How many bytes it had: so many are read.
    pub(super) size: u64,
}

impl FileEntry {
    fn new(path: &Path, metadata: &Metadata) -> Result<Self> {
        let Some(text) = path.to_str() else {
            return Err(Error::BadInput(format!("file `{}` has a name that is not UTF-8; rename it", path.display())));
        };
        let modified = metadata.modified().map_err(|error| Error::io("tell the modification time of", path, error))?;
        let micros = match modified.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        // The years 0 to 9999, beyond which an instant cannot be written to the intent.
        let modified = Timestamp::from_micros(micros.clamp(-62_167_219_200_000_000, 253_402_207_200_000_000));
        Ok(Self { modified, path: text.to_owned(), size: metadata.len() })
    }

    /// The file as it is now; `None` when it is gone.
    pub(super) fn again(&self) -> Result<Option<Self>> {
        let path = Path::new(&self.path);
        match regular_file(path)? {
            Some(metadata) => Self::new(path, &metadata).map(Some),
            None => Ok(None),
        }
    }
}

/// Where files are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One file.
    File(PathBuf),
    /// The files of a directory.
    Directory(PathBuf),
    /// The files that a pattern matches.
    Glob(String),
}

impl Place {
    /// What `path` means. A path that exists is meant as it stands, also with glob characters in it. One that leads nowhere
    /// is an error, and so is a pattern that begins with a directory that does not exist: a source that waits for files in the
    /// wrong place would wait for ever.
    pub(super) fn of(path: &str) -> Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Ok(Self::Directory(path.into())),
            Ok(_) => return Ok(Self::File(path.into())),
            Err(error) if error.kind() == ErrorKind::NotFound && is_pattern(path) => {}
            Err(error) => return Err(Error::io("read", path, error)),
        }
        let start = pattern_start(path);
        match fs::metadata(&start) {
            Ok(_) => Ok(Self::Glob(path.to_owned())),
            Err(error) => Err(Error::io("look for files in", start, error)),
        }
    }

    /// The files there are now, in the order in which they are to be taken. Names that begin with `.` or `_` are skipped,
    /// unless the path itself spells them out.
    pub(super) fn list(&self, recursive: bool) -> Result<Vec<FileEntry>> {
        let mut files = Vec::new();
        match self {
            Self::File(path) => {
                if let Some(metadata) = regular_file(path)? {
                    files.push(FileEntry::new(path, &metadata)?);
                }
            }
            Self::Directory(path) => walk(path, recursive, &mut files)?,
            Self::Glob(pattern) => list_pattern(pattern, recursive, &mut files)?,
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// Whether a path is a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The directory in which a pattern begins to be one.
fn pattern_start(pattern: &str) -> PathBuf {
    let plain = |component: &Component<'_>| !is_pattern(&component.as_os_str().to_string_lossy());
    let start: PathBuf = Path::new(pattern).components().take_while(plain).collect();
    if start.as_os_str().is_empty() { PathBuf::from(".") } else { start }
}

fn list_pattern(pattern: &str, recursive: bool, files: &mut Vec<FileEntry>) -> Result<()> {
    let start = pattern_start(pattern).components().filter(|component| *component != Component::CurDir).count();
    let paths =
        glob::glob(pattern).map_err(|error| Error::BadInput(format!("bad pattern `{pattern}`: {}", error.msg)))?;
    for path in paths {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            Error::io("list", path, error.into())
        })?;
        let matched = path.components().filter(|component| *component != Component::CurDir).skip(start);
        if matched.into_iter().any(|component| is_hidden(&component.as_os_str().to_string_lossy())) {
            continue;
        }
        match regular_file(&path)? {
            Some(metadata) => files.push(FileEntry::new(&path, &metadata)?),
            None if recursive && path.is_dir() => walk(&path, true, files)?,
            None => {}
        }
    }
    // With `**` and `recursive` a file may be found twice.
    files.sort_unstable();
    files.dedup_by(|one, other| one.path == other.path);
    Ok(())
}

fn walk(directory: &Path, recursive: bool, files: &mut Vec<FileEntry>) -> Result<()> {
    let listing = fs::read_dir(directory).map_err(|error| Error::io("list", directory, error))?;
    for entry in listing {
        let entry = entry.map_err(|error| Error::io("list", directory, error))?;
        if is_hidden(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        // A linked directory is not followed: it might lead back here.
        if entry.file_type().map_err(|error| Error::io("list", &path, error))?.is_dir() {
            if recursive {
                walk(&path, true, files)?;
            }
        } else if let Some(metadata) = regular_file(&path)? {
            files.push(FileEntry::new(&path, &metadata)?);
        }
    }
    Ok(())
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// What the system says of a file; `None` when it is gone by now, or is no regular file.
fn regular_file(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}
