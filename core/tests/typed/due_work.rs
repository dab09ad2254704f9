//! Work that the watermark calls for and no row or move of the watermark brings: timers that timers set.

use watershed_core::assert_table;
use watershed_core::error::Result;
use watershed_core::node::OperatorSpec;
use watershed_core::operator;
use watershed_core::row::Row;
use watershed_core::testing::{self, Tested};
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{
    Declare, Emitter, GroupState, KeyContext, KeyedOperator, Rows, StatefulOperator, TimeMode, Timeout, Timer,
};

#[derive(Row)]
struct ByUser<'a> {
    user: &'a str,
}

#[derive(Row)]
struct At {
    at: Timestamp,
}

#[derive(Row)]
struct Told<'a> {
    user: &'a str,
    at: Timestamp,
}

/// Tells three times, an hour apart, that a row was there.
#[operator(KeyedOperator)]
struct Echo {}

impl KeyedOperator for Echo {
    type Key = ByUser<'static>;
    type Input = At;
    type State = watershed_core::typed::ValueState<i64>;
    type Output = Told<'static>;

    fn declare(&self, declare: &mut Declare) -> Self::State {
        declare.value("told")
    }

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn process(
        &self,
        _: ByUser,
        rows: Rows<At>,
        _: &Self::State,
        cx: &mut KeyContext,
        _: &mut Emitter<Told>,
    ) -> Result<()> {
        for At { at } in rows {
            cx.register_timer(Timer::Event(at.plus(TimeSpan::from_hours(1))))?;
        }
        Ok(())
    }

    fn on_timer(
        &self,
        ByUser { user }: ByUser,
        timer: Timer,
        told: &Self::State,
        cx: &mut KeyContext,
        out: &mut Emitter<Told>,
    ) -> Result<()> {
        let count = told.get(cx).copied().unwrap_or(0) + 1;
        out.emit(Told { user, at: timer.time() });
        if count < 3 {
            told.set(cx, count);
            cx.register_timer(Timer::Event(timer.time().plus(TimeSpan::from_hours(1))))?;
        } else {
            told.clear(cx);
        }
        Ok(())
    }
}

/// A timer that a timer had set in the past waited for ever when the watermark stood still.
#[test]
fn a_timer_set_in_the_past_by_a_timer_has_an_epoch_of_its_own() -> testing::Result<()> {
    let tested = Tested::new(Echo {}).input("user STRING NOT NULL, at TIMESTAMP NOT NULL").event_time("at");
    let mut harness = tested.harness()?;
    harness.feed("in", "user | at \n ann | 2020-01-01T00:00:00Z")?;
    harness.end_epoch()?;
    harness.set_watermark("2020-01-02T00:00:00Z")?;
    for hour in 1..=3 {
        let told = format!("user | at \n ann | 2020-01-01T0{hour}:00:00Z");
        assert_table!(harness.end_epoch()?["out"], told.as_str());
    }
    Ok(())
}

/// Per user, the last time, five seconds after.
#[operator(StatefulOperator)]
struct Last {}

impl StatefulOperator for Last {
    type Key = ByUser<'static>;
    type Input = At;
    type State = At;
    type Output = Told<'static>;

    fn timeout(&self) -> Timeout {
        Timeout::EventTime
    }

    fn process(&self, _: ByUser, rows: Rows<At>, state: &mut GroupState<At>, _: &mut Emitter<Told>) -> Result<()> {
        let last = rows.map(|row| row.at).max().unwrap_or_default();
        state.update(At { at: last });
        state.set_timeout_timestamp(last.plus(TimeSpan::from_seconds(5)))
    }

    fn timed_out(&self, key: ByUser, state: &mut GroupState<At>, out: &mut Emitter<Told>) -> Result<()> {
        if let Some(At { at }) = state.get() {
            out.emit(Told { user: key.user, at: *at });
        }
        state.remove();
        Ok(())
    }
}

/// What rows set at the end of time was refused as past, or waited for what comes after it.
#[test]
fn at_the_end_of_time_a_timeout_comes_in_the_same_epoch() -> testing::Result<()> {
    let tested = Tested::new(Last {}).input("user STRING NOT NULL, at TIMESTAMP NOT NULL").event_time("at");
    let mut harness = tested.harness()?;
    harness.feed("in", "user | at \n ann | 2020-01-01T00:00:00Z")?;
    harness.end_epoch()?;
    harness.set_watermark(Timestamp::END)?;
    harness.feed("in", "user | at \n bob | 2020-01-01T00:00:03Z")?;
    assert_table!(harness.end_epoch()?["out"], "user | at \n ann | 2020-01-01T00:00:00Z \n bob | 2020-01-01T00:00:03Z");
    Ok(())
}

/// Columns were taken for the key's that were none of it.
#[test]
fn a_key_has_no_defaults() {
    #[derive(Row)]
    struct Key {
        user: i64,
        #[row(default)]
        device: i64,
    }

    /// Nothing.
    #[operator(StatefulOperator)]
    struct Nothing {}

    impl StatefulOperator for Nothing {
        type Key = Key;
        type Input = At;
        type State = i64;
        type Output = At;

        fn process(&self, key: Key, _: Rows<At>, state: &mut GroupState<i64>, _: &mut Emitter<At>) -> Result<()> {
            state.update(key.user + key.device);
            Ok(())
        }
    }

    let stream = Tested::new(Nothing {}).input("user BIGINT, at TIMESTAMP NOT NULL");
    let refused = stream.signature().expect_err("a column of the key is missing").to_string();
    assert!(refused.contains("has a default for `device`"), "{refused}");
    let spec: &dyn OperatorSpec = &Nothing {};
    assert_eq!(spec.ports().inputs.len(), 2);
}
