//! Sessions as the operator gives them: what it refuses, what it says of its output, rows at the edges of time and of the gap.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use watershed_core::schema::to_ddl;
use watershed_core::stream::{EventTimeKind, Mode, OutputMode, Stream};
use watershed_core::testing::{Epochs, Feed, Tested, same_answer};
use watershed_core::time::{TimeSpan, Timestamp};

use crate::testing::{batch, codes, epochs, faults, shown, signature, stream, tag, tagged};
use crate::windows::WindowSpec;
use crate::{AssignWindow, Window};

fn input() -> Stream {
    tagged(stream("k STRING, t TIMESTAMP, v BIGINT"), "t")
}

fn window(window: WindowSpec, aggregates: &[&str], output_mode: OutputMode) -> Window {
    let aggregates = aggregates.iter().map(|&text| text.to_owned()).collect();
    Window { window, keys: vec!["k".to_owned()], aggregates, output_mode, time: None }
}

fn gap(seconds: i64) -> WindowSpec {
    WindowSpec::Session { gap: Some(TimeSpan::from_seconds(seconds)), gap_by: None }
}

fn gap_by(text: &str) -> WindowSpec {
    WindowSpec::Session { gap: None, gap_by: Some(text.to_owned()) }
}

/// Rows `key seconds value`; a `-` is null.
fn lines(rows: &[&str]) -> Vec<String> {
    let line = |row: &&str| {
        let mut parts = row.split(' ').map(|part| if part == "-" { "null".to_owned() } else { part.to_owned() });
        let mut part = || parts.next().unwrap_or_else(|| "null".to_owned());
        let (k, t, v) = (part(), part(), part());
        let t = if t == "null" { t } else { format!("\"1970-01-01T00:{t}Z\"") };
        let k = if k == "null" { k } else { format!("\"{k}\"") };
        format!(r#"{{"k": {k}, "t": {t}, "v": {v}}}"#)
    };
    rows.iter().map(line).collect()
}

/// What comes out epoch by epoch in mode `Complete`, however it is run.
fn sessions(spec: WindowSpec, aggregates: &[&str], rows: &[&[&str]]) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> = rows.iter().map(|rows| lines(rows)).collect();
    let rows: Vec<Vec<&str>> = rows.iter().map(|rows| rows.iter().map(String::as_str).collect()).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let given = epochs(&window(spec, aggregates, OutputMode::Complete), &input(), &rows);
    let sorted = |rows: Vec<String>| {
        let mut rows: Vec<String> = rows.into_iter().map(|row| row.replace("1970-01-01T00:", "")).collect();
        rows.sort();
        rows
    };
    given.into_iter().map(sorted).collect()
}

#[test]
fn sessions_grow_meet_and_stand_apart() {
    let given = sessions(
        gap(5),
        &["count(*) AS n", "sum(v) AS total"],
        &[
            &["a 00:10 1", "b 00:10 2", "a 00:30 4", "- 00:10 8"],
            // Touching at the end, a moment too late, touching at the start.
            &["a 00:15 16", "b 00:15.000001 32", "- 00:05 64", "- 00:05 128"],
            // The way from 00:20 to 00:30 is bridged, by two rows that do not touch each other.
            &["a 00:20 256", "a 00:25 512"],
            &[],
        ],
    );
    assert_eq!(given[0], ["00:10|00:15|a|1|1", "00:10|00:15|b|1|2", "00:10|00:15||1|8", "00:30|00:35|a|1|4"]);
    assert_eq!(
        given[1],
        [
            "00:05|00:15||3|200",
            "00:10|00:15|b|1|2",
            "00:10|00:20|a|2|17",
            "00:15.000001|00:20.000001|b|1|32",
            "00:30|00:35|a|1|4",
        ]
    );
    let last = ["00:05|00:15||3|200", "00:10|00:15|b|1|2", "00:10|00:35|a|5|789", "00:15.000001|00:20.000001|b|1|32"];
    assert_eq!(given[2], last);
    assert_eq!(given[3], last, "nothing is forgotten in mode `Complete`");
}

#[test]
fn a_session_may_last_longer_than_the_minute_its_slot_stands_for() {
    let given = sessions(
        gap(50),
        &["count(*) AS n"],
        &[&["a 00:10", "a 01:00"], &["a 01:50", "a 02:30"], &["a 03:20", "a 05:00", "a 04:10"]],
    );
    assert_eq!(given, [["00:10|01:50|a|2"], ["00:10|03:20|a|4"], ["00:10|05:50|a|7"]]);
}

#[test]
fn each_row_may_have_a_gap_of_its_own() {
    let by_row =
        "CASE v WHEN 1 THEN INTERVAL '10 seconds' WHEN 2 THEN INTERVAL '1 second' WHEN 3 THEN INTERVAL '0 seconds'
        WHEN 4 THEN INTERVAL '-10 seconds' END";
    let given = sessions(
        gap_by(by_row),
        &["count(*) AS n", "max(v) AS most"],
        &[
            // The gap of the earlier row says whether the next one is near enough; a null, zero or negative one leaves the row out.
            &["a 00:10 1", "a 00:20 2", "b 00:10 2", "b 00:20 1", "c 00:10 3", "c 00:11 4", "c 00:12 -", "c - 1"],
            // Within a longer span that ends later.
            &["a 00:12 2", "b 00:09 2"],
        ],
    );
    assert_eq!(given[0], ["00:10|00:11|b|1|2", "00:10|00:21|a|2|2", "00:20|00:30|b|1|1"]);
    assert_eq!(given[1], ["00:09|00:11|b|2|2", "00:10|00:21|a|3|2", "00:20|00:30|b|1|1"]);
    let days = sessions(gap_by("INTERVAL '1 day'"), &["count(*) AS n"], &[&["a 00:10", "a 00:20"]]);
    assert_eq!(days, [["00:10|1970-01-02T00:00:20|a|2"]]);
    let lengths = gap_by("to_timestamp_seconds(v) - to_timestamp_seconds(0)");
    assert_eq!(sessions(lengths, &["count(*) AS n"], &[&["a 00:10 7", "a 00:20 -7"]]), [["00:10|00:17|a|1"]]);
}

#[test]
fn a_gap_in_months_stops_the_run() {
    let spec = window(gap_by("CASE WHEN v > 0 THEN INTERVAL '1 month' END"), &["count(*) AS n"], OutputMode::Append);
    let mut harness = Tested::new(spec).stream_at("in", input()).harness().expect("the type is right");
    let line = lines(&["a 00:10 1"]);
    harness.feed("in", batch(&input(), &[&line[0]])).expect("rows of the input");
    let error = harness.end_epoch().expect_err("no length").to_string();
    assert!(error.contains("a gap in months, here 1, has no fixed length"), "{error}");
}

#[test]
fn aggregates_that_look_at_order_see_rows_as_they_arrived() {
    let aggregates = ["array_agg(v) AS all_v", "first_value(v) AS first", "count(DISTINCT v) AS kinds"];
    let given = sessions(
        gap(5),
        &aggregates,
        &[&["a 00:14 1", "a 00:30 2", "a 00:12 3", "a 00:10 3"], &["a 00:25 4", "a 00:19 5"]],
    );
    assert_eq!(given[0], ["00:10|00:19|a|[1, 3, 3]|1|2", "00:30|00:35|a|[2]|2|1"]);
    // Sessions that were kept come first.
    assert_eq!(given[1], ["00:10|00:24|a|[1, 3, 3, 5]|1|3", "00:25|00:35|a|[2, 4]|2|2"]);
}

#[test]
fn sessions_that_are_bridged_are_put_together_in_the_order_of_their_times() {
    let rows: [&[&str]; 2] = [&["a 00:30 2", "a 00:10 1"], &["a 00:25 3", "a 00:20 4", "a 00:15 5"]];
    let given = sessions(gap(5), &["array_agg(v) AS all_v", "last_value(v) AS last"], &rows);
    assert_eq!(given[0], ["00:10|00:15|a|[1]|1", "00:30|00:35|a|[2]|2"]);
    assert_eq!(given[1], ["00:10|00:35|a|[1, 2, 3, 4, 5]|5"]);
}

#[test]
fn a_closed_session_comes_out_once_and_what_was_late_leaves_by_its_port() {
    let spec = window(gap(5), &["count(*) AS n"], OutputMode::Append);
    let tested = Tested::new(spec).stream_at("in", input());
    let mut harness = tested.harness().expect("the operator takes the stream");
    let mut feed = Feed::new();
    let mut given = Vec::new();
    let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
    for (watermark, rows) in [
        (Some(0), &["a 00:10", "b 00:12"][..]),
        // `b` is closed. So would be `a`, but for a row of this very epoch.
        (Some(17), &["a 00:14", "b 00:30"]),
        // The first row's own span has ended at 00:17, though the session that it would be of is open still.
        (Some(17), &["a 00:12", "a 00:13"]),
        (Some(19), &[]),
        (Some(100), &[]),
    ] {
        let rows = lines(rows);
        let rows = batch(&input(), &rows.iter().map(String::as_str).collect::<Vec<_>>());
        if let Some(second) = watermark {
            harness.set_watermark(at(second)).expect("it moves on");
            feed = feed.watermark(at(second));
        }
        feed = feed.rows("in", &rows).end_epoch();
        harness.feed("in", rows).expect("rows of the input");
        let output = harness.end_epoch().expect("runs");
        let text = |port: &str| {
            let rows = shown(&[output[port].batch().clone()]);
            rows.join(" ").replace("1970-01-01T00:", "")
        };
        given.push((text("out"), text("late")));
    }
    let expected =
        [("", ""), ("00:12|00:17|b|1", ""), ("", "a|00:12|"), ("00:10|00:19|a|3", ""), ("00:30|00:35|b|1", "")];
    assert_eq!(given, expected.map(|(out, late)| (out.to_owned(), late.to_owned())));
    same_answer(&tested, [feed], Epochs::Same).expect("the answer does not depend on how it is computed");
}

#[test]
fn the_ends_of_time_are_no_panic() {
    let input = tagged(stream("k STRING, t TIMESTAMP"), "t");
    for span in [TimeSpan::from_micros(1), TimeSpan::from_seconds(60), TimeSpan::from_micros(i64::MAX)] {
        let spec =
            window(WindowSpec::Session { gap: Some(span), gap_by: None }, &["count(*) AS n"], OutputMode::Append);
        let mut harness = Tested::new(spec).stream_at("in", input.clone()).harness().expect("takes the stream");
        let times = [i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX];
        let rows = RecordBatch::try_new(
            Arc::clone(&input.schema),
            vec![
                Arc::new(StringArray::from(vec!["a"; times.len()])),
                Arc::new(TimestampMicrosecondArray::from(times.to_vec())),
            ],
        );
        harness.feed("in", rows.expect("two columns")).expect("rows of the input");
        harness.end_epoch().expect("runs");
        harness.set_watermark(Timestamp::END).expect("it moves on");
        let closed = harness.end_epoch().expect("runs")["out"].batch().clone();
        let ends = closed.column(1).as_primitive::<TimestampMicrosecondType>();
        assert!(closed.num_rows() > 0 && ends.values().iter().all(|end| *end <= Timestamp::END.micros()), "{span}");
        let counts = closed.column(3).as_primitive::<Int64Type>();
        assert_eq!(counts.values().iter().sum::<i64>(), times.len() as i64, "{span}");
    }
}

#[test]
fn a_session_window_is_a_window() {
    let spec = window(gap(5), &["count(*) AS n"], OutputMode::Complete);
    let given = signature(&spec, &input());
    let output = &given.outputs[0];
    assert_eq!(
        to_ddl(&output.schema),
        "window_start TIMESTAMP NOT NULL, window_end TIMESTAMP NOT NULL, k STRING, n BIGINT NOT NULL"
    );
    assert_eq!(output.event_times, [tag("window_end", EventTimeKind::WindowEnd)]);
    let keys = ["window_start", "window_end", "k"].map(str::to_owned).to_vec();
    assert_eq!(output.mode, Mode::Complete(keys));
    assert_eq!(given.warnings.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["unbounded_state"]);
    assert!(!given.wakes, "nothing closes in mode `Complete`");
    let append = signature(&window(gap(5), &["count(*) AS n"], OutputMode::Append), &input());
    assert!(append.wakes && append.warnings.is_empty() && append.outputs[0].mode == Mode::Append);
}

#[test]
fn what_cannot_be_is_refused_at_its_field() {
    let spec = |gap: Option<i64>, by: Option<&str>| WindowSpec::Session {
        gap: gap.map(TimeSpan::from_seconds),
        gap_by: by.map(str::to_owned),
    };
    for (cut, code, path, message) in [
        (spec(None, None), "bad_window", &["window"][..], "needs `gap` or `gap_by`"),
        (spec(Some(1), Some("v")), "bad_window", &["window", "gap_by"], "not both"),
        (spec(Some(0), None), "bad_window", &["window", "gap"], "more than zero, not `0s`"),
        (spec(Some(-5), None), "bad_window", &["window", "gap"], "more than zero, not `-5s`"),
        (gap_by("v"), "not_an_interval", &["window", "gap_by"], "`gap_by` gives `BIGINT`"),
        (gap_by("w"), "unknown_column", &["window", "gap_by"], "no column `w`"),
        (gap_by("INTERVAL '1 month'"), "bad_window", &["window", "gap_by"], "has no fixed length"),
        (gap_by("INTERVAL '0 seconds'"), "bad_window", &["window", "gap_by"], "every row is left out"),
    ] {
        let found = faults(&window(cut.clone(), &["count(*) AS n"], OutputMode::Append), &[input()]);
        assert_eq!(found.len(), 1, "{cut:?}: {found:?}");
        assert_eq!(found[0].code, code, "{cut:?}");
        assert_eq!(found[0].path, path.iter().map(|&step| step.into()).collect::<Vec<_>>(), "{cut:?}");
        assert!(found[0].message.contains(message), "{cut:?}: {}", found[0].message);
    }
    let no_key = Window { keys: Vec::new(), ..window(gap(5), &["count(*) AS n"], OutputMode::Update) };
    assert_eq!(codes(&no_key, &[input()]), ["session_without_key", "update_of_sessions"]);
    let untagged = stream("k STRING, t TIMESTAMP, v BIGINT");
    let on_t = Window { time: Some("t".to_owned()), ..window(gap(5), &["count(*) AS n"], OutputMode::Append) };
    let found = faults(&on_t, &[untagged]);
    assert_eq!(found[0].code, "append_without_watermark");
    assert!(found[0].help.as_ref().is_some_and(|help| !help.contains("Update")), "{:?}", found[0].help);
    assert_eq!(codes(&AssignWindow { window: gap(5), time: None }, &[input()]), ["bad_window"]);
}
