//! A table whose rows are replaced by key: what an `Update` stream amounts to so far.
//!
//! Rows stand in the order in which their keys first came, whatever replaced them since. New versions are appended as
//! whole batches and the old ones only forgotten; when more than half of what is kept is forgotten, the rows in use are
//! gathered into one batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Below this many rows forgotten rows are not worth a copy.
const FEW: usize = 1024;

/// Rows by key.
#[derive(Debug)]
pub(crate) struct UpsertTable {
    schema: SchemaRef,
    key_columns: Vec<usize>,
    /// `None` when there is no key: then the table has at most one row.
    converter: Option<RowConverter>,
    /// Where each key stands in `places`. Only looked up, never walked, so its order shows nowhere.
    index: HashMap<Box<[u8]>, usize, FixedState>,
    /// Per key, in order of first arrival: the batch and row of its present version.
    places: Vec<(usize, usize)>,
    batches: Vec<RecordBatch>,
    rows_kept: usize,
}

impl UpsertTable {
    /// An empty table keyed by these columns of `schema`.
    pub(crate) fn new(schema: SchemaRef, keys: &[String]) -> Result<Self, ArrowError> {
        let key_columns = keys.iter().map(|key| schema.index_of(key)).collect::<Result<Vec<_>, _>>()?;
        let sort_field = |&column: &usize| SortField::new(schema.field(column).data_type().clone());
        let sort_fields: Vec<SortField> = key_columns.iter().map(sort_field).collect();
        let converter = if sort_fields.is_empty() { None } else { Some(RowConverter::new(sort_fields)?) };
        Ok(Self {
            schema,
            key_columns,
            converter,
            index: HashMap::default(),
            places: Vec::new(),
            batches: Vec::new(),
            rows_kept: 0,
        })
    }

    /// Puts each row in the place of the one with its key, in order, so the last of several wins.
    pub(crate) fn upsert(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        let keys = match &self.converter {
            Some(converter) => {
                let columns: Vec<_> = self.key_columns.iter().map(|&column| Arc::clone(batch.column(column))).collect();
                Some(converter.convert_columns(&columns)?)
            }
            None => None,
        };
        for row in 0..batch.num_rows() {
            let place = (self.batches.len(), row);
            let key = keys.as_ref().map(|keys| keys.row(row));
            let key = key.as_ref().map_or(&[][..], |key| key.data());
            if let Some(&position) = self.index.get(key) {
                self.places[position] = place;
            } else {
                self.index.insert(key.into(), self.places.len());
                self.places.push(place);
            }
        }
        self.rows_kept += batch.num_rows();
        self.batches.push(batch);
        if self.rows_kept > FEW.max(2 * self.places.len()) {
            self.compact()?;
        }
        Ok(())
    }

    /// The places of the key's columns.
    pub(crate) fn key_columns(&self) -> &[usize] {
        &self.key_columns
    }

    /// The row whose key is the first row of these columns.
    pub(crate) fn get(&self, key: &[ArrayRef]) -> Result<Option<RecordBatch>, ArrowError> {
        let keys = self.converter.as_ref().map(|converter| converter.convert_columns(key)).transpose()?;
        let key = keys.as_ref().map(|keys| keys.row(0));
        let position = self.index.get(key.as_ref().map_or(&[][..], |key| key.data()));
        Ok(position.map(|&position| {
            let (batch, row) = self.places[position];
            self.batches[batch].slice(row, 1)
        }))
    }

    /// The rows as they stand.
    pub(crate) fn rows(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        if self.places.is_empty() {
            return Ok(Vec::new());
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Ok(vec![interleave_record_batch(&batches, &self.places)?])
    }

    fn compact(&mut self) -> Result<(), ArrowError> {
        self.batches = self.rows()?;
        self.rows_kept = self.places.len();
        self.places = (0..self.places.len()).map(|row| (0, row)).collect();
        debug_assert!(self.batches.iter().all(|batch| batch.schema().fields() == self.schema.fields()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::compute::concat_batches;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::counts;

    fn table_of(keys: &[&str]) -> UpsertTable {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        UpsertTable::new(counts(&[]).schema(), &keys).unwrap()
    }

    #[test]
    fn a_row_replaces_the_one_with_its_key_and_keeps_its_place() {
        let mut table = table_of(&["user"]);
        table.upsert(counts(&[("b", 1), ("a", 1), ("b", 2)])).unwrap();
        table.upsert(counts(&[("c", 1), ("a", 5)])).unwrap();
        assert_eq!(table.rows().unwrap(), [counts(&[("b", 2), ("a", 5), ("c", 1)])]);
    }

    #[test]
    fn without_keys_there_is_one_row() {
        let mut table = table_of(&[]);
        assert!(table.rows().unwrap().is_empty());
        table.upsert(counts(&[("a", 1)])).unwrap();
        table.upsert(counts(&[("b", 2)])).unwrap();
        assert_eq!(table.rows().unwrap(), [counts(&[("b", 2)])]);
    }

    #[test]
    fn forgotten_rows_do_not_pile_up() {
        let mut table = table_of(&["user"]);
        for round in 0..10_000 {
            table.upsert(counts(&[("a", round), ("b", -round)])).unwrap();
        }
        assert!(table.rows_kept <= FEW, "{}", table.rows_kept);
        assert_eq!(table.rows().unwrap(), [counts(&[("a", 9_999), ("b", -9_999)])]);
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_would(epochs in prop::collection::vec(prop::collection::vec(("[a-f]{1,2}", any::<i64>()), 0..300), 0..20)) {
            let mut table = table_of(&["user"]);
            let (mut order, mut newest) = (Vec::new(), BTreeMap::new());
            for epoch in &epochs {
                let rows: Vec<(&str, i64)> = epoch.iter().map(|(user, count)| (user.as_str(), *count)).collect();
                table.upsert(counts(&rows)).unwrap();
                for (user, count) in rows {
                    if newest.insert(user, count).is_none() {
                        order.push(user);
                    }
                }
            }
            let expected: Vec<_> = order.into_iter().map(|user| (user, newest[user])).collect();
            let rows = concat_batches(&counts(&[]).schema(), &table.rows().unwrap()).unwrap();
            prop_assert_eq!(rows, counts(&expected));
        }
    }
}
