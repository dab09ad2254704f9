//! The test kit, tried on operators of which one is right.

extern crate watershed_core as watershed;

mod nodes;

use nodes::{Flaw, Missed, Missing, Visit, Visits, Wrong};
use proptest::prelude::*;
use watershed_core::assert_table;
use watershed_core::engine::EngineError;
use watershed_core::epoch::Epoch;
use watershed_core::state::Slot;
use watershed_core::testing::{Epochs, Feed, OperatorHarness, Result, Table, TestError, Tested, Way, same_answer};
use watershed_core::time::{TimeSpan, Timestamp, Watermark};

fn visits() -> Tested {
    Tested::new(Visits {}).input("user STRING, at TIMESTAMP").event_time("at")
}

fn wrong(how: Flaw) -> Tested {
    Tested::new(Wrong { how }).input("user STRING, at TIMESTAMP").event_time("at")
}

/// Two users in the first minute, one in the second.
fn fed(partitions: usize) -> Result<OperatorHarness> {
    let mut harness = visits().partitions(partitions).harness()?;
    harness.feed(
        "in",
        "
        | user | at                   |
        | ann  | 2020-01-01T00:00:01Z |
        | bob  | 2020-01-01T00:00:02Z |
        | ann  | 2020-01-01T00:00:03Z |
        | ann  | 2020-01-01T00:01:00Z |
        ",
    )?;
    let output = harness.end_epoch()?;
    assert!(output["out"].is_empty());
    Ok(harness)
}

#[test]
fn a_watermark_closes_in_the_epoch_it_is_set_in_and_makes_late_in_the_next() -> Result<()> {
    let mut harness = fed(2)?;
    assert_eq!(harness.watermark()?, Watermark::NONE);
    harness.set_watermark("2020-01-01T00:01:00Z")?;
    harness.feed("in", "user | at \n bob | 2020-01-01T00:00:59Z")?;
    let output = harness.end_epoch()?;
    assert_table!(
        output["out"],
        "
        user | minute               | visits
        ann  | 2020-01-01T00:01:00Z | 2
        bob  | 2020-01-01T00:01:00Z | 2
        "
    );
    assert_eq!((output.rows_late(), output.epoch()), (0, Epoch(1)));

    harness.feed("in", "user | at \n bob | 2020-01-01T00:00:59Z \n bob | 2020-01-01T00:01:01Z")?;
    let output = harness.end_epoch()?;
    assert_table!(output["late"], "user | at \n bob | 2020-01-01T00:00:59Z");
    assert_eq!((output.rows_late(), output.dropped_by_watermark()), (1, 1));
    assert_eq!(harness.output("out")?.len(), 2, "all epochs together");
    Ok(())
}

#[test]
fn state_is_looked_into_and_changed_and_survives_a_crash() -> Result<()> {
    let mut harness = fed(3)?;
    assert_table!(harness.state()?.table("visits")?, "user | visits \n ann | 2 \n bob | 1 \n ann | 1");
    let minute = Slot::at("2020-01-01T00:01:00Z".parse().map_err(TestError::Given)?);
    let slots: Vec<Slot> = harness.state()?.slots("visits")?.into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(slots.len(), 2);
    assert_eq!(slots[0], minute);

    harness.set_state_at("visits", minute, "user | visits \n ann | 40 \n cem | 7")?;
    harness.remove_state_at("visits", minute, "user \n bob")?;
    assert_table!(harness.state()?.table("visits")?, "user | visits \n ann | 40 \n cem | 7 \n ann | 1");

    harness.set_watermark("2020-01-01T00:01:00Z")?;
    harness.feed("in", "user | at \n ann | 2020-01-01T00:00:59Z")?;
    let expected = "user | minute | visits \n ann | 2020-01-01T00:01:00Z | 41 \n cem | 2020-01-01T00:01:00Z | 7";
    assert_table!(harness.end_epoch()?["out"], expected);
    harness.crash()?;
    assert_table!(harness.output("out")?, expected);
    assert_table!(harness.state()?.table("visits")?, "user | visits \n ann | 1");
    Ok(())
}

#[test]
fn what_was_changed_before_an_epoch_that_has_not_run_survives_a_restart() -> Result<()> {
    let mut harness = fed(1)?;
    harness.set_watermark("2020-01-01T00:00:30Z")?;
    harness.set_state_at("visits", Slot::NEVER, "user | visits \n dan | 1")?;
    harness.restart_into(4)?;
    assert_eq!(harness.watermark()?.to_string(), "2020-01-01T00:00:30Z");
    assert_eq!(harness.state()?.partitions(), 4);
    assert_table!(harness.state()?.table("visits")?, "user | visits \n ann | 2 \n bob | 1 \n ann | 1 \n dan | 1");
    Ok(())
}

#[test]
fn a_snapshot_is_gone_on_from_with_other_partitions() -> Result<()> {
    let mut harness = fed(1)?;
    harness.advance_clock(TimeSpan::from_seconds(5));
    harness.set_watermark("2020-01-01T00:00:30Z")?;
    let snapshot = harness.snapshot()?;
    // What comes after it is another history.
    harness.feed("in", "user | at \n eve | 2020-01-01T00:00:40Z")?;
    harness.end_epoch()?;

    for partitions in [1, 3] {
        let mut other = visits().partitions(partitions).harness()?;
        other.restore(&snapshot)?;
        assert_eq!((other.epoch()?, other.clock()), (Epoch(1), harness.clock()));
        assert_eq!(other.watermark()?.to_string(), "2020-01-01T00:00:30Z");
        other.set_watermark("2020-01-01T00:02:00Z")?;
        assert_table!(
            other.end_epoch()?["out"],
            "
            user | minute               | visits
            ann  | 2020-01-01T00:01:00Z | 2
            bob  | 2020-01-01T00:01:00Z | 1
            ann  | 2020-01-01T00:02:00Z | 1
            "
        );
    }
    harness.restore(&snapshot)?;
    assert_table!(harness.state()?.table("visits")?, "user | visits \n ann | 2 \n bob | 1 \n ann | 1");
    Ok(())
}

#[test]
fn what_a_test_gets_wrong_is_told_with_what_there_is() -> Result<()> {
    let mut harness = fed(1)?;
    let mut said = Vec::new();
    let mut tell = |result: Result<()>| said.push(result.expect_err("it is wrong").to_string());
    tell(harness.feed("inn", "user \n ann"));
    tell(harness.feed("in", "user | att \n ann | null"));
    tell(harness.feed("in", "user | at \n ann"));
    tell(harness.feed("in", "user | at \n ann | noon"));
    tell(harness.set_watermark("noon"));
    harness.set_watermark("2020-01-01T00:00:30Z")?;
    tell(harness.set_watermark("2020-01-01T00:00:29Z"));
    tell(harness.output("outt").map(drop));
    tell(harness.state()?.table("visit").map(drop));
    tell(Tested::new(Visits {}).input("user STRING, at TIMESTAMP").harness().map(drop));
    tell(Tested::new(Visits {}).input("user STRIN").harness().map(drop));
    tell(Tested::new(Visits {}).input_at("left", "user STRING").harness().map(drop));
    tell(Tested::new(Visits {}).harness().map(drop));
    let mut plain = Tested::new(Wrong { how: Flaw::Epochs }).input("user STRING").harness()?;
    tell(plain.set_watermark("2020-01-01T00:00:29Z"));
    let expected = [
        "there is no input `inn`; known: `in`",
        "there is no column `att`; known: `user` and `at`",
        "cells in `ann`: 1, and in the head `user | at`: 2",
        "column `at` in `ann | noon`: `noon` is no value of type TIMESTAMP: write instants as `2015-02-24T10:00:00Z`",
        "bad instant `noon`: write it as `2015-02-24T10:00:00Z`",
        "the watermark is 2020-01-01T00:00:30Z, and does not go back to 2020-01-01T00:00:29Z",
        "there is no output port `outt`; known: `out` and `late`",
        "there is no table of state `visit`; known: `visits`",
        "no_event_time: column `at` is not event time",
        "bad_schema: bad schema: `STRIN` is not a type (types are BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, STRING, \
         BINARY, DATE, TIMESTAMP, DECIMAL(precision, scale), ARRAY<type> and STRUCT<name: type, …>)",
        "unknown_port: the operator has no input port `left`; it has `in`",
        "input port `in` has no stream: call `input` or `input_at`",
        "no input has event time, so there is no watermark: call `event_time` after `input`",
    ];
    assert_eq!(said, expected);
    Ok(())
}

#[test]
fn an_error_is_the_engines_with_node_epoch_and_partition() -> Result<()> {
    let mut harness = wrong(Flaw::Fails).partitions(2).harness()?;
    harness.feed("in", "user \n a")?;
    harness.end_epoch()?;
    harness.feed("in", "user \n e")?;
    let error = harness.end_epoch().expect_err("it fails");
    assert!(matches!(error, TestError::Engine(EngineError::Node { .. })), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("node `Wrong` failed in epoch 1, partition "), "{text}");
    assert!(text.ends_with("user `e` was met"), "{text}");
    Ok(())
}

#[test]
fn an_error_in_one_way_names_the_way() {
    let tested = wrong(Flaw::Fails);
    let error = same_answer(&tested, [Feed::new().rows("in", "user \n e")], Epochs::Same).expect_err("it fails");
    let said = "with 1 thread, 1 partition, 1 split, batches of 32768 rows, feed 0: node `Wrong` failed in epoch 0, partition 0";
    assert!(error.to_string().starts_with(said), "{error}");
}

#[test]
fn columns_that_were_not_promised_are_an_error() -> Result<()> {
    let mut harness = wrong(Flaw::Columns).harness()?;
    harness.feed("in", "user \n a")?;
    let error = harness.end_epoch().expect_err("the columns are others").to_string();
    assert_eq!(error, "`out` got rows of `user STRING, count BIGINT`, and was promised `user STRING, n BIGINT`");
    Ok(())
}

fn random_feeds(tested: &Tested) -> Result<Vec<Feed>> {
    (0..5).map(|seed| Feed::random(seed, tested)).collect()
}

#[test]
fn an_operator_that_is_right_gives_the_same_answer_in_every_way() -> Result<()> {
    same_answer(&visits(), random_feeds(&visits())?, Epochs::Any)
}

#[test]
fn state_beside_the_store_is_found_by_a_restart() -> Result<()> {
    let tested = wrong(Flaw::Forgetful);
    let error = same_answer(&tested, random_feeds(&tested)?, Epochs::Same).expect_err("it forgets");
    let TestError::NotTheSame(differs) = error else { panic!("{error}") };
    assert_eq!(differs.reference, Way::SEQUENTIAL);
    assert_eq!(differs.way, Way::RECOVERED);
    let said = "`out` in epoch 1, run again after a crash, is not the same with 1 thread, ";
    assert!(differs.to_string().starts_with(said), "{differs}");
    Ok(())
}

#[test]
fn an_answer_that_depends_on_batches_is_found() {
    let tested = wrong(Flaw::Batches);
    let feed = Feed::new().rows("in", "user \n a \n a \n b");
    let error = same_answer(&tested, [feed], Epochs::Same).expect_err("it counts batches").to_string();
    assert_eq!(
        error,
        "`out` in epoch 0 is not the same with 1 thread, 1 partition, 1 split, batches of 1 row as with 1 thread, 1 partition, \
         1 split, batches of 32768 rows (feed 0): 1 row missing (-), 1 row surplus (+)
  | user | n |
- | a    | 1 |
+ | a    | 2 |
all 2 rows seen:
| user | n |
| a    | 2 |
| b    | 1 |
"
    );
}

#[test]
fn what_an_epoch_is_as_a_whole_may_count_unless_it_is_said_not_to() -> Result<()> {
    let tested = wrong(Flaw::Epochs);
    let feed = Feed::new().rows("in", "user \n a \n a \n b");
    same_answer(&tested, [feed.clone()], Epochs::Same)?;
    let error = same_answer(&tested, [feed], Epochs::Any).expect_err("it counts rows of an epoch").to_string();
    let said =
        "what `out` gave in the end is not the same with each row in an epoch of its own (feed 0): 1 row missing";
    assert!(error.starts_with(said), "{error}");
    Ok(())
}

#[test]
fn a_table_that_differs_shows_how() -> Result<()> {
    let table = Table::of("user STRING, n BIGINT, x DOUBLE", "user | n | x \n ann | 1 | 0.5 \n bob | 20 | null")?;
    let difference = |expected: &str, ordered| table.difference(expected, ordered);
    assert_eq!(difference("user|n|x \n bob|20|null \n ann|1|0.50000000001", false)?, None);
    let text = difference("user|n|x \n bob|20|null \n ann|1|0.5", true)?.expect("the order counts");
    assert_eq!(
        text,
        "the right rows in the wrong order, from row 1 on
  | user |  n |    x |
- | bob  | 20 | null |
+ | ann  |  1 |  0.5 |
all 2 rows seen:
| user |  n |    x |
| ann  |  1 |  0.5 |
| bob  | 20 | null |
"
    );
    let text = difference("user|n|x \n ann|2|0.5", false)?.expect("other rows");
    assert!(text.starts_with("1 row missing (-), 2 rows surplus (+)\n"), "{text}");
    let error = difference("user|n \n ann|1", false).expect_err("a column is left out").to_string();
    assert_eq!(error, "the table has no column `x`: its first line is `user|n`");
    Ok(())
}

fn missing() -> Tested {
    Tested::new(Missing {}).rows::<Visit>().event_time("at")
}

#[test]
fn rows_and_timers_are_given_and_read_as_rust_values() -> Result<()> {
    let at = |seconds: i64| Timestamp::from_micros(1_577_836_800_000_000 + seconds * 1_000_000);
    let mut harness = missing().partitions(2).harness()?;
    harness.feed("in", [Visit { user: Some("ann"), at: Some(at(1)) }, Visit { user: Some("bob"), at: Some(at(4)) }])?;
    harness.end_epoch()?;
    assert_table!(
        harness.state()?.timers()?,
        ordered "
        user | clock | fires_at
        ann  | event | 2020-01-01T00:00:11Z
        bob  | event | 2020-01-01T00:00:14Z
        "
    );
    harness.delete_timers("user | clock | fires_at \n ann | event | 2020-01-01T00:00:11Z")?;
    harness.set_timers("user | clock | fires_at \n bob | event | 2020-01-01T00:00:12.5Z")?;
    harness.set_state("last", "user | value \n cem | 2020-01-01T00:00:02Z")?;
    harness.set_timers("user | clock | fires_at \n cem | event | 2020-01-01T00:00:12Z")?;
    harness.crash()?;
    harness.set_watermark("2020-01-01T00:00:13Z")?;
    let output = harness.end_epoch()?;
    let expected = [Missed { user: Some("cem"), since: at(2) }, Missed { user: Some("bob"), since: at(4) }];
    let mut missed = output["out"].rows::<Missed>()?;
    missed.sort_by_key(|missed| missed.since);
    assert_eq!(missed, expected);
    assert_table!(output["out"], expected);
    let text = "user | clock | fires_at \n bob | event | 2020-01-01T00:00:14Z";
    assert_table!(harness.state()?.timers()?, text);

    let told = |result: Result<()>| result.expect_err("there is no such timer").to_string();
    let timer = |clock: &str| format!("user | clock | fires_at \n ann | {clock} | 2020-01-01T00:00:11Z");
    assert_eq!(told(harness.set_timers(timer("wall"))), "`wall` is no clock; known: `event` and `processing`");
    assert_eq!(told(visits().harness()?.set_timers(timer("event"))), "the operator sets no timers");
    Ok(())
}

#[test]
fn a_typed_operator_gives_the_same_answer_in_every_way() -> Result<()> {
    same_answer(&missing(), random_feeds(&missing())?, Epochs::Same)
}

proptest! {
    #[test]
    fn every_random_feed_is_a_feed(seed in any::<u64>()) {
        let tested = Tested::new(Visits {})
            .input("user STRING, at TIMESTAMP NOT NULL, l ARRAY<STRUCT<a: INT, b: DECIMAL(5, 1)>>, d DATE, y BINARY, f FLOAT")
            .event_time("at");
        let feed = Feed::random(seed, &tested).expect("a feed");
        let again = Feed::random(seed, &tested).expect("a feed");
        prop_assert_eq!(format!("{feed:?}"), format!("{again:?}"));
        let time = Timestamp::from_micros(0);
        prop_assert!(feed.end_epoch().clock(time).epochs() > 2);
    }
}
