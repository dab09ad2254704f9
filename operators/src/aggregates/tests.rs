//! Aggregates as a whole: against a plain recomputation, and however rows are cut, split and merged.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use watershed_core::error::Error;

use super::*;
use crate::testing::epoch_context;

/// One input row: group, number, text, time.
type Row = (usize, Option<i64>, Option<u8>, Option<i64>);

const GROUPS: usize = 4;

/// All kinds of aggregates whose states are exact.
const EXACT: &[&str] = &[
    "count(*) AS rows",
    "count(v) AS n",
    "sum(v) AS total",
    "sum(v) + 1 AS more",
    "sum(v) / count(*) AS ratio",
    "sum(small) AS small_total",
    "sum(money) AS money_total",
    "sum(v) FILTER (WHERE v > 0) AS positive",
    "count(*) FILTER (WHERE s = 'a' OR v IS NULL) AS filtered",
    "min(v) AS v_min",
    "max(x) AS x_max",
    "min(s) AS s_min",
    "max(s) AS s_max",
    "min(t) AS t_min",
    "max(t) - min(t) AS span",
    "bool_and(b) AS all_b",
    "bool_or(b) AS any_b",
    "bit_and(v) AS bits_and",
    "bit_or(v) AS bits_or",
    "bit_xor(v) AS bits_xor",
    "count(DISTINCT v) AS distinct_v",
    "count(DISTINCT s) AS distinct_s",
    "count(DISTINCT s) FILTER (WHERE v > 0) AS distinct_filtered",
    "count(DISTINCT x) AS distinct_x",
    "sum(DISTINCT v) AS distinct_sum",
    "avg(DISTINCT v) AS distinct_avg",
    "array_agg(v) AS list",
    "array_agg(DISTINCT s) AS distinct_list",
    "array_agg(v ORDER BY t DESC, v) AS ordered_list",
    "array_agg(s) FILTER (WHERE s IS NOT NULL) AS filtered_list",
    "string_agg(s, ',') AS joined",
    "string_agg(DISTINCT s, '-' ORDER BY s DESC) AS joined_distinct",
    "string_agg(s, ',' ORDER BY v, s, t) AS joined_ordered",
    "first_value(v) AS first",
    "last_value(s) AS last",
    "first_value(s) IGNORE NULLS AS first_known",
    "first_value(v ORDER BY t) AS earliest",
    "last_value(v ORDER BY t) AS latest",
    "first_value(s ORDER BY v DESC, t) AS of_largest",
    "nth_value(v, 2) AS second",
    "nth_value(v, 2 ORDER BY t) AS second_earliest",
    "any_value(v) AS any",
    "approx_distinct(s) AS about",
    "median(v) AS middle",
    "percentile_cont(0.25) WITHIN GROUP (ORDER BY x) AS quartile",
    "max(now()) AS clock",
];

/// Those whose states are rounded, so that the way of merging shows in the last digits.
const ROUNDED: &[&str] = &[
    "avg(x) AS mean",
    "sum(x) AS x_total",
    "stddev(x) AS deviation",
    "stddev_pop(x) AS deviation_pop",
    "var_samp(x) AS variance",
    "corr(x, v) AS correlation",
    "covar_pop(x, v) AS covariance",
    "regr_slope(x, v) AS slope",
    "avg(money) AS money_mean",
];

/// Those whose states are estimates.
const ESTIMATED: &[&str] =
    &["approx_median(x) AS about_middle", "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY x) AS about_most"];

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("v", DataType::Int64, true),
        Field::new("small", DataType::Int32, true),
        Field::new("x", DataType::Float64, true),
        Field::new("money", DataType::Decimal128(10, 2), true),
        Field::new("s", DataType::Utf8, true),
        Field::new("b", DataType::Boolean, true),
        Field::new("t", watershed_core::schema::TIMESTAMP, true),
    ])
}

fn batch(rows: &[Row]) -> RecordBatch {
    let v: Vec<Option<i64>> = rows.iter().map(|row| row.1).collect();
    let text = |row: &Row| row.2.map(|letter| char::from(b'a' + letter).to_string());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(v.clone())),
        Arc::new(v.iter().map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        Arc::new(v.iter().map(|v| v.map(|v| v as f64 / 3.0)).collect::<Float64Array>()),
        Arc::new(
            v.iter()
                .map(|v| v.map(i128::from))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(10, 2)
                .expect("fits"),
        ),
        Arc::new(rows.iter().map(text).collect::<StringArray>()),
        Arc::new(v.iter().map(|v| v.map(|v| v > 0)).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<TimestampMicrosecondArray>()),
    ];
    RecordBatch::try_new(Arc::new(schema()), columns).expect("a batch")
}

fn parse(texts: &[&str]) -> Aggregates {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    Aggregates::parse(&texts, &schema()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// Sums up `rows`, cut into batches of these lengths.
fn accumulate(aggregates: &Aggregates, rows: &[Row], cuts: &[usize]) -> Accumulation {
    let mut accumulation = aggregates.accumulate().expect("accumulates");
    let mut rest = rows;
    for &cut in cuts.iter().chain([&rows.len()]) {
        let (part, others) = rest.split_at(cut.min(rest.len()));
        rest = others;
        let groups: Vec<usize> = part.iter().map(|row| row.0).collect();
        accumulation.update(&batch(part), &groups, GROUPS, &epoch_context()).expect("updates");
    }
    accumulation
}

fn results(accumulation: Accumulation) -> Vec<ArrayRef> {
    accumulation.into_results(&epoch_context()).expect("results")
}

fn assert_same(texts: &[&str], left: &[ArrayRef], right: &[ArrayRef], rounded: bool) -> Result<(), TestCaseError> {
    for ((text, left), right) in texts.iter().zip(left).zip(right) {
        if rounded && *left.data_type() == DataType::Float64 {
            for (left, right) in left.as_primitive::<Float64Type>().iter().zip(right.as_primitive::<Float64Type>()) {
                let alike = match (left, right) {
                    (Some(left), Some(right)) => {
                        (left - right).abs() <= 1e-6 * (1.0 + left.abs()) || left.is_nan() && right.is_nan()
                    }
                    (left, right) => left == right,
                };
                prop_assert!(alike, "{}: {:?} and {:?}", text, left, right);
            }
        } else {
            prop_assert_eq!(left, right, "{}", text);
        }
    }
    Ok(())
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let number = prop::option::weighted(0.8, -5_i64..6);
    let row = (0..GROUPS - 1, number, prop::option::weighted(0.8, 0_u8..4), prop::option::weighted(0.8, -3_i64..4));
    prop::collection::vec(row, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_answer_does_not_depend_on_the_batches(rows in rows(), cuts in prop::collection::vec(0_usize..9, 0..8)) {
        let texts: Vec<&str> = [EXACT, ROUNDED, ESTIMATED].concat();
        let aggregates = parse(&texts);
        let whole = results(accumulate(&aggregates, &rows, &[]));
        assert_same(&texts, &whole, &results(accumulate(&aggregates, &rows, &cuts)), false)?;
    }

    #[test]
    fn parts_merged_in_order_give_the_whole(rows in rows(), cuts in prop::collection::vec(0_usize..9, 0..8)) {
        let texts: Vec<&str> = [EXACT, ROUNDED].concat();
        let aggregates = parse(&texts);
        let whole = results(accumulate(&aggregates, &rows, &[]));
        let mut merged = aggregates.accumulate().expect("accumulates");
        let mut rest = rows.as_slice();
        for cut in cuts.into_iter().chain([rows.len()]) {
            let (part, others) = rest.split_at(cut.min(rest.len()));
            rest = others;
            let states = accumulate(&aggregates, part, &[]).into_states().expect("states");
            for (state, field) in states.iter().zip(aggregates.state_fields()) {
                prop_assert_eq!(state.data_type(), field.data_type(), "{}", field.name());
            }
            merged.merge(&states, &(0..GROUPS).collect::<Vec<_>>(), GROUPS).expect("merges");
        }
        let states = merged.into_states().expect("states");
        assert_same(&texts, &whole, &aggregates.results_of(&states, &epoch_context()).expect("results"), true)?;
    }

    #[test]
    fn older_state_then_newer_rows_gives_the_whole(rows in rows(), cut in 0_usize..40) {
        let texts: Vec<&str> = [EXACT, ROUNDED].concat();
        let aggregates = parse(&texts);
        let (old, new) = rows.split_at(cut.min(rows.len()));
        let states = accumulate(&aggregates, old, &[]).into_states().expect("states");
        let mut both = aggregates.accumulate().expect("accumulates");
        both.merge(&states, &(0..GROUPS).collect::<Vec<_>>(), GROUPS).expect("merges");
        let groups: Vec<usize> = new.iter().map(|row| row.0).collect();
        both.update(&batch(new), &groups, GROUPS, &epoch_context()).expect("updates");
        assert_same(&texts, &results(accumulate(&aggregates, &rows, &[])), &results(both), true)?;
    }

    #[test]
    fn aggregates_are_what_their_names_say(rows in rows()) {
        let texts = [
            "count(*)", "count(v)", "sum(v)", "min(v)", "max(v)", "count(DISTINCT s)", "sum(DISTINCT v)", "first_value(v)", "last_value(v)",
            "sum(v) FILTER (WHERE v > 0)", "last_value(v ORDER BY t)", "sum(v) * 2 + count(*)",
        ];
        let aggregates = parse(&texts);
        let columns = results(accumulate(&aggregates, &rows, &[]));
        for group in 0..GROUPS {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.0 == group).collect();
            let v: Vec<i64> = rows.iter().filter_map(|row| row.1).collect();
            let positive: Vec<i64> = v.iter().copied().filter(|v| *v > 0).collect();
            let sum = |v: &[i64]| (!v.is_empty()).then(|| v.iter().sum::<i64>());
            let distinct: Vec<i64> = v.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            // Nulls come first, the earlier of equal rows wins.
            let latest = rows.iter().rev().max_by_key(|row| row.3).and_then(|row| row.1);
            let expected = [
                Some(rows.len() as i64),
                Some(v.len() as i64),
                sum(&v),
                v.iter().min().copied(),
                v.iter().max().copied(),
                Some(rows.iter().filter_map(|row| row.2).collect::<BTreeSet<_>>().len() as i64),
                sum(&distinct),
                rows.first().and_then(|row| row.1),
                rows.last().and_then(|row| row.1),
                sum(&positive),
                latest,
                sum(&v).map(|sum| sum * 2 + rows.len() as i64),
            ];
            for ((text, column), expected) in texts.iter().zip(&columns).zip(expected) {
                let column = column.as_primitive::<Int64Type>();
                prop_assert_eq!(column.is_valid(group).then(|| column.value(group)), expected, "{} of group {}", text, group);
            }
        }
    }
}

fn shown(texts: &[&str], rows: &[Row]) -> Vec<String> {
    let columns = results(accumulate(&parse(texts), rows, &[]));
    columns.iter().map(|column| array_value_to_string(column, 0).expect("shows")).collect()
}

#[test]
fn a_group_without_rows_has_the_value_of_no_rows() {
    let texts =
        ["count(*)", "sum(v)", "max(s)", "avg(x)", "count(DISTINCT s)", "array_agg(v)", "sum(v) + 1", "first_value(v)"];
    assert_eq!(shown(&texts, &[]), ["0", "", "", "", "0", "", "", ""]);
    let aggregates = parse(&texts);
    let mut grown = aggregates.accumulate().expect("accumulates");
    grown.grow(1).expect("grows");
    let grown = results(grown);
    assert!(grown.iter().all(|column| column.len() == 1));
    assert_eq!(grown[0].as_primitive::<Int64Type>().value(0), 0);
}

#[test]
fn order_by_and_distinct_say_which_rows_in_which_order() {
    let rows: Vec<Row> = vec![
        (0, Some(3), Some(1), Some(30)),
        (0, Some(1), Some(0), Some(10)),
        (0, None, None, None),
        (0, Some(3), Some(0), Some(20)),
    ];
    let texts = [
        "array_agg(v)",
        "array_agg(v ORDER BY t)",
        "array_agg(v ORDER BY t DESC)",
        "array_agg(v ORDER BY t NULLS LAST)",
        "array_agg(DISTINCT v)",
        "array_agg(DISTINCT v ORDER BY v DESC)",
        "string_agg(s, '+' ORDER BY s, t)",
        "nth_value(v, 2 ORDER BY t)",
        "first_value(s ORDER BY t)",
    ];
    assert_eq!(
        shown(&texts, &rows),
        ["[3, 1, , 3]", "[, 1, 3, 3]", "[3, 3, 1, ]", "[1, 3, 3, ]", "[3, 1, ]", "[3, 1, ]", "a+a+b", "1", ""]
    );
}

#[test]
fn floats_that_are_equal_count_once() {
    let schema = Schema::new(vec![Field::new("x", DataType::Float64, true)]);
    let aggregates = Aggregates::parse(&["count(DISTINCT x) AS n".to_owned()], &schema).expect("parses");
    let x = Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(x)]).expect("a batch");
    let mut accumulation = aggregates.accumulate().expect("accumulates");
    accumulation.update(&batch, &[0; 5], 1, &epoch_context()).expect("updates");
    assert_eq!(results(accumulation)[0].as_primitive::<Int64Type>().value(0), 3);
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_and_one_that_fits_in_the_end_is_not() {
    let aggregates = parse(&["sum(v) AS total"]);
    let fine = accumulate(
        &aggregates,
        &[(0, Some(i64::MAX), None, None), (0, Some(1), None, None), (0, Some(-1), None, None)],
        &[2],
    );
    assert_eq!(results(fine)[0].as_primitive::<Int64Type>().value(0), i64::MAX);
    let over = accumulate(&aggregates, &[(0, Some(i64::MAX), None, None), (0, Some(1), None, None)], &[]);
    let Err(Error::Evaluation { expression, cause }) = over.into_results(&epoch_context()) else {
        panic!("it overflows")
    };
    assert_eq!(expression, "sum(v)");
    assert!(cause.contains("overflows BIGINT"), "{cause}");
}

#[test]
fn equal_aggregates_are_computed_once_and_states_are_called_after_outputs() {
    let aggregates = parse(&[
        "sum(v) AS total",
        "sum(v) / count(*) AS mean",
        "count(*) AS n",
        "avg(x) AS x_mean",
        "sum(v) AS again",
        "count(DISTINCT s) AS users",
    ]);
    let names: Vec<String> = aggregates.state_fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["total", "n", "x_mean.count", "x_mean.sum", "users"]);
    assert!(aggregates.state_fields().iter().all(Field::is_nullable));
}

#[test]
fn results_have_types_that_edges_carry() {
    let aggregates = parse(&[
        "count(*) AS n",
        "sum(small) AS s",
        "avg(small) AS a",
        "approx_distinct(s) AS d",
        "max(t) AS t",
        "sum(money) AS m",
        "array_agg(s) AS l",
    ]);
    let fields = aggregates.output_fields();
    let types: Vec<String> =
        fields.iter().map(|field| watershed_core::schema::type_to_ddl(field.data_type())).collect();
    assert_eq!(types, ["BIGINT", "BIGINT", "DOUBLE", "BIGINT", "TIMESTAMP", "DECIMAL(20, 2)", "ARRAY<STRING>"]);
    let columns = results(accumulate(&aggregates, &[(0, Some(1), Some(0), Some(1))], &[]));
    assert!(columns.iter().zip(&fields).all(|(column, field)| column.data_type() == field.data_type()));
}

#[test]
fn no_aggregates_are_fine() {
    let aggregates = parse(&[]);
    assert!(results(accumulate(&aggregates, &[(0, None, None, None)], &[])).is_empty());
    assert!(aggregates.state_fields().is_empty());
}

#[test]
fn what_is_wrong_is_placed_in_its_text() {
    for (text, code, place, words) in [
        ("v AS x", "column_outside_aggregate", 0..1, "`max(v)`"),
        ("sum(v) + v AS x", "column_outside_aggregate", 9..10, ""),
        ("sum(max(v))", "nested_aggregate", 4..7, "aggregate twice"),
        ("1 + 2 AS x", "not_an_aggregate", 0..5, "count(*)"),
        ("summ(v)", "unknown_function", 0..4, "did you mean `sum`?"),
        ("sum(w)", "unknown_column", 4..5, "columns are"),
        ("sum(s)", "bad_expression", 0..6, ""),
        ("grouping(v)", "unsplittable_aggregate", 0..8, ""),
        ("count(*) OVER ()", "window_function", 0..5, ""),
        ("count(*", "bad_expression", 7..7, ""),
    ] {
        let faults = Aggregates::parse(&["count(*) AS n".to_owned(), text.to_owned()], &schema()).expect_err(text);
        let fault = &faults[0];
        assert_eq!((fault.code, fault.within.clone()), (code, Some(place)), "{text}: {faults:?}");
        assert_eq!(fault.path, [1.into()], "{text}");
        assert!(fault.help.as_deref().unwrap_or_default().contains(words), "{text}: {faults:?}");
    }
    let faults =
        Aggregates::parse(&["count(*) AS n".to_owned(), "sum(v) AS n".to_owned()], &schema()).expect_err("twice");
    assert_eq!((faults[0].code, faults[0].path.as_slice()), ("duplicate_name", &[1.into()][..]));
}
