//! Maps, as lists of their entries in the order of the keys: LIST<STRUCT<key, value>>.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use arrow::array::{Array, ArrayRef, NullBufferBuilder};
use arrow::datatypes::DataType;

use super::columns::{Columns, bind_struct, finish_struct, row_field, struct_misfits, struct_type};
use super::list::{ListBuilder, ListColumn, list_value};
use super::misfit::Misfit;
use super::present::Present;
use super::value::{Column, Of, Row, RowField, Value};
use crate::error::Result;

/// An entry of a map, a row of two columns.
#[derive(Debug)]
pub struct Entry<K, V>(PhantomData<(K, V)>);

/// Collects entries.
#[derive(Debug)]
pub struct EntryBuilder<K, V> {
    keys: K,
    values: V,
    nulls: NullBufferBuilder,
}

impl<K: Value, V: Value> Value for Entry<K, V> {
    type Of<'a> = (Of<'a, K>, Of<'a, V>);
    type Column<'a> = (Column<'a, K>, Column<'a, V>);
    type Builder = EntryBuilder<K::Builder, V::Builder>;

    fn data_type() -> DataType {
        struct_type::<Self>()
    }

    fn misfits(seen: &DataType) -> Vec<Misfit> {
        struct_misfits::<Self>(seen)
    }

    fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
        bind_struct::<Self>(column, present)
    }

    fn get<'a>((keys, values): &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        (K::get(keys, row), V::get(values, row))
    }

    fn builder() -> Self::Builder {
        EntryBuilder { keys: K::builder(), values: V::builder(), nulls: NullBufferBuilder::new(0) }
    }

    fn push(builder: &mut Self::Builder, (key, value): Self::Of<'_>) {
        K::push(&mut builder.keys, key);
        V::push(&mut builder.values, value);
        builder.nulls.append_non_null();
    }

    fn push_null(builder: &mut Self::Builder) {
        K::push_null(&mut builder.keys);
        V::push_null(&mut builder.values);
        builder.nulls.append_null();
    }

    fn finish(builder: &mut Self::Builder) -> ArrayRef {
        let columns = vec![K::finish(&mut builder.keys), V::finish(&mut builder.values)];
        finish_struct::<Self>(&mut builder.nulls, columns)
    }
}

impl<K: Value, V: Value> Row for Entry<K, V> {
    fn fields() -> Vec<RowField> {
        vec![row_field::<K>("key", false), row_field::<V>("value", false)]
    }

    fn bind_fields<'a>(columns: &Columns<'a>) -> Result<Self::Column<'a>, Misfit> {
        Ok((columns.bind::<K>("key")?, columns.bind::<V>("value")?))
    }

    fn finish_columns(builder: &mut Self::Builder) -> Vec<ArrayRef> {
        builder.nulls.finish();
        vec![K::finish(&mut builder.keys), V::finish(&mut builder.values)]
    }
}

/// Of several entries with one key, the last counts.
impl<K: Value, V: Value> Value for BTreeMap<K, V>
where
    for<'a> Of<'a, K>: Ord,
{
    type Of<'a> = BTreeMap<Of<'a, K>, Of<'a, V>>;

    list_value!(Entry<K, V>);

    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.get(row).iter().collect()
    }
}
