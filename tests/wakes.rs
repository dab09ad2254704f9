//! A node that wakes by processing time, in a test file: `clock` moves the time, and the epoch runs of its own accord.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use watershed::arrow;
use watershed::core::epoch::Port;
use watershed::core::error::Result;
use watershed::core::fault::Faults;
use watershed::core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, StateNeed,
    Stateful,
};
use watershed::core::register_operator;
use watershed::core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed::core::stream::Stream;
use watershed::core::time::{TimeSpan, Timestamp, Watermark};
use watershed::testing::{Options, run_file};

/// Says a key when no row of it has come for so long. One timer a key: a later row moves it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Silent {
    after: TimeSpan,
}
register_operator!(Silent, example: r#"Silent(after: "10 seconds")"#);

#[typetag::serde]
impl OperatorSpec for Silent {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature {
            distribution: Distribution::Hash(vec![0]),
            state: StateNeed::Bounded,
            ..Signature::stateless(inputs[0].clone())
        })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(self.clone())))
    }
}

impl Stateful for Silent {
    fn tables(&self) -> Vec<TableSchema> {
        let column = |name: &str| vec![Field::new(name, DataType::Int64, true)].into();
        let (name, slots) = ("silent", String::new());
        vec![TableSchema { name, keys: column("k"), values: column("v"), placed_by: PlacedBy::Keys, slots }]
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let table = state.table(0);
        for (_, batch) in input.batches {
            let keys = [Arc::clone(batch.column(0))];
            for slot in table.slots() {
                let known = table.group(slot, &keys, batch.num_rows())?;
                let held = table.holds(&known);
                table.remove(&known, &held)?;
            }
            let groups = table.group(Slot::at(cx.processing_time.plus(self.after)), &keys, batch.num_rows())?;
            let values: ArrayRef = Arc::new(Int64Array::from(vec![0; groups.len()]));
            table.upsert(&groups, vec![values])?;
        }
        let due = Watermark(Some(cx.processing_time));
        for slot in table.slots_up_to(due) {
            let keys = Arc::clone(table.scan(slot)?.column(0));
            out.emit(Port::FIRST, RecordBatch::try_from_iter([("k", keys)])?);
        }
        table.drop_slots(due);
        Ok(())
    }

    fn wake_at(&self, state: &StateStore) -> Option<Timestamp> {
        state.tables()[0].slots().first().and_then(|slot| slot.time())
    }
}

fn report(epochs: &str) -> Result<(), String> {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("silent.test.ron");
    let text = format!(
        r#"Tests(
        graph: Graph(
            name: "silent",
            sources: {{"in": Memory(schema: "k BIGINT")}},
            operators: {{"silent": Silent(after: "10 seconds")}},
            sinks: {{"out": Memory()}},
            flow: ["in -> silent -> out"],
        ),
        cases: [(name: "a case", epochs: [{epochs}])],
    )"#
    );
    std::fs::write(&path, text).expect("the file can be written");
    let report = run_file(&path, &Options::default());
    if report.passed() { Ok(()) } else { Err(report.render(false)) }
}

const FIRST: &str = r#"(clock: "2026-01-01T00:00:00Z", input: {"in": [{"k": 1}, {"k": 2}]}, output: {"out": []}),"#;

#[test]
fn a_clock_that_moves_far_enough_runs_an_epoch_in_every_way() {
    let epochs = [
        FIRST,
        // The row comes when the timer of key 2 is due: both are seen to in one epoch.
        r#"(clock: "2026-01-01T00:00:10Z", input: {"in": [{"k": 1}]}, output: {"out": [{"k": 2}]}),"#,
        r#"(clock: "2026-01-01T00:00:21Z", output: {"out": [{"k": 1}]}),"#,
    ];
    report(&epochs.concat()).unwrap_or_else(|told| panic!("{told}"));
    let restarted =
        epochs.concat().replace("(clock: \"2026-01-01T00:00:21Z\"", "(restart: true, clock: \"2026-01-01T00:00:21Z\"");
    report(&restarted).unwrap_or_else(|told| panic!("{told}"));
}

#[test]
fn an_epoch_that_nothing_calls_for_is_not_run() {
    let early = [FIRST, r#"(clock: "2026-01-01T00:00:09.999Z", output: {"out": []}),"#].concat();
    let told = report(&early).expect_err("the time has not come");
    assert!(told.contains("silent.test.ron"), "{told}");
}
