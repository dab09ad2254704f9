//! Values of any type that serde knows, as JSON in a STRING column.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::misfit::Misfit;
use super::present::Present;
use super::scalars::check;
use super::value::Value;
use crate::error::Result;

/// A value of any type that serde reads and writes, kept as JSON in a STRING column. It is the easy way, not the fast one: every
/// text is parsed twice, once to refuse a bad one before an operator is called, once to read it. A struct that is a
/// [`Row`](super::Row) is kept as columns instead.
///
/// JSON has no NaN and no infinity: a `f64` that may be one is an `Option` here, and is read as `None`. Its maps have texts for
/// keys; writing another is a panic, as of any type that cannot be written as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

/// A column of JSON in which every text was read once.
#[derive(Debug)]
pub struct JsonColumn<'a, T> {
    texts: &'a StringArray,
    type_of_values: PhantomData<fn() -> T>,
}

impl<T> Clone for JsonColumn<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for JsonColumn<'_, T> {}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The most characters of a bad text that a message shows.
const SHOWN: usize = 80;

impl<T: Serialize + DeserializeOwned> Value for Json<T> {
    type Of<'a> = Self;
    type Column<'a> = JsonColumn<'a, T>;
    type Builder = StringBuilder;

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
        check(column, &DataType::Utf8, present)?;
        let texts = column.as_string();
        for row in present.iter() {
            let text: &str = texts.value(row);
            serde_json::from_str::<T>(text).map_err(|cause| {
                let shown: String = text.chars().take(SHOWN).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                let cause = format!("`{shown}{more}` is not the JSON of `{}`: {cause}", short_name::<T>());
                Misfit::of_value(&DataType::Utf8, cause)
            })?;
        }
        Ok(JsonColumn { texts, type_of_values: PhantomData })
    }

    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        Self(serde_json::from_str(column.texts.value(row)).expect("the text was read when the column was bound"))
    }

    fn builder() -> Self::Builder {
        StringBuilder::new()
    }

    fn push(builder: &mut Self::Builder, Self(value): Self) {
        match serde_json::to_string(&value) {
            Ok(text) => builder.append_value(text),
            Err(cause) => panic!("a `{}` cannot be written as JSON: {cause}", short_name::<T>()),
        }
    }

    fn push_null(builder: &mut Self::Builder) {
        builder.append_null();
    }

    fn finish(builder: &mut Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// A type's name without its modules.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let outermost = name.split('<').next().unwrap_or(name);
    &name[outermost.rfind("::").map_or(0, |at| at + 2)..]
}
