//! Several variables per key, timers and side outputs.

use watershed_core::assert_table;
use watershed_core::error::Result as OperatorResult;
use watershed_core::node::{BuildContext, Operator, OperatorSpec};
use watershed_core::row::Row;
use watershed_core::schema::parse_ddl;
use watershed_core::state::Slot;
use watershed_core::stream::{EventTime, EventTimeKind, Stream};
use watershed_core::testing::{Result, Tested};
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{
    Declare, Emitter, KeyContext, KeyedOperator, ListState, MapState, Rows, SideOutput, TimeMode, Timer, ValueState,
};
use watershed_derive::operator;

use crate::operators::ByUser;

/// What is to be done with a key.
#[derive(Row)]
pub(crate) struct Order<'a> {
    pub(crate) what: &'a str,
    pub(crate) n: i64,
}

/// What a key has after a call.
#[derive(Row)]
pub(crate) struct Shown<'a> {
    pub(crate) user: &'a str,
    pub(crate) call: String,
    pub(crate) value: Option<i64>,
    pub(crate) list: String,
    pub(crate) map: String,
    pub(crate) timers: String,
}

/// An order that is none.
#[derive(Row)]
pub(crate) struct Unknown<'a> {
    pub(crate) what: &'a str,
}

/// Does with a key what rows order: each variable expires after some seconds, or never.
#[operator(KeyedOperator)]
pub(crate) struct Everything {
    #[serde(default)]
    pub(crate) expire: bool,
    #[serde(default)]
    pub(crate) processing: bool,
}

/// What is kept.
pub(crate) struct Kept {
    value: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<String, i64>,
    unknown: SideOutput<Unknown<'static>>,
}

pub(crate) const EXPIRE_AFTER: [i64; 3] = [10, 5, 7];

pub(crate) fn seconds(time: i64) -> Timestamp {
    Timestamp::from_micros(time * 1_000_000)
}

fn show<'a>(key: &ByUser<'a>, call: String, state: &Kept, cx: &KeyContext) -> Shown<'a> {
    let timers = cx.timers().map(|timer| {
        let clock = if matches!(timer, Timer::Event(_)) { "e" } else { "p" };
        format!("{clock}{}", timer.time().micros() / 1_000_000)
    });
    Shown {
        user: key.user,
        call,
        value: state.value.get(cx).copied(),
        list: format!("{:?}", state.list.get(cx)),
        map: format!("{:?}", state.map.iter(cx).collect::<Vec<_>>()),
        timers: timers.collect::<Vec<_>>().join(" "),
    }
}

impl KeyedOperator for Everything {
    type Key = ByUser<'static>;
    type Input = Order<'static>;
    type State = Kept;
    type Output = Shown<'static>;

    fn time_mode(&self) -> TimeMode {
        if self.processing { TimeMode::ProcessingTime } else { TimeMode::EventTime }
    }

    fn declare(&self, declare: &mut Declare) -> Kept {
        let [value, list, map] = EXPIRE_AFTER.map(TimeSpan::from_seconds);
        if self.expire {
            return Kept {
                value: declare.ttl(value).value("value"),
                list: declare.ttl(list).list("list"),
                map: declare.ttl(map).map("map"),
                unknown: declare.side_output("unknown"),
            };
        }
        Kept {
            value: declare.value("value"),
            list: declare.list("list"),
            map: declare.map("map"),
            unknown: declare.side_output("unknown"),
        }
    }

    fn process(
        &self,
        key: ByUser,
        rows: Rows<Order>,
        state: &Kept,
        cx: &mut KeyContext,
        out: &mut Emitter<Shown>,
    ) -> OperatorResult<()> {
        for Order { what, n } in rows {
            match what {
                "add" => {
                    let sum = state.value.get(cx).copied().unwrap_or(0) + n;
                    state.value.set(cx, sum);
                }
                "double" => {
                    if let Some(value) = state.value.get_mut(cx) {
                        *value *= 2;
                    }
                }
                "forget" => state.value.clear(cx),
                "append" => state.list.append(cx, n),
                "list" => state.list.set(cx, [n, n + 1]),
                "empty" => state.list.clear(cx),
                "put" => {
                    state.map.insert(cx, (n % 3).to_string(), n);
                }
                "remove" => {
                    state.map.remove(cx, (n % 3).to_string().as_str());
                }
                "event" => cx.register_timer(Timer::Event(seconds(n)))?,
                "processing" => cx.register_timer(Timer::Processing(seconds(n)))?,
                "delete" => cx.delete_timer(Timer::Event(seconds(n))),
                "look" => {}
                _ => state.unknown.emit(cx, Unknown { what }),
            }
        }
        out.emit(show(&key, "rows".to_owned(), state, cx));
        Ok(())
    }

    fn on_timer(
        &self,
        key: ByUser,
        timer: Timer,
        state: &Kept,
        cx: &mut KeyContext,
        out: &mut Emitter<Shown>,
    ) -> OperatorResult<()> {
        out.emit(show(&key, timer.to_string(), state, cx));
        let time = timer.time().micros() / 1_000_000;
        if let (Timer::Event(_), 0) = (timer, time % 5) {
            // One in the past, and one that is due perhaps.
            cx.register_timer(Timer::Event(seconds(time - 2)))?;
            cx.delete_timer(Timer::Event(seconds(time + 1)));
            state.list.append(cx, time);
        }
        Ok(())
    }
}

pub(crate) fn tested(expire: bool, processing: bool) -> Tested {
    Tested::new(Everything { expire, processing })
        .input("user STRING NOT NULL, what STRING NOT NULL, n BIGINT NOT NULL, at TIMESTAMP")
        .event_time("at")
}

#[test]
fn variables_of_every_kind_go_on_from_epoch_to_epoch() -> Result<()> {
    for partitions in [1, 3] {
        let mut harness = tested(false, false).partitions(partitions).harness()?;
        harness.feed(
            "in",
            "user | what | n \n a | add | 1 \n a | append | 4 \n a | append | 2 \n a | put | 7 \n a | put | 3 \n b | look | 0 \n b | what? | 1",
        )?;
        let output = harness.end_epoch()?;
        assert_table!(
            output["out"],
            r#"user | call | value | list | map | timers
               a | rows | 1 | "[4, 2]" | "[(\"0\", 3), (\"1\", 7)]" | ""
               b | rows | null | "[]" | "[]" | """#
        );
        assert_table!(output["unknown"], "what \n what?");
        assert_table!(harness.state()?.table("list")?, "user | items \n a | [4, 2]");
        assert_table!(harness.state()?.table("map")?, "user | entries \n a | [{key: 0, value: 3}, {key: 1, value: 7}]");
        harness.restart()?;
        harness.feed("in", "user | what | n \n a | double | 0 \n a | list | 8 \n a | remove | 4 \n b | empty | 1")?;
        assert_table!(
            harness.end_epoch()?["out"],
            r#"user | call | value | list | map | timers
               a | rows | 2 | "[8, 9]" | "[(\"0\", 3)]" | ""
               b | rows | null | "[]" | "[]" | """#
        );
        harness.feed("in", "user | what | n \n a | forget | 0 \n a | empty | 8 \n a | remove | 3")?;
        harness.end_epoch()?;
        for table in ["value", "list", "map"] {
            assert!(harness.state()?.table(table)?.is_empty(), "{table} keeps nothing of what is gone");
        }
    }
    Ok(())
}

#[test]
fn timers_fire_in_the_order_of_time_and_of_keys() -> Result<()> {
    for partitions in [1, 3] {
        let mut harness = tested(false, false).partitions(partitions).harness()?;
        harness.feed(
            "in",
            "user | what | n \n b | event | 3 \n a | event | 3 \n b | event | 1 \n a | event | 3 \n a | event | 7 \n a | event | 8 \n a | delete | 8",
        )?;
        harness.end_epoch()?;
        harness.set_watermark(seconds(3))?;
        let output = harness.end_epoch()?;
        let calls = output["out"].select(&["user", "call", "timers"])?;
        if partitions == 1 {
            assert_table!(
                calls,
                ordered "user | call | timers
                 b | 1970-01-01T00:00:01Z in event time | e1 e3
                 a | 1970-01-01T00:00:03Z in event time | e3 e7
                 b | 1970-01-01T00:00:03Z in event time | e3"
            );
        }
        assert_eq!(calls.len(), 3);
        assert_table!(
            harness.state()?.table("timers")?,
            "user | event | processing \n a | [1970-01-01T00:00:07Z] | []"
        );
    }
    Ok(())
}

#[test]
fn a_timer_in_the_past_fires_at_once_for_rows_and_an_epoch_later_for_timers() -> Result<()> {
    let mut harness = tested(false, false).harness()?;
    harness.set_watermark(seconds(20))?;
    harness.feed(
        "in",
        "user | what | n | at \n a | event | 10 | null \n a | event | 11 | null \n a | event | 12 | null",
    )?;
    let calls = harness.end_epoch()?["out"].select(&["call", "timers"])?;
    assert_table!(
        calls,
        ordered "call | timers
         rows | e10 e11 e12
         1970-01-01T00:00:10Z in event time | e10 e11 e12
         1970-01-01T00:00:12Z in event time | e8 e12"
    );
    let calls = harness.end_epoch()?["out"].select(&["call", "timers", "list"])?;
    assert_table!(
        calls,
        r#"call | timers | list
        1970-01-01T00:00:08Z in event time | e8 | "[10]""#
    );
    assert!(harness.end_epoch()?["out"].is_empty());
    assert!(harness.state()?.slots("due_event")?.is_empty());
    Ok(())
}

#[test]
fn both_clocks_have_timers() -> Result<()> {
    let mut harness = tested(false, false).harness()?;
    harness.set_clock(seconds(100))?;
    harness.feed("in", "user | what | n \n a | event | 3 \n a | processing | 103")?;
    harness.end_epoch()?;
    harness.set_clock(seconds(102))?;
    assert!(harness.end_epoch()?["out"].is_empty());
    harness.set_watermark(seconds(3))?;
    harness.set_clock(seconds(103))?;
    assert_table!(
        harness.end_epoch()?["out"].select(&["call", "timers"])?,
        ordered "call | timers
         1970-01-01T00:00:03Z in event time | e3 p103
         1970-01-01T00:01:43Z in processing time | p103"
    );
    Ok(())
}

#[test]
fn a_timer_of_a_clock_that_the_operator_does_not_have_is_refused() -> Result<()> {
    let mut harness = tested(false, true).harness()?;
    harness.feed("in", "user | what | n \n a | event | 3")?;
    let error = harness.end_epoch().expect_err("no such timers").to_string();
    assert!(
        error.contains("at key `user` = `a`: a timer at 1970-01-01T00:00:03Z in event time needs a `time_mode` of `TimeMode::EventTime`"),
        "{error}"
    );
    Ok(())
}

#[test]
fn what_has_expired_is_gone_element_by_element() -> Result<()> {
    let mut harness = tested(true, true).harness()?;
    harness.set_clock(seconds(100))?;
    harness.feed("in", "user | what | n \n a | add | 1 \n a | append | 4 \n a | put | 7 \n b | append | 1")?;
    harness.end_epoch()?;
    harness.set_clock(seconds(104))?;
    harness.feed("in", "user | what | n \n a | append | 5 \n a | put | 6")?;
    harness.end_epoch()?;
    assert_table!(
        harness.state()?.table("list")?,
        "user | items | expires_at
         a | [4, 5] | [1970-01-01T00:01:45Z, 1970-01-01T00:01:49Z]
         b | [1] | [1970-01-01T00:01:45Z]"
    );
    harness.set_clock(seconds(105))?;
    harness.feed("in", "user | what | n \n a | look | 0")?;
    assert_table!(
        harness.end_epoch()?["out"].select(&["user", "value", "list", "map"])?,
        r#"user | value | list | map
           a | 1 | "[5]" | "[(\"0\", 6), (\"1\", 7)]""#
    );
    assert_table!(harness.state()?.table("list")?.select(&["user", "items"])?, "user | items \n a | [5]");
    harness.set_clock(seconds(110))?;
    harness.end_epoch()?;
    assert!(harness.state()?.table("value")?.is_empty());
    assert!(harness.state()?.table("list")?.is_empty());
    assert_table!(harness.state()?.table("map")?.select(&["entries"])?, "entries \n [{key: 0, value: 6}]");
    harness.set_clock(seconds(200))?;
    harness.end_epoch()?;
    for table in ["value", "list", "map", "expiring"] {
        assert!(harness.state()?.slots(table)?.is_empty(), "{table}");
    }
    Ok(())
}

#[test]
fn tables_are_shown_with_a_slot_only_where_there_are_several() {
    let operator = Everything { expire: true, processing: false };
    let mut input = Stream::of(parse_ddl("user STRING, what STRING, n BIGINT, at TIMESTAMP").expect("columns"));
    let tag = EventTime { column: "at".to_owned(), kind: EventTimeKind::Instant, delay: TimeSpan::ZERO };
    input.event_times.push(tag);
    input.watermarks.insert("watermark".to_owned());
    let cx = BuildContext { node: "everything".into(), batch_rows: 8 };
    let Ok(Operator::Stateful(running)) = operator.build(&[vec![input]], &cx) else { panic!("it keeps state") };
    let slot = Slot::at(seconds(1));
    let shown: Vec<(&str, usize)> = (0..)
        .zip(running.tables())
        .map(|(place, table)| (table.name, running.readable_slot(place, slot).len()))
        .collect();
    assert_eq!(
        shown,
        [
            ("value", 0),
            ("list", 0),
            ("map", 0),
            ("timers", 0),
            ("due_event", 1),
            ("due_processing", 1),
            ("expiring", 1)
        ]
    );
}
