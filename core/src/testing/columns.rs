//! Batches as rows of cells, and rows of cells as batches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions, StringArray,
    StructArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::cell::Cell;
use crate::schema::TIMESTAMP;
use crate::time::Timestamp;

/// The rows of batches, in order.
pub fn cells_of(batches: &[RecordBatch]) -> Result<Vec<Vec<Cell>>, ArrowError> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(column_cells).collect::<Result<Vec<_>, _>>()?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let row = |_| columns.iter_mut().map(|column| column.next().unwrap_or(Cell::Null)).collect();
        rows.extend((0..batch.num_rows()).map(row));
    }
    Ok(rows)
}

/// The values of a column.
fn column_cells(array: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    /// One cell per row; nulls apart.
    fn each(array: &dyn Array, cell: impl Fn(usize) -> Cell) -> Vec<Cell> {
        (0..array.len()).map(|row| if array.is_null(row) { Cell::Null } else { cell(row) }).collect()
    }
    Ok(match array.data_type() {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Boolean => each(array, |row| Cell::Bool(array.as_boolean().value(row))),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let wide = cast(array, &DataType::Int64)?;
            each(array, |row| Cell::Int(wide.as_primitive::<Int64Type>().value(row).into()))
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            let wide = cast(array, &DataType::UInt64)?;
            each(array, |row| Cell::Int(wide.as_primitive::<UInt64Type>().value(row).into()))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let wide = cast(array, &DataType::Float64)?;
            each(array, |row| Cell::Float(wide.as_primitive::<Float64Type>().value(row)))
        }
        &DataType::Decimal128(_, scale) => {
            each(array, |row| Cell::Decimal { units: array.as_primitive::<Decimal128Type>().value(row), scale })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = cast(array, &DataType::Utf8)?;
            each(array, |row| Cell::Text(text.as_string::<i32>().value(row).to_owned()))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let bytes = cast(array, &DataType::Binary)?;
            each(array, |row| Cell::Bytes(bytes.as_binary::<i32>().value(row).to_owned()))
        }
        DataType::Date32 => each(array, |row| Cell::Date(array.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(..) => {
            let instants = cast(array, &TIMESTAMP)?;
            let instants = instants.as_primitive::<TimestampMicrosecondType>();
            each(array, |row| Cell::Instant(Timestamp::from_micros(instants.value(row))))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let list = cast(array, &DataType::List(Arc::clone(item)))?;
            let list = list.as_list::<i32>();
            let items = column_cells(list.values())?;
            let offsets = list.value_offsets();
            each(array, |row| Cell::List(items[offsets[row] as usize..offsets[row + 1] as usize].to_vec()))
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter().map(column_cells).collect::<Result<Vec<_>, _>>()?;
            each(array, |row| {
                let named =
                    fields.iter().zip(&columns).map(|(field, column)| (field.name().clone(), column[row].clone()));
                Cell::Struct(named.collect())
            })
        }
        DataType::Dictionary(_, value) => column_cells(&cast(array, value)?)?,
        _ => {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::default())?;
            each(array, |row| Cell::Other(formatter.value(row).to_string()))
        }
    })
}

/// Rows as a batch of this schema.
pub fn batch_of(schema: &SchemaRef, rows: &[Vec<Cell>]) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let cells: Vec<&Cell> = rows.iter().map(|row| &row[index]).collect();
        column(field.data_type(), &cells)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Cells as a column of this type; they were read for it, so what does not fit is null.
fn column(data_type: &DataType, cells: &[&Cell]) -> Result<ArrayRef, ArrowError> {
    macro_rules! primitive {
        ($array:ty, $pattern:pat => $value:expr) => {
            Arc::new(
                cells
                    .iter()
                    .map(|cell| match cell {
                        $pattern => $value,
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    Ok(match data_type {
        DataType::Boolean => primitive!(BooleanArray, Cell::Bool(value) => Some(*value)),
        DataType::Int8 => primitive!(Int8Array, Cell::Int(value) => i8::try_from(*value).ok()),
        DataType::Int16 => primitive!(Int16Array, Cell::Int(value) => i16::try_from(*value).ok()),
        DataType::Int32 => primitive!(Int32Array, Cell::Int(value) => i32::try_from(*value).ok()),
        DataType::Int64 => primitive!(Int64Array, Cell::Int(value) => i64::try_from(*value).ok()),
        DataType::UInt8 => primitive!(UInt8Array, Cell::Int(value) => u8::try_from(*value).ok()),
        DataType::UInt16 => primitive!(UInt16Array, Cell::Int(value) => u16::try_from(*value).ok()),
        DataType::UInt32 => primitive!(UInt32Array, Cell::Int(value) => u32::try_from(*value).ok()),
        DataType::UInt64 => primitive!(UInt64Array, Cell::Int(value) => u64::try_from(*value).ok()),
        DataType::Float32 => primitive!(Float32Array, Cell::Float(value) => Some(*value as f32)),
        DataType::Float64 => primitive!(Float64Array, Cell::Float(value) => Some(*value)),
        DataType::Utf8 => primitive!(StringArray, Cell::Text(text) => Some(text.as_str())),
        DataType::Binary => primitive!(BinaryArray, Cell::Bytes(bytes) => Some(bytes.as_slice())),
        DataType::Date32 => primitive!(Date32Array, Cell::Date(days) => Some(*days)),
        DataType::Timestamp(..) => {
            let micros: ArrayRef =
                primitive!(TimestampMicrosecondArray, Cell::Instant(instant) => Some(instant.micros()));
            arrow::compute::cast(&micros, data_type)?
        }
        &DataType::Decimal128(precision, scale) => {
            let units = cells.iter().map(|cell| match cell {
                Cell::Decimal { units, .. } => Some(*units),
                _ => None,
            });
            Arc::new(units.collect::<Decimal128Array>().with_precision_and_scale(precision, scale)?)
        }
        DataType::List(item) => {
            let lists = cells.iter().map(|cell| match cell {
                Cell::List(items) => items.as_slice(),
                _ => &[],
            });
            let items: Vec<&Cell> = lists.clone().flatten().collect();
            let values = column(item.data_type(), &items)?;
            let offsets = OffsetBuffer::from_lengths(lists.map(<[Cell]>::len));
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, Some(validity(cells)))?)
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| {
                let inner: Vec<&Cell> = cells.iter().map(|cell| field_of(cell, field.name())).collect();
                column(field.data_type(), &inner)
            });
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, Some(validity(cells)), cells.len())?)
        }
        other => return Err(ArrowError::NotYetImplemented(format!("rows with values of type {other}"))),
    })
}

fn validity(cells: &[&Cell]) -> NullBuffer {
    cells.iter().map(|cell| !matches!(cell, Cell::Null)).collect()
}

fn field_of<'a>(cell: &'a Cell, name: &str) -> &'a Cell {
    match cell {
        Cell::Struct(fields) => fields.iter().find(|(field, _)| field == name).map_or(&Cell::Null, |(_, value)| value),
        _ => &Cell::Null,
    }
}
