//! Epochs that a node asks for by processing time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{CheckpointStorage, FileName, MemoryStorage};
use watershed_core::engine::{Engine, Step, Summary};
use watershed_core::epoch::{Epoch, Port};
use watershed_core::error::Result;
use watershed_core::fault::Faults;
use watershed_core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, StateNeed,
    Stateful,
};
use watershed_core::plan::{AtEnd, Plan, Trigger};
use watershed_core::register_operator;
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::stream::Stream;
use watershed_core::time::{Clock, ManualClock, TimeSpan, Timestamp, Watermark};

use crate::nodes::{self, Collected, Row};
use crate::{Plans, options};

/// Rings so many milliseconds after a row as its `v` says: (key, when it rang, when it was to ring).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Ring {
    /// Rings again so many milliseconds later.
    again: Option<i64>,
}
register_operator!(Ring, example: "Ring()");

#[typetag::serde]
impl OperatorSpec for Ring {
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

fn set(state: &mut StateStore, key: i64, time: Timestamp) -> Result<()> {
    let (table, key): (_, ArrayRef) = (state.table(0), Arc::new(Int64Array::from(vec![key])));
    let groups = table.group(Slot::at(time), &[Arc::clone(&key)], 1)?;
    table.upsert(&groups, vec![key])
}

impl Stateful for Ring {
    fn tables(&self) -> Vec<TableSchema> {
        let field = |name: &str| vec![Field::new(name, DataType::Int64, false)].into();
        let (name, slots) = ("rings", String::new());
        vec![TableSchema { name, keys: field("k"), values: field("v"), placed_by: PlacedBy::Keys, slots }]
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let now = cx.processing_time;
        let later = |millis: i64| now.plus(TimeSpan::from_micros(millis * 1000));
        for (key, _, after) in input.batches.iter().flat_map(|(_, batch)| nodes::rows(batch)) {
            set(state, key, later(after))?;
        }
        let due = Watermark(Some(now));
        let mut rung = Vec::new();
        for slot in state.table(0).slots_up_to(due) {
            let time = slot.time().expect("rings have a time").micros() / 1000;
            let keys = state.table(0).scan(slot)?;
            rung.extend(keys.column(0).as_primitive::<Int64Type>().values().iter().map(|key| (*key, time)));
        }
        state.table(0).drop_slots(due);
        for (key, time) in rung {
            out.emit(Port::FIRST, nodes::batch(&[(key, now.micros() / 1000, time)]));
            self.again.map_or(Ok(()), |again| set(state, key, later(again)))?;
        }
        Ok(())
    }

    fn wake_at(&self, state: &StateStore) -> Option<Timestamp> {
        state.tables()[0].slots().first().and_then(|slot| slot.time())
    }
}

fn plan(trigger: Trigger, again: Option<i64>) -> Plan {
    let mut plans = Plans::new(trigger, AtEnd::Hold, 2);
    let source = plans.source("in");
    let rings = plans.operator("rings", Ring { again }, &[(source, 0)]);
    plans.sink("out", (rings, 0));
    plans.0
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1000)
}

/// A bench on which engines follow one another.
struct Bench {
    plan: Plan,
    epochs: Vec<Vec<Row>>,
    clock: Arc<dyn Clock>,
    storage: MemoryStorage,
    collected: Collected,
}

impl Bench {
    fn new(plan: Plan, epochs: Vec<Vec<Row>>, clock: Arc<dyn Clock>) -> Self {
        Self { plan, epochs, clock, storage: MemoryStorage::new(), collected: Collected::default() }
    }

    fn open(&self) -> Engine {
        let (mut options, _) = options(&[("in", self.epochs.clone())], &[], 2);
        options.connectors.sinks.insert("out".to_owned(), Box::new(self.collected.sink("out")));
        options.checkpoint = Some(Arc::new(self.storage.clone()));
        options.clock = Arc::clone(&self.clock);
        Engine::open(&self.plan, options).expect("the plan opens")
    }

    fn run(&self) -> Summary {
        self.open().run(&mut |_| {}).expect("the run succeeds")
    }
}

/// What steps came to until there was nothing to do: the processing times of the epochs.
fn steps(engine: &mut Engine) -> Vec<i64> {
    let mut times = Vec::new();
    while let Step::Ran(progress) = engine.step().expect("no trouble") {
        times.push(progress.timestamp.micros() / 1000);
        assert!(times.len() < 100, "the engine turns in a circle");
    }
    times
}

#[test]
fn an_epoch_runs_without_input_when_its_time_has_come() {
    let clock = Arc::new(ManualClock::at(at(1000)));
    let rows = vec![vec![(1, 0, 50), (2, 0, 70), (3, 0, 0)]];
    let bench = Bench::new(plan(Trigger::Continuous, None), rows, Arc::<ManualClock>::clone(&clock));
    let mut engine = bench.open();
    assert_eq!(steps(&mut engine), [1000], "and no other");
    for (now, ran) in [(1049, vec![]), (1050, vec![1050]), (1060, vec![]), (1075, vec![1075]), (9000, vec![])] {
        clock.set(at(now));
        assert_eq!(steps(&mut engine), ran, "at {now}");
    }
    clock.set(Timestamp::from_micros(9_000_999));
    assert!(matches!(engine.step(), Ok(Step::Finished)), "nothing waits any more");
    assert_eq!(
        bench.collected.of("out"),
        [(0, vec![(3, 1000, 1000)]), (1, vec![(1, 1050, 1050)]), (2, vec![(2, 1075, 1070)])]
    );
}

#[test]
fn what_was_to_wake_before_a_restart_wakes_after_it() {
    let clock = Arc::new(ManualClock::at(at(1000)));
    let rows = vec![vec![(1, 0, 50), (2, 0, 70)]];
    let bench = Bench::new(plan(Trigger::Continuous, None), rows, Arc::<ManualClock>::clone(&clock));
    assert_eq!(steps(&mut bench.open()), [1000]);
    assert_eq!(steps(&mut bench.open()), [0; 0], "its time has not come");
    clock.set(at(1050));
    assert_eq!(steps(&mut bench.open()), [1050]);
    let once = bench.collected.of("out");
    assert_eq!(once, [(1, vec![(1, 1050, 1050)])]);
    // The epoch is run again as it was meant, however late it is.
    bench.storage.remove(&[FileName::Commit(Epoch(1)).to_string()]).expect("memory");
    clock.set(at(5000));
    let mut engine = bench.open();
    assert_eq!(engine.epochs_to_replay(), 1);
    assert_eq!(steps(&mut engine), [1050, 5000]);
    assert_eq!(bench.collected.of("out"), [once[0].clone(), (2, vec![(2, 5000, 1070)])]);
}

#[test]
fn a_node_that_always_wants_to_be_woken_is_woken_once_a_millisecond() {
    for again in [0, -5, 1] {
        let clock = Arc::new(ManualClock::at(at(1000)));
        let rows = vec![vec![(1, 0, 0)]];
        let bench = Bench::new(plan(Trigger::Continuous, Some(again)), rows, Arc::<ManualClock>::clone(&clock));
        let mut engine = bench.open();
        for (now, ran) in [(1000, vec![1000]), (1001, vec![1001]), (1007, vec![1007])] {
            clock.set(at(now));
            assert_eq!(steps(&mut engine), ran, "{again}: at {now}");
        }
        drop(engine);
        assert_eq!(steps(&mut bench.open()), [0; 0], "{again}: a restart changes nothing");
    }
}

/// A clock that goes on by a millisecond each time it is asked.
#[derive(Debug)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        at(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

fn ticking(plan: Plan, epochs: Vec<Vec<Row>>) -> Bench {
    Bench::new(plan, epochs, Arc::new(Ticking(AtomicI64::new(1000))))
}

#[test]
fn a_run_goes_on_while_something_waits_to_wake() {
    for trigger in [Trigger::Continuous, Trigger::Every(TimeSpan::from_micros(2000))] {
        let bench = ticking(plan(trigger, None), vec![vec![(1, 0, 10), (2, 0, 14)]]);
        let summary = bench.run();
        let rang: Vec<Row> = bench.collected.of("out").into_iter().flat_map(|(_, rows)| rows).collect();
        assert_eq!(rang.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 2], "{trigger:?}");
        assert!(rang.iter().all(|(_, rang, due)| rang >= due), "{trigger:?}: {rang:?}");
        assert!((2..=3).contains(&summary.epochs), "{trigger:?}: {summary:?}");
    }
}

#[test]
fn a_run_of_what_is_available_has_what_is_due_and_ends() {
    let clock = Arc::new(ManualClock::at(at(1000)));
    let rows = vec![vec![(1, 0, 50), (2, 0, 70)]];
    let bench = Bench::new(plan(Trigger::AvailableNow, None), rows, Arc::<ManualClock>::clone(&clock));
    assert_eq!(bench.run().epochs, 1, "the rest lies in the future");
    clock.set(at(1060));
    assert_eq!(bench.run().epochs, 1);
    assert_eq!(bench.collected.of("out"), [(1, vec![(1, 1060, 1050)])]);
    for again in [-5, 0, 1] {
        let bench = ticking(plan(Trigger::AvailableNow, Some(again)), vec![vec![(1, 0, 0)]]);
        let epochs = bench.run().epochs;
        assert!(epochs <= 3, "{again}: a node that always asks for one more does not get it: {epochs}");
    }
}

#[test]
fn once_is_one_epoch_also_for_what_is_due() {
    let clock = Arc::new(ManualClock::at(at(1000)));
    let rows = vec![vec![(1, 0, 50)], vec![(2, 0, 60)]];
    let bench = Bench::new(plan(Trigger::Once, Some(10)), rows, Arc::<ManualClock>::clone(&clock));
    assert_eq!(bench.run().epochs, 1);
    assert_eq!(bench.run().epochs, 0, "nothing is due");
    clock.set(at(2000));
    assert_eq!(bench.run().epochs, 1);
    assert_eq!(bench.collected.of("out")[0].1.len(), 2);
}
