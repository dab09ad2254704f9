//! Operators in a graph: event time that one gives its rows and another goes by, calls that take too long, and epochs that a timer
//! asks for.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use petgraph::graph::NodeIndex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::assert_table;
use watershed_core::epoch::Port;
use watershed_core::error::{Error, Result as OperatorResult};
use watershed_core::fault::Faults;
use watershed_core::node::{
    BuildContext, Collector, Delivery, EpochContext, OpenContext, Operator, OperatorSpec, OutputWatermark, Signature,
    Sink, SinkSpec, Source, SourceSchema, SourceSpec, Stateless,
};
use watershed_core::plan::{Dag, Plan, PlanEdge, PlanNode, Role, RunOptions};
use watershed_core::row::Row;
use watershed_core::schema::parse_ddl;
use watershed_core::stream::{EventTime, EventTimeKind, Stream};
use watershed_core::testing::{GraphDriver, Result};
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{Declare, Emitter, KeyContext, KeyedOperator, MapState, Rows, TimeMode, Timer, ValueState};
use watershed_core::{register_operator, register_sink, register_source};
use watershed_derive::operator;

use crate::keyed::seconds;
use crate::operators::ByUser;

/// Rows that the test feeds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Fed {}
register_source!(Fed, example: "Fed()");

#[typetag::serde]
impl SourceSpec for Fed {
    fn schema(&self) -> std::result::Result<SourceSchema, Faults> {
        Ok(SourceSchema::Inferred)
    }

    fn infer_schema(&self) -> OperatorResult<SchemaRef> {
        Err(Error::other("the test gives this source"))
    }

    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, _: SchemaRef, _: &OpenContext) -> OperatorResult<Box<dyn Source>> {
        Err(Error::other("the test gives this source"))
    }
}

/// Rows that the test reads.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Kept {}
register_sink!(Kept, example: "Kept()");

#[typetag::serde]
impl SinkSpec for Kept {
    fn check(&self, _: &Stream) -> std::result::Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, _: &Stream, _: &OpenContext) -> OperatorResult<Box<dyn Sink>> {
        Err(Error::other("the test gives this sink"))
    }
}

/// A watermark over column `at`, without a delay.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Marked {}
register_operator!(Marked, example: "Marked()");

#[typetag::serde]
impl OperatorSpec for Marked {
    fn signature(&self, inputs: &[Vec<Stream>]) -> std::result::Result<Signature, Faults> {
        let mut stream = inputs[0][0].clone();
        let tag = EventTime { column: "at".to_owned(), kind: EventTimeKind::Instant, delay: TimeSpan::ZERO };
        stream.event_times.push(tag);
        stream.watermarks.insert("marked".to_owned());
        Ok(Signature { watermark: OutputWatermark::own(TimeSpan::ZERO), ..Signature::stateless(vec![stream]) })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> std::result::Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(self.clone())))
    }
}

impl Stateless for Marked {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> OperatorResult<()> {
        let at = batch.column_by_name("at").expect("a time").as_primitive::<TimestampMicrosecondType>();
        at.iter().flatten().for_each(|time| out.observe(Timestamp::from_micros(time)));
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

#[derive(Row)]
struct At {
    at: Timestamp,
}

#[derive(Row)]
struct Earlier<'a> {
    user: &'a str,
    #[row(event_time)]
    then: Timestamp,
}

/// Puts each row out some seconds earlier than it happened.
#[operator(KeyedOperator)]
struct Back {
    #[serde(default)]
    by: i64,
}

impl KeyedOperator for Back {
    type Key = ByUser<'static>;
    type Input = At;
    type State = ();
    type Output = Earlier<'static>;

    fn declare(&self, _: &mut Declare) {}

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn hold_back(&self) -> Option<TimeSpan> {
        Some(TimeSpan::from_seconds(self.by))
    }

    fn process(
        &self,
        key: ByUser,
        rows: Rows<At>,
        (): &(),
        _: &mut KeyContext,
        out: &mut Emitter<Earlier>,
    ) -> OperatorResult<()> {
        rows.for_each(|row| {
            out.emit(Earlier { user: key.user, then: row.at.minus(TimeSpan::from_seconds(self.by)) });
        });
        Ok(())
    }
}

#[derive(Row)]
struct Everybody {}

#[derive(Row)]
struct Then {
    then: Timestamp,
}

#[derive(Row)]
struct Counted {
    start: Timestamp,
    rows: i64,
}

/// Counts rows per ten seconds, and puts each count out when the ten seconds are over.
#[operator(KeyedOperator)]
struct PerTenSeconds {}

impl KeyedOperator for PerTenSeconds {
    type Key = Everybody;
    type Input = Then;
    type State = MapState<Timestamp, i64>;
    type Output = Counted;

    fn declare(&self, declare: &mut Declare) -> Self::State {
        declare.map("counts")
    }

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn process(
        &self,
        _: Everybody,
        rows: Rows<Then>,
        counts: &Self::State,
        cx: &mut KeyContext,
        _: &mut Emitter<Counted>,
    ) -> OperatorResult<()> {
        for row in rows {
            let start = seconds(row.then.micros().div_euclid(10_000_000) * 10);
            let count = counts.get(cx, &start).copied().unwrap_or(0);
            counts.insert(cx, start, count + 1);
            cx.register_timer(Timer::Event(start.plus(TimeSpan::from_seconds(10))))?;
        }
        Ok(())
    }

    fn on_timer(
        &self,
        _: Everybody,
        timer: Timer,
        counts: &Self::State,
        cx: &mut KeyContext,
        out: &mut Emitter<Counted>,
    ) -> OperatorResult<()> {
        let start = timer.time().minus(TimeSpan::from_seconds(10));
        let rows = counts.remove(cx, &start).unwrap_or(0);
        out.emit(Counted { start, rows });
        Ok(())
    }
}

/// A plan of one line: a source, then these, then a sink.
fn line(ddl: &str, specs: Vec<Arc<dyn OperatorSpec>>) -> Plan {
    let mut dag = Dag::default();
    let mut stream = Stream::of(parse_ddl(ddl).expect("columns"));
    let source: Arc<dyn SourceSpec> = Arc::new(Fed {});
    let mut last = dag.add_node(PlanNode { name: "in".into(), role: Role::Source(source, stream.clone()) });
    let connect = |dag: &mut Dag, from: NodeIndex, to: NodeIndex| {
        dag.add_edge(from, to, PlanEdge { from: Port::FIRST, to: Port::FIRST });
        to
    };
    for spec in specs {
        let inputs: Vec<Vec<Stream>> = (0..spec.ports().inputs.len())
            .map(|port| if port == 0 { vec![stream.clone()] } else { Vec::new() })
            .collect();
        let signature = spec.signature(&inputs).unwrap_or_else(|faults| panic!("{faults:#?}"));
        stream = signature.outputs[0].clone();
        let name = spec.entry().name.into();
        let node = dag.add_node(PlanNode { name, role: Role::Operator { spec, inputs, signature } });
        last = connect(&mut dag, last, node);
    }
    let sink: Arc<dyn SinkSpec> = Arc::new(Kept {});
    let sink = dag.add_node(PlanNode { name: "out".into(), role: Role::Sink(sink, stream) });
    connect(&mut dag, last, sink);
    Plan { name: "line".to_owned(), text: String::new(), dag, run: RunOptions::default() }
}

#[test]
fn what_follows_goes_by_the_event_time_that_is_put_out() -> Result<()> {
    // As `tws_chain_window` in `user_state.json`, and the same with rows that come out 20 seconds earlier: then the watermark of
    // what follows is 20 seconds behind, and no row is late there.
    for by in [0, 20] {
        let plan = line(
            "user STRING, at TIMESTAMP",
            vec![Arc::new(Marked {}), Arc::new(Back { by }), Arc::new(PerTenSeconds {})],
        );
        let mut driver = GraphDriver::new(&plan);
        for (rows, expected) in [
            ("a | 1970-01-01T00:00:01Z \n b | 1970-01-01T00:00:02Z \n a | 1970-01-01T00:00:12Z", Some((0, 2))),
            ("a | 1970-01-01T00:00:25Z", Some((10, 1))),
            ("a | 1970-01-01T00:00:40Z", Some((20, 1))),
        ] {
            driver.feed("in", format!("user | at \n {rows}"))?;
            let epochs = driver.run()?;
            assert_eq!(epochs.len(), 2, "one with the rows, one for the watermark");
            assert!(epochs[0]["out"].is_empty());
            let (start, count) = expected.expect("each closes one");
            assert_table!(epochs[1]["out"], format!("start | rows \n {} | {count}", seconds(start - by)));
        }
    }
    Ok(())
}

#[derive(Row)]
struct Alarm {
    after: i64,
}

#[derive(Row)]
struct Rang<'a> {
    user: &'a str,
    at: Timestamp,
}

/// Rings some seconds after a row.
#[operator(KeyedOperator)]
struct Alarms {}

impl KeyedOperator for Alarms {
    type Key = ByUser<'static>;
    type Input = Alarm;
    type State = ValueState<i64>;
    type Output = Rang<'static>;

    fn declare(&self, declare: &mut Declare) -> Self::State {
        declare.value("last")
    }

    fn time_mode(&self) -> TimeMode {
        TimeMode::ProcessingTime
    }

    fn process(
        &self,
        _: ByUser,
        rows: Rows<Alarm>,
        last: &Self::State,
        cx: &mut KeyContext,
        _: &mut Emitter<Rang>,
    ) -> OperatorResult<()> {
        for row in rows {
            last.set(cx, row.after);
            cx.register_timer(Timer::Processing(cx.processing_time().plus(TimeSpan::from_seconds(row.after))))?;
            if row.after < 0 {
                cx.delete_timer(Timer::Processing(seconds(107)));
            }
        }
        Ok(())
    }

    fn on_timer(
        &self,
        key: ByUser,
        timer: Timer,
        _: &Self::State,
        _: &mut KeyContext,
        out: &mut Emitter<Rang>,
    ) -> OperatorResult<()> {
        out.emit(Rang { user: key.user, at: timer.time() });
        Ok(())
    }
}

#[test]
fn a_timer_asks_for_an_epoch_when_it_is_due_and_not_before() -> Result<()> {
    let plan = line("user STRING, after BIGINT", vec![Arc::new(Alarms {})]);
    let mut driver = GraphDriver::new(&plan);
    driver.set_clock(seconds(100))?;
    driver.feed("in", "user | after \n a | 3 \n b | 7 \n c | 500")?;
    assert_eq!(driver.run()?.len(), 1);
    for (now, expected) in [
        (102, None),
        (103, Some("user | at \n a | 1970-01-01T00:01:43Z")),
        (106, None),
        (107, Some("user | at \n b | 1970-01-01T00:01:47Z")),
        (108, None),
    ] {
        driver.set_clock(seconds(now))?;
        let epochs = driver.run()?;
        match expected {
            None => assert!(epochs.is_empty(), "at {now}"),
            Some(expected) => {
                assert_eq!(epochs.len(), 1, "at {now}");
                assert_table!(epochs[0]["out"], expected);
            }
        }
    }
    Ok(())
}

#[test]
fn a_timer_that_was_deleted_asks_for_one_epoch_at_most() -> Result<()> {
    let plan = line("user STRING, after BIGINT", vec![Arc::new(Alarms {})]);
    let mut driver = GraphDriver::new(&plan);
    driver.set_clock(seconds(100))?;
    driver.feed("in", "user | after \n a | 7")?;
    driver.run()?;
    driver.feed("in", "user | after \n a | -1")?;
    assert_table!(driver.run()?[0]["out"], "user | at \n a | 1970-01-01T00:01:39Z");
    driver.set_clock(seconds(107))?;
    assert!(driver.run()?.iter().all(|epoch| epoch["out"].is_empty()));
    driver.set_clock(seconds(108))?;
    assert!(driver.run()?.is_empty(), "the index has forgotten it");
    Ok(())
}

#[test]
fn a_call_that_takes_too_long_is_an_error_that_names_the_key() {
    let operator = Alarms {};
    let inputs = vec![vec![Stream::of(parse_ddl("user STRING, after BIGINT").expect("columns"))]];
    let cx = BuildContext { node: "alarms".into(), batch_rows: 8 };
    let Ok(Operator::Stateful(running)) = operator.build(&inputs, &cx) else { panic!("it keeps state") };
    let mut state = watershed_core::state::StateStore::new(running.tables());
    let rows = watershed_core::row::batch_of::<Ordered>([Ordered { user: "a".to_owned(), after: 1 }]);
    let epoch = EpochContext {
        epoch: watershed_core::epoch::Epoch(0),
        partition: watershed_core::epoch::Partition(0),
        processing_time: seconds(0),
        late: watershed_core::time::Watermark::NONE,
        evict: watershed_core::time::Watermark::NONE,
        call_limit: Some(Duration::ZERO),
    };
    let input = watershed_core::node::EpochInput { batches: vec![(Port::FIRST, rows)], ..Default::default() };
    let error = running.run(input, &mut state, &epoch, &mut Collector::default()).expect_err("no time at all");
    let Error::AtKey { key, source } = error else { panic!("{error}") };
    assert_eq!(key, "`user` = `a`");
    assert!(matches!(*source, Error::Slow { limit: Duration::ZERO, .. }), "{source}");
}

#[derive(Row)]
struct Ordered {
    user: String,
    after: i64,
}
