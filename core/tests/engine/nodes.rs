//! Nodes over rows of (key, time in milliseconds, value).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::{Epoch, Port};
use watershed_core::error::{Error, Result};
use watershed_core::fault::Faults;
use watershed_core::node::{
    Available, BuildContext, Collector, Delivery, Distribution, EpochContext, EpochInput, Limit, Offset, OffsetRange,
    OpenContext, Operator, OperatorSpec, OutputWatermark, Part, Ports, Receipt, RowOutput, Signature, Sink, SinkSpec,
    Source, SourceSchema, SourceSpec, Split, StateNeed, Stateful, Stateless,
};
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::stream::Stream;
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::{register_operator, register_sink, register_source};

/// Key, time in milliseconds, value.
pub(crate) type Row = (i64, i64, i64);

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(["k", "t", "v"].map(|name| Field::new(name, DataType::Int64, false)).to_vec()))
}

pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let column = |value: fn(&Row) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(value))) as ArrayRef;
    RecordBatch::try_new(schema(), vec![column(|row| row.0), column(|row| row.1), column(|row| row.2)])
        .expect("three columns")
}

pub(crate) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let column = |index: usize| batch.column(index).as_primitive::<Int64Type>();
    (0..batch.num_rows()).map(|row| (column(0).value(row), column(1).value(row), column(2).value(row))).collect()
}

fn time_of(row: &Row) -> Timestamp {
    Timestamp::from_micros(row.1 * 1000)
}

/// A source whose rows the test gives.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Scripted {}
register_source!(Scripted, example: "Scripted()");

#[typetag::serde]
impl SourceSpec for Scripted {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        Ok(SourceSchema::Declared(schema()))
    }
    fn infer_schema(&self) -> Result<SchemaRef> {
        Ok(schema())
    }
    fn replayable(&self) -> bool {
        true
    }
    fn open(&self, _: SchemaRef, _: &OpenContext) -> Result<Box<dyn Source>> {
        Err(Error::BadInput("the test gives this source".to_owned()))
    }
}

/// One range per epoch of the script, in splits of 50 rows and batches of 3.
pub(crate) struct ScriptedSource(Vec<Vec<Row>>);

impl ScriptedSource {
    pub(crate) fn new(epochs: Vec<Vec<Row>>) -> Self {
        Self(epochs)
    }

    fn place(offset: &Offset) -> usize {
        offset.0.as_u64().unwrap_or(0) as usize
    }
}

impl Source for ScriptedSource {
    fn freeze(&mut self) -> Result<()> {
        Ok(())
    }
    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let start = Self::place(after);
        if start == self.0.len() {
            return Ok(Available::Finished);
        }
        let end = if limit == Limit::Everything { self.0.len() } else { start + 1 };
        Ok(Available::Range(OffsetRange {
            start: after.clone(),
            end: Offset(end.into()),
            detail: serde_json::Value::Null,
            size: 0,
        }))
    }
    fn remaining(&self, _: &Offset) -> Option<u64> {
        None
    }
    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let rows: Vec<Row> = self.0[Self::place(&range.start)..Self::place(&range.end)].concat();
        Ok(rows.chunks(50).map(|rows| Box::new(Rows(rows.to_vec())) as Box<dyn Split>).collect())
    }
    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }
}

struct Rows(Vec<Row>);

impl Split for Rows {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        self.0.chunks(3).try_for_each(|rows| out.push(batch(rows)))
    }
}

/// A watermark node over `t`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Mark {
    pub(crate) delay: i64,
}
register_operator!(Mark, example: "Mark(delay: 1)");

#[typetag::serde]
impl OperatorSpec for Mark {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let delay = TimeSpan::from_micros(self.delay * 1000);
        Ok(Signature { watermark: OutputWatermark::own(delay), ..Signature::stateless(inputs[0].clone()) })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(self.clone())))
    }
}

impl Stateless for Mark {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        for row in &rows(&batch) {
            out.observe(time_of(row));
        }
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

/// Sums of `v` per `k` and tenth of `t`, put out when the watermark passes the tenth's end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sum {}
register_operator!(Sum, example: "Sum()");

#[typetag::serde]
impl OperatorSpec for Sum {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let stream = inputs[0][0].clone();
        Ok(Signature {
            distribution: Distribution::Hash(vec![0]),
            wakes: true,
            state: StateNeed::Bounded,
            ..Signature::stateless(vec![stream.clone(), stream])
        })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(self.clone())))
    }
}

/// The port of late rows.
const LATE: Port = Port(1);

impl Stateful for Sum {
    fn tables(&self) -> Vec<TableSchema> {
        let field = |name: &str| vec![Field::new(name, DataType::Int64, false)].into();
        vec![TableSchema {
            name: "sums",
            keys: field("k"),
            values: field("v"),
            placed_by: PlacedBy::Keys,
            slots: String::new(),
        }]
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let table = state.table(0);
        for (_, arrived) in input.batches {
            for row in rows(&arrived) {
                let end = Timestamp::from_micros((row.1.div_euclid(10) + 1) * 10_000);
                if cx.late.has_passed(end) {
                    out.emit(LATE, batch(&[row]));
                    continue;
                }
                let groups = table.group(Slot::at(end), &[Arc::new(Int64Array::from(vec![row.0]))], 1)?;
                let old = table.gather(&groups)?.values[0].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
                table.upsert(&groups, vec![Arc::new(Int64Array::from(vec![old + row.2]))])?;
            }
        }
        for slot in table.slots_up_to(cx.evict) {
            let kept = table.scan(slot)?;
            let end = slot.time().expect("windows end").micros() / 1000;
            let ends: ArrayRef = Arc::new(Int64Array::from(vec![end; kept.num_rows()]));
            out.emit(
                Port::FIRST,
                RecordBatch::try_new(schema(), vec![Arc::clone(kept.column(0)), ends, Arc::clone(kept.column(1))])?,
            );
        }
        table.drop_slots(cx.evict);
        Ok(())
    }
}

/// Fails when it meets a time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Fail {
    pub(crate) at: i64,
}
register_operator!(Fail, example: "Fail(at: 1)");

#[typetag::serde]
impl OperatorSpec for Fail {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature::stateless(inputs[0].clone()))
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(self.clone())))
    }
}

impl Stateless for Fail {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        if rows(&batch).iter().any(|row| row.1 == self.at) {
            return Err(Error::BadInput(format!("time {} was met", self.at)));
        }
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

/// A sink that the test reads.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Keep {}
register_sink!(Keep, example: "Keep()");

#[typetag::serde]
impl SinkSpec for Keep {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }
    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }
    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>> {
        Err(Error::BadInput("the test gives this sink".to_owned()))
    }
}

type Committed = BTreeMap<String, Vec<(u64, Vec<Row>)>>;

/// What reached the sinks, by name: the epochs with rows, and their rows in order.
#[derive(Clone, Default)]
pub(crate) struct Collected(Arc<Mutex<Committed>>);

impl Collected {
    pub(crate) fn of(&self, name: &str) -> Vec<(u64, Vec<Row>)> {
        self.0.lock().expect("no test panics while it holds this").get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn sink(&self, name: &str) -> CollectingSink {
        CollectingSink { name: name.to_owned(), collected: self.clone(), staged: Mutex::default() }
    }
}

pub(crate) struct CollectingSink {
    name: String,
    collected: Collected,
    staged: Mutex<BTreeMap<Part, Vec<Row>>>,
}

impl Sink for CollectingSink {
    fn stage(&self, part: Part, batches: &[RecordBatch]) -> Result<Receipt> {
        let mut staged = self.staged.lock().expect("no test panics while it holds this");
        staged.insert(part, batches.iter().flat_map(rows).collect());
        Ok(Receipt::default())
    }

    fn commit(&self, epoch: Epoch, _: &[Receipt]) -> Result<()> {
        let mut staged = self.staged.lock().expect("no test panics while it holds this");
        let later = staged.split_off(&Part { epoch: epoch.next(), index: 0 });
        let rows = std::mem::replace(&mut *staged, later).into_values().flatten().collect::<Vec<_>>();
        let mut collected = self.collected.0.lock().expect("no test panics while it holds this");
        let epochs = collected.entry(self.name.clone()).or_default();
        // An epoch that is run again takes its own place.
        epochs.retain(|(number, _)| *number != epoch.0);
        if !rows.is_empty() {
            epochs.push((epoch.0, rows));
            epochs.sort_by_key(|(number, _)| *number);
        }
        Ok(())
    }
}
