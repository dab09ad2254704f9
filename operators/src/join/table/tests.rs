//! Tables of cases, and random tables against nested loops.

use std::sync::Arc;

use arrow::array::RecordBatch;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use watershed_core::node::{BuildContext, Collector, EpochInput, Operator, OperatorSpec};
use watershed_core::state::{Change, StateStore};
use watershed_core::stream::{OutputMode, Stream};
use watershed_core::testing::{Epochs, Feed, Tested, same_answer};

use super::RIGHT;
use crate::join::{Join, JoinKind};
use crate::testing::{batch, complete, epoch_context, shown, stream, tagged};

const KINDS: [JoinKind; 4] = [JoinKind::Inner, JoinKind::LeftOuter, JoinKind::LeftSemi, JoinKind::LeftAnti];

fn clicks() -> Stream {
    stream("id BIGINT NOT NULL, user STRING, n BIGINT")
}

fn users() -> Stream {
    complete(stream("user STRING, country STRING, least BIGINT"), &[])
}

fn join(kind: JoinKind, on: &str) -> Join {
    let select: &[&str] = if kind.is_one_sided() {
        &["left.id"]
    } else {
        &["left.id", "right.country", "right.least IS NULL AS unbound"]
    };
    let select = select.iter().map(|text| (*text).to_owned()).collect();
    Join { kind, on: on.to_owned(), select, output_mode: OutputMode::Append }
}

/// What an epoch brings: rows of the table if it is replaced, and left rows.
type Brought<'a> = (Option<&'a [&'a str]>, &'a [&'a str]);

/// The rows of each epoch, sorted, however the join is run.
fn epochs(spec: &Join, left: &Stream, right: &Stream, brought: &[Brought]) -> Vec<Vec<String>> {
    let tested = Tested::new(spec.clone()).stream_at("left", left.clone()).stream_at("right", right.clone());
    let mut harness = tested.harness().expect("the join takes the streams");
    let (mut feed, mut outputs) = (Feed::new(), Vec::new());
    for (table, rows) in brought {
        if let Some(table) = table {
            feed = feed.rows("right", batch(right, table));
            harness.feed("right", batch(right, table)).expect("rows of the table");
        }
        feed = feed.rows("left", batch(left, rows)).end_epoch();
        harness.feed("left", batch(left, rows)).expect("rows of the left");
        let output = harness.end_epoch().expect("runs");
        let mut rows = shown(&[output["out"].batch().clone()]);
        rows.sort();
        outputs.push(rows);
    }
    same_answer(&tested, [feed], Epochs::Same).expect("the answer does not depend on how it is computed");
    outputs
}

const CLICKS: &[&str] = &[
    r#"{"id": 1, "user": "ann", "n": 5}"#,
    r#"{"id": 2, "user": "bob", "n": 5}"#,
    r#"{"id": 3, "user": null, "n": 5}"#,
    r#"{"id": 4, "user": "zoe", "n": 5}"#,
    r#"{"id": 5, "user": "ann", "n": 1}"#,
];

const USERS: &[&str] = &[
    r#"{"user": "ann", "country": "AT", "least": 3}"#,
    r#"{"user": "ann", "country": "BE", "least": null}"#,
    r#"{"user": "bob", "country": "CH", "least": 9}"#,
    r#"{"user": null, "country": "DE", "least": 0}"#,
];

#[test]
fn rows_are_looked_up_by_key_and_whatever_else_is_asked() {
    let equal = "left.user = right.user";
    let null_safe = "left.user IS NOT DISTINCT FROM right.user";
    let least = "left.user = right.user AND left.n >= right.least";
    let left_only = "left.user = right.user AND left.n > 3";
    let right_only = "left.user = right.user AND right.country <> 'AT'";
    let computed = "upper(left.user) = upper(right.user) AND right.country LIKE 'A%'";
    for (on, kind, expected) in [
        (equal, JoinKind::Inner, "1|AT|false 1|BE|true 2|CH|false 5|AT|false 5|BE|true"),
        (equal, JoinKind::LeftOuter, "1|AT|false 1|BE|true 2|CH|false 3||true 4||true 5|AT|false 5|BE|true"),
        (equal, JoinKind::LeftSemi, "1 2 5"),
        (equal, JoinKind::LeftAnti, "3 4"),
        (null_safe, JoinKind::Inner, "1|AT|false 1|BE|true 2|CH|false 3|DE|false 5|AT|false 5|BE|true"),
        (null_safe, JoinKind::LeftAnti, "4"),
        (least, JoinKind::Inner, "1|AT|false"),
        (least, JoinKind::LeftOuter, "1|AT|false 2||true 3||true 4||true 5||true"),
        (least, JoinKind::LeftSemi, "1"),
        (least, JoinKind::LeftAnti, "2 3 4 5"),
        (left_only, JoinKind::Inner, "1|AT|false 1|BE|true 2|CH|false"),
        (left_only, JoinKind::LeftOuter, "1|AT|false 1|BE|true 2|CH|false 3||true 4||true 5||true"),
        (left_only, JoinKind::LeftSemi, "1 2"),
        (left_only, JoinKind::LeftAnti, "3 4 5"),
        (right_only, JoinKind::Inner, "1|BE|true 2|CH|false 5|BE|true"),
        (right_only, JoinKind::LeftAnti, "3 4"),
        (computed, JoinKind::Inner, "1|AT|false 5|AT|false"),
        (computed, JoinKind::LeftOuter, "1|AT|false 2||true 3||true 4||true 5|AT|false"),
    ] {
        let seen = epochs(&join(kind, on), &clicks(), &users(), &[(Some(USERS), CLICKS)]);
        assert_eq!(seen[0].join(" "), expected, "{kind:?} on {on}");
    }
}

#[test]
fn a_table_holds_until_it_is_replaced() {
    let ann: &[&str] = &[r#"{"id": 1, "user": "ann", "n": 5}"#];
    let moved: &[&str] = &[r#"{"user": "ann", "country": "FR", "least": 3}"#];
    let brought: &[Brought] = &[
        (None, ann),
        (Some(USERS), ann),
        (None, ann),
        (Some(moved), &[]),
        (None, ann),
        (Some(&[]), ann),
        (None, ann),
        (Some(USERS), ann),
    ];
    let inner = epochs(&join(JoinKind::Inner, "left.user = right.user"), &clicks(), &users(), brought);
    let both = "1|AT|false 1|BE|true";
    assert_eq!(
        inner.iter().map(|rows| rows.join(" ")).collect::<Vec<_>>(),
        ["", both, both, "", "1|FR|false", "", "", both]
    );
    let anti = epochs(&join(JoinKind::LeftAnti, "left.user = right.user"), &clicks(), &users(), brought);
    assert_eq!(anti.iter().map(|rows| rows.join(" ")).collect::<Vec<_>>(), ["1", "", "", "", "", "1", "1", ""]);
}

#[test]
fn no_row_is_late_for_a_table() {
    let left = tagged(stream("id BIGINT NOT NULL, user STRING, n BIGINT, t TIMESTAMP"), "t");
    let spec = join(JoinKind::LeftOuter, "left.user = right.user");
    let tested = Tested::new(spec).stream_at("left", left.clone()).stream_at("right", users());
    let mut harness = tested.harness().expect("the join takes the streams");
    harness.feed("right", batch(&users(), USERS)).expect("rows");
    harness.end_epoch().expect("runs");
    harness.set_watermark("2024-01-01T00:00:00Z").expect("moves on");
    harness.end_epoch().expect("runs");
    let old = r#"{"id": 1, "user": "bob", "t": "1999-01-01T00:00:00"}"#;
    harness.feed("left", batch(&left, &[old])).expect("rows");
    let output = harness.end_epoch().expect("runs");
    assert_eq!(shown(&[output["out"].batch().clone()]), ["1|CH|false"]);
    assert_eq!(output.rows_late(), 0);
}

/// How many rows were written and how many removed.
fn written(changes: &[Change]) -> (usize, usize) {
    let count = |wanted: fn(&Change) -> bool| changes.iter().filter(|change| wanted(change)).map(Change::rows).sum();
    (count(|change| matches!(change, Change::Upsert(..))), count(|change| matches!(change, Change::Remove(..))))
}

#[test]
fn only_what_has_changed_of_a_table_is_written() {
    let spec = join(JoinKind::Inner, "left.user = right.user");
    let inputs = [vec![clicks()], vec![users()]];
    let cx = BuildContext { node: "join".into(), batch_rows: 8 };
    let Ok(Operator::Stateful(operator)) = spec.build(&inputs, &cx) else { panic!("a stateful operator") };
    let mut state = StateStore::new(operator.tables());
    let mut replace = |lines: &[&str]| {
        let (mut out, mut before) =
            (Collector::default(), operator.before_exchange().expect("keys are computed before"));
        before.process(RIGHT, batch(&users(), lines), &epoch_context(), &mut out).expect("rows");
        before.finish(&epoch_context(), &mut out).expect("rows");
        let input = EpochInput { batches: out.take_exchanged(), replaced: vec![RIGHT] };
        operator.run(input, &mut state, &epoch_context(), &mut out).expect("runs");
        written(&state.commit().expect("commits")[0])
    };
    let [ann_at, ann_be, bob, _] = USERS else { panic!("four users") };
    let bob_moved = r#"{"user": "bob", "country": "FR", "least": 9}"#;
    for (rows, expected, what) in [
        (USERS, (3, 0), "the row without a key finds no partner and is not kept"),
        (USERS, (0, 0), "the same"),
        (&[bob, ann_at, ann_be], (0, 0), "other keys first"),
        (&[ann_be, ann_at, bob], (2, 0), "rows of a key in another order"),
        (&[ann_be, ann_at, bob_moved], (1, 0), "one is another"),
        (&[ann_be, bob_moved], (0, 1), "one is gone"),
        (&[ann_at, bob_moved], (1, 0), "the other in its place"),
        (&[bob_moved, bob_moved, bob_moved], (2, 1), "equal rows"),
        (&[], (0, 3), "none"),
        (&[], (0, 0), "none again"),
    ] {
        assert_eq!(replace(rows), expected, "{what}");
    }
}

#[derive(Clone, Debug)]
struct Row {
    key: Option<u8>,
    value: Option<i64>,
}

fn row() -> impl Strategy<Value = Row> {
    (option::weighted(0.85, 0..4_u8), option::weighted(0.85, 0..4_i64)).prop_map(|(key, value)| Row { key, value })
}

fn rows_of(stream: &Stream, rows: &[Row], numbered: bool) -> RecordBatch {
    let value = |value: Option<i64>| value.map_or("null".to_owned(), |value| value.to_string());
    let line = |(id, row): (usize, &Row)| {
        let id = if numbered { format!(r#""id": {id}, "#) } else { String::new() };
        format!(r#"{{{id}"k": {}, "v": {}}}"#, value(row.key.map(i64::from)), value(row.value))
    };
    let lines: Vec<String> = rows.iter().enumerate().map(line).collect();
    batch(stream, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What comes of left rows, by trying every row of the table.
fn nested_loops(kind: JoinKind, left: &[Row], table: &[Row]) -> Vec<String> {
    let fulfil = |one: &&Row, other: &&Row| {
        one.key.is_some() && one.key == other.key && one.value.zip(other.value).is_some_and(|(v, w)| v <= w)
    };
    let mut expected = Vec::new();
    for (id, row) in left.iter().enumerate() {
        let partners: Vec<&Row> = table.iter().filter(|other| fulfil(&row, other)).collect();
        match kind {
            JoinKind::LeftSemi if partners.is_empty() => {}
            JoinKind::LeftAnti if !partners.is_empty() => {}
            JoinKind::LeftSemi | JoinKind::LeftAnti => expected.push(id.to_string()),
            JoinKind::LeftOuter if partners.is_empty() => expected.push(format!("{id}|")),
            _ => expected.extend(
                partners.iter().map(|other| format!("{id}|{}", other.value.expect("it fulfils the condition"))),
            ),
        }
    }
    expected.sort();
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn random_tables_give_what_nested_loops_give(
        kind in 0..KINDS.len(),
        brought in vec((option::of(vec(row(), 0..8)), vec(row(), 0..8)), 1..6),
    ) {
        let kind = KINDS[kind];
        let (left, right) = (stream("id BIGINT, k BIGINT, v BIGINT"), complete(stream("k BIGINT, v BIGINT"), &[]));
        let select = if kind.is_one_sided() { vec!["left.id"] } else { vec!["left.id", "right.v"] };
        let on = "left.k = right.k AND left.v <= right.v".to_owned();
        let select = select.into_iter().map(str::to_owned).collect();
        let spec = Join { kind, on, select, output_mode: OutputMode::Append };
        let tested = Tested::new(spec).stream_at("left", left.clone()).stream_at("right", right.clone()).partitions(3);
        let mut harness = tested.harness().expect("the join takes the streams");
        let mut table: Arc<[Row]> = Arc::default();
        for (replaced, rows) in brought {
            if let Some(replaced) = replaced {
                harness.feed("right", rows_of(&right, &replaced, false)).expect("rows of the table");
                table = replaced.into();
            }
            harness.feed("left", rows_of(&left, &rows, true)).expect("rows of the left");
            let output = harness.end_epoch().expect("runs");
            let mut seen = shown(&[output["out"].batch().clone()]);
            seen.sort();
            prop_assert_eq!(seen, nested_loops(kind, &rows, &table));
        }
    }
}
