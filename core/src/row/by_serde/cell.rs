//! What serde reads from: a row, a value in it, the elements of a list, the entries of a map.

use std::ops::Range;
use std::slice;

use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::columns::{BoundColumn, Values};
use super::unread::{Step, Unread};
use crate::row::Date;
use crate::time::Timestamp;

/// A row of some columns: of a batch, or of a struct.
#[derive(Clone, Copy)]
pub(super) struct RowOf<'c, 'a> {
    pub(super) columns: &'c [BoundColumn<'a>],
    pub(super) row: usize,
    /// The fields that are asked for; none for all there are.
    pub(super) only: Option<&'static [&'static str]>,
}

impl<'a> Deserializer<'a> for RowOf<'_, 'a> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_map(FieldsOf { columns: self.columns.iter(), row: self.row, only: self.only, at: None })
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields of a row, one after the other.
struct FieldsOf<'c, 'a> {
    columns: slice::Iter<'c, BoundColumn<'a>>,
    row: usize,
    only: Option<&'static [&'static str]>,
    at: Option<&'c BoundColumn<'a>>,
}

impl<'a> MapAccess<'a> for FieldsOf<'_, 'a> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Unread> {
        let only = self.only;
        self.at = self.columns.find(|column| only.is_none_or(|only| only.contains(&column.name)));
        self.at.map(|column| seed.deserialize(BorrowedStrDeserializer::new(column.name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Unread> {
        let column = self.at.ok_or_else(|| Unread::custom("a value was asked for before its name"))?;
        seed.deserialize(Cell { column, row: self.row })
            .map_err(|unread| unread.within(Step::Field(column.name.to_owned())))
    }
}

/// A value.
#[derive(Clone, Copy)]
struct Cell<'c, 'a> {
    column: &'c BoundColumn<'a>,
    row: usize,
}

impl Cell<'_, '_> {
    fn is_null(&self) -> bool {
        self.column.nulls.is_some_and(|nulls| nulls.is_null(self.row))
    }

    /// An instant or a day as text.
    fn text(&self) -> Option<String> {
        match self.column.values {
            Values::Timestamp(micros) => Some(Timestamp::from_micros(micros[self.row]).to_string()),
            Values::Date(days) => Some(Date::from_days(days[self.row]).to_string()),
            _ => None,
        }
    }
}

impl<'a> Deserializer<'a> for Cell<'_, 'a> {
    type Error = Unread;

    #[inline]
    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.is_null() {
            return visitor.visit_unit();
        }
        let row = self.row;
        match &self.column.values {
            Values::Boolean(values) => visitor.visit_bool(values.value(row)),
            Values::I8(values) => visitor.visit_i8(values[row]),
            Values::I16(values) => visitor.visit_i16(values[row]),
            Values::I32(values) | Values::Date(values) => visitor.visit_i32(values[row]),
            Values::I64(values) | Values::Timestamp(values) => visitor.visit_i64(values[row]),
            Values::U8(values) => visitor.visit_u8(values[row]),
            Values::U16(values) => visitor.visit_u16(values[row]),
            Values::U32(values) => visitor.visit_u32(values[row]),
            Values::U64(values) => visitor.visit_u64(values[row]),
            Values::F32(values) => visitor.visit_f32(values[row]),
            Values::F64(values) => visitor.visit_f64(values[row]),
            Values::Text(texts) => visitor.visit_borrowed_str(texts.value(row)),
            Values::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes.value(row)),
            Values::List { offsets, elements } => visitor.visit_seq(Elements::of(offsets, row, elements)),
            Values::Struct(columns) => RowOf { columns, row, only: None }.deserialize_any(visitor),
            Values::Other(name) => Err(Unread::invalid_type(Unexpected::Other(name), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.text() {
            Some(text) if !self.is_null() => visitor.visit_string(text),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_str(visitor)
    }

    /// An enum is named by a text.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        match &self.column.values {
            Values::Text(texts) if !self.is_null() => {
                BorrowedStrDeserializer::new(texts.value(self.row)).deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        match &self.column.values {
            Values::Bytes(bytes) if !self.is_null() => {
                visitor.visit_seq(SeqDeserializer::new(bytes.value(self.row).iter().copied()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// A map is a list of structs with the fields `key` and `value`.
    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        if let Values::List { offsets, elements } = &self.column.values
            && let Values::Struct(columns) = &elements.values
            && let [keys, values] = columns.as_slice()
            && (keys.name, values.name) == ("key", "value")
            && !self.is_null()
        {
            let rows = Elements::of(offsets, self.row, elements).rows;
            return visitor.visit_map(Entries { keys, values, rows, at: 0 });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        match &self.column.values {
            Values::Struct(columns) if !self.is_null() => {
                RowOf { columns, row: self.row, only: Some(fields) }.deserialize_any(visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

/// The elements of a list.
struct Elements<'c, 'a> {
    elements: &'c BoundColumn<'a>,
    rows: Range<usize>,
}

impl<'c, 'a> Elements<'c, 'a> {
    fn of(offsets: &[i32], row: usize, elements: &'c BoundColumn<'a>) -> Self {
        Self { elements, rows: offsets[row] as usize..offsets[row + 1] as usize }
    }
}

impl<'a> SeqAccess<'a> for Elements<'_, 'a> {
    type Error = Unread;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Unread> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        let element = seed.deserialize(Cell { column: self.elements, row });
        element.map(Some).map_err(|unread| unread.within(Step::Element))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rows.len())
    }
}

/// The entries of a map.
struct Entries<'c, 'a> {
    keys: &'c BoundColumn<'a>,
    values: &'c BoundColumn<'a>,
    rows: Range<usize>,
    at: usize,
}

impl<'c, 'a> Entries<'c, 'a> {
    fn read<S: DeserializeSeed<'a>>(column: &'c BoundColumn<'a>, row: usize, seed: S) -> Result<S::Value, Unread> {
        seed.deserialize(Cell { column, row })
            .map_err(|unread| unread.within(Step::Field(column.name.to_owned())).within(Step::Element))
    }
}

impl<'a> MapAccess<'a> for Entries<'_, 'a> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Unread> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        self.at = row;
        Self::read(self.keys, row, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Unread> {
        Self::read(self.values, self.at, seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rows.len())
    }
}
