//! What the program around engines sees and sets: who is at work, how long a call may take, a pool for several.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::RecordBatch;
use rayon::ThreadPoolBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::engine::{Activity, Engine, EngineError};
use watershed_core::epoch::{Epoch, Partition, Port};
use watershed_core::error::{Error, Result};
use watershed_core::fault::Faults;
use watershed_core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, StateNeed,
    Stateful, Stateless,
};
use watershed_core::plan::{AtEnd, Plan, Trigger};
use watershed_core::register_operator;
use watershed_core::state::{StateStore, TableSchema};
use watershed_core::stream::Stream;

use crate::nodes::{self, Row};
use crate::{Plans, options, windows};

type Seen = Arc<Mutex<Vec<(String, Epoch, Option<Partition>)>>>;

/// Passes rows on, notes what the board shows meanwhile, and takes its time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Look {
    takes_millis: u64,
    /// Whether it looks at each batch alone.
    by_batch: bool,
    #[serde(skip)]
    activity: Activity,
    #[serde(skip)]
    seen: Seen,
    #[serde(skip)]
    limits: Arc<Mutex<Vec<Option<Duration>>>>,
}
register_operator!(Look, example: "Look(takes_millis: 0, by_batch: false)");

#[typetag::serde]
impl OperatorSpec for Look {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        if self.by_batch {
            return Ok(Signature::stateless(inputs[0].clone()));
        }
        Ok(Signature {
            distribution: Distribution::Hash(vec![0]),
            state: StateNeed::Bounded,
            ..Signature::stateless(inputs[0].clone())
        })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        let own = Arc::new(self.clone());
        Ok(if self.by_batch { Operator::Stateless(own) } else { Operator::Stateful(own) })
    }
}

impl Look {
    fn take_time(&self, cx: &EpochContext) {
        self.limits.lock().expect("no test panics while it holds this").push(cx.call_limit);
        let (_keep_open, never) = crossbeam_channel::bounded::<()>(0);
        let waited = never.recv_timeout(Duration::from_millis(self.takes_millis));
        assert!(waited.is_err(), "nothing is sent");
    }
}

impl Stateless for Look {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        self.take_time(cx);
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

impl Stateful for Look {
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }

    fn run(&self, input: EpochInput, _: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let shown = self.activity.at_work();
        let mine = shown.into_iter().filter(|at_work| at_work.partition == Some(cx.partition));
        let mut seen = self.seen.lock().expect("no test panics while it holds this");
        seen.extend(mine.map(|at_work| (at_work.node.to_string(), at_work.epoch, at_work.partition)));
        drop(seen);
        self.take_time(cx);
        for (_, batch) in input.batches {
            out.emit(Port::FIRST, batch);
        }
        Ok(())
    }
}

fn plan(look: &Look) -> Plan {
    let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 2);
    let source = plans.source("in");
    let looks = plans.operator("looks", look.clone(), &[(source, 0)]);
    plans.sink("out", (looks, 0));
    plans.0
}

fn look(takes_millis: u64) -> Look {
    Look { takes_millis, by_batch: false, activity: Activity::default(), seen: Seen::default(), limits: Arc::default() }
}

#[test]
fn the_board_shows_who_is_at_work() {
    let look = look(0);
    let (mut options, _) = options(&[("in", vec![vec![(1, 1, 1)], vec![(2, 2, 2)]])], &["out"], 2);
    options.activity = look.activity.clone();
    Engine::open(&plan(&look), options).expect("the plan opens").run(&mut |_| {}).expect("the run succeeds");
    let mut seen = look.seen.lock().expect("no test panics while it holds this").clone();
    seen.sort();
    let expected = |epoch, partition| ("looks".to_owned(), Epoch(epoch), Some(Partition(partition)));
    assert_eq!(seen, [expected(0, 0), expected(0, 1), expected(1, 0), expected(1, 1)]);
    assert_eq!(look.activity.at_work().len(), 0, "nothing is left on the board");
}

#[test]
fn a_call_that_took_too_long_fails_its_epoch() {
    let limit = Duration::from_millis(300);
    let slow = Look { by_batch: true, ..look(350) };
    let (mut options, collected) = options(&[("in", vec![vec![(1, 1, 1)]])], &["out"], 2);
    options.call_limit = Some(limit);
    let mut engine = Engine::open(&plan(&slow), options).expect("the plan opens");
    let error = engine.run(&mut |_| {}).expect_err("a slow node");
    let EngineError::Node { node, epoch: Epoch(0), source: Error::Slow { took, .. }, .. } = &error else {
        panic!("{error}")
    };
    assert!(&**node == "looks" && *took >= limit, "{error}");
    assert!(error.to_string().ends_with("a call may take 300ms"), "{error}");
    assert_eq!(collected.of("out"), []);
    assert_eq!(slow.limits.lock().expect("no panic").first(), Some(&Some(limit)), "the node is told");
}

/// A million keys at two microseconds each were a slow call, and were again after each restart.
#[test]
fn the_rows_of_an_epoch_together_are_not_timed() {
    let many = look(30);
    let (mut options, collected) = options(&[("in", vec![vec![(1, 1, 1)]])], &["out"], 2);
    options.call_limit = Some(Duration::from_millis(10));
    Engine::open(&plan(&many), options).expect("the plan opens").run(&mut |_| {}).expect("no call is timed");
    assert_eq!(collected.of("out"), [(0, vec![(1, 1, 1)])]);
}

#[test]
fn a_call_takes_as_long_as_it_takes_where_nothing_limits_it() {
    let slow = look(5);
    let (options, collected) = options(&[("in", vec![vec![(1, 1, 1)]])], &["out"], 2);
    Engine::open(&plan(&slow), options).expect("the plan opens").run(&mut |_| {}).expect("no limit");
    assert_eq!(collected.of("out"), [(0, vec![(1, 1, 1)])]);
    assert_eq!(slow.limits.lock().expect("no panic").first(), Some(&None));
}

#[test]
fn engines_share_a_pool_without_waiting_for_each_other_for_ever() {
    let epochs: Vec<Vec<Row>> =
        (0..30).map(|epoch| (0..200).map(|row| (row * 7 % 13, epoch * 30 + row * 37 % 150, row)).collect()).collect();
    let windows = windows(Trigger::AvailableNow, AtEnd::Flush, 3);
    let (alone, _) = crate::run(&windows, &epochs, 2);
    for threads in [1, 2] {
        let pool = Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool"));
        let engines: Vec<_> = (0..4)
            .map(|_| {
                let (mut options, collected) = options(&[("in", epochs.clone())], &["out", "late"], 2);
                options.pool = Some(Arc::clone(&pool));
                (Engine::open(&windows, options).expect("the plan opens"), collected)
            })
            .collect();
        std::thread::scope(|scope| {
            let run = |(mut engine, collected): (Engine, nodes::Collected)| {
                scope.spawn(move || engine.run(&mut |_| {}).map(|_| collected).expect("the run succeeds"))
            };
            let running: Vec<_> = engines.into_iter().map(run).collect();
            for done in running {
                let collected = done.join().expect("no panic");
                assert_eq!(collected.of("out"), alone.of("out"), "{threads} threads");
                assert_eq!(collected.of("late"), alone.of("late"), "{threads} threads");
            }
        });
    }
}
