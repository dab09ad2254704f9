//! Strings and bytes, borrowed and owned.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use super::misfit::Misfit;
use super::present::Present;
use super::scalars::check;
use super::value::Value;
use crate::error::Result;

/// Bytes that are owned, in a BINARY column. (A `Vec<u8>` is a list of small numbers.)
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bytes(pub Vec<u8>);

/// A type whose values lie one behind the other in Arrow.
macro_rules! bytes {
    ($type:ty, $of:ty, $array:ty, $builder:ty, $data_type:expr, $bind:ident, $from:expr, $into:expr) => {
        impl Value for $type {
            type Of<'a> = $of;
            type Column<'a> = &'a $array;
            type Builder = $builder;

            fn data_type() -> DataType {
                $data_type
            }

            fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
                check(column, &$data_type, present)?;
                Ok(column.$bind())
            }

            #[inline]
            fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
                $from(column.value(row))
            }

            fn builder() -> Self::Builder {
                <$builder>::new()
            }

            #[inline]
            fn push(builder: &mut Self::Builder, value: Self::Of<'_>) {
                builder.append_value($into(&value));
            }

            fn push_null(builder: &mut Self::Builder) {
                builder.append_null();
            }

            fn finish(builder: &mut Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    };
}

bytes!(
    &str,
    &'a str,
    StringArray,
    StringBuilder,
    DataType::Utf8,
    as_string,
    std::convert::identity,
    AsRef::<str>::as_ref
);
bytes!(String, String, StringArray, StringBuilder, DataType::Utf8, as_string, str::to_owned, AsRef::<str>::as_ref);
bytes!(
    &[u8],
    &'a [u8],
    BinaryArray,
    BinaryBuilder,
    DataType::Binary,
    as_binary,
    std::convert::identity,
    AsRef::<[u8]>::as_ref
);
bytes!(Bytes, Bytes, BinaryArray, BinaryBuilder, DataType::Binary, as_binary, Bytes::from, AsRef::<[u8]>::as_ref);

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_owned())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
