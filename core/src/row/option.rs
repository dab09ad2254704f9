//! Values that may be null.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use super::misfit::Misfit;
use super::present::Present;
use super::value::{Column, Of, Value};
use crate::error::Result;

impl<V: Value> Value for Option<V> {
    type Of<'a> = Option<Of<'a, V>>;
    type Column<'a> = (Option<&'a NullBuffer>, Column<'a, V>);
    type Builder = V::Builder;

    const NULLABLE: bool = true;

    fn data_type() -> DataType {
        const { assert!(!V::NULLABLE, "a value is null or it is not: a row has no `Option<Option<_>>`") };
        V::data_type()
    }

    fn misfits(seen: &DataType) -> Vec<Misfit> {
        V::misfits(seen)
    }

    fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok((nulls, V::bind(column, &present.not_null(nulls))?))
    }

    #[inline]
    fn get<'a>((nulls, column): &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) { None } else { Some(V::get(column, row)) }
    }

    fn builder() -> Self::Builder {
        V::builder()
    }

    #[inline]
    fn push(builder: &mut Self::Builder, value: Option<Of<'_, V>>) {
        match value {
            Some(value) => V::push(builder, value),
            None => V::push_null(builder),
        }
    }

    fn push_null(builder: &mut Self::Builder) {
        V::push_null(builder);
    }

    fn finish(builder: &mut Self::Builder) -> ArrayRef {
        V::finish(builder)
    }
}
