//! The state of an operator, to be looked into and changed.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;

use super::error::Result;
use super::table::{Table, unknown};
use crate::engine::Engine;
use crate::epoch::Epoch;
use crate::state::{Slot, StateStore, StateTable, TableSchema};
use crate::time::Watermark;

/// The state of an operator between two epochs.
#[derive(Debug)]
pub struct Stores<'a> {
    pub(super) stores: &'a [StateStore],
    pub(super) next: Epoch,
}

impl Stores<'_> {
    /// What is declared, table by table.
    pub fn declared(&self) -> impl Iterator<Item = &TableSchema> {
        self.stores.first().into_iter().flat_map(|store| store.tables().iter().map(StateTable::declared))
    }

    /// The epoch before which this is the state.
    pub fn next_epoch(&self) -> Epoch {
        self.next
    }

    /// The number of partitions.
    pub fn partitions(&self) -> usize {
        self.stores.len()
    }

    /// The rows of a table, of all its slots in the order of time, columns of the key first.
    pub fn table(&self, name: &str) -> Result<Table> {
        let index = self.place(name)?;
        let mut rows = Vec::new();
        for slot in self.slots_of(index) {
            rows.extend(self.rows(index, slot)?);
        }
        Table::new(&self.schema(index), &rows)
    }

    /// The rows of a table by slot, in the order of time.
    pub fn slots(&self, name: &str) -> Result<Vec<(Slot, Table)>> {
        let index = self.place(name)?;
        let rows = |slot| Ok((slot, Table::new(&self.schema(index), &self.rows(index, slot)?)?));
        self.slots_of(index).into_iter().map(rows).collect()
    }

    pub(super) fn place(&self, name: &str) -> Result<usize> {
        let found = self.declared().position(|table| table.name == name);
        found.ok_or_else(|| unknown("table of state", name, self.declared().map(|table| table.name)))
    }

    fn schema(&self, index: usize) -> arrow::datatypes::SchemaRef {
        self.stores[0].tables()[index].declared().columns()
    }

    fn slots_of(&self, index: usize) -> BTreeSet<Slot> {
        self.stores.iter().flat_map(|store| store.tables()[index].slots()).collect()
    }

    fn rows(&self, index: usize, slot: Slot) -> Result<Vec<RecordBatch>> {
        let of_partition = |store: &StateStore| Ok(store.tables()[index].scan(slot)?);
        self.stores.iter().map(of_partition).filter(|rows| !matches!(rows, Ok(rows) if rows.num_rows() == 0)).collect()
    }
}

/// What a test does to an operator between two epochs.
#[derive(Clone, Debug)]
pub(super) enum Touch {
    /// Moves the watermark of a watermark node on.
    Watermark { node: String, to: Watermark },
    /// Keeps these rows, keys first.
    Keep { node: String, table: usize, slot: Slot, rows: RecordBatch },
    /// Removes what is kept for these keys.
    Remove { node: String, table: usize, slot: Slot, keys: RecordBatch },
}

impl Touch {
    pub(super) fn make(&self, engine: &mut Engine) -> Result<()> {
        match self {
            Self::Watermark { node, to } => engine.move_watermark(node, *to),
            Self::Keep { node, table, slot, rows } => {
                each_partition(engine, node, *table, *slot, rows, |state, rows, keys| {
                    let groups = state.group(*slot, &rows.columns()[..keys], rows.num_rows())?;
                    state.upsert(&groups, rows.columns()[keys..].to_vec())
                })?;
            }
            Self::Remove { node, table, slot, keys } => {
                each_partition(engine, node, *table, *slot, keys, |state, keys, _| {
                    let groups = state.group(*slot, keys.columns(), keys.num_rows())?;
                    let gone = vec![true; groups.len()];
                    state.remove(&groups, &gone)
                })?;
            }
        }
        Ok(())
    }
}

/// Shares rows out among the partitions that they belong to. `act` is given the number of key columns.
fn each_partition(
    engine: &mut Engine,
    node: &str,
    table: usize,
    slot: Slot,
    rows: &RecordBatch,
    act: impl Fn(&mut StateTable, &RecordBatch, usize) -> crate::error::Result<()>,
) -> Result<()> {
    let Some(stores) = engine.state_of(node) else { return Ok(()) };
    let declared = stores[0].tables()[table].declared().clone();
    for (partition, rows) in declared.shared_out(slot, rows, stores.len())? {
        act(stores[partition].table(table), &rows, declared.keys.len())?;
    }
    Ok(())
}
