//! Keys that have had no rows for some time.

use proptest::prelude::*;
use std::collections::BTreeMap;
use watershed_core::assert_table;
use watershed_core::error::Result as OperatorResult;
use watershed_core::row::Row;
use watershed_core::testing::{Epochs, Feed, Result, Tested, same_answer};
use watershed_core::time::{TimeSpan, Timestamp, Watermark};
use watershed_core::typed::{Emitter, GroupState, Rows, StatefulOperator, Timeout};
use watershed_derive::operator;

use crate::operators::{ByUser, CurrentActivity};

#[derive(Row)]
struct At {
    at: Timestamp,
}

#[derive(Row, Default, Clone)]
struct Session {
    start: Option<Timestamp>,
    last: Option<Timestamp>,
    rows: u32,
}

#[derive(Row)]
struct Ended<'a> {
    user: &'a str,
    start: Option<Timestamp>,
    rows: u32,
    timed_out: bool,
}

/// Sessions that end after a time without rows, or with so many of them.
#[operator(StatefulOperator, example: r#"Sessions(gap: "5s", most: 3)"#)]
struct Sessions {
    gap: TimeSpan,
    most: u32,
    #[serde(default)]
    by_clock: bool,
}

impl StatefulOperator for Sessions {
    type Key = ByUser<'static>;
    type Input = At;
    type State = Session;
    type Output = Ended<'static>;

    fn timeout(&self) -> Timeout {
        if self.by_clock { Timeout::ProcessingTime } else { Timeout::EventTime }
    }

    fn process(
        &self,
        key: ByUser,
        rows: Rows<At>,
        state: &mut GroupState<Session>,
        out: &mut Emitter<Ended>,
    ) -> OperatorResult<()> {
        let mut session = state.take_or_default();
        for row in rows {
            session.rows += 1;
            session.start = Some(session.start.map_or(row.at, |start| start.min(row.at)));
            session.last = session.last.max(Some(row.at));
        }
        if session.rows >= self.most {
            out.emit(Ended { user: key.user, start: session.start, rows: session.rows, timed_out: false });
            return Ok(());
        }
        if self.by_clock {
            state.set_timeout_duration(self.gap)?;
        } else {
            let end = session.last.expect("a call has rows").plus(self.gap);
            state.set_timeout_timestamp(end.max(state.current_watermark()?.0.unwrap_or(Timestamp::MIN)))?;
        }
        state.update(session);
        Ok(())
    }

    fn timed_out(&self, key: ByUser, state: &mut GroupState<Session>, out: &mut Emitter<Ended>) -> OperatorResult<()> {
        assert!(state.has_timed_out());
        let session = state.get().cloned().unwrap_or_default();
        out.emit(Ended { user: key.user, start: session.start, rows: session.rows, timed_out: true });
        state.remove();
        Ok(())
    }
}

fn seconds(time: i64) -> Timestamp {
    Timestamp::from_micros(time * 1_000_000)
}

fn sessions(by_clock: bool) -> Tested {
    Tested::new(Sessions { gap: TimeSpan::from_seconds(5), most: 3, by_clock })
        .input("user STRING NOT NULL, at TIMESTAMP NOT NULL, x BIGINT")
        .event_time("at")
}

#[test]
fn a_key_times_out_when_the_watermark_is_past_its_timeout() -> Result<()> {
    let mut harness = sessions(false).harness()?;
    harness.feed("in", "user | at | x \n a | 1970-01-01T00:00:10Z | 1 \n b | 1970-01-01T00:00:11Z | 1")?;
    assert!(harness.end_epoch()?["out"].is_empty());
    harness.set_watermark(seconds(15))?;
    assert!(harness.end_epoch()?["out"].is_empty(), "at the timeout itself the key may still get rows");
    harness.set_watermark("1970-01-01T00:00:15.001Z")?;
    assert_table!(
        harness.end_epoch()?["out"],
        "user | start | rows | timed_out \n a | 1970-01-01T00:00:10Z | 1 | true"
    );
    assert_table!(harness.state()?.table("timers")?, "user | event | processing \n b | [1970-01-01T00:00:16Z] | []");
    harness.set_watermark(seconds(100))?;
    assert_eq!(harness.end_epoch()?["out"].len(), 1);
    for table in ["state", "timers", "due_event"] {
        assert!(harness.state()?.slots(table)?.is_empty(), "{table}");
    }
    Ok(())
}

#[test]
fn rows_put_a_timeout_off_and_late_ones_do_not_count() -> Result<()> {
    for partitions in [1, 3] {
        let mut harness = sessions(false).partitions(partitions).harness()?;
        harness.feed("in", "user | at | x \n a | 1970-01-01T00:00:10Z | 1")?;
        harness.end_epoch()?;
        harness.set_watermark(seconds(100))?;
        harness.feed("in", "user | at | x \n a | 1970-01-01T00:01:40Z | 1")?;
        assert!(harness.end_epoch()?["out"].is_empty(), "rows first, then timeouts");
        harness.feed("in", "user | at | x \n a | 1970-01-01T00:01:40Z | 7 \n c | 1970-01-01T00:01:41Z | 8")?;
        let output = harness.end_epoch()?;
        assert!(output["out"].is_empty());
        assert_table!(output["late"], "user | at | x \n a | 1970-01-01T00:01:40Z | 7");
        assert_eq!((output.rows_late(), output.dropped_by_watermark()), (1, 1));
        harness.set_watermark(seconds(1000))?;
        assert_table!(
            harness.end_epoch()?["out"],
            "user | start | rows | timed_out
             a | 1970-01-01T00:00:10Z | 2 | true
             c | 1970-01-01T00:01:41Z | 1 | true"
        );
    }
    Ok(())
}

#[test]
fn a_key_times_out_when_the_clock_is_past_its_timeout() -> Result<()> {
    let mut harness = sessions(true).harness()?;
    harness.set_clock(seconds(1000))?;
    harness.feed("in", "user | at | x \n a | 1970-01-01T00:00:10Z | 1")?;
    harness.end_epoch()?;
    harness.set_watermark(seconds(5000))?;
    harness.set_clock(seconds(1005))?;
    assert!(harness.end_epoch()?["out"].is_empty());
    harness.feed("in", "user | at | x \n a | 1970-01-01T00:00:11Z | 1")?;
    assert!(harness.end_epoch()?["out"].is_empty(), "without an event-time timeout, nothing is late");
    harness.set_clock(seconds(1010))?;
    harness.end_epoch()?;
    harness.advance_clock(TimeSpan::from_micros(1000));
    assert_table!(
        harness.end_epoch()?["out"],
        "user | start | rows | timed_out \n a | 1970-01-01T00:00:10Z | 2 | true"
    );
    Ok(())
}

#[test]
fn one_row_comes_for_each_call_also_for_a_timeout() -> Result<()> {
    let mut harness = Tested::new(CurrentActivity { idle: Some(TimeSpan::from_seconds(60)) })
        .input("user STRING, gt STRING, at TIMESTAMP")
        .event_time("at")
        .harness()?;
    harness.feed("in", "user | gt | at \n a | walk | 1970-01-01T00:00:00Z")?;
    assert_table!(
        harness.end_epoch()?["out"],
        "user | activity | since | timed_out \n a | walk | 1970-01-01T00:00:00Z | false"
    );
    harness.set_watermark(seconds(61))?;
    assert_table!(
        harness.end_epoch()?["out"],
        "user | activity | since | timed_out \n a | walk | 1970-01-01T00:00:00Z | true"
    );
    Ok(())
}

#[derive(Clone, Debug)]
struct FedEpoch {
    rows: Vec<(u8, i64)>,
    watermark: i64,
}

fn epochs() -> impl Strategy<Value = Vec<FedEpoch>> {
    let epoch = (prop::collection::vec((0_u8..6, 0_i64..40), 0..12), 0_i64..9);
    prop::collection::vec(epoch, 1..14).prop_map(|epochs| {
        let mut watermark = 0;
        let fed = epochs.into_iter().map(|(rows, moves)| {
            watermark += moves;
            FedEpoch { rows: rows.into_iter().map(|(user, at)| (user, at + watermark - 8)).collect(), watermark }
        });
        fed.collect()
    })
}

/// User, start, rows, and whether it timed out.
type EndedSession = (String, Option<Timestamp>, u32, bool);

/// What comes of the epochs, computed anew with a map: session by session.
fn expected(epochs: &[FedEpoch]) -> Vec<Vec<EndedSession>> {
    let mut kept: BTreeMap<u8, (Session, Timestamp)> = BTreeMap::new();
    let mut late = Watermark::NONE;
    let mut outputs = Vec::new();
    for epoch in epochs {
        let watermark = seconds(epoch.watermark);
        let mut out = Vec::new();
        let mut by_user: BTreeMap<u8, Vec<Timestamp>> = BTreeMap::new();
        for (user, at) in
            epoch.rows.iter().map(|(user, at)| (*user, seconds(*at))).filter(|(_, at)| !late.has_passed(*at))
        {
            by_user.entry(user).or_default().push(at);
        }
        for (user, times) in by_user {
            let mut session = kept.remove(&user).map(|(session, _)| session).unwrap_or_default();
            session.rows += times.len() as u32;
            session.start = session.start.into_iter().chain(times.iter().copied()).min();
            session.last = session.last.into_iter().chain(times.iter().copied()).max();
            if session.rows >= 3 {
                out.push((user.to_string(), session.start, session.rows, false));
            } else {
                let timeout = session.last.expect("it has rows").plus(TimeSpan::from_seconds(5)).max(watermark);
                kept.insert(user, (session, timeout));
            }
        }
        kept.retain(|user, (session, timeout)| {
            let over = *timeout < watermark;
            if over {
                out.push((user.to_string(), session.start, session.rows, true));
            }
            !over
        });
        out.sort();
        outputs.push(out);
        late = Watermark(Some(watermark));
    }
    outputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_are_those_that_a_map_computes(epochs in epochs(), partitions in 1_usize..4, restarts in any::<bool>()) {
        let mut harness = sessions(false).partitions(partitions).harness().expect("it opens");
        for (number, (epoch, expected)) in epochs.iter().zip(expected(&epochs)).enumerate() {
            let lines = epoch.rows.iter().map(|(user, at)| format!("\n{user} | {} | 0", seconds(*at)));
            harness.feed("in", format!("user | at | x{}", lines.collect::<String>())).expect("rows");
            harness.set_watermark(seconds(epoch.watermark)).expect("it goes on");
            let output = harness.end_epoch().expect("it runs");
            let mut seen: Vec<_> = output["out"]
                .rows::<Ended>()
                .expect("rows of the output")
                .into_iter()
                .map(|row| (row.user.to_owned(), row.start, row.rows, row.timed_out))
                .collect();
            seen.sort();
            prop_assert_eq!(seen, expected, "epoch {}", number);
            if restarts {
                harness.restart_into(1 + (partitions + number) % 3).expect("it goes on");
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_does_not_depend_on_how_it_is_computed(seed in any::<u64>(), by_clock in any::<bool>()) {
        let tested = sessions(by_clock);
        let feed = Feed::random(seed, &tested).expect("rows of these columns");
        same_answer(&tested, [feed], Epochs::Same).expect("the same");
    }
}
