//! Lists: owned as `Vec<V>`, or borrowed from the batch as [`List<'a, V>`](List).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, NullBufferBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use super::misfit::Misfit;
use super::present::Present;
use super::value::{Column, Of, Value};
use crate::error::Result;

/// A list in a row, read element by element from the batch: nothing is copied.
pub struct List<'a, V: Value> {
    elements: Column<'a, V>,
    rows: Range<usize>,
}

/// A column of lists, made ready to be read.
pub struct ListColumn<'a, V: Value> {
    offsets: &'a [i32],
    elements: Column<'a, V>,
}

/// Collects lists into a column.
#[derive(Debug)]
pub struct ListBuilder<B> {
    lengths: Vec<usize>,
    nulls: NullBufferBuilder,
    pub(super) elements: B,
}

/// The type of a list of `V`. Its elements may be null as far as the type goes, for DDL cannot say that they are not.
pub(super) fn list_type<V: Value>() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(V::data_type(), true)))
}

/// All that keeps a column of type `seen` from being read as lists of `V`.
pub(super) fn list_misfits<V: Value>(wanted: &DataType, seen: &DataType) -> Vec<Misfit> {
    match seen {
        DataType::List(element) => V::misfits(element.data_type()).into_iter().map(Misfit::of_element).collect(),
        _ => vec![Misfit::of_type(wanted, seen)],
    }
}

/// Makes a column ready to be read as lists of `V`.
pub(super) fn bind_list<'a, V: Value>(
    wanted: &DataType,
    column: &'a dyn Array,
    present: &Present,
) -> Result<ListColumn<'a, V>, Misfit> {
    let Some(lists) = column.as_list_opt::<i32>() else {
        return Err(Misfit::of_type(wanted, column.data_type()));
    };
    if present.has_null(column) {
        return Err(Misfit::of_nulls(wanted));
    }
    let offsets = lists.value_offsets();
    let of_elements = present.not_null(column.nulls()).elements(offsets);
    let elements = V::bind(lists.values(), &of_elements).map_err(Misfit::of_element)?;
    Ok(ListColumn { offsets, elements })
}

impl<V: Value> Clone for ListColumn<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Value> Copy for ListColumn<'_, V> {}

impl<'a, V: Value> ListColumn<'a, V> {
    #[inline]
    pub(super) fn get(&self, row: usize) -> List<'a, V> {
        let rows = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        List { elements: self.elements, rows }
    }
}

impl<B> ListBuilder<B> {
    pub(super) fn new(elements: B) -> Self {
        Self { lengths: Vec::new(), nulls: NullBufferBuilder::new(0), elements }
    }

    /// The elements pushed last, so many of them, are a list.
    pub(super) fn close(&mut self, length: usize) {
        self.lengths.push(length);
        self.nulls.append_non_null();
    }

    pub(super) fn close_null(&mut self) {
        self.lengths.push(0);
        self.nulls.append_null();
    }

    pub(super) fn finish(&mut self, elements: ArrayRef) -> ArrayRef {
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        let element = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
        Arc::new(ListArray::new(element, offsets, elements, self.nulls.finish()))
    }
}

impl<'a, V: Value> List<'a, V> {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The element at a place, if there are so many.
    pub fn get(&self, place: usize) -> Option<Of<'a, V>> {
        self.rows.clone().nth(place).map(|row| V::get(&self.elements, row))
    }

    /// The elements in their order.
    pub fn iter(&self) -> ListIter<'a, V> {
        ListIter { elements: self.elements, rows: self.rows.clone() }
    }
}

/// The elements of a [`List`].
pub struct ListIter<'a, V: Value> {
    elements: Column<'a, V>,
    rows: Range<usize>,
}

impl<'a, V: Value> Iterator for ListIter<'a, V> {
    type Item = Of<'a, V>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|row| V::get(&self.elements, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<V: Value> DoubleEndedIterator for ListIter<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rows.next_back().map(|row| V::get(&self.elements, row))
    }
}

impl<V: Value> ExactSizeIterator for ListIter<'_, V> {}

impl<'a, V: Value> IntoIterator for List<'a, V> {
    type Item = Of<'a, V>;
    type IntoIter = ListIter<'a, V>;

    fn into_iter(self) -> ListIter<'a, V> {
        self.iter()
    }
}

impl<'a, V: Value> IntoIterator for &List<'a, V> {
    type Item = Of<'a, V>;
    type IntoIter = ListIter<'a, V>;

    fn into_iter(self) -> ListIter<'a, V> {
        self.iter()
    }
}

impl<V: Value> Clone for List<'_, V> {
    fn clone(&self) -> Self {
        Self { elements: self.elements, rows: self.rows.clone() }
    }
}

impl<'a, V: Value<Of<'a>: fmt::Debug>> fmt::Debug for List<'a, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, V: Value<Of<'a>: PartialEq>> PartialEq for List<'a, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// What the impls of [`Value`] for lists have in common; their elements are `$element`.
macro_rules! list_value {
    ($element:ty) => {
        type Column<'a> = ListColumn<'a, $element>;
        type Builder = ListBuilder<<$element as Value>::Builder>;

        fn data_type() -> DataType {
            $crate::row::list::list_type::<$element>()
        }

        fn misfits(seen: &DataType) -> Vec<Misfit> {
            $crate::row::list::list_misfits::<$element>(&$crate::row::list::list_type::<$element>(), seen)
        }

        fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
            $crate::row::list::bind_list(&$crate::row::list::list_type::<$element>(), column, present)
        }

        fn builder() -> Self::Builder {
            ListBuilder::new(<$element as Value>::builder())
        }

        fn push(builder: &mut Self::Builder, list: Self::Of<'_>) {
            let length = list.len();
            for element in list {
                <$element as Value>::push(&mut builder.elements, element);
            }
            builder.close(length);
        }

        fn push_null(builder: &mut Self::Builder) {
            builder.close_null();
        }

        fn finish(builder: &mut Self::Builder) -> ArrayRef {
            let elements = <$element as Value>::finish(&mut builder.elements);
            builder.finish(elements)
        }
    };
}
pub(super) use list_value;

impl<V: Value> Value for Vec<V> {
    type Of<'a> = Vec<Of<'a, V>>;

    list_value!(V);

    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.get(row).iter().collect()
    }
}

impl<V: Value> Value for List<'_, V> {
    type Of<'a> = List<'a, V>;

    list_value!(V);

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.get(row)
    }
}
