//! Joins of streams against loops over lists of rows, which do what SEMANTICS §2.6 says a row at a time: the same rows in the
//! same epoch, the same late rows, and as many rows kept.

use proptest::prelude::*;
use serde_json::json;
use watershed_core::stream::{EventTimeKind, OutputMode, Stream};
use watershed_core::testing::{EpochOutput, Tested};
use watershed_core::time::Timestamp;

use super::{Join, JoinKind};
use crate::testing::{batch, shown, stream, tag};

/// Seconds in a step of time: state is kept by the minute.
const STEP: i64 = 20;

/// A row of either side: a key, a time in steps, a value.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    k: Option<i64>,
    t: Option<i64>,
    v: Option<i64>,
}

/// What the condition says of the times of two rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Nothing,
    Equal,
    /// The left one is from so many steps before to so many steps after the right one.
    Within(i64, i64),
}

#[derive(Clone, Debug)]
struct Setup {
    kind: JoinKind,
    null_safe: bool,
    times: Times,
    /// Conditions on the left value, on the right value, and on both.
    asks: [bool; 3],
    tagged: [bool; 2],
    epochs: Vec<Epoch>,
}

#[derive(Clone, Debug)]
struct Epoch {
    rows: [Vec<Row>; 2],
    /// By how many half steps the watermark moves on before it.
    moved: i64,
}

impl Setup {
    fn join(&self) -> Join {
        let mut on =
            vec![if self.null_safe { "left.k IS NOT DISTINCT FROM right.k" } else { "left.k = right.k" }.to_owned()];
        match self.times {
            Times::Nothing => {}
            Times::Equal => on.push("left.t = right.t".to_owned()),
            Times::Within(before, after) => on.push(format!(
                "left.t BETWEEN right.t - INTERVAL '{} seconds' AND right.t + INTERVAL '{} seconds'",
                before * STEP,
                after * STEP
            )),
        }
        for (asked, condition) in self.asks.iter().zip(["left.v > 1", "right.v > 1", "left.v <> right.v"]) {
            on.extend(asked.then(|| condition.to_owned()));
        }
        let own = |side: &str| ["k", "t", "v"].map(|column| format!("{side}.{column} AS {side}_{column}"));
        let right = if self.kind == JoinKind::LeftSemi { None } else { Some(own("right")) };
        let select = own("left").into_iter().chain(right.into_iter().flatten()).collect();
        Join { kind: self.kind, on: on.join(" AND "), select, output_mode: OutputMode::Append }
    }

    fn streams(&self) -> [Stream; 2] {
        self.tagged.map(|tagged| {
            let mut stream = stream("k BIGINT, t TIMESTAMP, v BIGINT");
            if tagged {
                stream.event_times.push(tag("t", EventTimeKind::Instant));
                stream.watermarks.insert("marked".to_owned());
            }
            stream
        })
    }

    /// Whether a row that holds these values fulfils what is asked of its side alone.
    fn alone(&self, side: usize, row: &Row) -> bool {
        !self.asks[side] || row.v.is_some_and(|v| v > 1)
    }

    fn belong_together(&self, left: &Row, right: &Row) -> bool {
        let keys = left.k == right.k && (self.null_safe || left.k.is_some());
        let times = match (self.times, left.t.zip(right.t)) {
            (Times::Nothing, _) => true,
            (_, None) => false,
            (Times::Equal, Some((left, right))) => left == right,
            (Times::Within(before, after), Some((left, right))) => (right - before..=right + after).contains(&left),
        };
        keys && times && (!self.asks[2] || left.v.zip(right.v).is_some_and(|(left, right)| left != right))
    }

    /// Whether rows of the side with this time are of no use at a watermark, in milliseconds.
    fn is_useless(&self, side: usize, t: Option<i64>, evict: Option<i64>) -> bool {
        let (Some(t), Some(evict)) = (t, evict) else { return false };
        match (self.times, self.tagged) {
            (Times::Equal, [true, _] | [_, true]) => t * STEP * 1000 <= evict,
            (Times::Within(before, after), [true, true]) => (t + [before, after][side]) * STEP * 1000 < evict,
            _ => false,
        }
    }

    fn outer(&self, side: usize) -> bool {
        [JoinKind::LeftOuter, JoinKind::RightOuter][side] == self.kind || self.kind == JoinKind::FullOuter
    }
}

/// What an epoch comes to: rows out and late rows by port, as sorted text, and the number of rows kept on each side.
type Outcome = ([Vec<String>; 3], [usize; 2]);

#[derive(Default)]
struct Model {
    kept: [Vec<(Row, bool)>; 2],
    late: Option<i64>,
}

impl Model {
    fn run(&mut self, setup: &Setup, rows: &[Vec<Row>; 2], evict: Option<i64>) -> Outcome {
        let mut out = [Vec::new(), Vec::new(), Vec::new()];
        let semi = setup.kind == JoinKind::LeftSemi;
        for side in [0, 1] {
            for row in &rows[side] {
                let is_late = |late: i64| row.t.is_some_and(|t| t * STEP * 1000 <= late);
                if setup.tagged[side] && self.late.is_some_and(is_late) {
                    out[1 + side].push(text(&[Some(row)]));
                    continue;
                }
                if !setup.alone(side, row) {
                    if setup.outer(side) {
                        out[0].push(lonely(side, row));
                    }
                    continue;
                }
                let strangers = row.k.is_none() && !setup.null_safe;
                let strangers = strangers || (setup.times == Times::Equal && row.t.is_none());
                let mut matched = false;
                let mut kept = std::mem::take(&mut self.kept[1 - side]);
                kept.retain_mut(|(other, other_matched)| {
                    let (left, right) = if side == 0 { (row, &*other) } else { (&*other, row) };
                    if !setup.belong_together(left, right) {
                        return true;
                    }
                    if semi {
                        if side == 1 || !matched {
                            out[0].push(text(&[Some(left)]));
                        }
                    } else {
                        out[0].push(text(&[Some(left), Some(right)]));
                    }
                    *other_matched = true;
                    matched = true;
                    !(semi && side == 1)
                });
                self.kept[1 - side] = kept;
                let is_refused = side == 1 && setup.is_useless(1, row.t, evict) && (matched || !setup.outer(1));
                let is_gone = semi && side == 0 && matched;
                if !is_refused && !is_gone && (setup.outer(side) || !strangers) {
                    self.kept[side].push((row.clone(), matched));
                }
            }
        }
        for side in [0, 1] {
            self.kept[side].retain(|(row, matched)| {
                let is_useless = setup.is_useless(side, row.t, evict);
                if is_useless && setup.outer(side) && !matched {
                    out[0].push(lonely(side, row));
                }
                !is_useless
            });
        }
        self.late = evict;
        for rows in &mut out {
            rows.sort();
        }
        (out, [self.kept[0].len(), self.kept[1].len()])
    }
}

fn text(rows: &[Option<&Row>]) -> String {
    let cells = |row: Option<&Row>| {
        let time = |t: i64| Timestamp::from_micros(t * STEP * 1_000_000).to_string().replace('Z', "");
        let (k, t, v) = row.map_or((None, None, None), |row| (row.k, row.t, row.v));
        let number = |cell: Option<i64>| cell.map_or_else(String::new, |cell| cell.to_string());
        format!("{}|{}|{}", number(k), t.map_or_else(String::new, time), number(v))
    };
    rows.iter().copied().map(cells).collect::<Vec<_>>().join("|")
}

fn lonely(side: usize, row: &Row) -> String {
    if side == 0 { text(&[Some(row), None]) } else { text(&[None, Some(row)]) }
}

/// What the operator makes of the epochs; none if such a join is refused.
fn run(setup: &Setup, partitions: usize) -> Option<Vec<Outcome>> {
    let [left, right] = setup.streams();
    let tested = Tested::new(setup.join()).stream_at("left", left.clone()).stream_at("right", right.clone());
    let mut harness = tested.partitions(partitions).harness().ok()?;
    let mut now = None;
    let outcome = |epoch: &Epoch| {
        now = setup.watermark(now, epoch);
        if let Some(now) = now {
            harness.set_watermark(Timestamp::from_micros(now * 1000)).expect("it moves on");
        }
        for (port, stream, rows) in [("left", &left, &epoch.rows[0]), ("right", &right, &epoch.rows[1])] {
            let time = |t: i64| Timestamp::from_micros(t * STEP * 1_000_000).to_string();
            let json = |row: &Row| json!({"k": row.k, "t": row.t.map(time), "v": row.v}).to_string();
            let lines: Vec<String> = rows.iter().map(json).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            harness.feed(port, batch(stream, &lines)).expect("rows of the input");
        }
        let output: EpochOutput = harness.end_epoch().expect("runs");
        let sorted = |port: &str| {
            let mut rows = shown(&[output[port].batch().clone()]);
            rows.sort();
            rows
        };
        let state = harness.state().expect("state");
        let kept = ["left", "right"].map(|table| state.table(table).expect("a table").len());
        (["out", "late_left", "late_right"].map(sorted), kept)
    };
    Some(setup.epochs.iter().map(outcome).collect())
}

impl Setup {
    /// The watermark of an epoch, in milliseconds.
    fn watermark(&self, before: Option<i64>, epoch: &Epoch) -> Option<i64> {
        let begun = before.or((epoch.moved > 0).then_some(0));
        begun.filter(|_| self.tagged != [false; 2]).map(|before| before + epoch.moved * STEP * 500)
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let kind = prop_oneof![
        Just(JoinKind::Inner),
        Just(JoinKind::LeftOuter),
        Just(JoinKind::RightOuter),
        Just(JoinKind::FullOuter),
        Just(JoinKind::LeftSemi),
    ];
    let times = prop_oneof![
        1 => Just(Times::Nothing),
        2 => Just(Times::Equal),
        4 => (-2..4_i64, 0..4_i64).prop_map(|(before, longer)| Times::Within(before, longer - before)),
    ];
    let row = || {
        let cell = |range| proptest::option::weighted(0.9, range);
        (cell(0..3_i64), cell(0..9_i64), cell(0..4_i64)).prop_map(|(k, t, v)| Row { k, t, v })
    };
    let rows = || proptest::collection::vec(row(), 0..6);
    let epoch = (rows(), rows(), 0..5_i64).prop_map(|(left, right, moved)| Epoch { rows: [left, right], moved });
    let tagged = prop_oneof![4 => Just([true; 2]), 1 => any::<[bool; 2]>()];
    let asks = [(); 3].map(|()| proptest::bool::weighted(0.3));
    (kind, any::<bool>(), times, asks, tagged, proptest::collection::vec(epoch, 1..7)).prop_map(
        |(kind, null_safe, times, asks, tagged, epochs)| Setup { kind, null_safe, times, asks, tagged, epochs },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_join_gives_what_loops_over_its_rows_give(setup in setups(), partitions in 1..4_usize) {
        let mut model = Model::default();
        let mut now = None;
        let expected: Vec<Outcome> = setup.epochs.iter().map(|epoch| {
            now = setup.watermark(now, epoch);
            model.run(&setup, &epoch.rows, now)
        }).collect();
        let Some(seen) = run(&setup, partitions) else { return Err(TestCaseError::reject("refused")) };
        for (number, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
            prop_assert_eq!(seen, expected, "epoch {}", number);
        }
    }
}
