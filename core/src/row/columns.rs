//! Columns that stand side by side, in a batch or in a struct: what a row's fields are found among.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, NullBufferBuilder, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields};

use super::misfit::Misfit;
use super::present::Present;
use super::value::{Column, Row, RowField, Value};
use crate::error::Result;
use crate::time::Timestamp;

/// The columns of a batch or of a struct, by name.
#[derive(Debug)]
pub struct Columns<'a> {
    fields: &'a Fields,
    arrays: &'a [ArrayRef],
    present: Present,
}

impl<'a> Columns<'a> {
    /// Those of a batch.
    pub fn of(batch: &'a RecordBatch) -> Self {
        Self { fields: batch.schema_ref().fields(), arrays: batch.columns(), present: Present::all(batch.num_rows()) }
    }

    /// The column of a name, made ready to be read as `V`.
    pub fn bind<V: Value>(&self, name: &str) -> Result<Column<'a, V>, Misfit> {
        let missing = || Misfit::missing(name, &V::data_type(), self.fields.iter().map(|field| field.name().as_str()));
        self.bind_if_there::<V>(name)?.ok_or_else(missing)
    }

    /// The same; none if there is no such column.
    pub fn bind_if_there<V: Value>(&self, name: &str) -> Result<Option<Column<'a, V>>, Misfit> {
        let Some((place, _)) = self.fields.find(name) else { return Ok(None) };
        V::bind(&self.arrays[place], &self.present).map(Some).map_err(|misfit| misfit.within(name))
    }
}

/// A single column by its name, made ready to be read as `V`.
pub fn column_of<'a, V: Value>(name: &str, column: &'a dyn Array) -> Result<Column<'a, V>> {
    Ok(V::bind(column, &Present::all(column.len())).map_err(|misfit| misfit.within(name))?)
}

/// Every one of `wanted` that is missing among `seen` or has another type there.
pub(crate) fn misfits_of(wanted: &[RowField], seen: &Fields) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for RowField { field, has_default, misfits: of_type, .. } in wanted {
        match seen.find(field.name()) {
            Some((_, seen)) => {
                misfits.extend(of_type(seen.data_type()).into_iter().map(|misfit| misfit.within(field.name())));
            }
            None if *has_default => {}
            None => {
                let names = seen.iter().map(|field| field.name().as_str());
                misfits.push(Misfit::missing(field.name(), field.data_type(), names));
            }
        }
    }
    misfits
}

/// A field of a row, as `#[derive(Row)]` says it.
pub fn row_field<V: Value>(name: &str, has_default: bool) -> RowField {
    RowField {
        field: Field::new(name, V::data_type(), V::NULLABLE),
        has_default,
        event_time: false,
        misfits: V::misfits,
    }
}

/// A field that is event time in what an operator puts out.
pub fn event_time_field<V: Value + EventTimeValue>(name: &str, has_default: bool) -> RowField {
    RowField { event_time: true, ..row_field::<V>(name, has_default) }
}

/// What an event time is read as.
#[diagnostic::on_unimplemented(message = "event time is a `Timestamp` or an `Option<Timestamp>`, not `{Self}`")]
pub trait EventTimeValue {}

impl EventTimeValue for Timestamp {}
impl EventTimeValue for Option<Timestamp> {}

/// The type of a row as a value.
pub fn struct_type<R: Row>() -> DataType {
    DataType::Struct(R::arrow_fields())
}

/// All that keeps a column of type `seen` from being read as the row.
pub fn struct_misfits<R: Row>(seen: &DataType) -> Vec<Misfit> {
    match seen {
        DataType::Struct(fields) => misfits_of(&R::fields(), fields),
        _ => vec![Misfit::of_type(&R::data_type(), seen)],
    }
}

/// Makes a column of structs ready to be read as rows.
pub fn bind_struct<'a, R: Row>(column: &'a dyn Array, present: &Present) -> Result<R::Column<'a>, Misfit> {
    let Some(column) = column.as_struct_opt() else {
        return Err(Misfit::of_type(&R::data_type(), column.data_type()));
    };
    if present.has_null(column) {
        return Err(Misfit::of_nulls(&R::data_type()));
    }
    R::bind_fields(&Columns {
        fields: column.fields(),
        arrays: column.columns(),
        present: present.not_null(column.nulls()),
    })
}

/// The column of structs with these fields. The builder is empty again.
pub fn finish_struct<R: Row>(nulls: &mut NullBufferBuilder, columns: Vec<ArrayRef>) -> ArrayRef {
    let rows = nulls.len();
    let nulls = nulls.finish();
    let fields = R::arrow_fields();
    Arc::new(if fields.is_empty() {
        StructArray::new_empty_fields(rows, nulls)
    } else {
        StructArray::new(fields, columns, nulls)
    })
}
