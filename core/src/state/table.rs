//! One slot: an index of keys, and for each key the segment and row that hold what is kept for it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};

use super::interner::Interner;
use crate::error::Result;

/// Segments beyond this number are joined into one.
const MOST_SEGMENTS: usize = 32;

/// Where a key's row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    segment: u32,
    row: u32,
}

impl Place {
    const NOWHERE: Self = Self { segment: u32::MAX, row: 0 };
}

/// The rows of one epoch's write. Never changed once written.
#[derive(Debug)]
struct Segment {
    rows: Option<RecordBatch>,
    live: usize,
}

/// A slot's keys and rows.
#[derive(Debug)]
pub(super) struct SlotTable {
    types: Vec<DataType>,
    interner: Interner,
    places: Vec<Place>,
    segments: Vec<Segment>,
    live: usize,
    /// By id: the call of `group` that last met the key, and the group it gave it.
    met: Vec<(u32, u32)>,
    calls: u32,
    undo: Undo,
}

/// How the slot was at the last commit.
#[derive(Debug, Default)]
struct Undo {
    keys: usize,
    segments: usize,
    places: Vec<(u32, Place)>,
}

impl SlotTable {
    pub(super) fn new(types: &[DataType]) -> Result<Self> {
        Ok(Self {
            types: types.to_vec(),
            interner: Interner::new(types)?,
            places: Vec::new(),
            segments: Vec::new(),
            live: 0,
            met: Vec::new(),
            calls: 0,
            undo: Undo::default(),
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.live
    }

    pub(super) fn memory(&self) -> usize {
        let segments: usize = self
            .segments
            .iter()
            .filter_map(|segment| segment.rows.as_ref())
            .map(RecordBatch::get_array_memory_size)
            .sum();
        let by_id = self.places.capacity() * size_of::<Place>() + self.met.capacity() * size_of::<(u32, u32)>();
        segments + by_id + self.interner.memory()
    }

    /// The group of each row, the first row of each group, and the id of each group's key.
    pub(super) fn group(&mut self, keys: &[ArrayRef], rows: usize) -> Result<(Vec<usize>, Vec<u32>, Vec<u32>)> {
        let mut ids = Vec::new();
        self.interner.intern(keys, rows, &mut ids)?;
        self.places.resize(self.interner.len(), Place::NOWHERE);
        self.met.resize(self.interner.len(), (0, 0));
        self.calls += 1;
        let (mut group_of_row, mut first_rows, mut group_ids) = (Vec::with_capacity(rows), Vec::new(), Vec::new());
        for (row, &id) in ids.iter().enumerate() {
            let met = &mut self.met[id as usize];
            if met.0 != self.calls {
                *met = (self.calls, group_ids.len() as u32);
                group_ids.push(id);
                first_rows.push(row as u32);
            }
            group_of_row.push(met.1 as usize);
        }
        Ok((group_of_row, first_rows, group_ids))
    }

    /// Which of the keys with these ids have a row, and those rows.
    pub(super) fn gather(&self, ids: &[u32], schema: &SchemaRef) -> Result<(Vec<usize>, RecordBatch)> {
        let (mut groups, mut places) = (Vec::new(), Vec::new());
        for (group, &id) in ids.iter().enumerate() {
            let place = self.places[id as usize];
            if place != Place::NOWHERE {
                groups.push(group);
                places.push(place);
            }
        }
        Ok((groups, self.rows_at(&places, schema)?))
    }

    pub(super) fn holds(&self, ids: &[u32]) -> Vec<bool> {
        ids.iter().map(|&id| self.places[id as usize] != Place::NOWHERE).collect()
    }

    /// Every row, in the order of ids.
    pub(super) fn scan(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        let places: Vec<Place> = self.places.iter().copied().filter(|place| *place != Place::NOWHERE).collect();
        self.rows_at(&places, schema)
    }

    fn rows_at(&self, places: &[Place], schema: &SchemaRef) -> Result<RecordBatch> {
        let Some(first) = places.first() else {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        };
        if places.iter().all(|place| place.segment == first.segment) {
            let rows = self.segment_rows(first.segment);
            let whole = places.len() == rows.num_rows()
                && places.iter().enumerate().all(|(row, place)| place.row as usize == row);
            if whole {
                return Ok(rows.clone());
            }
            let indices = UInt32Array::from_iter_values(places.iter().map(|place| place.row));
            return Ok(take_record_batch(rows, &indices)?);
        }
        // Segments without live rows are empty places that no index points at; any batch will do for them.
        let some = self.segment_rows(first.segment);
        let batches: Vec<&RecordBatch> =
            self.segments.iter().map(|segment| segment.rows.as_ref().unwrap_or(some)).collect();
        let indices: Vec<(usize, usize)> =
            places.iter().map(|place| (place.segment as usize, place.row as usize)).collect();
        if schema.fields().is_empty() {
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(places.len()));
            return Ok(RecordBatch::try_new_with_options(Arc::clone(schema), Vec::new(), &options)?);
        }
        Ok(interleave_record_batch(&batches, &indices)?)
    }

    fn segment_rows(&self, segment: u32) -> &RecordBatch {
        self.segments[segment as usize].rows.as_ref().expect("a segment with live rows is kept")
    }

    /// Keeps row `i` of `rows` for the key with id `ids[i]`.
    pub(super) fn upsert(&mut self, ids: &[u32], rows: RecordBatch) {
        let segment = self.segments.len() as u32;
        self.segments.push(Segment { live: rows.num_rows(), rows: Some(rows) });
        for (row, &id) in ids.iter().enumerate() {
            self.move_to(id, Place { segment, row: row as u32 });
        }
        self.live += ids.len();
    }

    /// Removes the row of the key with this id, if it has one.
    pub(super) fn remove(&mut self, id: u32) {
        self.move_to(id, Place::NOWHERE);
    }

    /// Points the key at `place`, and takes the row it had out of the counts. The caller counts the new one.
    fn move_to(&mut self, id: u32, place: Place) {
        let before = std::mem::replace(&mut self.places[id as usize], place);
        self.undo.places.push((id, before));
        if before != Place::NOWHERE {
            self.segments[before.segment as usize].live -= 1;
            self.live -= 1;
        }
    }

    pub(super) fn commit(&mut self, schema: &SchemaRef) -> Result<()> {
        if !self.undo.places.is_empty() {
            for segment in self.segments.iter_mut().filter(|segment| segment.live == 0) {
                segment.rows = None;
            }
            let kept: usize =
                self.segments.iter().filter_map(|segment| segment.rows.as_ref()).map(RecordBatch::num_rows).sum();
            let mostly_dead_keys = self.interner.len() > 2 * self.live + 1024;
            if self.segments.len() > MOST_SEGMENTS || kept > 2 * self.live + 1024 || mostly_dead_keys {
                self.compact(schema)?;
            }
        }
        self.undo = Undo { keys: self.interner.len(), segments: self.segments.len(), places: Vec::new() };
        Ok(())
    }

    /// Copies the live rows into one segment and forgets keys without a row.
    fn compact(&mut self, schema: &SchemaRef) -> Result<()> {
        let rows = self.scan(schema)?;
        if self.interner.len() > self.live {
            let mut interner = Interner::new(&self.types)?;
            let mut ids = Vec::new();
            interner.intern(&rows.columns()[..self.types.len()], rows.num_rows(), &mut ids)?;
            self.interner = interner;
        }
        self.places = (0..self.live as u32).map(|row| Place { segment: 0, row }).collect();
        self.met = vec![(0, 0); self.live];
        self.calls = 0;
        self.segments = vec![Segment { live: self.live, rows: Some(rows) }];
        Ok(())
    }

    pub(super) fn roll_back(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        for (id, before) in undo.places.into_iter().rev() {
            let after = std::mem::replace(&mut self.places[id as usize], before);
            for (place, change) in [(after, -1), (before, 1)] {
                if place != Place::NOWHERE {
                    let live = &mut self.segments[place.segment as usize].live;
                    *live = live.wrapping_add_signed(change);
                    self.live = self.live.wrapping_add_signed(change);
                }
            }
        }
        self.segments.truncate(undo.segments);
        self.interner.truncate(undo.keys);
        self.places.truncate(undo.keys);
        self.met.truncate(undo.keys);
        self.undo = Undo { keys: undo.keys, segments: undo.segments, places: Vec::new() };
    }
}
