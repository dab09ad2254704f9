//! Rows found by part of their key: reading them, and taking them out.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, interleave, take_record_batch};

use super::index::Index;
use super::slot::Slot;
use super::store::{Change, StateTable};
use super::table::SlotTable;
use crate::error::Result;
use crate::time::Watermark;

/// Rows that are looked for, and how far that has come: what [`StateTable::seek`] gives.
#[derive(Debug)]
pub struct Sought {
    /// Of each row, the id of its leading key.
    keys: Vec<u32>,
    /// The first row whose matches were not given yet.
    next: usize,
}

/// The rows that [`StateTable::find`] found. Of no use any more once one of them was removed.
#[derive(Debug, Default)]
pub struct Found {
    /// For each match, which of the rows looked for it belongs to; ascending.
    pub of_row: Vec<u32>,
    /// For each match, the place of its slot in `slots`, and the id of its key there.
    places: Vec<(u32, u32)>,
    slots: Vec<Slot>,
}

impl Found {
    /// The number of matches.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// So many matches from the one at `start` on.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let range = start..start + len;
        Self {
            of_row: self.of_row[range.clone()].to_vec(),
            places: self.places[range].to_vec(),
            slots: self.slots.clone(),
        }
    }

    /// The matches for which `wanted` is true.
    #[must_use]
    pub fn only(&self, wanted: &BooleanArray) -> Self {
        let wanted = || wanted.values().set_indices();
        Self {
            of_row: wanted().map(|at| self.of_row[at]).collect(),
            places: wanted().map(|at| self.places[at]).collect(),
            slots: self.slots.clone(),
        }
    }

    /// Which matches are the first to have found their row.
    pub fn firsts(&self) -> BooleanArray {
        let mut by_place: Vec<u32> = (0..self.len() as u32).collect();
        by_place.sort_unstable_by_key(|&at| (self.places[at as usize], at));
        let mut first = vec![false; self.len()];
        for same in by_place.chunk_by(|one, other| self.places[*one as usize] == self.places[*other as usize]) {
            first[same[0] as usize] = true;
        }
        first.into()
    }
}

impl StateTable {
    /// The rows, of all slots, whose leading key columns equal those of each of `rows` rows. Null equals null. Matches come in the
    /// order of the rows looked for, and for each in the order of slots, within a slot in that in which keys came to have a row.
    ///
    /// # Panics
    /// If the table is not [placed by](super::PlacedBy::Leading) leading columns.
    pub fn find(&self, leading: &[ArrayRef], rows: usize) -> Result<Found> {
        Ok(self.find_next(&mut self.seek(leading, rows)?, usize::MAX))
    }

    /// Looks for these rows as [`find`](Self::find) does; their matches are to be taken a portion at a time, since many rows may
    /// have many.
    ///
    /// # Panics
    /// If the table is not placed by leading columns.
    pub fn seek(&self, leading: &[ArrayRef], rows: usize) -> Result<Sought> {
        Ok(Sought { keys: self.index().look_up(leading, rows)?, next: 0 })
    }

    /// The matches of the next rows looked for, as the table is now but for keys that were not in it then: as soon as there are
    /// `most`, only those of the row in hand are added. None when there are no more.
    pub fn find_next(&self, sought: &mut Sought, most: usize) -> Found {
        let mut found = Found::default();
        let mut number_of: BTreeMap<Slot, u32> = BTreeMap::new();
        let mut last = None;
        while let Some(&key) = sought.keys.get(sought.next).filter(|_| found.len() < most) {
            let row = sought.next as u32;
            sought.next += 1;
            self.index().rows_with(key, |slot, id| {
                let number = match last {
                    Some((same, number)) if same == slot => number,
                    _ => *number_of.entry(slot).or_insert_with(|| {
                        found.slots.push(slot);
                        found.slots.len() as u32 - 1
                    }),
                };
                last = Some((slot, number));
                found.of_row.push(row);
                found.places.push((number, id));
            });
        }
        found
    }

    fn index(&self) -> &Index {
        self.index.as_ref().expect("only a table placed by leading columns is searched by them")
    }

    /// The rows found, key columns first: one per match.
    pub fn rows_of(&self, found: &Found) -> Result<RecordBatch> {
        if found.is_empty() {
            return Ok(RecordBatch::new_empty(self.schema()));
        }
        let all: Vec<usize> = (0..self.schema().fields().len()).collect();
        Ok(RecordBatch::try_new(self.schema(), self.columns_of(found, &all)?)?)
    }

    /// The columns at these places of the rows found, those of the key counted first.
    pub fn columns_of(&self, found: &Found, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let tables: Vec<&SlotTable> = found.slots.iter().map(|slot| &self.slots[slot]).collect();
        // Of all segments, those in which something was found.
        let mut number_of: Vec<Vec<usize>> = vec![Vec::new(); tables.len()];
        let (mut segments, mut indices) = (Vec::new(), Vec::with_capacity(found.len()));
        for &(slot, id) in &found.places {
            let (segment, row) = tables[slot as usize].place(id);
            let numbers = &mut number_of[slot as usize];
            if numbers.len() <= segment {
                numbers.resize(segment + 1, usize::MAX);
            }
            if numbers[segment] == usize::MAX {
                numbers[segment] = segments.len();
                segments.push(tables[slot as usize].segment(segment));
            }
            indices.push((numbers[segment], row));
        }
        let column = |column: &usize| -> Result<ArrayRef> {
            if segments.is_empty() {
                return Ok(arrow::array::new_empty_array(self.schema().field(*column).data_type()));
            }
            let arrays: Vec<&dyn Array> = segments.iter().map(|rows| rows.column(*column).as_ref()).collect();
            Ok(interleave(&arrays, &indices)?)
        };
        columns.iter().map(column).collect()
    }

    /// Removes the found rows for which `gone` is true.
    pub fn remove_found(&mut self, found: &Found, gone: &BooleanArray) -> Result<()> {
        let mut by_slot: BTreeMap<Slot, Vec<u32>> = BTreeMap::new();
        for (&(slot, id), _) in found.places.iter().zip(gone).filter(|(_, gone)| *gone == Some(true)) {
            by_slot.entry(found.slots[slot as usize]).or_default().push(id);
        }
        for (slot, mut ids) in by_slot {
            // A row may have been found more than once.
            ids.sort_unstable();
            ids.dedup();
            self.remove_ids(slot, &ids)?;
        }
        Ok(())
    }

    /// Keeps each row, key columns first, in its slot, in place of the one that its key has there. In one slot, no key may stand
    /// twice.
    pub fn insert(&mut self, slots: &BTreeMap<Slot, Vec<u32>>, rows: &RecordBatch) -> Result<()> {
        for (slot, indices) in slots.iter().filter(|(_, indices)| !indices.is_empty()) {
            let rows = if indices.len() == rows.num_rows() {
                rows.clone()
            } else {
                take_record_batch(rows, &UInt32Array::from(indices.clone()))?
            };
            let change = Change::Upsert(*slot, rows);
            self.apply(&change)?;
            self.changes.push(change);
        }
        Ok(())
    }

    /// Takes out the rows that are done with at `watermark`: those of every slot that it has passed, and of the slot `border`, in
    /// which it lies, those for which `is_due` says so. Gives them slot by slot.
    pub fn take_due(
        &mut self,
        watermark: Watermark,
        border: Slot,
        is_due: impl FnOnce(&RecordBatch) -> Result<BooleanArray>,
    ) -> Result<Vec<(Slot, RecordBatch)>> {
        let passed = self.slots_up_to(watermark);
        let mut taken = passed.iter().map(|slot| Ok((*slot, self.scan(*slot)?))).collect::<Result<Vec<_>>>()?;
        taken.extend(self.end_due(watermark, border, is_due)?.map(|rows| (border, rows)));
        Ok(taken)
    }

    /// As [`take_due`](Self::take_due), of rows that nobody wants to see: those of slots passed are not looked at.
    pub fn drop_due(
        &mut self,
        watermark: Watermark,
        border: Slot,
        is_due: impl FnOnce(&RecordBatch) -> Result<BooleanArray>,
    ) -> Result<()> {
        self.end_due(watermark, border, is_due).map(drop)
    }

    /// Drops the slots passed, and takes the rows out of `border` that are due.
    fn end_due(
        &mut self,
        watermark: Watermark,
        border: Slot,
        is_due: impl FnOnce(&RecordBatch) -> Result<BooleanArray>,
    ) -> Result<Option<RecordBatch>> {
        self.drop_slots(watermark);
        let Some(table) = self.slots.get(&border) else { return Ok(None) };
        let (ids, rows) = (table.ids_in_order(), self.scan(border)?);
        let due = is_due(&rows)?;
        if due.true_count() == 0 {
            return Ok(None);
        }
        let gone = ids.into_iter().zip(&due).filter(|(_, due)| *due == Some(true)).map(|(id, _)| id);
        self.remove_ids(border, &gone.collect::<Vec<_>>())?;
        Ok(Some(filter_record_batch(&rows, &due)?))
    }
}
