//! Stateful nodes in a row, and branches that meet again: each epoch brings what a plain computation of the whole graph says, and
//! what one node closes reaches the end in that same epoch.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::oracle::Windows;
use crate::oracle::join::inputs;
use crate::plain::{Does, Fed, Graph, Join, Key, Kind, Range, Row, SECOND, Side, check, rows_of};

fn tumbling(seconds: i64) -> Windows {
    Windows { size: seconds, slide: seconds, offset: 0 }
}

fn window(seconds: i64, keys: &[&'static str], sum: &'static str) -> Does {
    Does::Window { windows: tumbling(seconds), keys: keys.to_vec(), sum }
}

fn sessions(gap: i64) -> Does {
    Does::Sessions { gap, keys: vec!["k"], sum: "v" }
}

/// A join of rows with `t` and `v`, whose rows have the same columns as those of its left side.
fn near(kind: Kind) -> Does {
    let select = vec![(Side::Left, "k", "k"), (Side::Left, "t", "t"), (Side::Left, "v", "v")];
    Does::Join(Join { select, ..Join::on(kind, Some(Range::seconds(-4, 3))) })
}

/// A join of windows by key, one row for both.
fn same_window(kind: Kind, of_left: &'static str, of_right: &'static str) -> Does {
    let mut join = Join::on(kind, None);
    join.keys.push(Key { column: "window_end", null_safe: false });
    join.select = vec![
        (Side::Left, "k", "k"),
        (Side::Left, "window_end", "window_end"),
        (Side::Left, of_left, "v"),
        (Side::Right, of_right, "other"),
    ];
    Does::Join(join)
}

/// Two sources with watermarks of their own.
fn two(graph: &mut Graph) -> [usize; 2] {
    [graph.marked("l", "marked_left", Some(5)), graph.marked("r", "marked_right", Some(2))]
}

/// Nodes in a row below one source.
fn line<const NODES: usize>(nodes: [(&'static str, Does); NODES]) -> Graph {
    let mut graph = Graph::default();
    let mut last = graph.marked("l", "marked", Some(5));
    for (name, does) in nodes {
        last = graph.add(name, does, &[last]);
    }
    graph.show(last)
}

/// Two sources that meet, and nodes in a row below.
fn meeting<const NODES: usize>(meets: Does, nodes: [(&'static str, Does); NODES]) -> Graph {
    let mut graph = Graph::default();
    let sides = two(&mut graph);
    let mut last = graph.add("met", meets, &sides);
    for (name, does) in nodes {
        last = graph.add(name, does, &[last]);
    }
    graph.show(last)
}

/// The same node on both sides, and then as `meeting`.
fn paired<const NODES: usize>(pair: &Does, meets: Does, nodes: [(&'static str, Does); NODES]) -> Graph {
    let mut graph = Graph::default();
    let [left, right] = two(&mut graph);
    let sides = [graph.add("of_left", pair.clone(), &[left]), graph.add("of_right", pair.clone(), &[right])];
    let mut last = graph.add("met", meets, &sides);
    for (name, does) in nodes {
        last = graph.add(name, does, &[last]);
    }
    graph.show(last)
}

/// Every chain by its name, and the sink at its end.
fn chains() -> BTreeMap<&'static str, (Graph, &'static str)> {
    let by_end = || window(20, &[], "total");
    let union = || {
        let mut graph = Graph::default();
        let [left, right] = two(&mut graph);
        // One branch goes on alone and waits for nobody; where it meets the other, the slower one counts.
        let alone = graph.add("alone", window(5, &["k"], "v"), &[left]);
        let met = graph.add("met", Does::Union, &[left, right]);
        let end = graph.add("end", window(10, &["k"], "v"), &[met]);
        graph.show(alone).show(end)
    };
    let branches = || {
        let mut graph = Graph::default();
        let source = graph.add("l", Does::Source, &[]);
        let early = graph.add("early", Does::Watermark { delay: 1 }, &[source]);
        let patient = graph.add("patient", Does::Watermark { delay: 9 }, &[source]);
        let met = graph.add("met", near(Kind::Inner), &[early, patient]);
        let end = graph.add("end", window(10, &["k"], "v"), &[met]);
        graph.show(end)
    };
    let windows_and_rows = || {
        let mut graph = Graph::default();
        let [left, right] = two(&mut graph);
        let counts = graph.add("counts", window(10, &["k"], "v"), &[left]);
        let windowed = graph.add("windowed", Does::AssignWindow(tumbling(10)), &[right]);
        let met = graph.add("met", same_window(Kind::Inner, "total", "v"), &[counts, windowed]);
        let end = graph.add("end", window(20, &["k"], "v"), &[met]);
        graph.show(end)
    };
    let outer_windows =
        |kind| paired(&window(10, &["k"], "v"), same_window(kind, "total", "n"), [("end", window(30, &[], "v"))]);
    BTreeMap::from([
        ("window, window", (line([("first", window(5, &["k"], "v")), ("end", by_end())]), "end_out")),
        (
            "window, window, window",
            (
                line([("first", window(5, &["k"], "v")), ("second", window(10, &["k"], "total")), ("end", by_end())]),
                "end_out",
            ),
        ),
        (
            "first rows, window",
            (line([("first", Does::Dedup(vec!["k", "t"])), ("end", window(10, &["k"], "v"))]), "end_out"),
        ),
        (
            "window, first rows",
            (
                line([
                    ("first", window(5, &["k"], "v")),
                    // Of rows that are the same it does not matter which is the first.
                    ("counts", Does::Select(vec![("window_end", "window_end"), ("n", "n")])),
                    ("end", Does::Dedup(vec!["window_end", "n"])),
                ]),
                "end_out",
            ),
        ),
        ("join, window", (meeting(near(Kind::Inner), [("end", window(10, &["k"], "v"))]), "end_out")),
        ("outer join, window", (meeting(near(Kind::LeftOuter), [("end", window(10, &["k"], "v"))]), "end_out")),
        ("semi join, window", (meeting(near(Kind::LeftSemi), [("end", window(10, &["k"], "v"))]), "end_out")),
        (
            "join, first rows, window",
            (
                meeting(
                    near(Kind::Inner),
                    [("first", Does::Dedup(vec!["k", "t", "v"])), ("end", window(10, &["k"], "v"))],
                ),
                "end_out",
            ),
        ),
        ("window join window", (outer_windows(Kind::Inner), "end_out")),
        ("window left join window", (outer_windows(Kind::LeftOuter), "end_out")),
        (
            "window full join window",
            (paired(&window(10, &["k"], "v"), same_window(Kind::FullOuter, "total", "n"), []), "met_out"),
        ),
        (
            "assigned windows, join, window",
            (
                paired(
                    &Does::AssignWindow(tumbling(10)),
                    same_window(Kind::LeftOuter, "v", "v"),
                    [("end", window(20, &["k"], "v"))],
                ),
                "end_out",
            ),
        ),
        ("window join rows", (windows_and_rows(), "end_out")),
        ("sessions, window", (line([("first", sessions(4)), ("end", by_end())]), "end_out")),
        (
            "join, sessions, window",
            (meeting(near(Kind::Inner), [("first", sessions(4)), ("end", by_end())]), "end_out"),
        ),
        (
            "operator of one's own, window",
            (line([("first", Does::Held { by: 6 }), ("end", window(10, &["k"], "total"))]), "end_out"),
        ),
        ("branches into a union", (union(), "end_out")),
        ("branches into a join", (branches(), "end_out")),
    ])
}

/// Rows of a minute that meet on both sides, and then one that is far later.
fn a_minute_and_then_later() -> Vec<BTreeMap<&'static str, Vec<Row>>> {
    let row = |k: i64, t: i64| vec![Some(k), Some(t * SECOND), Some(t)];
    let minute = |shift: i64| (0..20).map(|step| row(step % 3, step * 3 + shift)).collect::<Vec<_>>();
    vec![
        BTreeMap::from([("l", minute(0)), ("r", minute(1))]),
        BTreeMap::from([("l", vec![row(0, 1_000)]), ("r", vec![row(0, 1_000)])]),
    ]
}

/// Only the sources that there are.
fn fed(graph: &Graph, queued: bool, mut inputs: Vec<BTreeMap<&'static str, Vec<Row>>>) -> Fed {
    for input in &mut inputs {
        input.retain(|source, _| graph.has(source));
    }
    // An input of no source at all is none.
    inputs.retain(|input| !input.is_empty());
    Fed { graph: graph.clone(), queued, inputs }
}

#[test]
fn what_one_node_closes_reaches_the_end_in_the_same_epoch() {
    for (name, (graph, end)) in chains() {
        for queued in [false, true] {
            let fed = fed(&graph, queued, a_minute_and_then_later());
            let rows = rows_of(&fed, end);
            // The row that is far later moves the watermark; the one epoch after it, which has no input, closes all.
            let (last, before) = rows.split_last().expect("epochs");
            assert_eq!(before.len(), if queued { 2 } else { 3 }, "{name}");
            assert!(before.iter().map(Vec::len).sum::<usize>() > 0 || last.len() > 1, "{name}: {rows:?}");
            assert!(!last.is_empty(), "{name}: {rows:?}");
            check(&fed).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chains_are_those_computed_anew(queued in any::<bool>(), inputs in inputs()) {
        for (name, (graph, _)) in chains() {
            check(&fed(&graph, queued, inputs.clone())).map_err(|fault| TestCaseError::fail(format!("{name}: {fault}")))?;
        }
    }
}
