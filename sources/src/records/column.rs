//! Growing Arrow columns that can go back: a record that turns out bad half way leaves no trace.
//!
//! Arrow's own builders cannot be cut short, so these are plain vectors, made into arrays without a copy.

use std::sync::Arc;

use arrow::array::builder::BooleanBufferBuilder;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields, TimeUnit};
use watershed_core::error::{Error, Result};
use watershed_core::schema::type_to_ddl;

use super::ProblemKind;
use crate::json::Keys;

/// One column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) nullable: bool,
    pub(crate) nulls: Nulls,
    pub(crate) values: Values,
}

/// Its values; a null has a value too, which means nothing.
#[derive(Debug)]
pub(crate) enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Decimal { unscaled: Vec<i128>, precision: u8, scale: i8 },
    Text(Bytes),
    Binary(Bytes),
    List { offsets: Vec<i32>, item: Box<Column>, field: FieldRef },
    Struct(Record),
}

impl Column {
    /// An empty column; refuses types that text cannot hold.
    pub(crate) fn new(field: &FieldRef) -> Result<Self> {
        let values = match field.data_type() {
            DataType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Values::Int8(Vec::new()),
            DataType::Int16 => Values::Int16(Vec::new()),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float32 => Values::Float32(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Values::Timestamp(Vec::new()),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal { unscaled: Vec::new(), precision: *precision, scale: *scale }
            }
            DataType::Utf8 => Values::Text(Bytes::default()),
            DataType::Binary => Values::Binary(Bytes::default()),
            DataType::List(item) => {
                Values::List { offsets: vec![0], item: Box::new(Self::new(item)?), field: FieldRef::clone(item) }
            }
            DataType::Struct(fields) => Values::Struct(Record::new(fields)?),
            other => {
                let message =
                    format!("column `{}` is {}, which cannot be read from text", field.name(), type_to_ddl(other));
                return Err(Error::BadInput(message));
            }
        };
        Ok(Self { nullable: field.is_nullable(), nulls: Nulls::default(), values })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.nulls.rows
    }

    /// Appends a null where the schema allows one.
    pub(crate) fn push_null(&mut self) -> Result<(), ProblemKind> {
        if !self.nullable {
            return Err(ProblemKind::Missing);
        }
        self.push_filler();
        Ok(())
    }

    /// Appends a null whatever the schema says: below a struct that is null itself, and for records that are kept as text.
    pub(crate) fn push_filler(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int8(values) => values.push(0),
            Values::Int16(values) => values.push(0),
            Values::Int32(values) | Values::Date(values) => values.push(0),
            Values::Int64(values) | Values::Timestamp(values) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal { unscaled, .. } => unscaled.push(0),
            Values::Text(bytes) | Values::Binary(bytes) => bytes.repeat_offset(),
            Values::List { offsets, .. } => offsets.push(offsets.last().copied().unwrap_or(0)),
            Values::Struct(record) => record.columns.iter_mut().for_each(Self::push_filler),
        }
        self.nulls.push_null();
    }

    /// Takes away all after the first `rows` values, finished or not.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.nulls.truncate(rows);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Int8(values) => values.truncate(rows),
            Values::Int16(values) => values.truncate(rows),
            Values::Int32(values) | Values::Date(values) => values.truncate(rows),
            Values::Int64(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Float32(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Decimal { unscaled, .. } => unscaled.truncate(rows),
            Values::Text(bytes) | Values::Binary(bytes) => bytes.truncate(rows),
            Values::List { offsets, item, .. } => {
                offsets.truncate(rows + 1);
                item.truncate(offsets.last().copied().unwrap_or(0) as usize);
            }
            Values::Struct(record) => record.truncate(rows),
        }
    }

    /// The column as an array. Leaves an empty one with room for as much again.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let rows = self.len();
        let nulls = self.nulls.finish();
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int8(values) => Arc::new(Int8Array::new(taken(values), nulls)),
            Values::Int16(values) => Arc::new(Int16Array::new(taken(values), nulls)),
            Values::Int32(values) => Arc::new(Int32Array::new(taken(values), nulls)),
            Values::Int64(values) => Arc::new(Int64Array::new(taken(values), nulls)),
            Values::Float32(values) => Arc::new(Float32Array::new(taken(values), nulls)),
            Values::Float64(values) => Arc::new(Float64Array::new(taken(values), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(taken(values), nulls)),
            Values::Timestamp(values) => Arc::new(TimestampMicrosecondArray::new(taken(values), nulls)),
            Values::Decimal { unscaled, precision, scale } => {
                Arc::new(Decimal128Array::new(taken(unscaled), nulls).with_precision_and_scale(*precision, *scale)?)
            }
            Values::Text(bytes) => {
                let (offsets, data) = bytes.finish();
                Arc::new(StringArray::try_new(offsets, data, nulls)?)
            }
            Values::Binary(bytes) => {
                let (offsets, data) = bytes.finish();
                Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
            }
            Values::List { offsets, item, field } => {
                let items = item.finish()?;
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])));
                Arc::new(ListArray::try_new(FieldRef::clone(field), offsets, items, nulls)?)
            }
            Values::Struct(record) => {
                Arc::new(StructArray::try_new_with_length(record.fields.clone(), record.finish()?, nulls, rows)?)
            }
        })
    }
}

/// Which values are null. Most are not, so only where the nulls are is written down.
#[derive(Debug, Default)]
pub(crate) struct Nulls {
    rows: usize,
    places: Vec<usize>,
}

impl Nulls {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    pub(crate) fn push_valid(&mut self) {
        self.rows += 1;
    }

    fn push_null(&mut self) {
        self.places.push(self.rows);
        self.rows += 1;
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        let kept = self.places.partition_point(|place| *place < rows);
        self.places.truncate(kept);
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        let rows = std::mem::take(&mut self.rows);
        if self.places.is_empty() {
            return None;
        }
        let mut valid = BooleanBufferBuilder::new(rows);
        valid.append_n(rows, true);
        for place in self.places.drain(..) {
            valid.set_bit(place, false);
        }
        Some(NullBuffer::new(valid.finish()))
    }
}

/// Takes the values and leaves room for as many.
fn taken<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let room = Vec::with_capacity(values.len());
    ScalarBuffer::from(std::mem::replace(values, room))
}

/// Strings one behind the other, and where each ends.
#[derive(Debug)]
pub(crate) struct Bytes {
    pub(crate) data: Vec<u8>,
    offsets: Vec<i32>,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { data: Vec::new(), offsets: vec![0] }
    }
}

impl Bytes {
    /// Ends the string whose bytes were appended to `data`.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<(), ProblemKind> {
        let end = i32::try_from(self.data.len()).map_err(|_| ProblemKind::TooMuchText)?;
        self.offsets.push(end);
        Ok(())
    }

    /// An empty string, for a null.
    fn repeat_offset(&mut self) {
        self.offsets.push(self.offsets.last().copied().unwrap_or(0));
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.data.truncate(self.offsets.last().copied().unwrap_or(0) as usize);
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let room = Vec::with_capacity(self.data.len());
        let data = std::mem::replace(&mut self.data, room);
        let mut room = Vec::with_capacity(self.offsets.len());
        room.push(0);
        let offsets = std::mem::replace(&mut self.offsets, room);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(data))
    }
}

/// The columns of a record, or of a struct within one.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) fields: Fields,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: Keys,
}

impl Record {
    pub(crate) fn new(fields: &Fields) -> Result<Self> {
        let columns = fields.iter().map(Column::new).collect::<Result<_>>()?;
        Ok(Self { fields: fields.clone(), columns, keys: Keys::new(fields) })
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
    }

    pub(crate) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.columns.iter_mut().map(Column::finish).collect()
    }
}
