//! Operators to be tested: one that is right, and some that are wrong in ways that a test should find.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{DataType, Field, Int64Type, TimestampMicrosecondType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BeforeExchange, BuildContext, Collector, Distribution, EpochContext, EpochInput, LateCount, Operator, OperatorSpec,
    Ports, Signature, StateNeed, Stateful,
};
use watershed_core::register_operator;
use watershed_core::row::Row;
use watershed_core::schema::{TIMESTAMP, parse_ddl};
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::stream::{Mode, Stream};
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{Declare, Emitter, KeyContext, KeyedOperator, Rows, TimeMode, Timer, ValueState};
use watershed_derive::operator;

const MINUTE: i64 = 60_000_000;

/// Visits per user and minute, when the minute is over.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Visits {}
register_operator!(Visits, example: "Visits()");

#[typetag::serde]
impl OperatorSpec for Visits {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs[0][0].clone();
        if input.event_time("at").is_none() {
            return Err(Fault::new("no_event_time", "column `at` is not event time").into());
        }
        let output = Stream::of(parse_ddl("user STRING, minute TIMESTAMP, visits BIGINT")?);
        Ok(Signature {
            distribution: Distribution::Hash(vec![0]),
            wakes: true,
            state: StateNeed::Bounded,
            ..Signature::stateless(vec![output, input])
        })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(self.clone())))
    }
}

impl Stateful for Visits {
    fn tables(&self) -> Vec<TableSchema> {
        vec![TableSchema {
            name: "visits",
            keys: vec![Field::new("user", DataType::Utf8, true)].into(),
            values: vec![Field::new("visits", DataType::Int64, false)].into(),
            placed_by: PlacedBy::Keys,
            slots: "minutes".to_owned(),
        }]
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(LateFilter))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let table = state.table(0);
        for (_, rows) in input.batches {
            let times = rows.column(1).as_primitive::<TimestampMicrosecondType>();
            for row in (0..rows.num_rows()).filter(|row| times.is_valid(*row)) {
                let minute = Timestamp::from_micros((times.value(row).div_euclid(MINUTE) + 1) * MINUTE);
                let groups = table.group(Slot::at(minute), &[rows.column(0).slice(row, 1)], 1)?;
                let kept = table.gather(&groups)?.values[0].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
                table.upsert(&groups, vec![Arc::new(Int64Array::from(vec![kept + 1]))])?;
            }
        }
        for slot in table.slots_up_to(cx.evict) {
            let kept = table.scan(slot)?;
            let minute = slot.time().expect("a minute").micros();
            let minutes: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![minute; kept.num_rows()]));
            let columns = vec![Arc::clone(kept.column(0)), minutes, Arc::clone(kept.column(1))];
            let schema = parse_ddl("user STRING, minute TIMESTAMP, visits BIGINT").expect("a schema");
            out.emit(Port::FIRST, RecordBatch::try_new(schema, columns)?);
        }
        table.drop_slots(cx.evict);
        Ok(())
    }
}

struct LateFilter;

impl BeforeExchange for LateFilter {
    fn process(&mut self, port: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        assert_eq!(batch.column(1).data_type(), &TIMESTAMP);
        let passed = |time: Option<i64>| time.is_some_and(|time| cx.late.has_passed(Timestamp::from_micros(time)));
        let late: BooleanArray =
            batch.column(1).as_primitive::<TimestampMicrosecondType>().iter().map(|time| Some(passed(time))).collect();
        let rows = late.true_count() as u64;
        out.count_late(LateCount { rows, dropped: rows });
        out.emit(Port(1), filter_record_batch(&batch, &late)?);
        out.exchange(port, filter_record_batch(&batch, &not(&late)?)?);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &EpochContext, _: &mut Collector) -> Result<()> {
        Ok(())
    }
}

/// How an operator is wrong.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Flaw {
    /// It keeps what it knows to itself.
    Forgetful,
    /// It counts batches.
    Batches,
    /// It counts rows of an epoch: right, but not to be cut into other epochs.
    Epochs,
    /// It fails at user `e`.
    Fails,
    /// It puts out other columns than it says.
    Columns,
}

/// A number per user that comes about in a wrong way.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Wrong {
    pub(crate) how: Flaw,
}
register_operator!(Wrong, example: "Wrong(how: Forgetful)");

#[typetag::serde]
impl OperatorSpec for Wrong {
    fn signature(&self, _: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let output = Stream::of(parse_ddl("user STRING, n BIGINT")?);
        let output = Stream { mode: Mode::Update(vec!["user".to_owned()]), ..output };
        Ok(Signature { distribution: Distribution::Hash(vec![0]), ..Signature::stateless(vec![output]) })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(Bound { how: self.how, known: Mutex::default() })))
    }
}

struct Bound {
    how: Flaw,
    known: Mutex<BTreeMap<Option<String>, i64>>,
}

impl Stateful for Bound {
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }

    fn run(&self, input: EpochInput, _: &mut StateStore, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut known = self.known.lock().expect("no test panics while it holds this");
        if !matches!(self.how, Flaw::Forgetful) {
            known.clear();
        }
        let mut touched = BTreeMap::new();
        for (_, rows) in &input.batches {
            let users = rows.column(0).as_string::<i32>();
            let mut seen: Vec<Option<&str>> = users.iter().collect();
            if matches!(self.how, Flaw::Fails) && seen.contains(&Some("e")) {
                return Err(Error::BadInput("user `e` was met".to_owned()));
            }
            if matches!(self.how, Flaw::Batches) {
                seen.dedup();
            }
            for user in seen {
                let user = user.map(str::to_owned);
                let n = known.entry(user.clone()).or_default();
                *n += 1;
                touched.insert(user, *n);
            }
        }
        let users: StringArray = touched.keys().cloned().collect();
        let numbers: Int64Array = touched.values().copied().map(Some).collect();
        let name = if matches!(self.how, Flaw::Columns) { "count" } else { "n" };
        let schema = parse_ddl(&format!("user STRING, {name} BIGINT")).expect("a schema");
        let rows = RecordBatch::try_new(schema, vec![Arc::new(users), Arc::new(numbers)])?;
        out.emit(Port::FIRST, rows);
        Ok(())
    }
}

/// A user.
#[derive(Row)]
pub(crate) struct ByUser<'a> {
    pub(crate) user: Option<&'a str>,
}

/// A visit.
#[derive(Row)]
pub(crate) struct Visit<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) at: Option<Timestamp>,
}

/// A user who has not come for ten seconds.
#[derive(Row, Debug, PartialEq)]
pub(crate) struct Missed<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) since: Timestamp,
}

/// Users who have not come for ten seconds of event time.
#[operator(KeyedOperator, example: "Missing()")]
pub(crate) struct Missing {}

impl KeyedOperator for Missing {
    type Key = ByUser<'static>;
    type Input = Visit<'static>;
    type State = ValueState<Timestamp>;
    type Output = Missed<'static>;

    fn declare(&self, declare: &mut Declare) -> Self::State {
        declare.value("last")
    }

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn process(
        &self,
        _: ByUser,
        rows: Rows<Visit>,
        last: &Self::State,
        cx: &mut KeyContext,
        _: &mut Emitter<Missed>,
    ) -> Result<()> {
        let newest = rows.filter_map(|row| row.at).max();
        let (before, newest) = (last.get(cx).copied(), newest.max(last.get(cx).copied()));
        if let Some(newest) = newest {
            if let Some(before) = before {
                cx.delete_timer(Timer::Event(before.plus(TimeSpan::from_seconds(10))));
            }
            last.set(cx, newest);
            cx.register_timer(Timer::Event(newest.plus(TimeSpan::from_seconds(10))))?;
        }
        Ok(())
    }

    fn on_timer(
        &self,
        key: ByUser,
        _: Timer,
        last: &Self::State,
        cx: &mut KeyContext,
        out: &mut Emitter<Missed>,
    ) -> Result<()> {
        if let Some(since) = last.take(cx) {
            out.emit(Missed { user: key.user, since });
        }
        Ok(())
    }
}
