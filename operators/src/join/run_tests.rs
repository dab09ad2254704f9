//! Joins of streams, epoch by epoch.

use std::sync::Arc;

use watershed_core::epoch::{Partition, Port};
use watershed_core::node::{BuildContext, Collector, EpochContext, EpochInput, Operator, OperatorSpec, Stateful};
use watershed_core::state::{Slot, StateStore};
use watershed_core::stream::{EventTimeKind, OutputMode, Stream};
use watershed_core::testing::{Epochs, Feed, Tested, same_answer};
use watershed_core::time::{Timestamp, Watermark};

use super::{Join, JoinKind};
use crate::testing::{batch, epoch_context, shown, stream, tag, tagged};

const RANGE: &str =
    "left.k = right.k AND left.t BETWEEN right.u - INTERVAL '5 seconds' AND right.u + INTERVAL '5 seconds'";

fn join(kind: JoinKind, on: &str, select: &[&str]) -> Join {
    let select = select.iter().map(|&text| text.to_owned()).collect();
    Join { kind, on: on.to_owned(), select, output_mode: OutputMode::Append }
}

/// Left rows are a key, a time and a name, and so are right ones.
fn sides() -> [Stream; 2] {
    let [left, right] = ["k BIGINT, t TIMESTAMP, l STRING", "k BIGINT, u TIMESTAMP, r STRING"].map(stream);
    [tagged(left, "t"), tagged(right, "u")]
}

fn names(kind: JoinKind) -> &'static [&'static str] {
    if kind == JoinKind::LeftSemi { &["left.l"] } else { &["left.l", "right.r"] }
}

/// `1@5 a`: key 1, second 5, name `a`; `-` is null.
fn rows(stream: &Stream, written: &str) -> Vec<String> {
    let row = |written: &str| {
        let (key, rest) = written.split_once('@').expect("key@second name");
        let (second, name) = rest.split_once(' ').expect("key@second name");
        let key = if key == "-" { "null" } else { key };
        let time = second.parse().map(|second: i64| format!("\"{}\"", Timestamp::from_micros(second * 1_000_000)));
        let time = time.unwrap_or_else(|_| "null".to_owned());
        let [k, t, n] = [0, 1, 2].map(|place| stream.schema.field(place).name());
        format!(r#"{{"{k}": {key}, "{t}": {time}, "{n}": "{name}"}}"#)
    };
    written.split(", ").filter(|written| !written.is_empty()).map(row).collect()
}

/// The rows of an epoch, and where the watermark is in it, in seconds.
type Epoch = (&'static str, &'static str, Option<i64>);

/// What comes out of each epoch by every port, in whatever way it is run: `out`, `late_left`, `late_right`.
fn epochs(join: &Join, sides: &[Stream; 2], epochs: &[Epoch]) -> Vec<[Vec<String>; 3]> {
    let tested = Tested::new(join.clone()).stream_at("left", sides[0].clone()).stream_at("right", sides[1].clone());
    let mut harness = tested.harness().unwrap_or_else(|error| panic!("{join:?}: {error}"));
    let (mut feed, mut outputs) = (Feed::new(), Vec::new());
    for (left, right, watermark) in epochs {
        for (port, stream, written) in [("left", &sides[0], left), ("right", &sides[1], right)] {
            let lines = rows(stream, written);
            let batch = batch(stream, &lines.iter().map(String::as_str).collect::<Vec<_>>());
            harness.feed(port, batch.clone()).expect("rows of the input");
            feed = feed.rows(port, &batch);
        }
        if let Some(seconds) = watermark {
            let watermark = Timestamp::from_micros(seconds * 1_000_000);
            harness.set_watermark(watermark).expect("it moves on");
            feed = feed.watermark(watermark);
        }
        feed = feed.end_epoch();
        let output = harness.end_epoch().expect("runs");
        outputs.push(["out", "late_left", "late_right"].map(|port| shown(&[output[port].batch().clone()])));
    }
    same_answer(&tested, [feed], Epochs::Same).expect("the answer does not depend on how it is computed");
    outputs
}

fn out(kind: JoinKind, on: &str, fed: &[Epoch]) -> Vec<Vec<String>> {
    epochs(&join(kind, on, names(kind)), &sides(), fed).into_iter().map(|[out, ..]| out).collect()
}

#[test]
fn each_kind_gives_its_rows_when_they_are_certain() {
    let fed = [
        ("1@10 a, 2@10 b, 3@10 c", "1@12 x, 4@10 y", None),
        ("", "1@9 z, 2@16 w", None),
        ("4@4 d, 2@14 e", "", Some(10)),
        ("", "", Some(15)),
        ("", "", Some(16)),
        ("", "", Some(30)),
    ];
    let pairs: [&[&str]; 6] = [&["a|x"], &["a|z"], &["e|w"], &[], &[], &[]];
    let cases: [(JoinKind, [&[&str]; 6]); 5] = [
        (JoinKind::Inner, pairs),
        (JoinKind::LeftOuter, [&["a|x"], &["a|z"], &["e|w", "d|"], &[], &["b|", "c|"], &[]]),
        (JoinKind::RightOuter, [&["a|x"], &["a|z"], &["e|w"], &[], &["|y"], &[]]),
        (JoinKind::FullOuter, [&["a|x"], &["a|z"], &["e|w", "d|"], &[], &["b|", "c|", "|y"], &[]]),
        (JoinKind::LeftSemi, [&["a"], &[], &["e"], &[], &[], &[]]),
    ];
    for (kind, expected) in cases {
        assert_eq!(out(kind, RANGE, &fed), expected, "{kind:?}");
    }
}

#[test]
fn partners_of_one_epoch_come_out_once_in_the_order_of_the_rows_that_look() {
    let fed = [("", "1@10 x, 1@11 y", None), ("1@10 a, 1@12 b", "1@12 z", None)];
    let expected: [&[&str]; 2] = [&[], &["a|x", "a|y", "b|x", "b|y", "a|z", "b|z"]];
    assert_eq!(out(JoinKind::Inner, RANGE, &fed), expected);
    assert_eq!(out(JoinKind::FullOuter, RANGE, &fed), expected);
    let expected: [&[&str]; 2] = [&[], &["a", "b"]];
    assert_eq!(out(JoinKind::LeftSemi, RANGE, &fed), expected);
}

#[test]
fn rows_that_come_too_late_leave_by_the_port_of_their_side() {
    let fed = [("1@20 a", "", Some(10)), ("1@10 b, 1@11 c, 1@- d", "1@9 x, 1@15 y", Some(10))];
    let seen = epochs(&join(JoinKind::LeftOuter, RANGE, names(JoinKind::LeftOuter)), &sides(), &fed);
    assert_eq!(seen[1][1], ["1|1970-01-01T00:00:10|b"]);
    assert_eq!(seen[1][2], ["1|1970-01-01T00:00:09|x"]);
    assert_eq!(seen[1][0], ["a|y", "c|y"], "a row without a time is not late, and not within five seconds of anything");
}

#[test]
fn a_side_without_a_watermark_has_no_late_rows_but_old_state_is_gone() {
    let [left, right] = ["k BIGINT, t TIMESTAMP, l STRING", "k BIGINT, u TIMESTAMP, r STRING"].map(stream);
    let sides = [tagged(left, "t"), right];
    let on = "left.k = right.k AND left.t = right.u";
    let fed = [("1@10 a, 1@20 b", "", None), ("", "", Some(10)), ("1@10 c, 1@20 d", "1@10 x, 1@20 y, 1@5 z", Some(10))];
    let seen = epochs(&join(JoinKind::FullOuter, on, names(JoinKind::FullOuter)), &sides, &fed);
    assert_eq!(seen[1][0], ["a|"]);
    assert_eq!(seen[2], [vec!["b|y", "d|y", "|x", "|z"], vec!["1|1970-01-01T00:00:10|c"], vec![]]);
}

#[test]
fn what_a_row_fails_by_itself_is_told_at_once_or_never() {
    let on = format!("{RANGE} AND left.l <> 'no' AND right.r <> 'no'");
    let fed = [("1@10 no, 1@10 a", "1@10 no, 1@10 x", None), ("", "", Some(60))];
    let cases: [(JoinKind, [&[&str]; 2]); 5] = [
        (JoinKind::Inner, [&["a|x"], &[]]),
        (JoinKind::LeftOuter, [&["no|", "a|x"], &[]]),
        (JoinKind::RightOuter, [&["|no", "a|x"], &[]]),
        (JoinKind::FullOuter, [&["no|", "|no", "a|x"], &[]]),
        (JoinKind::LeftSemi, [&["a"], &[]]),
    ];
    for (kind, expected) in cases {
        assert_eq!(out(kind, &on, &fed), expected, "{kind:?}");
    }
}

#[test]
fn null_equals_null_only_where_the_condition_says_so() {
    let fed = [("-@10 a, 1@10 b", "-@10 x, 1@- y", None), ("", "", Some(60))];
    let cases: [(&str, JoinKind, [&[&str]; 2]); 4] = [
        ("left.k = right.k", JoinKind::Inner, [&[], &[]]),
        ("left.k = right.k", JoinKind::FullOuter, [&[], &["a|", "b|", "|x"]]),
        ("left.k IS NOT DISTINCT FROM right.k", JoinKind::Inner, [&["a|x"], &[]]),
        ("left.k IS NOT DISTINCT FROM right.k", JoinKind::FullOuter, [&["a|x"], &["b|"]]),
    ];
    for (on, kind, expected) in cases {
        assert_eq!(out(kind, &RANGE.replace("left.k = right.k", on), &fed), expected, "{kind:?} {on}");
    }
}

#[test]
fn floating_point_keys_are_equal_as_values() {
    let sides = ["k DOUBLE, l STRING", "k DOUBLE, r STRING"].map(stream);
    let fed = [
        (r#"{"k": 0.0, "l": "zero"}"#, r#"{"k": -0.0, "r": "minus zero"}"#),
        (r#"{"k": 1.5, "l": "more"}"#, r#"{"k": 1.5, "r": "as much"}"#),
    ];
    let spec = join(JoinKind::Inner, "left.k = right.k", &["left.k AS lk", "right.k AS rk", "left.l", "right.r"]);
    let tested = Tested::new(spec).stream_at("left", sides[0].clone()).stream_at("right", sides[1].clone());
    let mut harness = tested.harness().expect("a join");
    let mut seen = Vec::new();
    for (left, right) in fed {
        harness.feed("left", batch(&sides[0], &[left])).expect("rows of the input");
        harness.feed("right", batch(&sides[1], &[right])).expect("rows of the input");
        seen.extend(shown(&[harness.end_epoch().expect("runs")["out"].batch().clone()]));
    }
    assert_eq!(seen, ["0.0|-0.0|zero|minus zero", "1.5|1.5|more|as much"]);
}

fn built(spec: &Join, sides: &[Stream; 2], batch_rows: usize) -> Arc<dyn Stateful> {
    let cx = BuildContext { node: "joined".into(), batch_rows };
    match spec.build(&sides.clone().map(|side| vec![side]), &cx) {
        Ok(Operator::Stateful(operator)) => operator,
        other => panic!("{spec:?}: {:#?}", other.err()),
    }
}

/// Runs an epoch of one partition, by hand.
fn run(
    operator: &dyn Stateful,
    state: &mut StateStore,
    inputs: [(&Stream, &str); 2],
    cx: &EpochContext,
) -> Vec<Vec<String>> {
    let mut out = Collector::default();
    let mut before = operator.before_exchange().expect("it takes late rows out");
    for (port, (stream, written)) in inputs.into_iter().enumerate() {
        let lines = rows(stream, written);
        let rows = batch(stream, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        before.process(Port(port), rows, cx, &mut out).expect("rows of the input");
    }
    before.finish(cx, &mut out).expect("rows of the input");
    let batches = out.take_exchanged();
    operator.run(EpochInput { batches, ..EpochInput::default() }, state, cx, &mut out).expect("runs");
    state.commit().expect("commits");
    out.take_emitted().into_iter().map(|(_, rows)| shown(&[rows])).collect()
}

#[test]
fn pairs_of_a_key_that_all_rows_have_come_out_in_batches() {
    let [left, right] = sides();
    let many =
        |name: &str, count: i64| (0..count).map(|row| format!("1@{row} {name}{row}")).collect::<Vec<_>>().join(", ");
    for (kind, on) in [(JoinKind::Inner, "left.k = right.k"), (JoinKind::FullOuter, &RANGE.replace("'5 ", "'50 "))] {
        let operator = built(&join(kind, on, names(kind)), &sides(), 4);
        let mut state = StateStore::new(operator.tables());
        let cx = epoch_context();
        run(&*operator, &mut state, [(&left, &many("l", 9)), (&right, "")], &cx);
        let seen = run(&*operator, &mut state, [(&left, ""), (&right, &many("r", 3))], &cx);
        assert!(seen.iter().all(|batch| batch.len() <= 4), "{seen:?}");
        let expected: Vec<String> = (0..3).flat_map(|r| (0..9).map(move |l| format!("l{l}|r{r}"))).collect();
        assert_eq!(seen.concat(), expected, "{kind:?}");
    }
    let operator = built(&join(JoinKind::LeftSemi, RANGE, names(JoinKind::LeftSemi)), &sides(), 4);
    let mut state = StateStore::new(operator.tables());
    let cx = epoch_context();
    run(&*operator, &mut state, [(&left, &many("l", 9)), (&right, "")], &cx);
    let seen = run(&*operator, &mut state, [(&left, ""), (&right, &many("r", 3))], &cx);
    assert_eq!(seen.concat(), (0..8).map(|l| format!("l{l}")).collect::<Vec<_>>(), "the ninth is six seconds after r2");
    assert_eq!(state.tables()[0].rows(), 1);
}

#[test]
fn state_holds_what_is_needed_and_no_more() {
    let [left, right] = sides();
    let kept = |kind, on: &str, select: &[&str]| {
        let operator = built(&join(kind, on, select), &sides(), 8);
        let columns = |table: &watershed_core::state::TableSchema| {
            let names: Vec<String> = table.columns().fields().iter().map(|field| field.name().clone()).collect();
            format!("{}: {}; {}", table.name, names.join(" "), table.slots)
        };
        operator.tables().iter().map(columns).collect::<Vec<_>>()
    };
    assert_eq!(
        kept(JoinKind::LeftOuter, RANGE, &["left.k", "right.r"]),
        ["left: k row t matched; minutes of t + 5s 1ms", "right: k row u r; minutes of u + 5s 1ms"]
    );
    assert_eq!(
        kept(JoinKind::LeftSemi, "left.k = right.k AND left.t = right.u AND right.r <> 'no'", &["left.l"]),
        ["left: k t row l; minutes of t", "right: k u row; minutes of u"]
    );
    assert_eq!(
        kept(JoinKind::Inner, "abs(left.k) = right.k AND left.l < right.r", &["left.k AS row"]),
        ["left: abs(left.k) row k l; ", "right: k row r; "]
    );
    let operator = built(&join(JoinKind::Inner, RANGE, &["left.l", "right.r"]), &sides(), 8);
    let mut state = StateStore::new(operator.tables());
    let at = |seconds: i64| Watermark(Some(Timestamp::from_micros(seconds * 1_000_000)));
    let cx = EpochContext { evict: at(20), partition: Partition(0), ..epoch_context() };
    run(&*operator, &mut state, [(&left, "1@14 a, 1@15 b, 1@- c"), (&right, "1@14 x, 1@15 y, 1@- z")], &cx);
    let counts: Vec<usize> = state.tables().iter().map(watershed_core::state::StateTable::rows).collect();
    assert_eq!(counts, [2, 2], "what is five seconds behind the watermark is dropped, on either side");
    let slot = Slot::at(Timestamp::from_micros(1));
    assert_eq!(operator.readable_slot(0, slot), [("slot", slot.time())]);
    let unbounded = built(&join(JoinKind::Inner, "left.k = right.k", &["left.l", "right.r"]), &sides(), 8);
    assert!(unbounded.readable_slot(0, Slot::NEVER).is_empty());
}

#[test]
fn a_stream_joins_itself() {
    let own = tagged(stream("k BIGINT, t TIMESTAMP, l STRING"), "t");
    let on = "left.k = right.k AND right.t > left.t AND right.t <= left.t + INTERVAL '5 seconds'";
    let spec = join(JoinKind::LeftOuter, on, &["left.l AS earlier", "right.l AS later"]);
    let all = "1@1 a, 1@4 b, 1@9 c";
    let seen = epochs(&spec, &[own.clone(), own], &[(all, all, None), ("", "", Some(60))]);
    assert_eq!([&seen[0][0], &seen[1][0]], [&["a|b", "b|c"][..], &["c|"]]);
}

#[test]
fn ends_of_windows_are_keys_that_close_state() {
    let ends = |ddl: &str, column: &str| {
        let mut stream = stream(ddl);
        stream.event_times.push(tag(column, EventTimeKind::WindowEnd));
        stream.watermarks.insert("marked".to_owned());
        stream
    };
    let sides = [ends("k BIGINT, t TIMESTAMP, l STRING", "t"), ends("k BIGINT, u TIMESTAMP, r STRING", "u")];
    let on = "left.k = right.k AND left.t = right.u";
    let fed = [("1@10 a, 2@10 b", "1@10 x, 1@20 y", None), ("", "", Some(10)), ("", "1@10 z, 1@20 w", Some(20))];
    let seen = epochs(&join(JoinKind::FullOuter, on, names(JoinKind::FullOuter)), &sides, &fed);
    assert_eq!(seen[0][0], ["a|x"]);
    assert_eq!(seen[1][0], ["b|"]);
    assert_eq!(seen[2][0], ["|y", "|w"]);
    assert_eq!(seen[2][2], ["1|1970-01-01T00:00:10|z"]);
}
