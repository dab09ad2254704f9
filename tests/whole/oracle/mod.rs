//! Random rows through each stateful node, against an answer computed anew from all rows: every output mode, both feeds,
//! with watermark and without, rows out of order and before 1970, nulls everywhere, one thread and many.

pub(crate) mod join;
mod model;
mod text;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::plain;
use model::{Column, Gap, Mode, Node, Row, Setup};
pub(crate) use model::{Micros, Windows};

const CASES: u32 = 64;

/// Rows that jump about a point in time, many of them on whole seconds, where windows begin and end.
fn rows(around: i64) -> impl Strategy<Value = Vec<Row>> {
    let offset = prop_oneof![
        4 => (-20_i64..20).prop_map(|seconds| seconds * 1_000_000),
        2 => -20_000_000_i64..20_000_000,
        1 => (-20_i64..20).prop_map(|seconds| seconds * 1_000_000 - 1),
    ];
    let t = weighted(0.95, offset.prop_map(move |offset| around + offset));
    let row = (weighted(0.9, 0_u8..4), t, weighted(0.9, -3_i64..6), weighted(0.9, -8_i32..8));
    vec(row.prop_map(|(k, t, v, x)| Row { k, t, v, x }), 0..12)
}

/// Inputs whose rows move on in time, more or less.
fn inputs() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let points = vec(-5_i64..25, 1..7);
    (select(vec![-40_i64, 0, 1_424_772_000]), points).prop_flat_map(|(start, steps)| {
        let mut at = start;
        let inputs = steps.into_iter().map(|step| {
            at += step;
            rows(at * 1_000_000)
        });
        inputs.collect::<Vec<_>>()
    })
}

fn mode() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Append, Mode::Update, Mode::Complete])
}

/// Some of the columns, in any order.
fn keys() -> impl Strategy<Value = Vec<Column>> {
    subsequence(vec![Column::K, Column::T, Column::V, Column::X], 0..=4).prop_shuffle()
}

fn setup(node: impl Strategy<Value = Node>) -> impl Strategy<Value = Setup> {
    let delay = select(vec![None, Some(0), Some(3), Some(10)]);
    (node, delay, any::<bool>(), inputs()).prop_map(|(node, delay, queued, inputs)| {
        let delay = delay.or(if text::needs_watermark(&node) { Some(5) } else { None });
        Setup { node, delay, queued, inputs }
    })
}

fn windows() -> impl Strategy<Value = Windows> {
    let tumbling = (1_i64..12).prop_map(|size| (size, size));
    let sliding = (1_i64..6).prop_flat_map(|slide| (slide..slide * 4 + 1, Just(slide)));
    // An offset is less than the slide, either way.
    prop_oneof![tumbling, sliding]
        .prop_flat_map(|(size, slide)| (Just(size), Just(slide), 1 - slide..slide))
        .prop_map(|(size, slide, offset)| Windows { size, slide, offset })
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop_oneof![2 => (1_i64..12).prop_map(Gap::Fixed), 1 => Just(Gap::V)]
}

fn check(setup: &Setup) -> Result<(), TestCaseError> {
    plain::run_text(&text::file(setup, &model::epochs(setup))).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_those_computed_anew(setup in setup(
        (windows(), keys(), mode()).prop_map(|(windows, mut keys, mode)| {
            // The window is the event time, which may not be a key besides.
            keys.retain(|key| *key != Column::T);
            Node::Window { windows, keys, mode }
        })
    )) {
        check(&setup)?;
    }

    #[test]
    fn sessions_are_those_computed_anew(setup in setup(
        (gaps(), keys(), select(vec![Mode::Append, Mode::Complete])).prop_map(|(gap, mut keys, mode)| {
            keys.retain(|key| *key != Column::T);
            if keys.is_empty() {
                keys.push(Column::K);
            }
            Node::Sessions { gap, keys, mode }
        })
    )) {
        check(&setup)?;
    }

    #[test]
    fn aggregates_are_those_computed_anew(setup in setup(
        (keys(), mode()).prop_map(|(mut keys, mode)| {
            // Only an event time among the keys says when a group is complete.
            if mode == Mode::Append && !keys.contains(&Column::T) {
                keys.push(Column::T);
            }
            Node::Aggregate { keys, mode }
        })
    )) {
        check(&setup)?;
    }

    #[test]
    fn first_rows_are_those_computed_anew(setup in setup(
        (keys(), any::<bool>()).prop_map(|(keys, within)| {
            let keys = if keys.is_empty() { vec![Column::K, Column::T, Column::V, Column::X] } else { keys };
            Node::Dedup { keys, within }
        })
    )) {
        check(&setup)?;
    }
}
