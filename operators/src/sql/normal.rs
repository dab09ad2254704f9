//! The types that edges carry, and how other types become them.
//!
//! Strings and binaries are plain (`Utf8`, `Binary`), dictionaries are unpacked, timestamps are UTC microseconds without
//! a zone, cut downwards, and computed integers are signed, as Spark's are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit, TimestampNanosecondType};
use arrow::error::ArrowError;
use watershed_core::schema::TIMESTAMP;

/// Casts that report a value out of range instead of making it null.
pub(super) const STRICT: CastOptions<'_> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// The type in which values of `data_type` travel along an edge.
pub(crate) fn normal_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(..) | DataType::Date64 => TIMESTAMP,
        DataType::Dictionary(_, values) => normal_type(values),
        DataType::RunEndEncoded(_, values) => normal_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            DataType::List(Arc::new(Field::new_list_field(normal_type(item.data_type()), true)))
        }
        DataType::Struct(fields) => DataType::Struct(normal_fields(fields)),
        other => other.clone(),
    }
}

fn normal_fields(fields: &Fields) -> Fields {
    let normal = |field: &FieldRef| Field::new(field.name(), normal_type(field.data_type()), field.is_nullable());
    fields.iter().map(normal).collect()
}

/// `array` with the type that [`normal_type`] names; itself if it has it already.
pub(crate) fn normal_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let target = normal_type(array.data_type());
    if *array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Ok(Arc::new(floor_to_micros(array))),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let items = normal_array(list.values())?;
            let item = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), items, list.nulls().cloned())?))
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let normal = columns.columns().iter().map(normal_array).collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(StructArray::try_new(normal_fields(fields), normal, columns.nulls().cloned())?))
        }
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            normal_array(&cast_with_options(array, &DataType::List(Arc::clone(item)), &STRICT)?)
        }
        DataType::Dictionary(_, values) => normal_array(&cast_with_options(array, values, &STRICT)?),
        DataType::RunEndEncoded(_, values) => normal_array(&cast_with_options(array, values.data_type(), &STRICT)?),
        _ => cast_with_options(array, &target, &STRICT),
    }
}

/// Nanoseconds to microseconds, downwards also before 1970, where Arrow's cast goes towards zero.
fn floor_to_micros(nanos: &ArrayRef) -> TimestampMicrosecondArray {
    nanos.as_primitive::<TimestampNanosecondType>().unary(|nanos| nanos.div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringViewArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array};
    use arrow::datatypes::{Int8Type, TimestampMicrosecondType};

    use super::*;

    #[test]
    fn timestamps_become_microseconds_cut_downwards() {
        let nanos: ArrayRef = Arc::new(
            TimestampNanosecondArray::from(vec![Some(1_999), Some(-1), Some(-1_000), None]).with_timezone("+02:00"),
        );
        let micros = normal_array(&nanos).expect("converts");
        assert_eq!(
            micros.as_primitive::<TimestampMicrosecondType>(),
            &TimestampMicrosecondArray::from(vec![Some(1), Some(-1), Some(-1), None])
        );
        let too_far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        assert!(normal_array(&too_far).is_err());
    }

    #[test]
    fn arrays_have_the_type_that_was_promised() {
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![Some(-1)]));
        let item = Arc::new(Field::new("element", nanos.data_type().clone(), true));
        let inner = Fields::from(vec![Field::new("t", nanos.data_type().clone(), true)]);
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from(vec!["a"])),
            Arc::new(vec!["a", "b"].into_iter().collect::<DictionaryArray<Int8Type>>()),
            Arc::new(UInt64Array::from(vec![3])),
            Arc::new(arrow::array::LargeListArray::new(
                Arc::clone(&item),
                arrow::buffer::OffsetBuffer::from_lengths([1]),
                Arc::clone(&nanos),
                None,
            )),
            Arc::new(StructArray::new(inner, vec![nanos], None)),
        ];
        for array in arrays {
            let normal = normal_array(&array).expect("converts");
            assert_eq!(normal.data_type(), &normal_type(array.data_type()));
            assert_eq!(normal_type(normal.data_type()), *normal.data_type());
        }
        let too_large: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert!(normal_array(&too_large).is_err());
    }
}
