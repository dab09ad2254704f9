//! A checkpoint in memory, which lives as long as the process: for tests, and for programs that embed a run which nobody
//! is to recover later.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::CheckpointError;
use super::name::check_file_name;
use super::storage::{CheckpointLock, CheckpointStorage, Holder, NewFile, StoredFile};

/// A checkpoint in memory. Clones are the same checkpoint.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, Vec<u8>>,
    holder: Option<Holder>,
}

impl MemoryStorage {
    /// An empty checkpoint.
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, action: &'static str, file: &str, source: io::Error) -> CheckpointError {
        CheckpointError::Storage { location: self.location(), action, file: file.to_owned(), source }
    }
}

impl CheckpointStorage for MemoryStorage {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self) -> Result<Vec<StoredFile>, CheckpointError> {
        let content = self.content();
        let stored = |(name, bytes): (&String, &Vec<u8>)| StoredFile { name: name.clone(), bytes: bytes.len() as u64 };
        Ok(content.files.iter().map(stored).collect())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        check_file_name(name).map_err(|error| self.fault("read", name, error))?;
        Ok(self.content().files.get(name).cloned())
    }

    fn write(&self, files: &[NewFile]) -> Result<(), CheckpointError> {
        for file in files {
            check_file_name(&file.name).map_err(|error| self.fault("write", &file.name, error))?;
        }
        let written: Vec<(String, Vec<u8>)> =
            files.iter().map(|file| (file.name.clone(), file.content.concat())).collect();
        self.content().files.extend(written);
        Ok(())
    }

    fn remove(&self, names: &[String]) -> Result<(), CheckpointError> {
        for name in names {
            check_file_name(name).map_err(|error| self.fault("remove", name, error))?;
            self.content().files.remove(name);
        }
        Ok(())
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn CheckpointLock>, CheckpointError> {
        let mut content = self.content();
        if let Some(holder) = &content.holder {
            return Err(CheckpointError::Held { location: self.location(), holder: holder.to_string() });
        }
        content.holder = Some(holder.clone());
        Ok(Box::new(MemoryLock(self.clone())))
    }

    fn holder(&self) -> Result<Option<String>, CheckpointError> {
        Ok(self.content().holder.as_ref().map(Holder::to_string))
    }
}

#[derive(Debug)]
struct MemoryLock(MemoryStorage);

impl CheckpointLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.content().holder = None;
    }
}
