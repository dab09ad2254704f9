//! Where in a store a checkpoint lies: the names of its files as names of objects.

use std::io;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use watershed_core::checkpoint::{CheckpointError, check_file_name};

use super::words::to_io;

/// The objects under one prefix of a store.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Above all files; empty for the whole store.
    pub(super) prefix: Path,
    /// The place in words.
    pub(super) location: String,
}

/// What went wrong with which file.
#[derive(Debug)]
pub(super) struct Fault {
    file: String,
    source: io::Error,
}

impl Fault {
    pub(super) fn new(file: &str, error: &object_store::Error) -> Self {
        Self { file: file.to_owned(), source: to_io(error) }
    }
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        Self { file: String::new(), source }
    }
}

impl Place {
    /// The object of a file of the checkpoint.
    pub(super) fn file(&self, action: &'static str, name: &str) -> Result<Path, CheckpointError> {
        check_file_name(name).map_err(|error| self.io(action, name, error))?;
        Ok(self.object(name))
    }

    /// The object of a file, or of one of our own that are no files of the checkpoint.
    pub(super) fn object(&self, name: &str) -> Path {
        // Not joined part by part: that would write a `%` as `%25`.
        Path::parse(format!("{}/{name}", self.prefix))
            .expect("the names of our objects have no part that a path cannot")
    }

    /// The file of an object; `None` where it is none of the checkpoint's.
    pub(super) fn name<'a>(&self, object: &'a Path) -> Option<&'a str> {
        let object = object.as_ref();
        let name = match self.prefix.as_ref() {
            "" => object,
            prefix => object.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        check_file_name(name).is_ok().then_some(name)
    }

    pub(super) fn fault(&self, action: &'static str, fault: Fault) -> CheckpointError {
        self.io(action, &fault.file, fault.source)
    }

    pub(super) fn store(&self, action: &'static str, file: &str, error: &object_store::Error) -> CheckpointError {
        self.io(action, file, to_io(error))
    }

    pub(super) fn io(&self, action: &'static str, file: &str, source: io::Error) -> CheckpointError {
        let file = if file.is_empty() { &self.location } else { file };
        CheckpointError::Storage { location: self.location.clone(), action, file: file.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn place(prefix: &str) -> Place {
        Place {
            store: Arc::new(InMemory::new()),
            prefix: Path::parse(prefix).expect("a path"),
            location: "here".to_owned(),
        }
    }

    #[test]
    fn names_lie_under_the_prefix_as_they_are() {
        for (prefix, name, object) in [
            ("", "metadata.json", "metadata.json"),
            ("a", "metadata.json", "a/metadata.json"),
            ("a/b c/", "state/%2e%2e/0/é.delta", "a/b c/state/%2e%2e/0/é.delta"),
        ] {
            let place = place(prefix);
            let path = place.file("read", name).expect("a name");
            assert_eq!(path.as_ref(), object);
            assert_eq!(place.name(&path), Some(name));
        }
    }

    #[test]
    fn what_lies_beside_is_not_the_checkpoints() {
        for (prefix, object) in
            [("a", "ab/c"), ("a", "b"), ("a", "a"), ("a", "a/lock"), ("", "lock"), ("a", "a/.clock.1")]
        {
            assert_eq!(place(prefix).name(&Path::parse(object).expect("a path")), None, "{object}");
        }
    }
}
