//! What all nodes that rank have in common: every mode against lists that are sorted anew from all rows, however it is run.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use watershed_core::node::OperatorSpec;
use watershed_core::stream::OutputMode;
use watershed_core::testing::{Epochs, Feed, Tested, same_answer};
use watershed_core::time::Timestamp;

use crate::testing::{batch, shown, stream, tagged};
use crate::{First, Last, TopN};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    k: Option<u8>,
    /// Seconds.
    t: Option<i64>,
    v: Option<i64>,
}

/// Rows, and the watermark that is in force from their epoch on.
#[derive(Clone, Debug)]
struct Epoch {
    moves_by: i64,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// `v DESC`, then `t`.
    Greatest,
    /// `v NULLS LAST`.
    Least,
    FirstByTime,
    LastByTime,
    LastByValue,
}

#[derive(Clone, Debug)]
struct Setup {
    by: By,
    keyed: bool,
    timed: bool,
    n: usize,
    mode: OutputMode,
    epochs: Vec<Epoch>,
}

impl Row {
    fn line(&self) -> String {
        let mut fields = Vec::new();
        fields.extend(self.k.map(|k| format!("\"k\": \"k{k}\"")));
        fields.extend(self.t.map(|t| format!("\"t\": \"{}\"", at(t))));
        fields.extend(self.v.map(|v| format!("\"v\": {v}")));
        format!("{{{}}}", fields.join(", "))
    }

    fn text(&self) -> String {
        let k = self.k.map(|k| format!("k{k}")).unwrap_or_default();
        let t = self.t.map(|t| at(t).to_string().trim_end_matches('Z').to_owned()).unwrap_or_default();
        format!("{k}|{t}|{}", self.v.map(|v| v.to_string()).unwrap_or_default())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Nulls behind all values.
fn nulls_last<T: Ord + Copy>(a: Option<T>, b: Option<T>) -> Ordering {
    a.is_none().cmp(&b.is_none()).then(a.cmp(&b))
}

impl By {
    /// Which of two rows goes first; the second number of each is its arrival.
    fn compare(self, (a, first): (&Row, usize), (b, second): (&Row, usize)) -> Ordering {
        match self {
            Self::Greatest => Reverse(a.v).cmp(&Reverse(b.v)).then(a.t.cmp(&b.t)).then(first.cmp(&second)),
            Self::Least => nulls_last(a.v, b.v).then(first.cmp(&second)),
            Self::FirstByTime => nulls_last(a.t, b.t).then(first.cmp(&second)),
            Self::LastByTime => nulls_last(a.t.map(Reverse), b.t.map(Reverse)).then(second.cmp(&first)),
            Self::LastByValue => nulls_last(a.v.map(Reverse), b.v.map(Reverse)).then(second.cmp(&first)),
        }
    }
}

/// What comes out of each epoch, and how many rows are late, computed anew from all rows.
fn expected(setup: &Setup) -> Vec<(Vec<String>, usize)> {
    let closes = setup.timed && setup.mode != OutputMode::Complete;
    let ranked = matches!(setup.by, By::Greatest | By::Least);
    let key = |row: &Row| (row.k.filter(|_| setup.keyed), row.t.filter(|_| setup.timed));
    let (mut all, mut told): (Vec<Row>, BTreeMap<_, usize>) = (Vec::new(), BTreeMap::new());
    let (mut late, mut watermark, mut closed) = (None, None, Vec::new());
    let mut answer = Vec::new();
    for epoch in &setup.epochs {
        watermark = watermark.max((epoch.moves_by > 0).then(|| watermark.unwrap_or(0) + epoch.moves_by));
        let passed = |row: &Row, by: Option<i64>| closes && row.t.zip(by).is_some_and(|(t, by)| t <= by);
        let on_time = epoch.rows.iter().filter(|row| !passed(row, late)).copied();
        let before = all.len();
        all.extend(on_time);
        let dropped = epoch.rows.len() - (all.len() - before);
        let mut lists: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, row) in all.iter().enumerate() {
            lists.entry(key(row)).or_default().push(place);
        }
        let mut out = Vec::new();
        for (key, mut list) in lists {
            list.sort_by(|a, b| setup.by.compare((&all[*a], *a), (&all[*b], *b)));
            for (rank, place) in list.into_iter().take(setup.n).enumerate() {
                let row = &all[place];
                let is_new = told.insert((key, rank), place) != Some(place);
                let tells = match setup.mode {
                    OutputMode::Append => passed(row, watermark) && !closed.contains(&key),
                    OutputMode::Update => is_new,
                    OutputMode::Complete => true,
                };
                let with_rank = ranked && setup.mode != OutputMode::Append;
                let rank = if with_rank { format!("|{}", rank + 1) } else { String::new() };
                out.extend(tells.then(|| row.text() + &rank));
            }
        }
        closed.extend(all.iter().filter(|row| passed(row, watermark)).map(key));
        out.sort();
        answer.push((out, dropped));
        late = watermark;
    }
    answer
}

fn check<Spec: OperatorSpec + Clone + 'static>(spec: &Spec, setup: &Setup) -> Result<(), TestCaseError> {
    let input = tagged(stream("k STRING, t TIMESTAMP, v BIGINT"), "t");
    let tested = Tested::new(spec.clone()).stream_at("in", input.clone());
    let mut harness = tested.harness().expect("the operator takes the stream");
    let (mut feed, mut watermark, mut answer) = (Feed::new(), 0, Vec::new());
    for epoch in &setup.epochs {
        if epoch.moves_by > 0 {
            watermark += epoch.moves_by;
            feed = feed.watermark(at(watermark));
            harness.set_watermark(at(watermark)).expect("goes on");
        }
        let lines: Vec<String> = epoch.rows.iter().map(Row::line).collect();
        let rows = batch(&input, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        feed = feed.rows("in", &rows).end_epoch();
        harness.feed("in", rows).expect("rows of the input");
        let output = harness.end_epoch().expect("runs");
        let mut out = shown(&[output["out"].batch().clone()]);
        out.sort();
        answer.push((out, output["late"].batch().num_rows()));
    }
    prop_assert_eq!(answer, expected(setup));
    same_answer(&tested, [feed], Epochs::Same).expect("the answer does not depend on how it is computed");
    Ok(())
}

fn epochs() -> impl Strategy<Value = Vec<Epoch>> {
    let row = (weighted(0.8, 0_u8..3), weighted(0.9, 0_i64..20), weighted(0.8, 0_i64..4));
    let rows = vec(row.prop_map(|(k, t, v)| Row { k, t, v }), 0..10);
    vec((0_i64..8, rows).prop_map(|(moves_by, rows)| Epoch { moves_by, rows }), 1..5)
}

fn setup() -> impl Strategy<Value = Setup> {
    let by = select(vec![By::Greatest, By::Least, By::FirstByTime, By::LastByTime, By::LastByValue]);
    let mode = select(vec![OutputMode::Append, OutputMode::Update, OutputMode::Complete]);
    (by, any::<bool>(), any::<bool>(), 1_usize..4, mode, epochs()).prop_map(|(by, keyed, timed, n, mode, epochs)| {
        let timed = timed || mode == OutputMode::Append;
        let n = if matches!(by, By::Greatest | By::Least) { n } else { 1 };
        Setup { by, keyed, timed, n, mode, epochs }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_are_those_sorted_anew(setup in setup()) {
        let keys = [("k", setup.keyed), ("t", setup.timed)];
        let keys: Vec<String> = keys.iter().filter(|(_, is_key)| *is_key).map(|(key, _)| (*key).to_owned()).collect();
        let output_mode = setup.mode;
        let top = |by: &[&str]| {
            let by = by.iter().map(|item| (*item).to_owned()).collect();
            TopN { by, keys: keys.clone(), n: setup.n as u64, output_mode, rank: None }
        };
        let by = |column: &str| Some(column.to_owned());
        match setup.by {
            By::Greatest => check(&top(&["v DESC", "t"]), &setup)?,
            By::Least => check(&top(&["v NULLS LAST"]), &setup)?,
            // Without `by`, the event time decides, unless it is a key.
            By::FirstByTime => check(&First { keys: keys.clone(), by: None, output_mode }, &setup)?,
            By::LastByTime => check(&Last { keys: keys.clone(), by: by("t"), output_mode }, &setup)?,
            By::LastByValue => check(&Last { keys: keys.clone(), by: by("v"), output_mode }, &setup)?,
        }
    }
}
