//! What a run can go on from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Result;
use super::feeder::Feeder;
use super::state::Touch;
use crate::checkpoint::{CheckpointStorage, MemoryStorage, NewFile};
use crate::epoch::Epoch;
use crate::time::Timestamp;

/// What a run can go on from: its checkpoint, file by file, with the clock.
#[derive(Clone, Debug)]
pub struct Snapshot {
    files: BTreeMap<String, Vec<u8>>,
    pub(super) next: Epoch,
    pub(super) feeder: Feeder,
    pub(super) touches: BTreeMap<Epoch, Vec<Touch>>,
    pub(super) clock: Timestamp,
}

impl Snapshot {
    pub(super) fn take(
        storage: &dyn CheckpointStorage,
        next: Epoch,
        feeder: &Feeder,
        touches: &BTreeMap<Epoch, Vec<Touch>>,
        clock: Timestamp,
    ) -> Result<Self> {
        let mut files = BTreeMap::new();
        for file in storage.list()? {
            if let Some(content) = storage.read(&file.name)? {
                files.insert(file.name, content);
            }
        }
        Ok(Self { files, next, feeder: feeder.copy(), touches: touches.clone(), clock })
    }

    /// The files of the checkpoint, as a run would find them.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    pub(super) fn storage(&self) -> Result<Arc<dyn CheckpointStorage>> {
        let storage = MemoryStorage::new();
        let file =
            |(name, content): (&String, &Vec<u8>)| NewFile { name: name.clone(), content: vec![content.clone()] };
        storage.write(&self.files.iter().map(file).collect::<Vec<_>>())?;
        Ok(Arc::new(storage))
    }
}
