//! Columns made ready to be read by serde, once per batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use serde::Deserialize;

use super::cell::RowOf;
use super::unread::Unread;
use crate::schema::{TIMESTAMP, type_to_ddl};

/// The columns of a batch that a type reads, made ready.
#[derive(Clone, Debug)]
pub struct SerdeColumns<'a>(Arc<[BoundColumn<'a>]>);

impl<'a> FromIterator<BoundColumn<'a>> for SerdeColumns<'a> {
    fn from_iter<I: IntoIterator<Item = BoundColumn<'a>>>(columns: I) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl<'a> SerdeColumns<'a> {
    /// Reads a row.
    pub(super) fn read<T: Deserialize<'a>>(&self, row: usize) -> Result<T, Unread> {
        T::deserialize(RowOf { columns: &self.0, row, only: None })
    }
}

/// A column with its name.
#[derive(Debug)]
pub struct BoundColumn<'a> {
    pub(super) name: &'a str,
    pub(super) nulls: Option<&'a NullBuffer>,
    pub(super) values: Values<'a>,
}

/// A column's values.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Boolean(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Timestamp(&'a [i64]),
    Date(&'a [i32]),
    List {
        offsets: &'a [i32],
        elements: Box<BoundColumn<'a>>,
    },
    Struct(Vec<BoundColumn<'a>>),
    /// A type that nothing is read from.
    Other(String),
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> &[T::Native] {
    column.as_primitive::<T>().values()
}

impl<'a> BoundColumn<'a> {
    pub(super) fn of(name: &'a str, column: &'a ArrayRef) -> Self {
        let values = match column.data_type() {
            DataType::Boolean => Values::Boolean(column.as_boolean()),
            DataType::Int8 => Values::I8(numbers::<Int8Type>(column)),
            DataType::Int16 => Values::I16(numbers::<Int16Type>(column)),
            DataType::Int32 => Values::I32(numbers::<Int32Type>(column)),
            DataType::Int64 => Values::I64(numbers::<Int64Type>(column)),
            DataType::UInt8 => Values::U8(numbers::<UInt8Type>(column)),
            DataType::UInt16 => Values::U16(numbers::<UInt16Type>(column)),
            DataType::UInt32 => Values::U32(numbers::<UInt32Type>(column)),
            DataType::UInt64 => Values::U64(numbers::<UInt64Type>(column)),
            DataType::Float32 => Values::F32(numbers::<Float32Type>(column)),
            DataType::Float64 => Values::F64(numbers::<Float64Type>(column)),
            DataType::Utf8 => Values::Text(column.as_string()),
            DataType::Binary => Values::Bytes(column.as_binary()),
            DataType::Date32 => Values::Date(numbers::<Date32Type>(column)),
            timestamp if *timestamp == TIMESTAMP => Values::Timestamp(numbers::<TimestampMicrosecondType>(column)),
            DataType::List(element) => {
                let lists = column.as_list::<i32>();
                let elements = Box::new(Self::of(element.name(), lists.values()));
                Values::List { offsets: lists.value_offsets(), elements }
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().zip(column.as_struct().columns());
                Values::Struct(columns.map(|(field, column)| Self::of(field.name(), column)).collect())
            }
            other => Values::Other(type_to_ddl(other)),
        };
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        Self { name, nulls, values }
    }
}
