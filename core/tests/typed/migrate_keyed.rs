//! Variables and timers that another version of an operator takes over.

use watershed_core::assert_table;
use watershed_core::testing::{Result, Tested};
use watershed_core::time::{TimeSpan, Timestamp};

mod versions {
    use watershed_core::error::Result;
    use watershed_core::row::Row;
    use watershed_core::time::{TimeSpan, Timestamp};
    use watershed_core::typed::{
        Declare, Earlier, Emitter, KeyContext, KeyedOperator, ListState, MapState, Rows, TimeMode, Timer, ValueState,
    };
    use watershed_derive::operator;

    use crate::operators::ByUser;

    #[derive(Row)]
    pub(crate) struct Amount {
        pub(crate) v: i64,
    }

    #[derive(Row)]
    pub(crate) struct Shown<'a> {
        pub(crate) user: &'a str,
        pub(crate) shown: String,
    }

    pub(crate) mod first {
        use super::*;

        /// Keeps amounts for a minute.
        #[operator(KeyedOperator)]
        pub(crate) struct Amounts {}

        impl KeyedOperator for Amounts {
            type Key = ByUser<'static>;
            type Input = Amount;
            type State = (ValueState<i64>, ListState<i64>, ValueState<String>);
            type Output = Shown<'static>;

            fn declare(&self, declare: &mut Declare) -> Self::State {
                let minute = TimeSpan::from_seconds(60);
                (declare.value("last"), declare.ttl(minute).list("all"), declare.value("unused"))
            }

            fn time_mode(&self) -> TimeMode {
                TimeMode::EventTime
            }

            fn process(
                &self,
                _: ByUser,
                rows: Rows<Amount>,
                (last, all, unused): &Self::State,
                cx: &mut KeyContext,
                _: &mut Emitter<Shown>,
            ) -> Result<()> {
                for row in rows {
                    last.set(cx, row.v);
                    all.append(cx, row.v);
                    unused.set(cx, "x".to_owned());
                    cx.register_timer(Timer::Event(Timestamp::from_micros(row.v * 1_000_000)))?;
                    cx.register_timer(Timer::Processing(Timestamp::from_micros(row.v * 1_000_000)))?;
                }
                Ok(())
            }
        }
    }

    pub(crate) mod second {
        use super::*;

        /// Counts how often each amount came, and goes by the clock.
        #[operator(KeyedOperator)]
        pub(crate) struct Amounts {}

        impl KeyedOperator for Amounts {
            type Key = ByUser<'static>;
            type Input = Amount;
            type State = (ValueState<i64>, MapState<i64, u32>);
            type Output = Shown<'static>;

            const VERSION: u32 = 1;

            fn declare(&self, declare: &mut Declare) -> Self::State {
                (declare.value("last"), declare.ttl(TimeSpan::from_seconds(5)).map("times"))
            }

            fn time_mode(&self) -> TimeMode {
                TimeMode::ProcessingTime
            }

            fn process(
                &self,
                _: ByUser,
                _: Rows<Amount>,
                _: &Self::State,
                _: &mut KeyContext,
                _: &mut Emitter<Shown>,
            ) -> Result<()> {
                Ok(())
            }

            fn on_timer(
                &self,
                key: ByUser,
                timer: Timer,
                (last, times): &Self::State,
                cx: &mut KeyContext,
                out: &mut Emitter<Shown>,
            ) -> Result<()> {
                let times: Vec<_> = times.iter(cx).collect();
                let shown = format!("{timer}: {:?} {times:?}", last.get(cx));
                out.emit(Shown { user: key.user, shown });
                Ok(())
            }

            fn migrate(
                &self,
                _: u32,
                earlier: Earlier<'_>,
                (_, times): &Self::State,
                cx: &mut KeyContext,
            ) -> Result<()> {
                match earlier.variable() {
                    "all" => {
                        for v in earlier.list::<i64>()? {
                            let before = times.get(cx, &v).copied().unwrap_or(0);
                            times.insert(cx, v, before + 1);
                        }
                        Ok(())
                    }
                    _ => earlier.keep(cx),
                }
            }
        }
    }
}

use versions::{first, second};

fn seconds(time: i64) -> Timestamp {
    Timestamp::from_micros(time * 1_000_000)
}

fn tested(spec: impl watershed_core::node::OperatorSpec + 'static) -> Tested {
    Tested::new(spec).input("user STRING, v BIGINT, at TIMESTAMP").event_time("at")
}

#[test]
fn variables_go_where_they_belong_and_timers_go_on() -> Result<()> {
    let mut before = tested(first::Amounts {}).partitions(2).harness()?;
    before.set_clock(seconds(10))?;
    before.feed("in", "user | v \n a | 30 \n a | 20 \n b | 1000")?;
    before.end_epoch()?;
    before.set_clock(seconds(12))?;
    before.feed("in", "user | v \n a | 20")?;
    before.end_epoch()?;
    let snapshot = before.snapshot()?;

    let mut after = tested(second::Amounts {}).partitions(3).harness()?;
    after.restore(&snapshot)?;
    assert_table!(after.state()?.table("last")?, "user | value \n a | 20 \n b | 1000");
    assert_table!(
        after.state()?.table("times")?.select(&["user", "entries"])?,
        "user | entries \n a | [{key: 20, value: 2}, {key: 30, value: 1}] \n b | [{key: 1000, value: 1}]"
    );
    assert_table!(
        after.state()?.table("timers")?,
        "user | event | processing
         a | [] | [1970-01-01T00:00:20Z, 1970-01-01T00:00:30Z]
         b | [] | [1970-01-01T00:16:40Z]"
    );
    after.set_clock(seconds(20))?;
    assert_table!(
        after.end_epoch()?["out"],
        r#"user | shown
           a | "1970-01-01T00:00:20Z in processing time: Some(20) [(20, 2), (30, 1)]""#
    );
    // What was kept in the list for a minute lives on as long, and is then removed.
    after.set_clock(seconds(10 + 60 + 2))?;
    after.end_epoch()?;
    assert!(after.state()?.table("times")?.is_empty());
    after.advance_clock(TimeSpan::from_seconds(10));
    assert!(after.end_epoch()?["out"].is_empty());
    Ok(())
}
