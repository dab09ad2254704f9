//! What is refused before the start, and what stops a run.

use watershed_core::error::{Error, Result as OperatorResult};
use watershed_core::fault::Fault;
use watershed_core::node::OperatorSpec;
use watershed_core::row::Row;
use watershed_core::schema::parse_ddl;
use watershed_core::stream::{EventTime, EventTimeKind, Mode, OutputMode, Stream};
use watershed_core::testing::{Result, Tested};
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{
    Declare, Emitter, GroupState, KeyContext, KeyedOperator, ListState, Rows, SideOutput, StatefulOperator, TimeMode,
    Timeout, ValueState,
};
use watershed_derive::operator;

use crate::keyed::Everything;
use crate::operators::{ByUser, Count, CurrentActivity, Nothing, UserCount};

/// An operator that is put together wrongly in ways that its fields say.
#[operator(StatefulOperator)]
#[derive(Default)]
#[serde(default)]
struct Wrong {
    event_time: bool,
    mode: Option<OutputMode>,
    hold_back: Option<TimeSpan>,
    limit: i64,
}

#[derive(Row)]
struct OnlyCount {
    count: i64,
    #[row(event_time)]
    at: Option<Timestamp>,
}

impl StatefulOperator for Wrong {
    type Key = ByUser<'static>;
    type Input = Nothing;
    type State = Count;
    type Output = OnlyCount;

    fn timeout(&self) -> Timeout {
        if self.event_time { Timeout::EventTime } else { Timeout::None }
    }

    fn output_mode(&self) -> OutputMode {
        self.mode.unwrap_or(OutputMode::Append)
    }

    fn hold_back(&self) -> Option<TimeSpan> {
        self.hold_back
    }

    fn check(&self) -> std::result::Result<(), Vec<Fault>> {
        if self.limit < 0 {
            return Err(vec![Fault::new("bad_limit", "`limit` is less than 0").at("limit")]);
        }
        Ok(())
    }

    fn process(
        &self,
        _: ByUser,
        _: Rows<Nothing>,
        _: &mut GroupState<Count>,
        _: &mut Emitter<OnlyCount>,
    ) -> OperatorResult<()> {
        Ok(())
    }
}

/// Declares what cannot be.
#[operator(KeyedOperator)]
struct Declared {}

#[derive(Row)]
struct WithUser {
    user: String,
}

impl KeyedOperator for Declared {
    type Key = ByUser<'static>;
    type Input = Nothing;
    type State = (ValueState<i64>, ValueState<i64>, ListState<i64>, ValueState<WithUser>, [SideOutput<Count>; 2]);
    type Output = Count;

    fn declare(&self, declare: &mut Declare) -> Self::State {
        (
            declare.value("count"),
            declare.value("count"),
            declare.ttl(TimeSpan::ZERO).list("timers"),
            declare.value("named"),
            [declare.side_output("late"), declare.side_output("more")],
        )
    }

    fn process(
        &self,
        _: ByUser,
        _: Rows<Nothing>,
        _: &Self::State,
        _: &mut KeyContext,
        _: &mut Emitter<Count>,
    ) -> OperatorResult<()> {
        Ok(())
    }
}

fn stream(ddl: &str) -> Stream {
    Stream::of(parse_ddl(ddl).expect("columns"))
}

fn tagged(ddl: &str, columns: &[&str]) -> Stream {
    let mut stream = stream(ddl);
    for column in columns {
        let column = (*column).to_owned();
        stream.event_times.push(EventTime { column, kind: EventTimeKind::Instant, delay: TimeSpan::ZERO });
    }
    stream.watermarks.insert("watermark".to_owned());
    stream
}

fn faults(spec: &dyn OperatorSpec, input: Stream) -> Vec<Fault> {
    let mut inputs = vec![Vec::new(); spec.ports().inputs.len()];
    inputs[0].push(input);
    spec.signature(&inputs).expect_err("it is faulty")
}

#[test]
fn what_is_wrong_is_found_before_the_start() {
    let plain = || stream("user STRING");
    let held_back = || Wrong { hold_back: Some(TimeSpan::ZERO), ..Wrong::default() };
    let update = {
        let mut stream = tagged("user STRING", &[]);
        stream.mode = Mode::Update(vec!["user".to_owned()]);
        stream
    };
    let cases: Vec<(Box<dyn OperatorSpec>, Stream, &str, &str)> = vec![
        (
            Box::new(CurrentActivity { idle: None }),
            tagged("user STRING, gtt STRING, at TIMESTAMP", &["at"]),
            "unknown_column",
            "`CurrentActivity`: column `gt` (STRING) is missing",
        ),
        (
            Box::new(CurrentActivity { idle: None }),
            tagged("user STRING, gt BIGINT, at TIMESTAMP", &["at"]),
            "wrong_type",
            "`CurrentActivity`: column `gt` is read as STRING, and the input has BIGINT",
        ),
        (
            Box::new(CurrentActivity { idle: None }),
            tagged("user BINARY, gt STRING, at TIMESTAMP", &["at"]),
            "wrong_type",
            "`CurrentActivity`: column `user` is read as STRING, and the input has BINARY",
        ),
        (
            Box::new(CurrentActivity { idle: None }),
            stream("user STRING, gt STRING, at TIMESTAMP"),
            "no_watermark",
            "`CurrentActivity` sees rows in the order of event time, and no column of its input is event time",
        ),
        (
            Box::new(Everything { expire: false, processing: false }),
            stream("user STRING, what STRING, n BIGINT"),
            "no_watermark",
            "`Everything` times out by event time, and no column of its input is event time",
        ),
        (
            Box::new(Wrong { event_time: true, ..held_back() }),
            tagged("user STRING, at TIMESTAMP, then TIMESTAMP", &["at", "then"]),
            "several_event_times",
            "`at` and `then` are all event time",
        ),
        (Box::new(held_back()), update, "mode_not_accepted", "its input `in` is in mode `Update`"),
        (
            Box::new(Wrong { mode: Some(OutputMode::Update), ..held_back() }),
            tagged("user STRING", &[]),
            "key_not_put_out",
            "take each other's place by key, without the key's `user`",
        ),
        (
            Box::new(Wrong { mode: Some(OutputMode::Complete), ..held_back() }),
            tagged("user STRING", &[]),
            "bad_output_mode",
            "`Complete`",
        ),
        (Box::new(Wrong::default()), plain(), "no_hold_back", "`Wrong` puts out `at` as event time"),
        (Box::new(held_back()), plain(), "no_watermark", "its input has no watermark to hold back"),
        (
            Box::new(Wrong { hold_back: Some(TimeSpan::from_micros(-1)), ..Wrong::default() }),
            tagged("user STRING", &[]),
            "bad_hold_back",
            "it must be 0 or longer",
        ),
        (
            Box::new(Wrong { limit: -1, ..held_back() }),
            tagged("user STRING", &[]),
            "bad_limit",
            "`limit` is less than 0",
        ),
    ];
    for (spec, input, code, words) in cases {
        let faults = faults(&*spec, input);
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{faults:#?}");
        assert!(faults[0].message.contains(words), "{}", faults[0].message);
        assert!(faults[0].help.is_some() || code.starts_with("bad_"), "{faults:#?}");
    }
}

#[test]
fn all_faults_come_at_once() {
    let codes = |spec: &dyn OperatorSpec, input| faults(spec, input).iter().map(|fault| fault.code).collect::<Vec<_>>();
    assert_eq!(
        codes(&CurrentActivity { idle: Some(TimeSpan::ZERO) }, stream("gt BIGINT")),
        ["unknown_column", "wrong_type", "unknown_column", "no_watermark"]
    );
    assert_eq!(
        codes(&Declared {}, stream("user STRING")),
        ["duplicate_state", "duplicate_state", "bad_ttl", "duplicate_state", "duplicate_port"]
    );
}

/// Fails as rows say.
#[operator(StatefulOperator)]
struct Failing {}

/// How.
#[derive(Row)]
struct How<'a> {
    how: &'a str,
}

impl StatefulOperator for Failing {
    type Key = ByUser<'static>;
    type Input = How<'static>;
    type State = i64;
    type Output = UserCount<'static>;

    fn process(
        &self,
        _: ByUser,
        rows: Rows<How>,
        state: &mut GroupState<i64>,
        _: &mut Emitter<UserCount>,
    ) -> OperatorResult<()> {
        for row in rows {
            match row.how {
                "error" => return Err(Error::other("no such thing")),
                "panic" => panic!("it cannot be"),
                "duration" => state.set_timeout_duration(TimeSpan::from_seconds(1))?,
                "timestamp" => state.set_timeout_timestamp(Timestamp::MAX)?,
                "watermark" => {
                    state.current_watermark()?;
                }
                _ => state.update(1),
            }
        }
        Ok(())
    }
}

#[test]
fn an_error_or_a_panic_names_the_key() -> Result<()> {
    for (how, words) in [
        ("error", "no such thing"),
        ("panic", "panicked"),
        (
            "duration",
            "`set_timeout_duration` needs an operator with `Timeout::ProcessingTime`, and this one has `Timeout::None`",
        ),
        ("timestamp", "`set_timeout_timestamp` needs an operator with `Timeout::EventTime`"),
        ("watermark", "there is no watermark"),
    ] {
        let mut harness = Tested::new(Failing {}).input("user STRING, how STRING").harness()?;
        harness.feed("in", "user | how \n a | fine")?;
        harness.end_epoch()?;
        harness.feed("in", format!("user | how \n b | fine \n c | {how} \n d | fine"))?;
        let error = harness.end_epoch().expect_err(how).to_string();
        assert!(error.contains("node `Failing` failed in epoch 1, partition 0: at key `user` = `c`: "), "{error}");
        assert!(error.contains(words), "{error}");
    }
    Ok(())
}

#[test]
fn a_null_in_a_key_that_has_none_is_an_error_with_what_to_do() -> Result<()> {
    let mut harness = Tested::new(Failing {}).input("user STRING, how STRING").harness()?;
    harness.feed("in", "user | how \n null | fine")?;
    let error = harness.end_epoch().expect_err("a null").to_string();
    assert!(error.contains("column `user` is read as STRING without nulls") && error.contains("`Option`"), "{error}");
    Ok(())
}

/// Puts out event times of its own.
#[operator(KeyedOperator)]
struct Back {
    #[serde(default)]
    hold_back: TimeSpan,
}

#[derive(Row)]
struct Times {
    at: Timestamp,
}

#[derive(Row)]
struct TimesOut<'a> {
    user: &'a str,
    #[row(event_time)]
    then: Option<Timestamp>,
}

impl KeyedOperator for Back {
    type Key = ByUser<'static>;
    type Input = Times;
    type State = ();
    type Output = TimesOut<'static>;

    fn declare(&self, _: &mut Declare) {}

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn hold_back(&self) -> Option<TimeSpan> {
        Some(self.hold_back)
    }

    fn process(
        &self,
        key: ByUser,
        rows: Rows<Times>,
        (): &(),
        _: &mut KeyContext,
        out: &mut Emitter<TimesOut>,
    ) -> OperatorResult<()> {
        out.emit(TimesOut { user: key.user, then: None });
        for row in rows {
            out.emit(TimesOut { user: key.user, then: Some(row.at.minus(TimeSpan::from_seconds(100))) });
        }
        Ok(())
    }
}

#[test]
fn event_times_that_are_put_out_are_no_further_behind_than_was_said() -> Result<()> {
    for (hold_back, fails) in [(100, false), (99, true), (0, true)] {
        let hold_back = TimeSpan::from_seconds(hold_back);
        let tested = Tested::new(Back { hold_back }).input("user STRING, at TIMESTAMP").event_time("at");
        let signature = tested.signature()?;
        assert_eq!(signature.outputs[0].event_times[0].column, "then");
        assert_eq!(signature.outputs[0].event_times[0].delay, hold_back);
        let mut harness = tested.harness()?;
        harness.set_watermark("1970-01-01T00:10:00Z")?;
        harness.end_epoch()?;
        harness.feed("in", "user | at \n a | 1970-01-01T01:00:00Z \n b | 1970-01-01T00:10:00.5Z")?;
        let outcome = harness.end_epoch().map(|output| output["out"].len());
        if fails {
            let error = outcome.expect_err("too old").to_string();
            assert!(
                error.contains("at key `user` = `b`: an event time of 1970-01-01T00:08:20.5Z is put out"),
                "{error}"
            );
        } else {
            assert_eq!(outcome?, 4);
        }
    }
    Ok(())
}
