//! The rows of a table of state at a version, read from its files alone: they say what their columns are.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Fields, SchemaRef};
use rayon::prelude::*;

use crate::checkpoint::error::{CheckpointError, DamageCause};
use crate::checkpoint::record::{Commit, StateFile};
use crate::checkpoint::restore::{LoadError, read};
use crate::checkpoint::state_file::StateRows;
use crate::checkpoint::storage::CheckpointStorage;
use crate::error::Result;
use crate::state::{PlacedBy, Slot, StateStore, StateTable, TableSchema};

/// A table of a node's state after an epoch, all its partitions.
#[derive(Debug)]
pub struct TableVersion {
    /// How many of the columns are the key.
    pub keys: usize,
    /// The columns: those of the key, then the values.
    pub columns: SchemaRef,
    stores: Vec<StateStore>,
}

impl TableVersion {
    /// Reads a table as it was after the epoch of `commit`; `partition`: only that one. `None` when that version has no such
    /// table, or no such partition.
    pub fn load(
        storage: &dyn CheckpointStorage,
        commit: &Commit,
        node: &str,
        table: &str,
        partition: Option<usize>,
    ) -> Result<Option<Self>, LoadError> {
        let Some(chains) = commit.state.get(node).and_then(|tables| tables.get(table)) else { return Ok(None) };
        let wanted = chains.iter().enumerate().filter(|(number, _)| partition.is_none_or(|only| only == *number));
        let chains: Vec<Vec<StateFile>> =
            wanted.map(|(number, chain)| chain.files(node, table, number).collect()).collect();
        // Columns are named as in the newest file; older ones hold the same under the names of their time.
        let newest = chains.iter().flatten().max_by_key(|file| file.epoch);
        let Some(newest) = newest else { return Ok(None) };
        let declared = columns_of(&read(storage, newest)?);
        let put_together = |chain: &Vec<StateFile>| load_chain(storage, chain, &declared);
        let stores: Vec<StateStore> = chains.par_iter().map(put_together).collect::<Result<_, _>>()?;
        Ok(Some(Self { keys: declared.keys.len(), columns: declared.columns(), stores }))
    }

    /// The partitions that were read.
    pub fn partitions(&self) -> impl Iterator<Item = &StateTable> {
        self.stores.iter().map(|store| &store.tables()[0])
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.partitions().map(StateTable::rows).sum()
    }

    /// The slots that hold rows, in the order of time.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.partitions().flat_map(StateTable::slots).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// All rows of a slot, partition by partition.
    pub fn scan(&self, slot: Slot) -> Result<RecordBatch> {
        let parts = self.partitions().map(|table| table.scan(slot)).collect::<Result<Vec<_>>>()?;
        let parts: Vec<&RecordBatch> = parts.iter().filter(|rows| rows.num_rows() > 0).collect();
        match parts.as_slice() {
            [one] => Ok((*one).clone()),
            several => Ok(concat_batches(&self.columns, several.iter().copied())?),
        }
    }
}

/// The columns that a file of state declares.
pub(super) fn columns_of(rows: &StateRows) -> TableSchema {
    let (keys, values) = rows.schema.fields().split_at(rows.header.key_columns);
    let (keys, values): (Fields, Fields) = (keys.into(), values.into());
    // The name stands in the file's own; nothing asks this one.
    TableSchema { name: "", keys, values, placed_by: PlacedBy::Keys, slots: String::new() }
}

fn load_chain(
    storage: &dyn CheckpointStorage,
    chain: &[StateFile],
    declared: &TableSchema,
) -> Result<StateStore, LoadError> {
    let mut store = StateStore::new(vec![declared.clone()]);
    for file in chain {
        let unusable = |how: String| LoadError::Unusable(file.clone(), DamageCause::Malformed(how));
        let rows = read(storage, file)?;
        let changes = rows.changes(declared).map_err(|cause| LoadError::Unusable(file.clone(), cause))?;
        for change in &changes {
            store.table(0).apply(change).map_err(|error| unusable(error.to_string()))?;
        }
    }
    let failed = |source| {
        let file = chain.first().map_or_else(String::new, |file| format!("state of `{}`", file.node));
        LoadError::Other(CheckpointError::State { location: storage.location(), file, source })
    };
    store.commit().map_err(failed)?;
    Ok(store)
}
