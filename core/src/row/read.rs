//! What an operator's input rows may be.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::misfit::{Misfit, misfits};
use super::value::{Column, Of, Row};
use crate::error::Result;

/// A type that the rows of a batch are read as: every [`Row`], and [`Serde<T>`](super::Serde).
pub trait ReadRow {
    /// A row as it is read from a batch that lives for `'a`.
    type Item<'a>;
    /// A batch's columns, made ready to be read. A clone is cheap.
    type Bound<'a>: Clone;

    /// Everything that keeps rows of this schema from being read.
    fn misfits(schema: &Schema) -> Vec<Misfit>;

    /// The places of the columns that are read; the others need not be there.
    fn columns(schema: &Schema) -> Vec<usize>;

    /// Makes a batch ready to be read.
    fn bind(batch: &RecordBatch) -> Result<Self::Bound<'_>>;

    /// A row of it.
    fn get<'a>(bound: &Self::Bound<'a>, row: usize) -> Self::Item<'a>;
}

impl<R: Row> ReadRow for R {
    type Item<'a> = Of<'a, R>;
    type Bound<'a> = Column<'a, R>;

    fn misfits(schema: &Schema) -> Vec<Misfit> {
        misfits::<R>(schema)
    }

    fn columns(schema: &Schema) -> Vec<usize> {
        R::fields().iter().filter_map(|row| schema.index_of(row.field.name()).ok()).collect()
    }

    fn bind(batch: &RecordBatch) -> Result<Self::Bound<'_>> {
        R::bind_columns(batch)
    }

    #[inline]
    fn get<'a>(bound: &Self::Bound<'a>, row: usize) -> Self::Item<'a> {
        <R as super::Value>::get(bound, row)
    }
}
