//! Makes the columns of a Parquet or Arrow file those of the schema: by name, and only where nothing is lost.
//!
//! Integers become other integers and decimals that can hold them, floats wider floats, strings and binaries lose their
//! encoding (views, dictionaries, 64-bit offsets), dates become their midnight, timestamps lose their unit and zone (not the
//! instant, except for what is below a microsecond). Structs are matched by name, lists item by item.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use watershed_core::error::{Error, Result};
use watershed_core::schema::{TIMESTAMP, type_to_ddl};

/// How the batches of one file become batches of the schema.
pub(super) struct Adapter {
    path: String,
    output: SchemaRef,
    /// For each column of the schema, that of the file.
    sources: Vec<Option<usize>>,
}

impl Adapter {
    /// Finds each column of `output` in the file, and refuses those that cannot become what the schema says.
    pub(super) fn new(path: &str, file: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let sources = output.fields().iter().map(|field| file.index_of(field.name()).ok()).collect::<Vec<_>>();
        for (field, source) in output.fields().iter().zip(&sources) {
            let name = field.name();
            match source {
                Some(source) if !can_become(file.field(*source).data_type(), field.data_type()) => {
                    let (seen, declared) =
                        (type_to_ddl(file.field(*source).data_type()), type_to_ddl(field.data_type()));
                    return Err(Error::BadInput(format!(
                        "read `{path}`: column `{name}` is {seen} there, which cannot become {declared} without loss; declare it {}",
                        type_to_ddl(&plain_type(file.field(*source).data_type())),
                    )));
                }
                None if !field.is_nullable() => {
                    return Err(Error::BadInput(format!(
                        "read `{path}`: column `{name}` is NOT NULL, and the file has no such column"
                    )));
                }
                _ => {}
            }
        }
        Ok(Self { path: path.to_owned(), output: SchemaRef::clone(output), sources })
    }

    /// The columns of the file that are needed, in ascending order.
    pub(super) fn columns_read(&self) -> Vec<usize> {
        let mut columns: Vec<_> = self.sources.iter().flatten().copied().collect();
        columns.sort_unstable();
        columns
    }

    /// Adapts a batch that has all columns of the file.
    pub(super) fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.adapt_columns(batch, |source| source)
    }

    /// Adapts a batch that has only the [columns read](Self::columns_read).
    pub(super) fn adapt_projected(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let read = self.columns_read();
        self.adapt_columns(batch, |source| read.partition_point(|column| *column < source))
    }

    fn adapt_columns(&self, batch: &RecordBatch, place: impl Fn(usize) -> usize) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.sources.len());
        for (field, source) in self.output.fields().iter().zip(&self.sources) {
            let adapted = match source {
                Some(source) => become_type(batch.column(place(*source)), field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            };
            let failed =
                |cause: String| Error::BadInput(format!("read `{}`: column `{}`: {cause}", self.path, field.name()));
            let column = adapted.map_err(|error| failed(error.to_string()))?;
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(failed("NOT NULL, and the file has a null there".to_owned()));
            }
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(SchemaRef::clone(&self.output), columns, &options)?)
    }
}

/// Whether every value of `from` that `to` can hold at all becomes that value. A value that it cannot hold is an error later.
fn can_become(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    if from == to || *from == T::Null {
        return true;
    }
    match (from, to) {
        (T::Dictionary(_, values), to) => can_become(values, to),
        (T::RunEndEncoded(_, values), to) => can_become(values.data_type(), to),
        (T::Utf8 | T::LargeUtf8 | T::Utf8View, T::Utf8)
        | (T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_), T::Binary)
        | (T::Timestamp(..) | T::Date32, T::Timestamp(TimeUnit::Microsecond, None))
        | (T::Float16 | T::Int8 | T::Int16 | T::UInt8 | T::UInt16, T::Float32 | T::Float64)
        | (T::Float32 | T::Int32 | T::UInt32, T::Float64) => true,
        (from, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64) => {
            from.is_integer()
        }
        (from, T::Decimal128(_, scale)) if from.is_integer() => *scale >= 0,
        (
            T::Decimal32(_, from_scale)
            | T::Decimal64(_, from_scale)
            | T::Decimal128(_, from_scale)
            | T::Decimal256(_, from_scale),
            T::Decimal128(_, scale),
        ) => scale >= from_scale,
        (T::List(from) | T::LargeList(from) | T::FixedSizeList(from, _), T::List(to)) => {
            can_become(from.data_type(), to.data_type())
        }
        (T::Struct(from), T::Struct(to)) => to.iter().all(|field| match from.find(field.name()) {
            Some((_, from)) => can_become(from.data_type(), field.data_type()),
            None => field.is_nullable(),
        }),
        _ => false,
    }
}

/// The same values in another type. `to` was found possible by [`can_become`].
fn become_type(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    // An overflow is an error, not a null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), to) {
        (DataType::Dictionary(_, values), _) => become_type(&cast_with_options(array, values, &options)?, to),
        (DataType::RunEndEncoded(_, values), _) => {
            become_type(&cast_with_options(array, values.data_type(), &options)?, to)
        }
        (DataType::Timestamp(TimeUnit::Nanosecond, _), DataType::Timestamp(..)) => {
            // Downwards also before 1970, which a cast is not.
            let micros = array
                .as_primitive::<TimestampNanosecondType>()
                .unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1000));
            Ok(Arc::new(micros))
        }
        (DataType::Timestamp(..), DataType::Timestamp(unit, None)) => {
            // The zone says how an instant was to be shown, and changes nothing about it.
            let zone_kept = match array.data_type() {
                DataType::Timestamp(_, zone) => DataType::Timestamp(*unit, zone.clone()),
                other => other.clone(),
            };
            let micros = cast_with_options(array, &zone_kept, &options)?;
            Ok(Arc::new(micros.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<Arc<str>>)))
        }
        (DataType::LargeList(item) | DataType::FixedSizeList(item, _), DataType::List(_)) => {
            become_type(&cast_with_options(array, &DataType::List(FieldRef::clone(item)), &options)?, to)
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = become_type(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                FieldRef::clone(item),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let from = array.as_struct();
            let columns = fields.iter().map(|field| match from.column_by_name(field.name()) {
                Some(column) => become_type(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), from.len())),
            });
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, from.nulls().cloned(), from.len())?))
        }
        _ => cast_with_options(array, to, &options),
    }
}

/// The columns that a file's columns become when nobody declares them: types that a graph's edges carry, all nullable,
/// because another file may lack one.
pub(super) fn plain_schema(file: &Schema) -> SchemaRef {
    let plain = |field: &FieldRef| Field::new(field.name(), plain_type(field.data_type()), true);
    SchemaRef::new(Schema::new(file.fields().iter().map(plain).collect::<Vec<_>>()))
}

fn plain_type(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::LargeUtf8 | T::Utf8View | T::Null => T::Utf8,
        T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Timestamp(..) => TIMESTAMP,
        T::UInt8 => T::Int16,
        T::UInt16 => T::Int32,
        T::UInt32 => T::Int64,
        T::UInt64 => T::Decimal128(20, 0),
        T::Float16 => T::Float32,
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) => T::Decimal128(*precision, *scale),
        T::Dictionary(_, values) => plain_type(values),
        T::RunEndEncoded(_, values) => plain_type(values.data_type()),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => {
            T::new_list(plain_type(item.data_type()), true)
        }
        T::Struct(fields) => T::Struct(
            fields.iter().map(|field| Field::new(field.name(), plain_type(field.data_type()), true)).collect(),
        ),
        other => other.clone(),
    }
}
