//! What operators keep, as people read it: the very rows that they put out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use watershed_core::epoch::Port;
use watershed_core::node::{BuildContext, Collector, EpochInput, Operator, OperatorSpec, Stateful};
use watershed_core::state::{Slot, StateStore};
use watershed_core::stream::{OutputMode, Stream};
use watershed_core::time::{TimeSpan, Timestamp};

use crate::testing::{batch, epoch_context, shown, stream, tagged};
use crate::windows::WindowSpec;
use crate::{Aggregate, Dedup, Limit, TopN, Window};

const ROWS: [&str; 5] = [
    r#"{"k": "a", "t": "2026-01-01T10:01:00Z", "x": 1.5}"#,
    r#"{"k": "b", "t": "2026-01-01T10:02:00Z", "x": 2.5}"#,
    r#"{"k": "a", "t": "2026-01-01T10:02:00Z", "x": null}"#,
    r#"{"k": "b", "t": "2026-01-01T10:07:00Z", "x": 4.0}"#,
    r#"{"k": null, "t": "2026-01-01T10:08:00Z", "x": 5.0}"#,
];

/// States of every shape: one column, several, lists, expressions over several aggregates.
const AGGREGATES: [&str; 10] = [
    "count(*) AS rows",
    "avg(x) AS mean",
    "sum(x) / count(*) AS per_row",
    "stddev(x) AS spread",
    "count(DISTINCT x) AS different",
    "approx_distinct(k) AS about",
    "first_value(x ORDER BY t) AS first",
    "array_agg(x) AS list",
    "max(t) AS newest",
    "median(x) AS middle",
];

fn input() -> Stream {
    tagged(stream("k STRING, t TIMESTAMP, x DOUBLE"), "t")
}

fn built(spec: &dyn OperatorSpec) -> Arc<dyn Stateful> {
    let cx = BuildContext { node: "node".into(), batch_rows: 8 };
    match spec.build(&[vec![input()]], &cx) {
        Ok(Operator::Stateful(operator)) => operator,
        Ok(Operator::Stateless(_)) => panic!("{spec:?} keeps nothing"),
        Err(faults) => panic!("{spec:?}: {faults:#?}"),
    }
}

/// Runs one epoch over all rows: what comes out, and what is kept, shown slot by slot.
fn run(operator: &dyn Stateful) -> (Vec<String>, Vec<String>) {
    let cx = epoch_context();
    let mut out = Collector::default();
    let mut before = operator.before_exchange().expect("it works before the exchange");
    before.process(Port::FIRST, batch(&input(), &ROWS), &cx, &mut out).expect("rows of the input");
    before.finish(&cx, &mut out).expect("rows of the input");
    let mut state = StateStore::new(operator.tables());
    let batches = out.take_exchanged();
    operator.run(EpochInput { batches, ..EpochInput::default() }, &mut state, &cx, &mut out).expect("runs");
    state.commit().expect("commits");
    let emitted = shown(&out.take_emitted().into_iter().map(|(_, rows)| rows).collect::<Vec<_>>());
    let table = &state.tables()[0];
    let keys = table.declared().keys.len();
    let mut kept = Vec::new();
    for slot in table.slots() {
        let rows = table.scan(slot).expect("memory");
        let columns: Vec<usize> = (0..rows.num_columns()).collect();
        let (key, values) = columns.split_at(keys);
        let slot: Vec<String> = operator.readable_slot(0, slot).iter().map(|(_, time)| text_of(*time)).collect();
        let values = operator.readable_values(0, rows.project(values).expect("columns"), &cx).expect("results");
        let (key, values) = (shown(&[rows.project(key).expect("columns")]), shown(&[values]));
        kept.extend(
            key.iter().zip(values).map(|(key, values)| {
                slot.iter().chain([key, &values]).map(String::as_str).collect::<Vec<_>>().join("|")
            }),
        );
    }
    (emitted, kept)
}

fn text_of(time: Option<Timestamp>) -> String {
    time.map_or("never".to_owned(), |time| time.to_string().trim_end_matches('Z').to_owned())
}

fn aggregates() -> Vec<String> {
    AGGREGATES.map(str::to_owned).to_vec()
}

#[test]
fn what_an_aggregation_keeps_reads_as_its_output() {
    let size = TimeSpan::from_seconds(300);
    let window = WindowSpec::Tumbling { size, offset: TimeSpan::ZERO };
    let (keys, output_mode) = (vec!["k".to_owned()], OutputMode::Complete);
    let window = Window { window, keys: keys.clone(), aggregates: aggregates(), output_mode, time: None };
    let (emitted, kept) = run(&*built(&window));
    assert_eq!((kept.len(), kept), (4, emitted));
    let gap = WindowSpec::Session { gap: Some(size), gap_by: None };
    let sessions = Window { window: gap, keys: keys.clone(), aggregates: aggregates(), output_mode, time: None };
    let (emitted, kept) = run(&*built(&sessions));
    // What is kept begins with the key, and what comes out with the window.
    let bounds_first = |row: &String| {
        let parts: Vec<&str> = row.splitn(4, '|').collect();
        [parts[1], parts[2], parts[0], parts[3]].join("|")
    };
    assert_eq!((kept.len(), kept.iter().map(bounds_first).collect::<Vec<_>>()), (3, emitted));
    let aggregate = Aggregate { keys, aggregates: aggregates(), output_mode };
    let (emitted, kept) = run(&*built(&aggregate));
    assert_eq!((kept.len(), kept), (3, emitted));
}

#[test]
fn no_rows_are_readable_too() {
    for keys in [&["k"][..], &[]] {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        let operator = built(&Aggregate { keys, aggregates: aggregates(), output_mode: OutputMode::Update });
        let values = operator.tables().remove(0).values;
        let nothing = RecordBatch::new_empty(Arc::new(Schema::new(values)));
        let readable = operator.readable_values(0, nothing, &epoch_context()).expect("no rows");
        let names: Vec<String> = readable.schema().fields().iter().map(|field| field.name().clone()).collect();
        let expected = AGGREGATES.map(|text| text.rsplit_once(" AS ").expect("each has a name").1);
        assert_eq!((names, readable.num_rows()), (expected.map(str::to_owned).to_vec(), 0));
    }
}

#[test]
fn what_a_ranking_keeps_reads_as_its_output_with_key_and_rank_in_front() {
    let (by, keys) = (vec!["x DESC NULLS LAST".to_owned()], vec!["k".to_owned()]);
    let top = TopN { by, keys, n: 1, output_mode: OutputMode::Complete, rank: None };
    let (emitted, kept) = run(&*built(&top));
    assert_eq!(emitted, ["a|2026-01-01T10:01:00|1.5|1", "b|2026-01-01T10:07:00|4.0|1", "|2026-01-01T10:08:00|5.0|1"]);
    assert_eq!(kept, ["a|1|2026-01-01T10:01:00|1.5", "b|1|2026-01-01T10:07:00|4.0", "|1|2026-01-01T10:08:00|5.0"]);
}

#[test]
fn a_slot_is_shown_where_there_are_several() {
    let end = Slot::at(Timestamp::from_micros(300_000_000));
    let named = |spec: &dyn OperatorSpec, table: usize| -> Vec<String> {
        let shown = built(spec).readable_slot(table, end);
        shown.into_iter().map(|(name, time)| format!("{name} {}", text_of(time))).collect()
    };
    let keyed = |keys: &[&str], within_watermark| Dedup {
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        within_watermark,
    };
    let aggregate = |keys: &[&str]| Aggregate {
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        aggregates: aggregates(),
        output_mode: OutputMode::Update,
    };
    let (size, offset) = (TimeSpan::from_seconds(120), TimeSpan::ZERO);
    let window = Window {
        window: WindowSpec::Tumbling { size, offset },
        keys: Vec::new(),
        aggregates: aggregates(),
        output_mode: OutputMode::Update,
        time: None,
    };
    assert_eq!(named(&window, 0), ["window_start 1970-01-01T00:03:00", "window_end 1970-01-01T00:05:00"]);
    let gap = WindowSpec::Session { gap: Some(size), gap_by: None };
    assert!(
        named(&Window { window: gap, keys: vec!["k".to_owned()], output_mode: OutputMode::Append, ..window }, 0)
            .is_empty()
    );
    let slot = ["slot 1970-01-01T00:05:00"];
    assert_eq!(named(&aggregate(&["t"]), 0), slot);
    assert!(named(&aggregate(&["k"]), 0).is_empty());
    assert_eq!(named(&keyed(&["k", "t"], false), 0), slot);
    assert!(named(&keyed(&["k"], false), 0).is_empty());
    assert!(named(&keyed(&["k"], true), 0).is_empty());
    assert_eq!(named(&keyed(&["k"], true), 1), slot);
    assert!(named(&Limit(3), 0).is_empty());
    let top = |keys: &[&str]| TopN {
        by: vec!["x".to_owned()],
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        n: 2,
        output_mode: OutputMode::Update,
        rank: None,
    };
    assert_eq!(named(&top(&["k", "t"]), 0), slot);
    assert!(named(&top(&["k"]), 0).is_empty());
}
