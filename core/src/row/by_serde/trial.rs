//! A trial before there are rows: what a type asks of its columns is found out by reading one made-up row.
//!
//! Reading stops at the first column that does not fit. A stand-in is then put in its place, one after the other until reading gets
//! past it, so that one trial finds every misfit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, StructArray, make_array,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::columns::{BoundColumn, SerdeColumns};
use super::unread::{Reason, Step, Unread};
use crate::row::misfit::{Misfit, Problem};
use crate::schema::type_to_ddl;

/// The names of the columns that a struct reads; none for a type that takes whatever there is.
pub(super) fn fields<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut asked = None;
    // A probe has no values, so reading fails; what it was asked for is all that counts.
    let _ = T::deserialize(Probe(&mut asked));
    asked
}

/// Hears which fields are asked for.
struct Probe<'p>(&'p mut Option<&'static [&'static str]>);

impl<'a> Deserializer<'a> for Probe<'_> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Unread> {
        Err(Unread::custom("a probe has no values"))
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        *self.0 = Some(fields);
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// How deep the trial looks: a type may hold itself.
const DEEPEST: usize = 32;

/// Everything that keeps rows of this schema from being read as `T`.
pub(super) fn misfits<T: DeserializeOwned>(schema: &Schema) -> Vec<Misfit> {
    let asked = fields::<T>();
    let is_read = |field: &&Arc<Field>| asked.is_none_or(|asked| asked.contains(&field.name().as_str()));
    let row = sample(&DataType::Struct(schema.fields().iter().filter(is_read).cloned().collect()));
    // For each place that did not fit, the stand-ins not tried yet, the next one last.
    let mut left: BTreeMap<Vec<Step>, Vec<ArrayRef>> = BTreeMap::new();
    let mut misfits = Vec::new();
    let mut tried = Arc::clone(&row);
    while let Err(unread) = read::<T>(&tried) {
        let place = unread.place();
        if place.len() > DEEPEST {
            break;
        }
        let below_a_stand_in = left.keys().any(|above| place.len() > above.len() && place.starts_with(above));
        let stand_ins = left.entry(place.clone()).or_insert_with(|| {
            let first = match unread.reason {
                Reason::Variant { expected: [first, ..], .. } => Some(text(first)),
                _ => None,
            };
            if !below_a_stand_in {
                misfits.extend(misfit(unread, &place, schema, row.data_type()));
            }
            stand_ins().into_iter().rev().chain(first).collect()
        });
        match stand_ins.pop().and_then(|stand_in| replaced(&tried, &place, &stand_in)) {
            Some(next) => tried = next,
            // What the type wants there cannot be guessed, or the row as a whole does not please it.
            None => break,
        }
    }
    misfits
}

fn read<T: DeserializeOwned>(row: &ArrayRef) -> Result<T, Unread> {
    let row = row.as_struct();
    let columns = row.fields().iter().zip(row.columns());
    columns.map(|(field, column)| BoundColumn::of(field.name(), column)).collect::<SerdeColumns>().read(0)
}

/// What is wrong with a column of the made-up row; nothing where only the value is, for that is made up.
fn misfit(unread: Unread, place: &[Step], schema: &Schema, row: &DataType) -> Option<Misfit> {
    if matches!(unread.reason, Reason::Variant { .. } | Reason::Value(_)) {
        return None;
    }
    let mut misfit = Misfit::from(unread);
    match &mut misfit.problem {
        Problem::Type { seen } => *seen = type_to_ddl(type_at(row, place)?),
        Problem::Missing { columns } => {
            let fields = match place {
                [_] => schema.fields(),
                [above @ .., _] => match type_at(row, above)? {
                    DataType::Struct(fields) => fields,
                    _ => return None,
                },
                [] => return None,
            };
            *columns = fields.iter().map(|field| field.name().clone()).collect();
        }
        Problem::Nulls | Problem::Value { .. } => {}
    }
    Some(misfit)
}

/// The type of the column at a place.
fn type_at<'t>(row: &'t DataType, place: &[Step]) -> Option<&'t DataType> {
    match (place, row) {
        ([], _) => Some(row),
        ([Step::Field(name), rest @ ..], DataType::Struct(fields)) => type_at(fields.find(name)?.1.data_type(), rest),
        ([Step::Element, rest @ ..], DataType::List(element)) => type_at(element.data_type(), rest),
        _ => None,
    }
}

/// One value of a type: zero, false, empty; of lists and structs one with such values.
fn sample(data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Struct(fields) if fields.is_empty() => Arc::new(StructArray::new_empty_fields(1, None)),
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| sample(field.data_type())).collect();
            Arc::new(StructArray::new(fields.clone(), columns, None))
        }
        DataType::List(element) => {
            let elements = sample(element.data_type());
            Arc::new(ListArray::new(Arc::clone(element), OffsetBuffer::from_lengths([1]), elements, None))
        }
        other => {
            let null = new_null_array(other, 1);
            let value = null.to_data().into_builder().nulls(None).build();
            value.map_or(null, make_array)
        }
    }
}

fn text(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

/// What may please a field that the column does not.
fn stand_ins() -> Vec<ArrayRef> {
    let no_texts = ListArray::new_null(Arc::new(Field::new_list_field(DataType::Utf8, true)), 1);
    let (element, offsets, elements, _) = no_texts.into_parts();
    vec![
        Arc::new(BooleanArray::from(vec![false])),
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(Float64Array::from(vec![1.0])),
        text(""),
        text("1"),
        text("1970-01-01T00:00:00Z"),
        Arc::new(ListArray::new(element, offsets, elements, None)),
        Arc::new(StructArray::new_empty_fields(1, None)),
    ]
}

/// The same row with another value at a place, where there may be nothing yet.
fn replaced(row: &ArrayRef, place: &[Step], value: &ArrayRef) -> Option<ArrayRef> {
    match (place, row.data_type()) {
        ([], _) => Some(Arc::clone(value)),
        ([Step::Field(name), rest @ ..], DataType::Struct(fields)) => {
            let mut fields: Vec<_> = fields.iter().cloned().collect();
            let mut columns = row.as_struct().columns().to_vec();
            let at = fields.iter().position(|field| field.name() == name).unwrap_or(columns.len());
            let column = match columns.get(at) {
                Some(column) => replaced(column, rest, value)?,
                None if rest.is_empty() => Arc::clone(value),
                None => return None,
            };
            let field = Arc::new(Field::new(name, column.data_type().clone(), true));
            fields.splice(at..fields.len().min(at + 1), [field]);
            columns.splice(at..columns.len().min(at + 1), [column]);
            Some(Arc::new(StructArray::new(fields.into(), columns, None)))
        }
        ([Step::Element, rest @ ..], DataType::List(_)) => {
            let list = row.as_list::<i32>();
            let elements = replaced(list.values(), rest, value)?;
            let element = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
            Some(Arc::new(ListArray::new(element, list.offsets().clone(), elements, None)))
        }
        _ => None,
    }
}
