//! Rows to batches and back: of every type what was written is read.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use watershed::record;
use watershed::row::{Bytes, Date, Json, List, Row, batch_of, rows_of};
use watershed::schema::to_ddl;
use watershed::time::{TimeSpan, Timestamp};

#[derive(Clone, Debug, PartialEq, Row)]
struct Scalars {
    truth: bool,
    i8: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    u8: u8,
    u16: u16,
    u32: u32,
    u64: u64,
    f32: f32,
    f64: Option<f64>,
    text: String,
    bytes: Bytes,
    time: Timestamp,
    span: Option<TimeSpan>,
    day: Date,
    maybe: Option<bool>,
    r#type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Row)]
struct Point {
    x: i32,
    label: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
#[record]
enum Shape {
    #[default]
    Nothing,
    Circle {
        radius: u32,
    },
    Line(i32, i32),
}

#[derive(Clone, Debug, Default, PartialEq, Row)]
struct Nested {
    point: Point,
    maybe_point: Option<Point>,
    tags: Vec<String>,
    maybe_numbers: Option<Vec<Option<i64>>>,
    points: Vec<Point>,
    lists: Vec<Vec<u8>>,
    by_name: BTreeMap<String, u64>,
    by_number: Option<BTreeMap<i32, Vec<Point>>>,
    shape: Json<Shape>,
    shapes: Vec<Option<Json<Shape>>>,
}

/// The same columns, borrowed.
#[derive(Row)]
struct Borrowed<'b> {
    tags: List<'b, &'b str>,
    maybe_numbers: Option<List<'b, Option<i64>>>,
    points: List<'b, BorrowedPoint<'b>>,
    lists: List<'b, List<'b, u8>>,
    by_name: BTreeMap<&'b str, u64>,
    maybe_point: Option<BorrowedPoint<'b>>,
}

#[derive(Debug, PartialEq, Row)]
struct BorrowedPoint<'p> {
    x: i32,
    label: Option<&'p str>,
}

#[derive(Debug, PartialEq, Row)]
struct Nothing {}

prop_compose! {
    fn scalars()(
        (truth, i8, i16, i32, i64) in any::<(bool, i8, i16, i32, i64)>(),
        (u8, u16, u32, u64) in any::<(u8, u16, u32, u64)>(),
        (f32, f64, text, bytes) in any::<(f32, Option<f64>, String, Vec<u8>)>(),
        (time, span, day, maybe, r#type) in any::<(i64, Option<i64>, i32, Option<bool>, Option<String>)>(),
    ) -> Scalars {
        Scalars {
            truth, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, text, maybe, r#type,
            bytes: Bytes(bytes),
            time: Timestamp::from_micros(time),
            span: span.map(TimeSpan::from_micros),
            day: Date::from_days(day),
        }
    }
}

fn point() -> impl Strategy<Value = Point> {
    any::<(i32, Option<String>)>().prop_map(|(x, label)| Point { x, label })
}

fn shape() -> impl Strategy<Value = Json<Shape>> {
    let shapes = prop_oneof![
        Just(Shape::Nothing),
        any::<u32>().prop_map(|radius| Shape::Circle { radius }),
        any::<(i32, i32)>().prop_map(|(a, b)| Shape::Line(a, b)),
    ];
    shapes.prop_map(Json)
}

prop_compose! {
    fn nested()(
        point_ in point(),
        maybe_point in proptest::option::of(point()),
        tags in vec(any::<String>(), 0..3),
        maybe_numbers in proptest::option::of(vec(any::<Option<i64>>(), 0..3)),
        points in vec(point(), 0..3),
        lists in vec(vec(any::<u8>(), 0..3), 0..3),
        by_name in btree_map(any::<String>(), any::<u64>(), 0..3),
        by_number in proptest::option::of(btree_map(any::<i32>(), vec(point(), 0..2), 0..3)),
        shape_ in shape(),
        shapes in vec(proptest::option::of(shape()), 0..3),
    ) -> Nested {
        Nested { point: point_, maybe_point, tags, maybe_numbers, points, lists, by_name, by_number, shape: shape_, shapes }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scalars_come_back(rows in vec(scalars(), 0..20), from in 0_usize..20) {
        let batch = batch_of::<Scalars>(rows.clone());
        let from = from.min(rows.len());
        let rest = batch.slice(from, rows.len() - from);
        prop_assert_eq!(rows_of::<Scalars>(&batch)?.collect::<Vec<_>>(), rows.clone());
        prop_assert_eq!(rows_of::<Scalars>(&rest)?.collect::<Vec<_>>(), &rows[from..]);
    }

    #[test]
    fn what_is_nested_comes_back(rows in vec(nested(), 0..12), from in 0_usize..12, length in 0_usize..12) {
        let batch = batch_of::<Nested>(rows.clone());
        prop_assert_eq!(rows_of::<Nested>(&batch)?.collect::<Vec<_>>(), rows.clone());
        let from = from.min(rows.len());
        let length = length.min(rows.len() - from);
        prop_assert_eq!(rows_of::<Nested>(&batch.slice(from, length))?.collect::<Vec<_>>(), &rows[from..from + length]);
    }

    #[test]
    fn borrowed_rows_are_those_that_are_owned(rows in vec(nested(), 0..12), from in 0_usize..12) {
        let batch = batch_of::<Nested>(rows.clone());
        let from = from.min(rows.len());
        let rest = batch.slice(from, rows.len() - from);
        for (borrowed, owned) in rows_of::<Borrowed>(&rest)?.zip(&rows[from..]) {
            prop_assert!(borrowed.tags.iter().eq(&owned.tags));
            prop_assert_eq!(borrowed.tags.get(0), owned.tags.first().map(String::as_str));
            prop_assert_eq!(borrowed.tags.get(owned.tags.len()), None);
            prop_assert_eq!(borrowed.maybe_numbers.map(|list| list.into_iter().collect()), owned.maybe_numbers.clone());
            prop_assert!(borrowed.points.iter().map(|point| point.to_owned()).eq(owned.points.iter().cloned()));
            prop_assert_eq!(borrowed.points.len(), owned.points.len());
            let lists: Vec<Vec<u8>> = borrowed.lists.iter().map(|list| list.iter().collect()).collect();
            prop_assert_eq!(&lists, &owned.lists);
            prop_assert!(borrowed.by_name.into_iter().eq(owned.by_name.iter().map(|(name, count)| (name.as_str(), *count))));
            prop_assert_eq!(borrowed.maybe_point.map(|point| point.to_owned()), owned.maybe_point.clone());
        }
    }

    #[test]
    fn borrowed_rows_are_written_as_those_that_are_owned(rows in vec(nested(), 0..12)) {
        let batch = batch_of::<Nested>(rows);
        let again = batch_of::<Borrowed>(rows_of::<Borrowed>(&batch)?);
        for (name, column) in again.schema_ref().fields().iter().map(|field| field.name()).zip(again.columns()) {
            prop_assert_eq!(Some(column), batch.column_by_name(name));
        }
    }
}

impl BorrowedPoint<'_> {
    fn to_owned(&self) -> Point {
        Point { x: self.x, label: self.label.map(str::to_owned) }
    }
}

#[test]
fn columns_have_the_types_that_ddl_says() {
    let ddl = |batch: RecordBatch| to_ddl(batch.schema_ref());
    assert_eq!(
        ddl(batch_of::<Nested>([])),
        "point STRUCT<x: INT NOT NULL, label: STRING> NOT NULL, maybe_point STRUCT<x: INT NOT NULL, label: STRING>, \
         tags ARRAY<STRING> NOT NULL, maybe_numbers ARRAY<BIGINT>, points ARRAY<STRUCT<x: INT NOT NULL, label: STRING>> NOT NULL, \
         lists ARRAY<ARRAY<UInt8>> NOT NULL, by_name ARRAY<STRUCT<key: STRING NOT NULL, value: UInt64 NOT NULL>> NOT NULL, \
         by_number ARRAY<STRUCT<key: INT NOT NULL, value: ARRAY<STRUCT<x: INT NOT NULL, label: STRING>> NOT NULL>>, \
         shape STRING NOT NULL, shapes ARRAY<STRING> NOT NULL"
    );
    let scalars = batch_of::<Scalars>([]);
    for (column, expected) in
        [("span", "BIGINT"), ("time", "TIMESTAMP"), ("day", "DATE"), ("bytes", "BINARY"), ("type", "STRING")]
    {
        let field = scalars.schema_ref().field_with_name(column).expect(column);
        assert_eq!(watershed::schema::type_to_ddl(field.data_type()), expected);
    }
}

#[test]
fn a_row_without_columns_is_counted() {
    let batch = batch_of::<Nothing>([Nothing {}, Nothing {}]);
    assert_eq!(rows_of::<Nothing>(&batch).expect("it fits").collect::<Vec<_>>(), [Nothing {}, Nothing {}]);
}

#[test]
fn a_builder_is_empty_after_it_was_finished() {
    use watershed::row::Value;

    let mut builder = Point::builder();
    Point::push_null(&mut builder);
    assert_eq!((Point::finish(&mut builder).len(), Point::finish(&mut builder).len()), (1, 0));
    Point::push(&mut builder, Point::default());
    assert_eq!(Point::finish_columns(&mut builder).iter().map(|column| column.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(Point::finish(&mut builder).len(), 0);
}
