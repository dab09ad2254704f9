//! Results that replace each other as a whole: who is told that there is a new one, and who keeps the last.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watershed_core::engine::{Connectors, Engine, EngineOptions};
use watershed_core::epoch::{Epoch, Port};
use watershed_core::error::Result;
use watershed_core::fault::Faults;
use watershed_core::node::{
    Available, BuildContext, Collector, Distribution, EpochContext, EpochInput, Limit, Offset, OffsetRange, Operator,
    OperatorSpec, Part, Ports, Receipt, RowOutput, Signature, Sink, SinkSpec, Source, SourceSpec, Split, Stateful,
};
use watershed_core::plan::{AtEnd, Plan, PlanEdge, PlanNode, Role, Trigger};
use watershed_core::register_operator;
use watershed_core::state::{StateStore, TableSchema};
use watershed_core::stream::{Mode, Stream};
use watershed_core::time::TimeSpan;

use super::Plans;
use super::nodes::{self, Keep, Mark, Row, Scripted};

/// What nodes and sinks were told, in order.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: String) {
        self.0.lock().expect("no test panics while it holds this").push(note);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no test panics while it holds this"))
    }
}

/// Two inputs; puts out the left rows and notes what it was told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Beside {
    #[serde(skip)]
    notes: Notes,
}
register_operator!(Beside, example: "Beside()");

#[typetag::serde]
impl OperatorSpec for Beside {
    fn ports(&self) -> Ports {
        Ports::of(["left", "right"], ["out"])
    }
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let distribution = Distribution::Single;
        Ok(Signature { distribution, ..Signature::stateless(inputs[0].clone()) })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(self.clone())))
    }
}

impl Stateful for Beside {
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }
    fn run(&self, input: EpochInput, _: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let of = |wanted: Port| {
            let batches = input.batches.iter().filter(|(port, _)| *port == wanted);
            batches.map(|(_, batch)| batch.num_rows()).sum::<usize>()
        };
        let evict = cx.evict.0.map_or(-1, |time| time.micros() / 1000);
        self.notes.add(format!("{:?} left {} right {} at {evict}", input.replaced, of(Port(0)), of(Port(1))));
        for (_, batch) in input.batches.into_iter().filter(|(port, _)| *port == Port(0)) {
            out.emit(Port::FIRST, batch);
        }
        Ok(())
    }
}

/// A sink that notes its calls.
struct NotedSink(&'static str, Notes);

impl Sink for NotedSink {
    fn stage(&self, _: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        Ok(Receipt(json!(rows.iter().map(RecordBatch::num_rows).sum::<usize>())))
    }
    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        let rows: u64 = receipts.iter().filter_map(|receipt| receipt.0.as_u64()).sum();
        self.1.add(format!("{} shows {rows} in {epoch}", self.0));
        Ok(())
    }
    fn keep(&self, epoch: Epoch) -> Result<()> {
        self.1.add(format!("{} keeps in {epoch}", self.0));
        Ok(())
    }
}

/// A source that has rows in some epochs: of the script, none means that it is not read.
struct Now {
    script: Vec<Option<Vec<Row>>>,
    asked: usize,
}

impl Source for Now {
    fn freeze(&mut self) -> Result<()> {
        Ok(())
    }
    fn available(&mut self, after: &Offset, _: Limit) -> Result<Available> {
        let at = self.asked;
        self.asked += 1;
        Ok(match self.script.get(at) {
            Some(Some(_)) => Available::Range(OffsetRange {
                start: after.clone(),
                end: Offset(json!(at)),
                detail: Value::Null,
                size: 0,
            }),
            Some(None) => Available::Nothing,
            None => Available::Finished,
        })
    }
    fn remaining(&self, _: &Offset) -> Option<u64> {
        None
    }
    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let at = range.end.0.as_u64().expect("an offset of this source") as usize;
        Ok(vec![Box::new(Rows(self.script[at].clone().unwrap_or_default()))])
    }
    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }
    fn trouble(&self) -> Option<&str> {
        (self.asked == 2).then_some("the second time is bad")
    }
}

struct Rows(Vec<Row>);

impl Split for Rows {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        out.push(nodes::batch(&self.0))
    }
}

/// facts → fast → beside.left → out; results → passed → beside.right, and → shown.
fn plan(notes: &Notes) -> Plan {
    let mut plans = Plans::new(Trigger::Every(TimeSpan::from_seconds(1)), AtEnd::Hold, 1);
    let facts = plans.source("facts");
    let marked = plans.operator("marked", Mark { delay: 0 }, &[(facts, 0)]);
    let complete = Stream { mode: Mode::Complete(Vec::new()), ..Stream::of(nodes::schema()) };
    let spec: Arc<dyn SourceSpec> = Arc::new(Scripted {});
    let results = plans.node("results", Role::Source(spec, complete.clone()), &[]);
    // A watermark of its own, which does not concern what is joined with it.
    let pass = Mark { delay: 1_000_000 };
    let signature = pass.signature(&[vec![complete.clone()]]).expect("test nodes take anything");
    let inputs = vec![vec![complete.clone()]];
    let passed = plans.node("passed", Role::Operator { spec: Arc::new(pass), inputs, signature }, &[(results, 0)]);
    let beside = Beside { notes: notes.clone() };
    let inputs = vec![vec![Stream::of(nodes::schema())], vec![complete.clone()]];
    let signature = beside.signature(&inputs).expect("test nodes take anything");
    let role = Role::Operator { spec: Arc::new(beside), inputs, signature };
    let beside = plans.0.dag.add_node(PlanNode { name: "beside".into(), role });
    plans.0.dag.add_edge(marked, beside, PlanEdge { from: Port::FIRST, to: Port(0) });
    plans.0.dag.add_edge(passed, beside, PlanEdge { from: Port::FIRST, to: Port(1) });
    plans.sink("out", (beside, 0));
    let spec: Arc<dyn SinkSpec> = Arc::new(Keep {});
    plans.node("shown", Role::Sink(spec, complete), &[(passed, 0)]);
    plans.0
}

#[test]
fn a_result_is_replaced_in_the_epochs_that_read_it_and_kept_in_the_others() {
    let notes = Notes::default();
    let plan = plan(&notes);
    let some = |time: i64| Some(vec![(1, time, 1), (2, time, 1)]);
    let mut connectors = Connectors::default();
    let facts = Now { script: vec![some(5), some(6), None, some(7), some(8)], asked: 0 };
    let results = Now { script: vec![some(1), None, some(2), Some(vec![]), None], asked: 0 };
    connectors.sources.insert("facts".to_owned(), Box::new(facts));
    connectors.sources.insert("results".to_owned(), Box::new(results));
    for name in ["out", "shown"] {
        connectors.sinks.insert(name.to_owned(), Box::new(NotedSink(name, notes.clone())));
    }
    let mut engine = Engine::open(&plan, EngineOptions { connectors, ..EngineOptions::default() }).expect("opens");
    let mut troubles = Vec::new();
    for expected in [
        ["[Port(1)] left 2 right 2 at -1", "shown shows 2 in 0", "out shows 2 in 0"],
        ["[] left 2 right 0 at 5", "shown keeps in 1", "out shows 2 in 1"],
        ["[Port(1)] left 0 right 2 at 6", "shown shows 2 in 2", "out shows 0 in 2"],
        ["[Port(1)] left 2 right 0 at 6", "shown shows 0 in 3", "out shows 2 in 3"],
        ["[] left 2 right 0 at 7", "shown keeps in 4", "out shows 2 in 4"],
    ] {
        let step = engine.step().expect("runs");
        let super::Step::Ran(progress) = step else { panic!("{step:?}") };
        assert_eq!(notes.take(), expected);
        troubles.extend(progress.sources.into_iter().filter_map(|source| source.trouble));
    }
    assert_eq!(troubles, ["the second time is bad"; 2], "of both sources, in the epoch that was planned then");
}
