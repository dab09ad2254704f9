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
pub(super) struct Place {
    segment: u32,
    row: u32,
}

impl Place {
    const NOWHERE: Self = Self { segment: u32::MAX, row: 0 };
}

/// The rows of one write. Never changed once written.
#[derive(Clone, Debug)]
pub(super) struct Segment {
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
    /// Ids from here on never had a row.
    fresh: u32,
    /// Set once a key got a row later than a key with a greater id did: rows count from when their key last came to have one,
    /// and that order must not depend on keys which the table has met and holds no row of, since a checkpoint does not know them.
    order: Option<Order>,
    written: bool,
    /// Whether the slot was there at the last commit.
    pub(super) committed: bool,
}

/// The order in which keys came to have a row.
#[derive(Debug, Default)]
struct Order {
    ids: Vec<u32>,
    /// By id, its last place in `ids`.
    position: Vec<u32>,
}

impl Order {
    fn push(&mut self, id: u32) {
        if self.position.len() <= id as usize {
            self.position.resize(id as usize + 1, 0);
        }
        self.position[id as usize] = self.ids.len() as u32;
        self.ids.push(id);
    }
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
            fresh: 0,
            order: None,
            written: false,
            committed: false,
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
            .flat_map(RecordBatch::columns)
            // Of a column that shares its memory with others, its own part.
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum();
        let by_id = self.places.capacity() * size_of::<Place>() + self.met.capacity() * size_of::<(u32, u32)>();
        segments + by_id + self.interner.memory()
    }

    /// Keeps rows, keys first, each in place of the one that its key has. No key stands twice. Gives the ids of the keys.
    pub(super) fn put(&mut self, rows: RecordBatch) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.interner.reserve(rows.num_rows());
        self.interner.intern(&rows.columns()[..self.types.len()], rows.num_rows(), &mut ids)?;
        self.grow();
        self.upsert(&ids, rows);
        Ok(ids)
    }

    /// Removes the rows with these keys. Gives the ids of the keys.
    pub(super) fn take_out(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.interner.intern(keys, rows, &mut ids)?;
        self.grow();
        for id in &ids {
            self.remove(*id);
        }
        Ok(ids)
    }

    /// Makes room for what is kept by id.
    fn grow(&mut self) {
        self.places.resize(self.interner.len(), Place::NOWHERE);
        self.met.resize(self.interner.len(), (0, 0));
    }

    /// The group of each row, the first row of each group, and the id of each group's key.
    pub(super) fn group(&mut self, keys: &[ArrayRef], rows: usize) -> Result<(Vec<usize>, Vec<u32>, Vec<u32>)> {
        let mut ids = Vec::new();
        self.interner.intern(keys, rows, &mut ids)?;
        self.grow();
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

    /// Every row, in the order in which their keys came to have one.
    pub(super) fn scan(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        self.rows_at(&self.places_in_order(), schema)
    }

    /// The ids of the keys that have a row, in the order in which they came to have one.
    pub(super) fn ids_in_order(&self) -> Vec<u32> {
        let live = |id: &u32| self.places[*id as usize] != Place::NOWHERE;
        match &self.order {
            None => (0..self.places.len() as u32).filter(live).collect(),
            Some(Order { ids, position }) => {
                let last = |(place, id): &(usize, &u32)| position[**id as usize] as usize == *place;
                ids.iter().enumerate().filter(last).map(|(_, id)| *id).filter(live).collect()
            }
        }
    }

    fn places_in_order(&self) -> Vec<Place> {
        self.ids_in_order().into_iter().map(|id| self.places[id as usize]).collect()
    }

    /// The segment and row of the key with this id, which has one.
    pub(super) fn place(&self, id: u32) -> (usize, usize) {
        let Place { segment, row } = self.places[id as usize];
        (segment as usize, row as usize)
    }

    /// The rows of a segment in which some key's row is.
    pub(super) fn segment(&self, segment: usize) -> &RecordBatch {
        segment_rows(&self.segments, segment as u32)
    }

    /// The rows of the keys with these ids, which have one.
    pub(super) fn rows_of(&self, ids: &[u32], schema: &SchemaRef) -> Result<RecordBatch> {
        let places: Vec<Place> = ids.iter().map(|id| self.places[*id as usize]).collect();
        self.rows_at(&places, schema)
    }

    /// The rows as they are now, to be read while the table goes on to change.
    pub(super) fn freeze(&self) -> FrozenSlot {
        FrozenSlot { places: self.places_in_order(), segments: self.segments.clone() }
    }

    fn rows_at(&self, places: &[Place], schema: &SchemaRef) -> Result<RecordBatch> {
        rows_at(&self.segments, places, schema)
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
        self.written = true;
        if before != Place::NOWHERE {
            self.segments[before.segment as usize].live -= 1;
            self.live -= 1;
        } else if place != Place::NOWHERE {
            self.came(id);
        }
    }

    /// The key came to have a row.
    fn came(&mut self, id: u32) {
        match &mut self.order {
            Some(order) => order.push(id),
            None if id >= self.fresh => self.fresh = id + 1,
            None => {
                let mut order = Order::default();
                (0..self.fresh).filter(|before| *before != id).for_each(|before| order.push(before));
                order.push(id);
                self.order = Some(order);
            }
        }
    }

    /// Gives back what nothing refers to any more. When that gave the keys new ids, tells the old id of each new one.
    pub(super) fn commit(&mut self, schema: &SchemaRef) -> Result<Option<Vec<u32>>> {
        self.committed = true;
        // Keys that were only looked for count too: they are met in every table of an operator, written or not.
        let mostly_dead_keys = self.interner.len() > 2 * self.live + 1024;
        if std::mem::take(&mut self.written) || mostly_dead_keys {
            for segment in self.segments.iter_mut().filter(|segment| segment.live == 0) {
                segment.rows = None;
            }
            let kept: usize =
                self.segments.iter().filter_map(|segment| segment.rows.as_ref()).map(RecordBatch::num_rows).sum();
            if self.segments.len() > MOST_SEGMENTS || kept > 2 * self.live + 1024 || mostly_dead_keys {
                return self.compact(schema).map(Some);
            }
        }
        Ok(None)
    }

    /// Copies the live rows into one segment and forgets keys without a row. Tells the old id of each new one.
    fn compact(&mut self, schema: &SchemaRef) -> Result<Vec<u32>> {
        let ids_before = self.ids_in_order();
        let rows = self.rows_of(&ids_before, schema)?;
        if self.interner.len() > self.live || self.order.is_some() {
            let mut interner = Interner::new(&self.types)?;
            interner.reserve(rows.num_rows());
            let mut ids = Vec::new();
            interner.intern(&rows.columns()[..self.types.len()], rows.num_rows(), &mut ids)?;
            self.interner = interner;
        }
        self.places = (0..self.live as u32).map(|row| Place { segment: 0, row }).collect();
        self.met = vec![(0, 0); self.live];
        self.calls = 0;
        self.fresh = self.live as u32;
        self.order = None;
        self.segments = vec![Segment { live: self.live, rows: Some(rows) }];
        Ok(ids_before)
    }
}

/// The rows of a slot at one moment.
#[derive(Debug)]
pub(super) struct FrozenSlot {
    places: Vec<Place>,
    segments: Vec<Segment>,
}

impl FrozenSlot {
    pub(super) fn rows(&self) -> usize {
        self.places.len()
    }

    /// The rows in order, so many at a time.
    pub(super) fn batches(&self, most: usize, schema: &SchemaRef) -> impl Iterator<Item = Result<RecordBatch>> {
        self.places.chunks(most).map(|places| rows_at(&self.segments, places, schema))
    }
}

fn segment_rows(segments: &[Segment], segment: u32) -> &RecordBatch {
    segments[segment as usize].rows.as_ref().expect("a segment with live rows is kept")
}

fn rows_at(segments: &[Segment], places: &[Place], schema: &SchemaRef) -> Result<RecordBatch> {
    let segment_rows = |segment: u32| segment_rows(segments, segment);
    let Some(first) = places.first() else {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    };
    if places.iter().all(|place| place.segment == first.segment) {
        let rows = segment_rows(first.segment);
        let together = places.iter().enumerate().all(|(index, place)| place.row as usize == first.row as usize + index);
        if together {
            return Ok(rows.slice(first.row as usize, places.len()));
        }
        let indices = UInt32Array::from_iter_values(places.iter().map(|place| place.row));
        return Ok(take_record_batch(rows, &indices)?);
    }
    // Segments without live rows are empty places that no index points at; any batch will do for them.
    let some = segment_rows(first.segment);
    let batches: Vec<&RecordBatch> = segments.iter().map(|segment| segment.rows.as_ref().unwrap_or(some)).collect();
    let indices: Vec<(usize, usize)> =
        places.iter().map(|place| (place.segment as usize, place.row as usize)).collect();
    if schema.fields().is_empty() {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(places.len()));
        return Ok(RecordBatch::try_new_with_options(Arc::clone(schema), Vec::new(), &options)?);
    }
    Ok(interleave_record_batch(&batches, &indices)?)
}
