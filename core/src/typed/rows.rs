//! What goes into an author's code and what comes out: the rows of a key, and the place for results.

use std::fmt;
use std::slice;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};

use crate::error::Result;
use crate::row::{Of, ReadRow, Row};

/// The rows of one key in one epoch. Strings in them are borrowed from the batch; a clone starts where this one stands.
pub struct Rows<'a, R: ReadRow> {
    bound: Option<R::Bound<'a>>,
    places: slice::Iter<'a, u32>,
}

impl<'a, R: ReadRow> Rows<'a, R> {
    /// The rows at these places of a batch.
    pub(super) fn of(bound: &R::Bound<'a>, places: &'a [u32]) -> Self {
        Self { bound: Some(bound.clone()), places: places.iter() }
    }

    /// No rows: a call for a timeout has none.
    pub(super) fn none() -> Self {
        Self { bound: None, places: [].iter() }
    }
}

impl<'a, R: ReadRow> Iterator for Rows<'a, R> {
    type Item = R::Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let bound = self.bound.as_ref()?;
        self.places.next().map(|&place| R::get(bound, place as usize))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl<R: ReadRow> ExactSizeIterator for Rows<'_, R> {}

impl<R: ReadRow> Clone for Rows<'_, R> {
    fn clone(&self) -> Self {
        Self { bound: self.bound.clone(), places: self.places.clone() }
    }
}

impl<R: ReadRow> fmt::Debug for Rows<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.places.len())
    }
}

/// Where an operator puts its results. They are written to columns at once; nothing is kept row by row.
pub struct Emitter<R: Row> {
    builder: R::Builder,
    schema: SchemaRef,
    rows: usize,
    /// How many rows there were when the call began that is under way.
    before_call: usize,
}

impl<R: Row> Emitter<R> {
    pub(super) fn new() -> Self {
        Self { builder: R::builder(), schema: Arc::new(Schema::new(R::arrow_fields())), rows: 0, before_call: 0 }
    }

    /// Puts a row out.
    #[inline]
    pub fn emit(&mut self, row: Of<'_, R>) {
        R::push(&mut self.builder, row);
        self.rows += 1;
    }

    /// How many rows this call has put out.
    pub fn len(&self) -> usize {
        self.rows - self.before_call
    }

    /// Whether this call has put out nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn begin_call(&mut self) {
        self.before_call = self.rows;
    }

    /// How many rows wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.rows
    }

    /// Takes all rows that wait.
    pub(super) fn take(&mut self) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        self.before_call = 0;
        let columns = R::finish_columns(&mut self.builder);
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

impl<R: Row> fmt::Debug for Emitter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.rows)
    }
}
