//! The store of one node and partition: tables of slots of keyed rows.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{filter, take, take_record_batch};
use arrow::datatypes::{Fields, Schema, SchemaRef};

use super::index::Index;
use super::slot::Slot;
use super::table::{FrozenSlot, SlotTable};
use crate::error::Result;
use crate::keys::partition_of_rows;
use crate::time::{Timestamp, Watermark};

/// What an operator keeps in one table: the columns of the key, and the columns kept for each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// The table's name within the node; it names files of the checkpoint.
    pub name: &'static str,
    /// Columns whose values tell rows apart. None: a slot has at most one row.
    pub keys: Fields,
    /// Columns kept for each key.
    pub values: Fields,
    /// What tells the partition that a row belongs to.
    pub placed_by: PlacedBy,
    /// What its slots stand for, in words: rows that were put into slots by one rule are not found by another, so a change of
    /// these words is a change of the state.
    pub slots: String,
}

impl TableSchema {
    /// The columns of a row: those of the key, then those kept for it.
    pub fn columns(&self) -> SchemaRef {
        Arc::new(Schema::new(self.keys.iter().chain(&self.values).cloned().collect::<Vec<_>>()))
    }
}

/// What of a row of state tells its partition, so that state can be shared out anew among another number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacedBy {
    /// Its key columns: rows are exchanged by these.
    Keys,
    /// Its slot: rows are exchanged by that time.
    Slot,
    /// Its first so many key columns: rows are exchanged by these, and can be [found](StateTable::find) by them.
    Leading(usize),
}

/// A change of a table.
#[derive(Clone, Debug)]
pub enum Change {
    /// These rows, keys first, were kept, each in place of the one that its key had.
    Upsert(Slot, RecordBatch),
    /// The rows with these keys were removed.
    Remove(Slot, RecordBatch),
    /// The slot was dropped with all in it.
    Drop(Slot),
}

impl Change {
    /// The slot that changed.
    pub const fn slot(&self) -> Slot {
        match self {
            Self::Upsert(slot, _) | Self::Remove(slot, _) | Self::Drop(slot) => *slot,
        }
    }

    /// How many rows it names.
    pub fn rows(&self) -> usize {
        match self {
            Self::Upsert(_, rows) | Self::Remove(_, rows) => rows.num_rows(),
            Self::Drop(_) => 0,
        }
    }
}

/// All state of one node and partition: the tables that its operator declared, at one version.
#[derive(Debug, Default)]
pub struct StateStore {
    tables: Vec<StateTable>,
}

impl StateStore {
    /// Empty tables.
    ///
    /// # Panics
    /// If rows are to be found by columns of types that have no order and so cannot be keys.
    pub fn new(schemas: Vec<TableSchema>) -> Self {
        Self { tables: schemas.into_iter().map(StateTable::new).collect() }
    }

    /// The table declared at place `index`.
    pub fn table(&mut self, index: usize) -> &mut StateTable {
        &mut self.tables[index]
    }

    /// The tables in the order in which they were declared.
    pub fn tables(&self) -> &[StateTable] {
        &self.tables
    }

    /// Makes what was written since the last commit the next version. Gives per table what changed; the same changes, applied
    /// to the version before, give this one, with its rows in the same order. Rows nothing refers to any more are given back.
    pub fn commit(&mut self) -> Result<Vec<Vec<Change>>> {
        self.tables.iter_mut().map(StateTable::commit).collect()
    }

    /// Shares the rows of `stores`, all of the same tables, out among so many stores.
    pub fn share_out(stores: &[Self], partitions: usize) -> Result<Vec<Self>> {
        let Some(first) = stores.first() else { return Ok(Vec::new()) };
        let declared = || first.tables.iter().map(|table| table.declared.clone()).collect();
        let mut shares: Vec<Self> = (0..partitions).map(|_| Self::new(declared())).collect();
        for store in stores {
            for (index, table) in store.tables.iter().enumerate() {
                for slot in table.slots() {
                    let rows = table.scan(slot)?;
                    for (partition, rows) in table.declared.shared_out(slot, &rows, partitions)? {
                        shares[partition].tables[index].apply(&Change::Upsert(slot, rows))?;
                    }
                }
            }
        }
        for share in &mut shares {
            share.commit()?;
        }
        Ok(shares)
    }

    /// The number of rows kept.
    pub fn rows(&self) -> usize {
        self.tables.iter().map(StateTable::rows).sum()
    }

    /// The bytes of memory held.
    pub fn memory(&self) -> usize {
        let rows: usize = self.tables.iter().flat_map(|table| table.slots.values()).map(SlotTable::memory).sum();
        rows + self.tables.iter().filter_map(|table| table.index.as_ref()).map(Index::memory).sum::<usize>()
    }
}

impl TableSchema {
    /// `rows` of a slot by the partition, of so many, that they belong to.
    pub(crate) fn shared_out(
        &self,
        slot: Slot,
        rows: &RecordBatch,
        partitions: usize,
    ) -> Result<Vec<(usize, RecordBatch)>> {
        let by_columns = |columns| partition_of_rows(&rows.columns()[..columns], rows.num_rows(), partitions);
        let of_rows = match self.placed_by {
            PlacedBy::Keys => by_columns(self.keys.len())?,
            PlacedBy::Leading(columns) => by_columns(columns)?,
            PlacedBy::Slot => {
                let time = slot.time().map_or(i64::MAX, Timestamp::micros);
                let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(time, 1));
                return Ok(vec![(partition_of_rows(&[time], 1, partitions)?[0] as usize, rows.clone())]);
            }
        };
        let mut by_partition: Vec<Vec<u32>> = vec![Vec::new(); partitions];
        for (row, partition) in of_rows.into_iter().enumerate() {
            by_partition[partition as usize].push(row as u32);
        }
        let filled = by_partition.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        filled
            .map(|(partition, indices)| Ok((partition, take_record_batch(rows, &UInt32Array::from(indices))?)))
            .collect()
    }
}

/// One table: `slot -> key -> row`.
#[derive(Debug)]
pub struct StateTable {
    declared: TableSchema,
    schema: SchemaRef,
    pub(super) slots: BTreeMap<Slot, SlotTable>,
    /// Where rows are found by part of their key.
    pub(super) index: Option<Index>,
    /// Since the last commit, in order.
    pub(super) changes: Vec<Change>,
}

/// A table at one moment, to be read while the table itself goes on to change.
#[derive(Debug)]
pub struct FrozenTable {
    schema: SchemaRef,
    slots: Vec<(Slot, FrozenSlot)>,
}

impl FrozenTable {
    /// The number of rows of each slot that has any, in the order of time.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, usize)> {
        self.slots.iter().map(|(slot, rows)| (*slot, rows.rows()))
    }

    /// All rows, slot by slot, at most so many at a time.
    pub fn batches(&self, most: usize) -> impl Iterator<Item = Result<RecordBatch>> {
        self.slots.iter().flat_map(move |(_, rows)| rows.batches(most, &self.schema))
    }
}

/// Rows grouped by their key within a slot: what [`StateTable::group`] found out about them.
#[derive(Debug)]
pub struct Groups {
    slot: Slot,
    ids: Vec<u32>,
    /// For each row the number of its group; groups are numbered from 0 in the order of their first rows.
    pub group_of_row: Vec<usize>,
    /// For each group its first row.
    pub first_rows: UInt32Array,
    /// The key columns, one row per group.
    pub keys: Vec<ArrayRef>,
}

impl Groups {
    /// The number of groups.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there were no rows.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The groups for which `wanted` is true, in their order. Rows of other groups keep no group.
    pub fn only(&self, wanted: &[bool]) -> Result<Self> {
        let mask = BooleanArray::from(wanted.to_vec());
        let keys = self.keys.iter().map(|key| filter(key, &mask)).collect::<Result<_, _>>()?;
        let chosen = || wanted.iter().enumerate().filter(|(_, wanted)| **wanted).map(|(group, _)| group);
        Ok(Self {
            slot: self.slot,
            ids: chosen().map(|group| self.ids[group]).collect(),
            group_of_row: Vec::new(),
            first_rows: chosen().map(|group| self.first_rows.value(group)).collect::<Vec<_>>().into(),
            keys,
        })
    }
}

/// What was kept for some groups.
#[derive(Debug)]
pub struct Gathered {
    /// The groups that have a row, in order.
    pub groups: Vec<usize>,
    /// The value columns of these rows.
    pub values: Vec<ArrayRef>,
}

impl StateTable {
    fn new(declared: TableSchema) -> Self {
        let index = match declared.placed_by {
            PlacedBy::Leading(columns) => {
                let types = declared.keys.iter().take(columns).map(|field| field.data_type().clone()).collect();
                Some(Index::new(types).expect("an operator's key columns are of types that can be keys"))
            }
            PlacedBy::Keys | PlacedBy::Slot => None,
        };
        Self { schema: declared.columns(), declared, slots: BTreeMap::new(), index, changes: Vec::new() }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What the table holds, as its operator declared it.
    pub fn declared(&self) -> &TableSchema {
        &self.declared
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.slots.values().map(SlotTable::rows).sum()
    }

    fn slot(&mut self, slot: Slot) -> Result<&mut SlotTable> {
        match self.slots.entry(slot) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let types: Vec<_> = self.declared.keys.iter().map(|field| field.data_type().clone()).collect();
                Ok(entry.insert(SlotTable::new(&types)?))
            }
        }
    }

    /// Finds out which of `rows` keys are equal and which are known in `slot`. `keys` are the table's key columns.
    pub fn group(&mut self, slot: Slot, keys: &[ArrayRef], rows: usize) -> Result<Groups> {
        let (group_of_row, first_rows, ids) = self.slot(slot)?.group(keys, rows)?;
        let first_rows = UInt32Array::from(first_rows);
        let keys = keys.iter().map(|key| take(key, &first_rows, None)).collect::<Result<_, _>>()?;
        Ok(Groups { slot, ids, group_of_row, first_rows, keys })
    }

    /// Does again what was done to another table.
    pub fn apply(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Upsert(slot, rows) => {
                let ids = self.slot(*slot)?.put(rows.clone())?;
                if let Some(index) = &mut self.index {
                    index.keep(*slot, &ids, rows.columns())?;
                }
            }
            Change::Remove(slot, keys) => {
                let ids = self.slot(*slot)?.take_out(keys.columns(), keys.num_rows())?;
                if let Some(index) = &mut self.index {
                    index.remove(*slot, &ids);
                }
            }
            Change::Drop(slot) => self.drop_slot(*slot),
        }
        Ok(())
    }

    fn drop_slot(&mut self, slot: Slot) {
        self.slots.remove(&slot);
        if let Some(index) = &mut self.index {
            index.drop_slot(slot);
        }
    }

    /// The table as it is now.
    pub fn freeze(&self) -> FrozenTable {
        let filled = self.slots.iter().filter(|(_, table)| table.rows() > 0);
        let slots = filled.map(|(slot, table)| (*slot, table.freeze())).collect();
        FrozenTable { schema: Arc::clone(&self.schema), slots }
    }

    /// The rows kept for `groups`. A group without one is left out.
    pub fn gather(&self, groups: &Groups) -> Result<Gathered> {
        let (found, rows) = match self.slots.get(&groups.slot) {
            Some(table) => table.gather(&groups.ids, &self.schema)?,
            None => (Vec::new(), RecordBatch::new_empty(Arc::clone(&self.schema))),
        };
        Ok(Gathered { groups: found, values: rows.columns()[self.declared.keys.len()..].to_vec() })
    }

    /// Whether each of `groups` has a row.
    pub fn holds(&self, groups: &Groups) -> Vec<bool> {
        match self.slots.get(&groups.slot) {
            Some(table) => table.holds(&groups.ids),
            None => vec![false; groups.len()],
        }
    }

    /// Keeps `values` for `groups`, one row per group, in place of what was kept before.
    pub fn upsert(&mut self, groups: &Groups, values: Vec<ArrayRef>) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = groups.keys.iter().cloned().chain(values).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let table = self
            .slots
            .get_mut(&groups.slot)
            .expect("grouping made the slot, and dropping it ends the epoch's use of it");
        table.upsert(&groups.ids, rows.clone());
        if let Some(index) = &mut self.index {
            index.keep(groups.slot, &groups.ids, rows.columns())?;
        }
        self.changes.push(Change::Upsert(groups.slot, rows));
        Ok(())
    }

    /// Removes the rows of those `groups` for which `gone` is true.
    pub fn remove(&mut self, groups: &Groups, gone: &[bool]) -> Result<()> {
        let held = self.holds(groups);
        let gone = groups.ids.iter().zip(held.iter().zip(gone)).filter(|(_, (held, gone))| **held && **gone);
        let ids: Vec<u32> = gone.map(|(id, _)| *id).collect();
        self.remove_ids(groups.slot, &ids)
    }

    /// Removes the rows that the keys with these ids have in `slot`.
    pub(super) fn remove_ids(&mut self, slot: Slot, ids: &[u32]) -> Result<()> {
        let Some(table) = self.slots.get_mut(&slot).filter(|_| !ids.is_empty()) else { return Ok(()) };
        let keys: Vec<usize> = (0..self.declared.keys.len()).collect();
        let keys = table.rows_of(ids, &self.schema)?.project(&keys)?;
        for id in ids {
            table.remove(*id);
        }
        if let Some(index) = &mut self.index {
            index.remove(slot, ids);
        }
        self.changes.push(Change::Remove(slot, keys));
        Ok(())
    }

    /// All rows of a slot, key columns first, in the order in which their keys first appeared.
    pub fn scan(&self, slot: Slot) -> Result<RecordBatch> {
        match self.slots.get(&slot) {
            Some(table) => table.scan(&self.schema),
            None => Ok(RecordBatch::new_empty(Arc::clone(&self.schema))),
        }
    }

    /// The slots that hold rows, in the order of time.
    pub fn slots(&self) -> Vec<Slot> {
        self.slots.iter().filter(|(_, table)| table.rows() > 0).map(|(slot, _)| *slot).collect()
    }

    /// The slots that `watermark` has passed, in the order of time.
    pub fn slots_up_to(&self, watermark: Watermark) -> Vec<Slot> {
        let due = |slot: &Slot| slot.time().is_some_and(|time| watermark.has_passed(time));
        self.slots.iter().filter(|(_, table)| table.rows() > 0).map(|(slot, _)| *slot).take_while(due).collect()
    }

    /// Drops every slot that `watermark` has passed, without a look at its rows.
    pub fn drop_slots(&mut self, watermark: Watermark) {
        let mut dropped = BTreeSet::new();
        let mut known = Vec::new();
        while let Some(entry) = self.slots.first_entry() {
            if !entry.key().time().is_some_and(|time| watermark.has_passed(time)) {
                break;
            }
            let slot = *entry.key();
            dropped.insert(slot);
            if entry.get().committed {
                known.push(Change::Drop(slot));
            }
            self.drop_slot(slot);
        }
        if !dropped.is_empty() {
            // What this epoch did to them is of no use to anybody any more.
            self.changes.retain(|change| matches!(change, Change::Drop(_)) || !dropped.contains(&change.slot()));
            self.changes.extend(known);
        }
    }

    fn commit(&mut self) -> Result<Vec<Change>> {
        for (slot, table) in &mut self.slots {
            if let (Some(ids_before), Some(index)) = (table.commit(&self.schema)?, &mut self.index) {
                index.renumber(*slot, &ids_before);
            }
        }
        let empty: Vec<Slot> =
            self.slots.iter().filter(|(_, table)| table.rows() == 0).map(|(slot, _)| *slot).collect();
        for slot in empty {
            self.drop_slot(slot);
        }
        self.renew_index()?;
        Ok(std::mem::take(&mut self.changes))
    }

    /// Makes the index anew where it holds mostly keys without a row.
    fn renew_index(&mut self) -> Result<()> {
        let Some(index) = self.index.as_mut().filter(|index| index.is_mostly_dead()) else { return Ok(()) };
        let mut renewed = index.emptied()?;
        for (slot, table) in &self.slots {
            let ids = table.ids_in_order();
            renewed.keep(*slot, &ids, table.rows_of(&ids, &self.schema)?.columns())?;
        }
        *index = renewed;
        Ok(())
    }
}
