//! Rows of both sides, put together for expressions over them.
//!
//! An expression reads few of the columns of two streams, so only these are fetched; for the others stands a column of nulls
//! that takes no memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use watershed_core::error::Result;

use super::scope::Side;
use crate::sql::Expression;

/// The columns of two sides that some expressions read.
#[derive(Debug)]
pub(super) struct View {
    /// All columns, those that nobody reads without a type.
    schema: SchemaRef,
    /// The number of columns of the left side.
    left: usize,
    /// The places of those that are read, ascending.
    read: Vec<usize>,
}

impl View {
    /// What `expressions` over `joined` read, of which the first `left` columns are those of the left side.
    pub(super) fn new<'a>(joined: &Schema, left: usize, expressions: impl IntoIterator<Item = &'a Expression>) -> Self {
        Self::of_places(joined, left, expressions.into_iter().flat_map(Expression::columns).collect())
    }

    /// All columns of `side`.
    pub(super) fn whole(joined: &Schema, left: usize, side: Side) -> Self {
        let of_side = |place: &usize| (*place < left) == (side == Side::Left);
        Self::of_places(joined, left, (0..joined.fields().len()).filter(of_side).collect())
    }

    fn of_places(joined: &Schema, left: usize, read: BTreeSet<usize>) -> Self {
        let field = |(place, field): (usize, &Arc<Field>)| {
            // A row that has no partner has nulls for it.
            let field = field.as_ref().clone().with_nullable(true);
            if read.contains(&place) { field } else { field.with_data_type(DataType::Null) }
        };
        let fields: Vec<Field> = joined.fields().iter().enumerate().map(field).collect();
        Self { schema: Arc::new(Schema::new(fields)), left, read: read.into_iter().collect() }
    }

    /// The columns of `side` that are read, by their places in its stream.
    pub(super) fn of(&self, side: Side) -> impl Iterator<Item = usize> {
        let from = if side == Side::Left { 0 } else { self.left };
        let is_of_side = move |place: &&usize| (**place < self.left) == (side == Side::Left);
        self.read.iter().filter(is_of_side).map(move |place| place - from)
    }

    /// So many rows: of each side the columns that are [read](Self::of).
    pub(super) fn rows(&self, rows: usize, left: Vec<ArrayRef>, right: Vec<ArrayRef>) -> Result<RecordBatch> {
        let nobody_reads: ArrayRef = Arc::new(NullArray::new(rows));
        let mut columns = vec![nobody_reads; self.schema.fields().len()];
        for (&place, column) in self.read.iter().zip(left.into_iter().chain(right)) {
            columns[place] = column;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// So many rows of `side` without a partner.
    pub(super) fn alone(&self, rows: usize, side: Side, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        let from = if side == Side::Left { self.left } else { 0 };
        let missing =
            self.of(side.other()).map(|place| new_null_array(self.schema.field(from + place).data_type(), rows));
        let missing = missing.collect();
        match side {
            Side::Left => self.rows(rows, columns, missing),
            Side::Right => self.rows(rows, missing, columns),
        }
    }
}
