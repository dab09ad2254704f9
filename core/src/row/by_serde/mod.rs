//! Rows read by serde: the easy way for input rows.

mod cell;
mod columns;
mod trial;
mod unread;

use std::marker::PhantomData;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde::de::DeserializeOwned;

use self::columns::BoundColumn;
use super::misfit::Misfit;
use super::read::ReadRow;
use crate::error::Result;

pub use self::columns::SerdeColumns;

/// Input rows read as any struct that serde reads, for which no `#[derive(Row)]` is needed: strings are owned, and each row may
/// turn out unreadable, so it comes as a `Result`.
///
/// A field is the column of its name; columns that are no fields are passed over. Numbers are widened and narrowed where they fit,
/// an enum without fields is read from its name, a map from a list of entries, a timestamp as
/// [`Timestamp`](crate::time::Timestamp) or as text.
#[derive(Debug)]
pub struct Serde<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned> ReadRow for Serde<T> {
    type Item<'a> = Result<T>;
    type Bound<'a> = SerdeColumns<'a>;

    /// Found by reading a row of zeros and empty texts.
    fn misfits(schema: &Schema) -> Vec<Misfit> {
        trial::misfits::<T>(schema)
    }

    fn columns(schema: &Schema) -> Vec<usize> {
        let fields = trial::fields::<T>();
        let is_read = |name: &str| fields.is_none_or(|fields| fields.contains(&name));
        schema.fields().iter().enumerate().filter(|(_, field)| is_read(field.name())).map(|(place, _)| place).collect()
    }

    fn bind(batch: &RecordBatch) -> Result<Self::Bound<'_>> {
        let schema = batch.schema_ref();
        let of_place = |place: usize| BoundColumn::of(schema.field(place).name(), batch.column(place));
        Ok(Self::columns(schema).into_iter().map(of_place).collect())
    }

    fn get<'a>(bound: &Self::Bound<'a>, row: usize) -> Self::Item<'a> {
        Ok(bound.read(row).map_err(Misfit::from)?)
    }
}
