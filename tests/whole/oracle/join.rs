//! Random rows through joins: every kind, conditions that bound both sides or one or none, watermarks on both sides, on one, or
//! nowhere, null keys and null times.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::Windows;
use crate::plain::{Bound, Does, Fed, Graph, Join, Key, Kind, Range, Row, Side, check};

const CASES: u32 = 96;

/// What ties event times together.
#[derive(Clone, Debug)]
enum By {
    Range(Range),
    Windows(Windows),
    /// `t` of both sides is the same.
    Time,
    Nothing,
}

/// Rows about a point in time; few keys and few times, so that many meet.
fn rows(around: i64, most: usize) -> impl Strategy<Value = Vec<Row>> {
    let offset = prop_oneof![
        6 => (-12_i64..12).prop_map(|seconds| seconds * 1_000_000),
        2 => (-12_i64..12).prop_map(|seconds| seconds * 1_000_000 + 1_000),
        1 => (-12_i64..12).prop_map(|seconds| seconds * 1_000_000 - 1),
    ];
    let t = weighted(0.95, offset.prop_map(move |offset| around * 1_000_000 + offset));
    let row = (weighted(0.9, 0_i64..3), t, weighted(0.9, -3_i64..6));
    vec(row.prop_map(|(k, t, v)| vec![k, t, v]), 0..most)
}

/// Inputs of two sources whose rows move on in time, more or less; now and then one of the sources brings nothing.
pub(crate) fn inputs() -> impl Strategy<Value = Vec<BTreeMap<&'static str, Vec<Row>>>> {
    let start = select(vec![-30_i64, 0, 1_424_772_000]);
    (start, vec((-4_i64..20, -6_i64..6), 1..7)).prop_flat_map(|(start, steps)| {
        let mut at = start;
        let inputs = steps.into_iter().map(|(step, apart)| {
            at += step;
            let sources = (weighted(0.85, rows(at, 8)), weighted(0.85, rows(at + apart, 8)));
            sources.prop_map(|(left, right)| {
                // An input of no source at all is none.
                let left = left.or_else(|| right.is_none().then(Vec::new));
                let brought = [("l", left), ("r", right)].into_iter();
                brought.filter_map(|(source, rows)| Some((source, rows?))).collect::<BTreeMap<_, _>>()
            })
        });
        inputs.collect::<Vec<_>>()
    })
}

fn range() -> impl Strategy<Value = Range> {
    let bound = |millis: std::ops::Range<i64>| {
        let millis = prop_oneof![4 => millis.clone().prop_map(|seconds| seconds * 1_000), 1 => millis.prop_map(|seconds| seconds * 1_000 + 1)];
        (millis, any::<bool>()).prop_map(|(millis, strict)| Bound { millis, strict })
    };
    (weighted(0.8, bound(-9..3)), weighted(0.8, bound(-2..9)), any::<bool>())
        .prop_map(|(least, most, mirrored)| Range { least, most, mirrored })
        .prop_filter("a range has a bound", |range| range.least.is_some() || range.most.is_some())
}

fn by() -> impl Strategy<Value = By> {
    let windows = select(vec![(10, 10, 0), (7, 7, 3), (10, 5, 0)]);
    prop_oneof![
        5 => range().prop_map(By::Range),
        3 => windows.prop_map(|(size, slide, offset)| By::Windows(Windows { size, slide, offset })),
        1 => Just(By::Time),
        1 => Just(By::Nothing),
    ]
}

/// Delays of the watermarks of both sides.
fn delays() -> impl Strategy<Value = [Option<i64>; 2]> {
    let delay = || select(vec![0_i64, 2, 7]);
    prop_oneof![
        6 => (delay(), delay()).prop_map(|(left, right)| [Some(left), Some(right)]),
        1 => delay().prop_map(|left| [Some(left), None]),
        1 => delay().prop_map(|right| [None, Some(right)]),
        1 => Just([None, None]),
    ]
}

fn fed() -> impl Strategy<Value = Fed> {
    let greater = || weighted(0.2, -2_i64..3);
    let conditions = (any::<bool>(), [greater(), greater()], weighted(0.2, Just(())));
    (select(Kind::ALL.to_vec()), by(), delays(), conditions, any::<bool>(), inputs()).prop_map(
        |(kind, by, delays, (null_safe, greater, ordered), queued, inputs)| {
            let mut graph = Graph::default();
            let mut sides = [graph.marked("l", "marked_left", delays[0]), graph.marked("r", "marked_right", delays[1])];
            let range = if let By::Range(range) = by { Some(range) } else { None };
            let mut join = Join { greater, ordered: ordered.is_some(), ..Join::on(kind, range) };
            join.keys[0].null_safe = null_safe;
            match by {
                By::Windows(windows) => {
                    // A side that has no watermark has windows of the same time all the same.
                    let names = ["windowed_left", "windowed_right"];
                    for (side, name) in sides.iter_mut().zip(names) {
                        *side = graph.add(name, Does::AssignWindow(windows), &[*side]);
                    }
                    join.keys.push(Key { column: "window_end", null_safe: false });
                    join.select.push((Side::Left, "window_end", "window_end"));
                }
                By::Time => join.keys.push(Key { column: "t", null_safe: false }),
                By::Range(_) | By::Nothing => {}
            }
            let bounds = graph.bounds(&join, sides[0], sides[1]);
            if !join.is_allowed(bounds) {
                // Rows would wait for ever: it is refused. An inner join takes its place.
                join.kind = Kind::Inner;
            }
            let joined = graph.add("joined", Does::Join(join), &sides);
            Fed { graph: graph.show(joined), queued, inputs }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joins_are_those_computed_anew(fed in fed()) {
        check(&fed).map_err(TestCaseError::fail)?;
    }
}
