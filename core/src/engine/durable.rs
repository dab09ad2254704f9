//! The checkpoint of a run: what each epoch adds to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit::{DurableCommit, SnapshotWriter, TableFile};
use super::error::EngineError;
use super::topology::Topology;
use crate::checkpoint::{
    CheckpointError, CheckpointLock, CheckpointStorage, Commit, FileName, Intent, Ledger, StateContent, StateFile,
    TableContent, TableKey, WatermarkRecord, record_file,
};
use crate::epoch::Epoch;
use crate::node::Offset;
use crate::state::{Change, StateStore};
use crate::time::Watermark;

/// The checkpoint of a run.
pub(super) struct Durable {
    pub(super) storage: Arc<dyn CheckpointStorage>,
    pub(super) ledger: Ledger,
    /// The number of the graph's file.
    pub(super) graph: Epoch,
    pub(super) snapshots: SnapshotWriter,
    // Dropped last: nothing is written without it.
    pub(super) _lock: Box<dyn CheckpointLock>,
}

/// What a commit says besides the state.
pub(super) struct CommitRecord {
    pub(super) offsets: BTreeMap<String, Offset>,
    pub(super) watermarks: BTreeMap<String, WatermarkRecord>,
    pub(super) reached: BTreeMap<String, Watermark>,
}

impl Durable {
    pub(super) fn storage(&self) -> &Arc<dyn CheckpointStorage> {
        &self.storage
    }

    /// The number of the graph that is run.
    pub(super) fn graph(&self) -> Epoch {
        self.graph
    }

    /// Makes durable what an epoch is to do.
    pub(super) fn intend(&mut self, intent: &Intent) -> Result<(), CheckpointError> {
        self.ledger.intended(intent.epoch);
        self.storage.write(&[record_file(&FileName::Intent(intent.epoch), intent)])
    }

    /// What is to be written for an epoch whose state was committed in memory with these changes, per node, partition and table;
    /// and the tables of which a snapshot is due.
    pub(super) fn commit(
        &mut self,
        epoch: Epoch,
        topology: &Topology,
        stores: &[Vec<StateStore>],
        changes: Vec<Vec<Vec<Vec<Change>>>>,
        record: CommitRecord,
    ) -> (DurableCommit, Vec<TableFile>) {
        let (mut state, mut snapshots) = (Vec::new(), Vec::new());
        for ((node, stores), changes) in topology.nodes.iter().zip(stores).zip(changes) {
            for ((partition, store), changes) in stores.iter().enumerate().zip(changes) {
                for (table, changes) in store.tables().iter().zip(changes) {
                    let declared = table.declared().clone();
                    let key = TableKey { node: node.name.to_string(), table: declared.name.to_owned(), partition };
                    let changed: usize = changes.iter().map(Change::rows).sum();
                    let unwritten = self.ledger.is_unwritten(&key);
                    let (content, kind) = if unwritten || (changed > 0 && changed >= table.rows()) {
                        (TableContent::Rows(table.freeze()), StateContent::Snapshot)
                    } else if changes.is_empty() {
                        continue;
                    } else {
                        (TableContent::Changes(changes), StateContent::Delta)
                    };
                    self.ledger.write(&key, epoch, kind);
                    let file = key.file(epoch, kind);
                    state.push(TableFile { file, partitions: stores.len(), declared: declared.clone(), content });
                    if self.ledger.takes_snapshot(&key) {
                        let (file, content) =
                            (key.file(epoch, StateContent::Snapshot), TableContent::Rows(table.freeze()));
                        snapshots.push(TableFile { file, partitions: stores.len(), declared, content });
                    }
                }
            }
        }
        let CommitRecord { offsets, watermarks, reached } = record;
        let (graph, state_of) = (self.graph, self.ledger.state());
        let record = Commit { epoch, graph, offsets, watermarks, reached, state: state_of };
        let remove = epoch.0.checked_sub(1).map(|before| self.ledger.prune(Epoch(before))).unwrap_or_default();
        (DurableCommit { record, state, remove }, snapshots)
    }

    /// The epoch is committed.
    pub(super) fn committed(
        &mut self,
        record: Commit,
        written: Vec<(StateFile, u64)>,
        snapshots: Vec<TableFile>,
    ) -> Result<(), EngineError> {
        self.ledger.committed(record, written);
        for table in snapshots {
            self.snapshots.begin(table);
        }
        self.take_snapshots(false)
    }

    /// Takes note of snapshots that are done; `wait`: of all.
    pub(super) fn take_snapshots(&mut self, wait: bool) -> Result<(), EngineError> {
        while let Some(done) = self.snapshots.finished(wait) {
            let (file, bytes) = done?;
            self.ledger.snapshot_done(file, bytes);
        }
        Ok(())
    }
}
