//! What a checkpoint holds: every small file read, every file of state listed.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::error::{CheckpointError, DamageCause};
use super::record::{self, Chain, Commit, FileName, GraphRecord, Intent, Metadata, StateContent, StateFile};
use super::storage::CheckpointStorage;
use crate::epoch::Epoch;

/// All that lies in a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holdings {
    /// What it is.
    pub metadata: Option<Result<Metadata, DamageCause>>,
    /// The graphs that were run.
    pub graphs: BTreeMap<Epoch, Result<GraphRecord, DamageCause>>,
    /// What epochs were to do.
    pub intents: BTreeMap<Epoch, Result<Intent, DamageCause>>,
    /// The epochs that are done.
    pub commits: BTreeMap<Epoch, Result<Commit, DamageCause>>,
    /// The files of state, with their sizes in bytes.
    pub state: BTreeMap<StateFile, u64>,
    /// The bytes of all small files.
    pub record_bytes: u64,
}

impl Holdings {
    /// Reads what `storage` holds, but for the content of files of state. Files that are none of a checkpoint's are left alone.
    pub fn read(storage: &dyn CheckpointStorage) -> Result<Self, CheckpointError> {
        let mut holdings = Self::default();
        for file in storage.list()? {
            let Some(name) = FileName::parse(&file.name) else { continue };
            if let FileName::State(state) = name {
                holdings.state.insert(state, file.bytes);
                continue;
            }
            // A file that vanishes between listing and reading was pruned by a run that goes on.
            let Some(content) = storage.read(&file.name)? else { continue };
            holdings.record_bytes += file.bytes;
            match name {
                FileName::Metadata => holdings.metadata = Some(record::read(&content)),
                FileName::Graph(epoch) => {
                    holdings.graphs.insert(epoch, record::read(&content));
                }
                FileName::Intent(epoch) => {
                    holdings.intents.insert(epoch, numbered(&content, epoch, |intent: &Intent| intent.epoch));
                }
                FileName::Commit(epoch) => {
                    holdings.commits.insert(epoch, numbered(&content, epoch, |commit: &Commit| commit.epoch));
                }
                FileName::State(_) => {}
            }
        }
        Ok(holdings)
    }
}

/// Reads a record that must be of the epoch that its file is named after.
fn numbered<T: DeserializeOwned>(content: &[u8], epoch: Epoch, of: impl Fn(&T) -> Epoch) -> Result<T, DamageCause> {
    let record = record::read(content)?;
    if of(&record) == epoch {
        Ok(record)
    } else {
        Err(DamageCause::Malformed(format!("it is of epoch {}", of(&record))))
    }
}

impl Chain {
    /// The files of this chain, in the order in which they are read.
    pub fn files(&self, node: &str, table: &str, partition: usize) -> impl Iterator<Item = StateFile> {
        let snapshot = self.snapshot.iter().map(|epoch| (*epoch, StateContent::Snapshot));
        let deltas = self.deltas.iter().map(|epoch| (*epoch, StateContent::Delta));
        snapshot.chain(deltas).map(move |(epoch, content)| StateFile {
            node: node.to_owned(),
            partition,
            table: table.to_owned(),
            epoch,
            content,
        })
    }
}

impl Commit {
    /// All files that hold the state after this epoch.
    pub fn state_files(&self) -> impl Iterator<Item = StateFile> {
        self.state.iter().flat_map(|(node, tables)| {
            tables.iter().flat_map(move |(table, partitions)| {
                let files =
                    |(partition, chain): (usize, &Chain)| chain.files(node, table, partition).collect::<Vec<_>>();
                partitions.iter().enumerate().flat_map(files)
            })
        })
    }
}
