//! State out of its files.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::error::{CheckpointError, DamageCause};
use super::inspect::TableVersion;
use super::record::{Chain, Commit, FileName, StateFile};
use super::state_file::{self, StateRows};
use super::storage::CheckpointStorage;
use crate::error::Error;
use crate::guard::guarded;
use crate::node::Stateful;
use crate::state::{Change, EarlierState, StateStore, TableSchema};

/// The system's code for a disk that cannot read what it holds (`EIO`).
const BROKEN: i32 = 5;

/// A node whose state is to be loaded.
#[derive(Clone)]
pub struct Wanted {
    /// Its name in the checkpoint.
    pub node: Arc<str>,
    /// The tables that it declares.
    pub tables: Vec<TableSchema>,
    /// Into how many partitions its state is to be cut.
    pub partitions: usize,
    /// The operator that takes its state over, if that is of another form, and that form.
    pub adopted: Option<(Arc<dyn Stateful>, EarlierState)>,
}

/// Why state could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// This file is damaged.
    Unusable(StateFile, DamageCause),
    /// It is not the files' fault.
    Other(CheckpointError),
}

/// Loads the state after an epoch: for each node its partitions. Call it within a thread pool: partitions are loaded in parallel.
pub fn load(
    storage: &dyn CheckpointStorage,
    commit: &Commit,
    wanted: &[Wanted],
) -> Result<Vec<Vec<StateStore>>, LoadError> {
    wanted.par_iter().map(|wanted| load_node(storage, commit, wanted)).collect()
}

fn load_node(storage: &dyn CheckpointStorage, commit: &Commit, wanted: &Wanted) -> Result<Vec<StateStore>, LoadError> {
    if let Some((operator, earlier)) = &wanted.adopted {
        return adopt_node(storage, commit, wanted, &**operator, earlier);
    }
    let none = BTreeMap::new();
    let tables = commit.state.get(&*wanted.node).unwrap_or(&none);
    let written = tables.values().map(Vec::len).max().unwrap_or(0);
    let loaded: Vec<StateStore> = (0..written)
        .into_par_iter()
        .map(|partition| load_partition(storage, tables, wanted, partition))
        .collect::<Result<_, _>>()?;
    if written == wanted.partitions {
        return Ok(loaded);
    }
    if written == 0 {
        return Ok((0..wanted.partitions).map(|_| StateStore::new(wanted.tables.clone())).collect());
    }
    StateStore::share_out(&loaded, wanted.partitions)
        .map_err(|source| LoadError::Other(state_error(storage, &wanted.node, source)))
}

/// Loads the state of another form of the operator as that form kept it, and lets the operator make its own of it.
fn adopt_node(
    storage: &dyn CheckpointStorage,
    commit: &Commit,
    wanted: &Wanted,
    operator: &dyn Stateful,
    earlier: &EarlierState,
) -> Result<Vec<StateStore>, LoadError> {
    let failed = |source| LoadError::Other(state_error(storage, &wanted.node, source));
    let mut store = StateStore::new(wanted.tables.clone());
    for table in &earlier.tables {
        let Some(kept) = TableVersion::load(storage, commit, &wanted.node, &table.name, None)? else { continue };
        for slot in kept.slots() {
            let rows = kept.scan(slot).map_err(failed)?;
            // Under guard with what the operator makes of them: rows of a table that it does not have are its fault.
            let taken = guarded(|| {
                let adopted = operator.adopt(earlier, &table.name, slot, rows)?;
                let put = |(index, slot, rows)| store.table(index).apply(&Change::Upsert(slot, rows));
                adopted.into_iter().try_for_each(put)
            });
            taken.map_err(failed)?;
        }
    }
    store.commit().map_err(failed)?;
    StateStore::share_out(&[store], wanted.partitions).map_err(failed)
}

fn load_partition(
    storage: &dyn CheckpointStorage,
    tables: &BTreeMap<String, Vec<Chain>>,
    wanted: &Wanted,
    partition: usize,
) -> Result<StateStore, LoadError> {
    let mut store = StateStore::new(wanted.tables.clone());
    let failed = |source| LoadError::Other(state_error(storage, &wanted.node, source));
    for (index, declared) in wanted.tables.iter().enumerate() {
        let Some(chain) = tables.get(declared.name).and_then(|partitions| partitions.get(partition)) else { continue };
        for file in chain.files(&wanted.node, declared.name, partition) {
            let rows = read(storage, &file)?;
            let (says, cut_into) = (rows.header.partitions, tables[declared.name].len());
            if says != cut_into {
                let cause = DamageCause::Malformed(format!("it is one of {says} partitions, not of {cut_into}"));
                return Err(LoadError::Unusable(file, cause));
            }
            let changes = rows.changes(declared).map_err(|cause| LoadError::Unusable(file, cause))?;
            for change in &changes {
                store.table(index).apply(change).map_err(failed)?;
            }
        }
    }
    store.commit().map_err(failed)?;
    Ok(store)
}

/// Reads a file of state.
pub fn read(storage: &dyn CheckpointStorage, file: &StateFile) -> Result<StateRows, LoadError> {
    let content = storage.read(&FileName::State(file.clone()).to_string()).map_err(|error| match error {
        // What a broken disk does not give back is as good as damaged: an older version may do.
        CheckpointError::Storage { source, .. } if source.raw_os_error() == Some(BROKEN) => {
            LoadError::Unusable(file.clone(), DamageCause::Malformed(format!("it cannot be read: {source}")))
        }
        error => LoadError::Other(error),
    })?;
    let content = content.ok_or_else(|| LoadError::Unusable(file.clone(), DamageCause::Missing))?;
    state_file::decode(file, content).map_err(|cause| LoadError::Unusable(file.clone(), cause))
}

fn state_error(storage: &dyn CheckpointStorage, node: &str, source: Error) -> CheckpointError {
    CheckpointError::State { location: storage.location(), file: format!("state of `{node}`"), source }
}
