//! Expressions as a whole: results, types and faults.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use watershed_core::error::Error;
use watershed_core::node::EpochContext;
use watershed_core::schema::TIMESTAMP;
use watershed_core::time::Timestamp;

use super::*;
use crate::testing::epoch_context;

fn batch() -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c d")]));
    let place = StructArray::from(vec![(
        Arc::new(Field::new("City", DataType::Utf8, true)),
        Arc::new(StringArray::from(vec!["Rome", "Oslo", "Bonn"])) as ArrayRef,
    )]);
    let list =
        ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), Some(2)]), None, Some(vec![])]);
    RecordBatch::try_from_iter_with_nullable([
        ("User", names, true),
        ("v", Arc::new(Int64Array::from(vec![Some(1), Some(-2), None])) as ArrayRef, true),
        ("x", Arc::new(Float64Array::from(vec![1.5, 2.5, -0.5])), false),
        ("event_time", Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(-1), Some(1_500_000)])), true),
        ("place", Arc::new(place), true),
        ("list", Arc::new(list), true),
        ("nanos", Arc::new(Int64Array::from(vec![1_424_686_733_090_638_193, -1, 999])), false),
    ])
    .expect("a batch")
}

fn evaluate_with(text: &str, cx: &EpochContext) -> watershed_core::error::Result<ArrayRef> {
    let batch = batch();
    let expression = Expression::parse(text, &batch.schema()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let array = expression.evaluate(&batch, cx)?;
    assert_eq!(array.len(), batch.num_rows(), "{text}");
    assert_eq!(array.data_type(), expression.data_type(), "{text}");
    assert!(expression.field("f").is_nullable() || array.null_count() == 0, "{text}");
    Ok(array)
}

fn evaluate(text: &str) -> ArrayRef {
    evaluate_with(text, &epoch_context()).expect(text)
}

fn integers(text: &str) -> Vec<Option<i64>> {
    evaluate(text).as_primitive::<Int64Type>().iter().collect()
}

fn micros(text: &str) -> Vec<Option<i64>> {
    evaluate(text).as_primitive::<TimestampMicrosecondType>().iter().collect()
}

fn strings(text: &str) -> Vec<Option<String>> {
    evaluate(text).as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

#[test]
fn arithmetic_and_functions_give_their_values() {
    assert_eq!(integers("v * 2 + 1"), [Some(3), Some(-3), None]);
    assert_eq!(integers("coalesce(v, 7)"), [Some(1), Some(-2), Some(7)]);
    assert_eq!(integers("list[1]"), [Some(1), None, None]);
    assert_eq!(strings("upper(\"User\")"), [Some("A".into()), None, Some("C D".into())]);
    assert_eq!(strings("`User` || '!'"), [Some("a!".into()), None, Some("c d!".into())]);
    assert_eq!(strings("place.City"), [Some("Rome".into()), Some("Oslo".into()), Some("Bonn".into())]);
    assert_eq!(
        strings("CASE WHEN x > 2 THEN 'big' ELSE 'small' END"),
        [Some("small".into()), Some("big".into()), Some("small".into())]
    );
    assert_eq!(evaluate("string_to_array(User, ' ')").as_list::<i32>().value(2).len(), 2);
    assert_eq!(evaluate("1").data_type(), &DataType::Int64);
    assert_eq!(evaluate("v IN (1, 2)").as_boolean(), &BooleanArray::from(vec![Some(true), Some(false), None]));
    assert_eq!(evaluate("CAST(v AS STRING)").data_type(), &DataType::Utf8);
}

#[test]
fn timestamps_are_microseconds_and_cut_downwards() {
    assert_eq!(micros("to_timestamp_nanos(nanos)"), [Some(1_424_686_733_090_638), Some(-1), Some(0)]);
    assert_eq!(micros("to_timestamp_seconds(v)"), [Some(1_000_000), Some(-2_000_000), None]);
    assert_eq!(micros("CAST('2015-02-24T10:00:00Z' AS TIMESTAMP)")[0], Some(1_424_772_000_000_000));
    assert_eq!(micros("TIMESTAMP '1600-01-01 00:00:00'")[0], Some(-11_676_096_000_000_000));
    assert_eq!(micros("event_time + INTERVAL '1 hour'")[0], Some(3_600_000_000));
    assert_eq!(micros("date_trunc('second', event_time)"), [Some(0), Some(-1_000_000), Some(1_000_000)]);
    assert_eq!(micros("date_bin(INTERVAL '1 second', event_time)"), [Some(0), Some(-1_000_000), Some(1_000_000)]);
}

/// DataFusion compares the days of an interval before its hours, so that two days were less than one.
#[test]
fn the_time_between_two_instants_is_compared_by_its_length() {
    let values = |text: &str| evaluate(text).as_boolean().iter().collect::<Vec<_>>();
    let two_days = "event_time - TIMESTAMP '1969-12-30T00:00:00Z'";
    for (condition, wanted) in [
        (format!("{two_days} < INTERVAL '1 day'"), [false, false, false]),
        (format!("{two_days} <= INTERVAL '2 days'"), [true, true, false]),
        (format!("INTERVAL '2 days' > {two_days}"), [false, true, false]),
        (format!("{two_days} = INTERVAL '48 hours'"), [true, false, false]),
        (
            format!("{two_days} BETWEEN INTERVAL '1 day' AND INTERVAL '2 days' + INTERVAL '1 second'"),
            [true, true, false],
        ),
        ("event_time - TIMESTAMP '1970-01-03T00:00:00Z' > -INTERVAL '2 days'".to_owned(), [false, false, true]),
    ] {
        assert_eq!(values(&condition), wanted.map(Some), "{condition}");
    }
}

/// The parser takes all that follows for what is compared.
#[test]
fn what_distinct_from_compares_with_ends_where_the_grammar_says() {
    for (text, bracketed) in [
        ("v IS DISTINCT FROM 1 AND x > 2", "(v IS DISTINCT FROM 1) AND x > 2"),
        ("x > 2 AND v IS NOT DISTINCT FROM 1 OR v IS NULL", "(x > 2 AND (v IS NOT DISTINCT FROM 1)) OR v IS NULL"),
        ("v is not distinct from 2 - 1 or x > 2", "(v IS NOT DISTINCT FROM (2 - 1)) OR x > 2"),
        ("NOT v IS DISTINCT FROM 1 OR x > 2", "(NOT (v IS DISTINCT FROM 1)) OR x > 2"),
        ("(v IS DISTINCT FROM CASE WHEN x > 2 AND v < 0 THEN -2 END) AND true", "v IS DISTINCT FROM nullif(v, 1)"),
        (
            "v > 0 IS DISTINCT FROM (v IS DISTINCT FROM 1 AND x > 2) AND x < 9",
            "((v > 0) IS DISTINCT FROM ((v IS DISTINCT FROM 1) AND x > 2)) AND x < 9",
        ),
    ] {
        assert_eq!(&evaluate(text), &evaluate(bracketed), "{text}");
    }
}

#[test]
fn comparing_timestamps_of_different_units_loses_nothing() {
    let values = |text: &str| evaluate(text).as_boolean().iter().collect::<Vec<_>>();
    assert_eq!(values("event_time < to_timestamp_seconds(1)"), [Some(true), Some(true), Some(false)]);
    assert_eq!(values("event_time = to_timestamp_seconds(0)"), [Some(true), Some(false), Some(false)]);
    assert_eq!(values("event_time > '1970-01-01T00:00:01Z'"), [Some(false), Some(false), Some(true)]);
    assert_eq!(values("to_timestamp_seconds(1) < event_time"), [Some(false), Some(false), Some(true)]);
}

#[test]
fn the_clock_is_the_epochs() {
    for (text, expected) in [
        ("now()", 3_000_000),
        ("current_timestamp", 3_000_000),
        ("localtimestamp", 3_000_000),
        ("now() - INTERVAL '1 second'", 2_000_000),
    ] {
        let mut cx = epoch_context();
        cx.processing_time = Timestamp::from_micros(3_000_000);
        let times = evaluate_with(text, &cx).expect(text);
        assert_eq!(times.as_primitive::<TimestampMicrosecondType>().values(), &[expected; 3], "{text}");
    }
    assert_eq!(evaluate("current_date").data_type(), &DataType::Date32);
    assert_eq!(evaluate("now() > event_time").data_type(), &DataType::Boolean);
}

#[test]
fn a_plain_column_is_not_copied() {
    let batch = batch();
    let user = Expression::parse("User", &batch.schema()).expect("a column that SQL takes for a function");
    assert_eq!(user.as_column(), Some("User"));
    for text in ["x", "(x)", "\"x\"", "`x`"] {
        let expression = Expression::parse(text, &batch.schema()).expect(text);
        assert_eq!(expression.as_column(), Some("x"));
        assert!(Arc::ptr_eq(&expression.evaluate(&batch, &epoch_context()).expect(text), batch.column(2)));
        assert_eq!(&expression.field("x"), batch.schema().field(2));
    }
    assert_eq!(Expression::parse("x + 0", &batch.schema()).expect("good").as_column(), None);
}

#[test]
fn a_result_is_called_as_written() {
    let schema = batch().schema();
    for (text, name) in [
        ("x", "x"),
        ("x AS y", "y"),
        (" v  + 1 ", "v  + 1"),
        ("v + 1 AS \"v + 2\"", "v + 2"),
        ("place.City", "place.City"),
    ] {
        assert_eq!(Expression::parse_aliased(text, &schema).expect(text).1, name);
    }
}

#[test]
fn a_value_that_cannot_be_computed_is_an_error() {
    for (text, words) in [
        ("CAST(User AS BIGINT)", "cannot cast"),
        ("v / (v - 1)", "divide by zero"),
        ("v + 9223372036854775807", "overflow"),
        ("nanos * nanos", "overflow"),
        ("to_timestamp_seconds(nanos)", "overflow"),
    ] {
        let error = evaluate_with(text, &epoch_context()).expect_err(text);
        let Error::Evaluation { expression, cause } = error else { panic!("{text}: {error}") };
        assert_eq!(expression, text);
        assert!(cause.to_lowercase().contains(words), "{text}: {cause}");
    }
    assert_eq!(integers("TRY_CAST(User AS BIGINT)"), [None, None, None]);
}

#[test]
fn what_is_wrong_is_placed_in_the_text() {
    let schema = batch().schema();
    for (text, code, place, words) in [
        ("user", "unknown_column", 0..4, "did you mean `User`?"),
        ("x + Xs * 2", "unknown_column", 4..6, "columns are `User`, `v`"),
        ("User = \"stand\"", "unknown_column", 7..14, "'stand'"),
        ("place.Town", "unknown_column", 6..10, "its fields are `City`"),
        ("upper(lowr(User))", "unknown_function", 6..10, "did you mean `lower`?"),
        ("x + sum(x)", "aggregate", 4..7, "`Aggregate` node"),
        ("row_number() OVER (ORDER BY x)", "window_function", 0..10, ""),
        ("x IN (SELECT 1)", "subquery", 0..15, ""),
        ("random() < 0.5", "unrepeatable_function", 0..6, ""),
        ("uuid()", "unrepeatable_function", 0..4, ""),
        ("unnest(list)", "unknown_function", 0..6, "`Unnest` node"),
        ("1 + upper(v, x)", "bad_expression", 4..15, ""),
        ("x > 1 AND (User + place) > 2", "bad_expression", 11..23, ""),
        ("NOT x", "bad_expression", 0..5, ""),
        ("CAST(x AS FOO)", "bad_expression", 0..14, ""),
        ("1 + CAST(x AS FOO)", "bad_expression", 4..18, ""),
        ("x AS y", "bad_expression", 2..6, ""),
        ("$1", "bad_expression", 0..2, ""),
        ("v + (9223372036854775807 + 1)", "bad_expression", 5..28, ""),
    ] {
        let faults = Expression::parse(text, &schema).expect_err(text);
        let fault = &faults[0];
        assert_eq!(fault.code, code, "{text}: {faults:?}");
        assert!(fault.help.as_deref().unwrap_or_default().contains(words), "{text}: {faults:?}");
        assert_eq!(fault.within, Some(place), "{text}: {faults:?}");
    }
}

#[test]
fn the_longest_expression_that_is_read_can_be_evaluated() {
    let text = vec!["v"; 100].join(" + ");
    assert_eq!(integers(&text), [Some(100), Some(-200), None]);
    assert!(Expression::parse(&format!("{text} + v"), &batch().schema()).is_err());
    let text = vec!["x > 1"; 99].join(" OR ");
    assert_eq!(evaluate(&text).as_boolean().true_count(), 2);
}

#[test]
fn all_unknown_names_are_found_at_once() {
    let faults = Expression::parse("a + nope(b) + x", &batch().schema()).expect_err("three faults");
    assert_eq!(
        faults.iter().map(|fault| fault.code).collect::<Vec<_>>(),
        ["unknown_column", "unknown_function", "unknown_column"]
    );
}

#[test]
fn names_keep_their_case_and_odd_letters() {
    let schema = Schema::new(vec![
        Field::new("user", DataType::Int64, true),
        Field::new("User", DataType::Int64, true),
        Field::new("a.b", DataType::Int64, true),
        Field::new("processing time", TIMESTAMP, true),
        Field::new("count", DataType::Int64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(Int64Array::from(vec![10])),
        Arc::new(Int64Array::from(vec![100])),
        Arc::new(TimestampMicrosecondArray::from(vec![5])),
        Arc::new(Int64Array::from(vec![1000])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).expect("a batch");
    let value = |text: &str| {
        let expression = Expression::parse(text, &batch.schema()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        expression.evaluate(&batch, &epoch_context()).expect(text)
    };
    assert_eq!(value("user + User + \"a.b\" + count").as_primitive::<Int64Type>().value(0), 1111);
    assert!(value("now() > `processing time`").as_boolean().value(0));
}
