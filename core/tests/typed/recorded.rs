//! Every recorded case of `user_state.json`, with the recorded functions in Rust: the same rows in the same epochs as Spark gives, but
//! for what `README.md` lists.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use watershed_core::error::{Error, Result as OperatorResult};
use watershed_core::row::Row;
use watershed_core::stream::OutputMode;
use watershed_core::testing::{Result, TestError, Tested, Way};
use watershed_core::time::{TimeSpan, Timestamp, Watermark};
use watershed_core::typed::{
    Declare, Emitter, GroupState, KeyContext, KeyedOperator, ListState, MapState, Rows, StatefulOperator, TimeMode,
    Timeout, Timer, ValueState,
};
use watershed_derive::{operator, setting};

/// A case as it was recorded.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    function: Function,
    interface: String,
    time_mode: TimeMode,
    watermark: Option<TimeSpan>,
    mode: OutputMode,
    query_mode: OutputMode,
    feed: String,
    error: Option<String>,
    failed_on: Option<Vec<BTreeMap<String, Json>>>,
    spark: Option<Vec<RecordedEpoch>>,
    watershed: Option<Vec<RecordedEpoch>>,
}

#[derive(Debug, Deserialize)]
struct RecordedEpoch {
    input: Option<Vec<BTreeMap<String, Json>>>,
    watermark_ms: i64,
    rows: Vec<BTreeMap<String, Json>>,
}

/// What is done with a key: see `README.md`.
#[setting]
#[derive(Copy, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Function {
    #[default]
    Count3,
    NewestAndFive,
    SetOnce,
    AroundTheWatermark,
    EveryCall,
    RegisterAgain,
    ListAndMap,
    Emit,
    EmitOld,
}

#[derive(Row)]
struct Key<'a> {
    k: &'a str,
}

#[derive(Row)]
struct Given {
    v: i64,
}

#[derive(Row)]
struct Told<'a> {
    k: &'a str,
    r: String,
    d: String,
}

fn millis(time: Timestamp) -> i64 {
    time.micros() / 1000
}

fn at_millis(time: i64) -> Timestamp {
    Timestamp::from_micros(time * 1000)
}

/// Before there is one, 0 as in Spark.
fn watermark_millis(watermark: Watermark) -> i64 {
    watermark.0.map_or(0, millis)
}

/// A recorded function that keeps one state.
#[operator(StatefulOperator)]
struct RecordedGroups {
    #[serde(default)]
    function: Function,
    #[serde(default)]
    event_time: bool,
    #[serde(default)]
    mode: Option<OutputMode>,
}

impl StatefulOperator for RecordedGroups {
    type Key = Key<'static>;
    type Input = Given;
    type State = i64;
    type Output = Told<'static>;

    fn timeout(&self) -> Timeout {
        if self.event_time { Timeout::EventTime } else { Timeout::None }
    }

    fn output_mode(&self) -> OutputMode {
        self.mode.unwrap_or(OutputMode::Append)
    }

    fn process(
        &self,
        key: Key,
        rows: Rows<Given>,
        state: &mut GroupState<i64>,
        out: &mut Emitter<Told>,
    ) -> OperatorResult<()> {
        let k = key.k;
        let mut tell = |r: String, d: String| out.emit(Told { k, r, d });
        let count = rows.len() as i64;
        match self.function {
            Function::Count3 => match state.get().copied().unwrap_or(0) + count {
                3 => state.remove(),
                count => {
                    state.update(count);
                    tell(count.to_string(), String::new());
                }
            },
            Function::NewestAndFive => {
                let newest = rows.map(|row| row.v).chain(state.get().copied()).max().unwrap_or(0);
                state.update(newest);
                state.set_timeout_timestamp(at_millis((newest + 5) * 1000))?;
                let watermark = watermark_millis(state.current_watermark()?);
                tell(newest.to_string(), format!("wm={watermark} n={count}"));
            }
            Function::SetOnce => {
                if let Some(count) = state.get().copied() {
                    tell("seen".to_owned(), count.to_string());
                } else {
                    state.update(count);
                    state.set_timeout_timestamp(at_millis(20_000))?;
                    tell("set".to_owned(), String::new());
                }
            }
            Function::AroundTheWatermark => {
                let d = around_the_watermark(state)?;
                tell("false".to_owned(), d);
            }
            Function::EveryCall => {
                let outcome = |call: OperatorResult<()>| if call.is_ok() { "ok" } else { "refused" };
                let calls = [
                    ("set_timeout_duration", outcome(state.set_timeout_duration(TimeSpan::from_seconds(1)))),
                    ("set_timeout_timestamp", outcome(state.set_timeout_timestamp(at_millis(100_000_000_000_000)))),
                    ("get", if state.get().is_some() { "ok" } else { "none" }),
                    (
                        "current_watermark",
                        match state.current_watermark() {
                            Ok(Watermark(Some(_))) => "ok",
                            Ok(_) => "none",
                            Err(_) => "refused",
                        },
                    ),
                    (
                        "current_processing_time",
                        if state.current_processing_time().micros() > 0 { "ok" } else { "none" },
                    ),
                ];
                let calls: Vec<String> = calls.iter().map(|(call, outcome)| format!("{call} {outcome}")).collect();
                tell("x".to_owned(), calls.join(" | "));
            }
            other => return Err(Error::other(format!("{other:?} keeps more than one state"))),
        }
        Ok(())
    }

    fn timed_out(&self, key: Key, state: &mut GroupState<i64>, out: &mut Emitter<Told>) -> OperatorResult<()> {
        let exists = if state.exists() { "exists=True" } else { "exists=False" };
        let (r, d) = match self.function {
            Function::NewestAndFive => {
                state.remove();
                ("-1".to_owned(), format!("timedout wm={} {exists}", watermark_millis(state.current_watermark()?)))
            }
            Function::SetOnce => ("timeout".to_owned(), exists.to_owned()),
            Function::AroundTheWatermark => ("true".to_owned(), around_the_watermark(state)?),
            other => return Err(Error::other(format!("{other:?} does not time out"))),
        };
        out.emit(Told { k: key.k, r, d });
        Ok(())
    }
}

fn around_the_watermark(state: &mut GroupState<i64>) -> OperatorResult<String> {
    let watermark = watermark_millis(state.current_watermark()?);
    let mut outcomes = Vec::new();
    for by in [-1, 0, 1] {
        let set = state.set_timeout_timestamp(at_millis(watermark + by));
        outcomes.push(format!("{by} {}", if set.is_ok() { "ok" } else { "refused" }));
    }
    state.update(1);
    Ok(outcomes.join(" | "))
}

#[derive(Row)]
struct Said<'a> {
    k: &'a str,
    r: String,
}

/// A recorded function that keeps variables and sets timers.
#[operator(KeyedOperator)]
struct RecordedKeys {
    #[serde(default)]
    function: Function,
    #[serde(default)]
    event_time: bool,
    #[serde(default)]
    mode: Option<OutputMode>,
}

struct Variables {
    number: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<i64, i64>,
}

fn timers(cx: &KeyContext) -> String {
    format!("{:?}", cx.timers().map(|timer| millis(timer.time())).collect::<Vec<_>>())
}

impl KeyedOperator for RecordedKeys {
    type Key = Key<'static>;
    type Input = Given;
    type State = Variables;
    type Output = Said<'static>;

    fn declare(&self, declare: &mut Declare) -> Variables {
        Variables { number: declare.value("number"), list: declare.list("list"), map: declare.map("map") }
    }

    fn time_mode(&self) -> TimeMode {
        if self.event_time { TimeMode::EventTime } else { TimeMode::None }
    }

    fn output_mode(&self) -> OutputMode {
        self.mode.unwrap_or(OutputMode::Append)
    }

    fn process(
        &self,
        key: Key,
        rows: Rows<Given>,
        state: &Variables,
        cx: &mut KeyContext,
        out: &mut Emitter<Said>,
    ) -> OperatorResult<()> {
        let kept = state.number.get(cx).copied();
        let r = match self.function {
            Function::Count3 => match kept.unwrap_or(0) + rows.len() as i64 {
                3 => {
                    state.number.clear(cx);
                    return Ok(());
                }
                count => {
                    state.number.set(cx, count);
                    count.to_string()
                }
            },
            Function::NewestAndFive => {
                let newest = rows.map(|row| row.v).chain(kept).max().unwrap_or(0);
                for timer in cx.timers().collect::<Vec<_>>() {
                    cx.delete_timer(timer);
                }
                state.number.set(cx, newest);
                cx.register_timer(Timer::Event(at_millis((newest + 5) * 1000)))?;
                format!("{newest} wm={}", watermark_millis(cx.watermark()))
            }
            Function::RegisterAgain => {
                for row in rows {
                    cx.register_timer(Timer::Event(at_millis(row.v * 1000)))?;
                }
                format!("timers={}", timers(cx))
            }
            Function::ListAndMap => {
                for row in rows {
                    state.list.append(cx, row.v);
                    state.map.insert(cx, row.v % 2, row.v);
                }
                format!("list={:?} map={:?}", state.list.get(cx), state.map.iter(cx).collect::<Vec<_>>())
            }
            other => return Err(Error::other(format!("{other:?} keeps one state"))),
        };
        out.emit(Said { k: key.k, r });
        Ok(())
    }

    fn on_timer(
        &self,
        key: Key,
        timer: Timer,
        state: &Variables,
        cx: &mut KeyContext,
        out: &mut Emitter<Said>,
    ) -> OperatorResult<()> {
        let (time, watermark) = (millis(timer.time()), watermark_millis(cx.watermark()));
        let left = if self.function == Function::RegisterAgain {
            if time < 3000 {
                cx.register_timer(Timer::Event(at_millis(time + 1)))?;
            }
            format!(" left={}", timers(cx))
        } else {
            state.number.clear(cx);
            String::new()
        };
        out.emit(Said { k: key.k, r: format!("expired {time}{left} wm={watermark}") });
        Ok(())
    }
}

#[derive(Row)]
struct Emitted<'a> {
    k: &'a str,
    #[row(event_time)]
    ot: Timestamp,
}

/// Puts out the event time of each row, or an earlier one.
#[operator(KeyedOperator)]
struct RecordedTimes {
    #[serde(default)]
    back: i64,
}

impl KeyedOperator for RecordedTimes {
    type Key = Key<'static>;
    type Input = Given;
    type State = ();
    type Output = Emitted<'static>;

    fn declare(&self, _: &mut Declare) {}

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn hold_back(&self) -> Option<TimeSpan> {
        Some(TimeSpan::ZERO)
    }

    fn process(
        &self,
        key: Key,
        rows: Rows<Given>,
        (): &(),
        _: &mut KeyContext,
        out: &mut Emitter<Emitted>,
    ) -> OperatorResult<()> {
        rows.for_each(|row| out.emit(Emitted { k: key.k, ot: at_millis((row.v - self.back) * 1000) }));
        Ok(())
    }
}

fn tested(case: &Case, way: Way) -> Tested {
    let (function, mode, event_time) = (case.function, Some(case.mode), case.time_mode == TimeMode::EventTime);
    let tested = match (function, case.interface.as_str()) {
        (Function::Emit, _) => Tested::new(RecordedTimes { back: 0 }),
        (Function::EmitOld, _) => Tested::new(RecordedTimes { back: 100 }),
        (_, "GroupState") => Tested::new(RecordedGroups { function, event_time, mode }),
        _ => Tested::new(RecordedKeys { function, event_time, mode }),
    };
    let tested = tested.way(way).input("k STRING, v BIGINT, et TIMESTAMP");
    match case.watermark {
        Some(delay) => tested.event_time_delayed("et", delay),
        None => tested,
    }
}

/// The rows as the harness is fed them, with the event time that the query computes.
fn fed(rows: &[BTreeMap<String, Json>]) -> String {
    let line = |row: &BTreeMap<String, Json>| {
        let seconds = row["v"].as_i64().expect("a number");
        format!("\n{} | {} | {}", row["k"].as_str().expect("text"), seconds, at_millis(seconds * 1000))
    };
    format!("k | v | et{}", rows.iter().map(line).collect::<String>())
}

/// What runs after the operator in the recorded query, and shows in the recorded rows.
#[derive(Default)]
struct Downstream {
    counts: BTreeMap<String, i64>,
    windows: BTreeMap<i64, i64>,
    late: i64,
}

impl Downstream {
    /// The rows of an epoch as the query puts them out, each as text.
    fn rows(&mut self, case: &Case, out: &watershed_core::testing::Table, watermark: i64) -> Result<Vec<String>> {
        if case.name == "fmgws_append_then_agg_complete" {
            for row in out.rows::<Told>()? {
                *self.counts.entry(row.k.to_owned()).or_default() += 1;
            }
            return Ok(self.counts.iter().map(|(k, count)| format!("count={count} k={k}")).collect());
        }
        if matches!(case.function, Function::Emit | Function::EmitOld) {
            for row in out.rows::<Emitted>()? {
                let start = millis(row.ot).div_euclid(10_000) * 10;
                if (start + 10) * 1000 > self.late || self.late == 0 {
                    *self.windows.entry(start).or_default() += 1;
                }
            }
            self.late = watermark;
            let open = self.windows.split_off(&(watermark / 1000 - 9));
            let closed = std::mem::replace(&mut self.windows, open);
            return Ok(closed.iter().map(|(start, count)| format!("count={count} start={start}")).collect());
        }
        let rows: Vec<String> = if case.interface == "GroupState" {
            out.rows::<Told>()?.iter().map(|row| format!("d={} k={} r={}", row.d, row.k, row.r)).collect()
        } else {
            out.rows::<Said>()?.iter().map(|row| format!("k={} r={}", row.k, row.r)).collect()
        };
        Ok(rows)
    }
}

/// A recorded row as text: its columns in the order of their names.
fn text(row: &BTreeMap<String, Json>) -> String {
    let column = |(name, value): (&String, &Json)| match value {
        Json::String(text) => format!("{name}={text}"),
        Json::Object(window) => {
            let start: Timestamp =
                format!("{}Z", window["start"].as_str().unwrap_or_default()).parse().expect("an instant");
            format!("start={}", millis(start) / 1000)
        }
        other => format!("{name}={other}"),
    };
    row.iter().map(column).collect::<Vec<_>>().join(" ")
}

/// Why a case has no counterpart here.
fn without_counterpart(case: &Case) -> Option<&'static str> {
    match case.name.as_str() {
        "tws_hdfs_provider_error" => Some("there is one kind of state store"),
        _ if case.mode != case.query_mode && case.error.is_some() => Some("the mode is the operator's alone"),
        "fmgws_agg_after_update_error" => Some("what follows refuses an input in mode `Update`: a check of the graph"),
        _ => None,
    }
}

fn run(case: &Case, way: Way) -> Result<()> {
    let mut harness = tested(case, way).harness()?;
    let mut downstream = Downstream::default();
    let epochs = case.watershed.as_ref().or(case.spark.as_ref()).expect("a case that runs has epochs");
    for (number, epoch) in epochs.iter().enumerate() {
        if case.feed == "Restart" && number > 0 {
            harness.restart()?;
        }
        if let Some(rows) = &epoch.input {
            harness.feed("in", fed(rows))?;
        }
        if epoch.watermark_ms > 0 {
            harness.set_watermark(at_millis(epoch.watermark_ms))?;
        }
        let output = harness.end_epoch()?;
        let mut seen = downstream.rows(case, &output["out"], epoch.watermark_ms)?;
        let mut expected: Vec<String> = epoch.rows.iter().map(text).collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "{} with {way:?}, epoch {number}", case.name);
    }
    if let Some(rows) = &case.failed_on {
        harness.feed("in", fed(rows))?;
        harness.end_epoch()?;
    }
    Ok(())
}

#[test]
fn every_recorded_case_is_answered_as_spark_does_or_for_a_reason_not() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("user_state.json")).expect("recorded cases");
    assert_eq!(cases.len(), 29);
    let mut left_out = Vec::new();
    for case in &cases {
        if without_counterpart(case).is_some() {
            left_out.push(case.name.as_str());
            continue;
        }
        for partitions in [1, 3] {
            let outcome = run(case, Way { partitions, ..Way::SEQUENTIAL });
            // Without a watermark, there is nothing that event-time timers could go by: Spark says so for timeouts only.
            let refused = case.time_mode == TimeMode::EventTime && case.watermark.is_none();
            match outcome {
                Err(TestError::Faults(faults)) if refused => {
                    assert_eq!(faults[0].code, "no_watermark", "{}", case.name);
                }
                Err(error) if case.error.is_some() => {
                    let error = error.to_string();
                    let words = if case.function == Function::EmitOld { "is put out" } else { "needs a `time_mode`" };
                    assert!(error.contains(words), "{}: {error}", case.name);
                }
                outcome => {
                    outcome.unwrap_or_else(|error| panic!("{}: {error}", case.name));
                    assert!(case.error.is_none(), "{} is refused by Spark", case.name);
                }
            }
        }
    }
    assert_eq!(
        left_out,
        [
            "fmgws_append_in_update_query_error",
            "fmgws_update_in_append_query_error",
            "fmgws_agg_after_update_error",
            "tws_hdfs_provider_error"
        ]
    );
}
