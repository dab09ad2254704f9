//! The store of one node and partition: tables of slots of keyed rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter, take};
use arrow::datatypes::{Fields, Schema, SchemaRef};

use super::slot::Slot;
use super::table::SlotTable;
use crate::error::Result;
use crate::time::Watermark;

/// What an operator keeps in one table: the columns of the key, and the columns kept for each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// The table's name within the node; it names files of the checkpoint.
    pub name: &'static str,
    /// Columns whose values tell rows apart. None: a slot has at most one row.
    pub keys: Fields,
    /// Columns kept for each key.
    pub values: Fields,
}

/// All state of one node and partition: the tables that its operator declared, at one version.
#[derive(Debug, Default)]
pub struct StateStore {
    tables: Vec<StateTable>,
}

impl StateStore {
    /// Empty tables.
    pub fn new(schemas: Vec<TableSchema>) -> Self {
        Self { tables: schemas.into_iter().map(StateTable::new).collect() }
    }

    /// The table declared at place `index`.
    pub fn table(&mut self, index: usize) -> &mut StateTable {
        &mut self.tables[index]
    }

    /// Makes what was written since the last commit the next version. Rows nothing refers to any more are given back.
    pub fn commit(&mut self) -> Result<()> {
        self.tables.iter_mut().try_for_each(StateTable::commit)
    }

    /// Forgets what was written since the last commit.
    pub fn roll_back(&mut self) {
        self.tables.iter_mut().for_each(StateTable::roll_back);
    }

    /// The number of rows kept.
    pub fn rows(&self) -> usize {
        self.tables.iter().flat_map(|table| table.slots.values()).map(SlotTable::rows).sum()
    }

    /// The bytes of memory held.
    pub fn memory(&self) -> usize {
        self.tables.iter().flat_map(|table| table.slots.values()).map(SlotTable::memory).sum()
    }
}

/// One table: `slot -> key -> row`.
#[derive(Debug)]
pub struct StateTable {
    declared: TableSchema,
    schema: SchemaRef,
    slots: BTreeMap<Slot, SlotTable>,
    dropped: Vec<(Slot, SlotTable)>,
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
        let fields: Vec<_> = declared.keys.iter().chain(&declared.values).cloned().collect();
        let schema = Arc::new(Schema::new(fields));
        Self { declared, schema, slots: BTreeMap::new(), dropped: Vec::new() }
    }

    /// Finds out which of `rows` keys are equal and which are known in `slot`. `keys` are the table's key columns.
    pub fn group(&mut self, slot: Slot, keys: &[ArrayRef], rows: usize) -> Result<Groups> {
        let types = || self.declared.keys.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
        let table = match self.slots.entry(slot) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(SlotTable::new(&types())?),
        };
        let (group_of_row, first_rows, ids) = table.group(keys, rows)?;
        let first_rows = UInt32Array::from(first_rows);
        let keys = keys.iter().map(|key| take(key, &first_rows, None)).collect::<Result<_, _>>()?;
        Ok(Groups { slot, ids, group_of_row, first_rows, keys })
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
        table.upsert(&groups.ids, rows);
        Ok(())
    }

    /// Removes the rows of those `groups` for which `gone` is true.
    pub fn remove(&mut self, groups: &Groups, gone: &[bool]) {
        if let Some(table) = self.slots.get_mut(&groups.slot) {
            for (&id, _) in groups.ids.iter().zip(gone).filter(|(_, gone)| **gone) {
                table.remove(id);
            }
        }
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
        while let Some(entry) = self.slots.first_entry() {
            if !entry.key().time().is_some_and(|time| watermark.has_passed(time)) {
                break;
            }
            let (slot, table) = entry.remove_entry();
            self.dropped.push((slot, table));
        }
    }

    fn commit(&mut self) -> Result<()> {
        self.dropped.clear();
        for table in self.slots.values_mut() {
            table.commit(&self.schema)?;
        }
        self.slots.retain(|_, table| table.rows() > 0);
        Ok(())
    }

    fn roll_back(&mut self) {
        for (slot, table) in std::mem::take(&mut self.dropped).into_iter().rev() {
            self.slots.insert(slot, table);
        }
        self.slots.values_mut().for_each(SlotTable::roll_back);
        self.slots.retain(|_, table| table.rows() > 0);
    }
}
