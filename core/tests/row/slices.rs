//! Nulls count only where somebody could read them: not below a null, not outside of a slice.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use watershed::row::{Json, Row, rows_of};

#[derive(Debug, PartialEq, Row)]
struct Lists {
    l: Option<Vec<i64>>,
}

#[derive(Debug, PartialEq, Row)]
struct Inner {
    x: i64,
    j: Json<u8>,
}

#[derive(Debug, PartialEq, Row)]
struct Structs {
    p: Option<Inner>,
}

/// A null list with a null element behind it, then lists of one.
fn lists() -> RecordBatch {
    let elements = Int64Array::from(vec![None, Some(1), Some(2), None]);
    let element = Arc::new(Field::new_list_field(DataType::Int64, true));
    let nulls = NullBuffer::from(vec![false, true, true, true]);
    let offsets = OffsetBuffer::from_lengths([1, 1, 1, 1]);
    let list: ArrayRef = Arc::new(ListArray::new(element, offsets, Arc::new(elements), Some(nulls)));
    RecordBatch::try_from_iter([("l", list)]).expect("a batch")
}

#[test]
fn a_null_element_of_a_null_list_is_nobodys() {
    let rows: Vec<_> = rows_of::<Lists>(&lists().slice(0, 3)).expect("it fits").collect();
    assert_eq!(rows, [Lists { l: None }, Lists { l: Some(vec![1]) }, Lists { l: Some(vec![2]) }]);
}

#[test]
fn a_null_element_outside_of_the_slice_is_not_seen_and_one_inside_is() {
    for (from, length, fits) in [(0, 4, false), (1, 3, false), (1, 2, true), (3, 1, false), (3, 0, true), (0, 1, true)]
    {
        let batch = lists().slice(from, length);
        let read = rows_of::<Lists>(&batch).map(Iterator::count);
        assert_eq!(read.ok(), fits.then_some(length), "{from}, {length}");
    }
}

#[test]
fn a_field_of_a_null_struct_is_nobodys() {
    let fields = vec![Field::new("x", DataType::Int64, true), Field::new("j", DataType::Utf8, true)];
    let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let j: ArrayRef = Arc::new(StringArray::from(vec!["1", "no number", "3"]));
    let nulls = NullBuffer::from(vec![true, false, true]);
    let structs: ArrayRef =
        Arc::new(StructArray::new(fields.clone().into(), vec![Arc::clone(&x), Arc::clone(&j)], Some(nulls)));
    assert_eq!(structs.null_count(), 1);
    let batch = RecordBatch::try_from_iter([("p", structs)]).expect("a batch");
    let rows: Vec<_> = rows_of::<Structs>(&batch).expect("it fits").map(|row| row.p.map(|p| (p.x, p.j.0))).collect();
    assert_eq!(rows, [Some((1, 1)), None, Some((3, 3))]);

    let without_nulls: ArrayRef = Arc::new(StructArray::new(fields.into(), vec![x, j], None));
    let batch = RecordBatch::try_from_iter([("p", without_nulls)]).expect("a batch");
    let error = rows_of::<Structs>(&batch).map(|_| ()).expect_err("a null that counts");
    assert_eq!(
        error.to_string(),
        "column `p.x` is read as BIGINT without nulls, and the input has nulls in it; make the field an `Option`"
    );
}
