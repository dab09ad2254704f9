//! The engine over plans of small nodes made for the purpose.

mod nodes;
mod outside;
mod panics;
mod results;
mod trouble;
mod waiting;
mod wakes;

use std::sync::Arc;

use nodes::{Collected, Fail, Keep, Mark, Scripted, Sum};
use petgraph::graph::NodeIndex;
use watershed_core::checkpoint::{CheckpointStorage, FileName, MemoryStorage, NewFile};
use watershed_core::engine::{Connectors, Engine, EngineError, EngineOptions, Step};
use watershed_core::epoch::{Epoch, Port};
use watershed_core::node::{OperatorSpec, SinkSpec, SourceSpec};
use watershed_core::plan::{AtEnd, Dag, Plan, PlanEdge, PlanNode, Role, RunOptions, Trigger};
use watershed_core::stream::Stream;
use watershed_core::time::{Timestamp, Watermark};

/// Builds a plan node by node; streams are those of [`nodes::schema`] throughout.
struct Plans(Plan);

impl Plans {
    fn new(trigger: Trigger, at_end: AtEnd, partitions: usize) -> Self {
        let run = RunOptions { trigger, at_end, partitions: Some(partitions), ..RunOptions::default() };
        Self(Plan { name: "test".to_owned(), text: String::new(), dag: Dag::default(), run })
    }

    fn node(&mut self, name: &str, role: Role, from: &[(NodeIndex, usize)]) -> NodeIndex {
        let node = self.0.dag.add_node(PlanNode { name: name.into(), role });
        for &(above, port) in from {
            self.0.dag.add_edge(above, node, PlanEdge { from: Port(port), to: Port::FIRST });
        }
        node
    }

    fn source(&mut self, name: &str) -> NodeIndex {
        let spec: Arc<dyn SourceSpec> = Arc::new(Scripted {});
        self.node(name, Role::Source(spec, Stream::of(nodes::schema())), &[])
    }

    fn operator(&mut self, name: &str, spec: impl OperatorSpec + 'static, from: &[(NodeIndex, usize)]) -> NodeIndex {
        let inputs = vec![vec![Stream::of(nodes::schema()); from.len()]];
        let signature = spec.signature(&inputs).expect("test nodes take anything");
        self.node(name, Role::Operator { spec: Arc::new(spec), inputs, signature }, from)
    }

    fn sink(&mut self, name: &str, from: (NodeIndex, usize)) {
        let spec: Arc<dyn SinkSpec> = Arc::new(Keep {});
        self.node(name, Role::Sink(spec, Stream::of(nodes::schema())), &[from]);
    }
}

fn options(inputs: &[(&str, Vec<Vec<nodes::Row>>)], sinks: &[&str], threads: usize) -> (EngineOptions, Collected) {
    let collected = Collected::default();
    let mut connectors = Connectors::default();
    for (name, epochs) in inputs {
        connectors.sources.insert((*name).to_owned(), Box::new(nodes::ScriptedSource::new(epochs.clone())));
    }
    for name in sinks {
        connectors.sinks.insert((*name).to_owned(), Box::new(collected.sink(name)));
    }
    (EngineOptions { threads, batch_rows: 3, connectors, ..EngineOptions::default() }, collected)
}

/// source → mark (delay 10) → sum per key and tenth → out, late → late
fn windows(trigger: Trigger, at_end: AtEnd, partitions: usize) -> Plan {
    let mut plans = Plans::new(trigger, at_end, partitions);
    let source = plans.source("in");
    let marked = plans.operator("marked", Mark { delay: 10 }, &[(source, 0)]);
    let sums = plans.operator("sums", Sum {}, &[(marked, 0)]);
    plans.sink("out", (sums, 0));
    plans.sink("late", (sums, 1));
    plans.0
}

fn run(plan: &Plan, epochs: &[Vec<nodes::Row>], threads: usize) -> (Collected, u64) {
    let (options, collected) = options(&[("in", epochs.to_vec())], &["out", "late"], threads);
    let mut engine = Engine::open(plan, options).expect("the plan opens");
    let summary = engine.run(&mut |_| {}).expect("the run succeeds");
    (collected, summary.epochs)
}

#[test]
fn a_watermark_closes_in_the_next_epoch_and_makes_late_in_the_one_after() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 2);
    let epochs = vec![vec![(1, 5, 1)], vec![(1, 30, 1), (1, 6, 10)], vec![(1, 7, 100)], vec![(1, 8, 1000)]];
    let (collected, ran) = run(&plan, &epochs, 2);
    // Epoch 1 sees 30, so the watermark is 20 from epoch 2 on: the window up to 10 closes in epoch 2, which still takes a row
    // for it, and a row for it in epoch 3 is late.
    assert_eq!(collected.of("out"), [(2, vec![(1, 10, 111)])]);
    assert_eq!(collected.of("late"), [(3, vec![(1, 8, 1000)])]);
    assert_eq!(ran, 4, "the watermark stood still after epoch 2, so no epoch runs without input");
}

#[test]
fn an_epoch_runs_without_input_when_the_watermark_moved() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 1);
    let (collected, ran) = run(&plan, &[vec![(1, 5, 1), (2, 35, 2)]], 1);
    assert_eq!(ran, 2);
    assert_eq!(collected.of("out"), [(1, vec![(1, 10, 1)])]);
}

#[test]
fn flush_brings_the_last_windows() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Flush, 3);
    let (collected, _) = run(&plan, &[vec![(1, 5, 1), (2, 35, 2)], vec![(3, 36, 3)]], 2);
    let rows: Vec<nodes::Row> = collected.of("out").into_iter().flat_map(|(_, rows)| rows).collect();
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [(1, 10, 1), (2, 40, 2), (3, 40, 3)]);
}

#[test]
fn the_answer_and_its_order_do_not_depend_on_threads() {
    let epochs: Vec<Vec<nodes::Row>> =
        (0..5).map(|epoch| (0..200).map(|row| (row * 7 % 13, epoch * 30 + row * 37 % 150, row)).collect()).collect();
    let plan = windows(Trigger::AvailableNow, AtEnd::Flush, 3);
    let expected = run(&plan, &epochs, 1);
    assert!(!expected.0.of("late").is_empty());
    for threads in [2, 8] {
        let (collected, ran) = run(&plan, &epochs, threads);
        assert_eq!(collected.of("out"), expected.0.of("out"), "{threads} threads");
        assert_eq!(collected.of("late"), expected.0.of("late"), "{threads} threads");
        assert_eq!(ran, expected.1);
    }
}

#[test]
fn the_least_of_two_watermarks_is_in_force_below_both() {
    let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 1);
    let (left, right) = (plans.source("left"), plans.source("right"));
    let left = plans.operator("fast", Mark { delay: 0 }, &[(left, 0)]);
    let right = plans.operator("slow", Mark { delay: 0 }, &[(right, 0)]);
    let sums = plans.operator("sums", Sum {}, &[(left, 0), (right, 0)]);
    plans.sink("out", (sums, 0));
    let inputs = [("left", vec![vec![(1, 5, 1)], vec![(1, 100, 1)]]), ("right", vec![vec![], vec![(1, 12, 7)]])];
    let (options, collected) = options(&inputs, &["out"], 2);
    let mut engine = Engine::open(&plans.0, options).expect("the plan opens");
    let mut watermarks = Vec::new();
    engine
        .run(&mut |progress| watermarks.push(progress.event_time.as_ref().expect("a graph with watermarks").watermark))
        .expect("the run succeeds");
    assert_eq!(watermarks, [Watermark::NONE, Watermark::NONE, Watermark(Some(Timestamp::from_micros(12_000)))]);
    assert_eq!(collected.of("out"), [(2, vec![(1, 10, 1)])]);
}

#[test]
fn a_failing_node_ends_the_run_and_nothing_of_its_epoch_is_committed() {
    let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 1);
    let source = plans.source("in");
    let fails = plans.operator("fails", Fail { at: 30 }, &[(source, 0)]);
    plans.sink("out", (fails, 0));
    let (options, collected) = options(&[("in", vec![vec![(1, 1, 1)], vec![(1, 30, 1), (1, 2, 1)]])], &["out"], 2);
    let mut engine = Engine::open(&plans.0, options).expect("the plan opens");
    let error = engine.run(&mut |_| {}).expect_err("the node fails");
    assert_eq!(error.to_string(), "node `fails` failed in epoch 1: time 30 was met");
    assert_eq!(collected.of("out"), [(0, vec![(1, 1, 1)])]);
    assert_eq!(engine.next_epoch(), Epoch(1));
    assert!(matches!(engine.step(), Err(EngineError::Failed { epoch: Epoch(1) })), "a failed engine stays failed");
}

#[test]
fn a_stop_ends_after_the_epoch_in_hand() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 1);
    let (options, _) = options(&[("in", vec![vec![(1, 1, 1)]; 5])], &["out", "late"], 1);
    let stop = options.stop.clone();
    let mut engine = Engine::open(&plan, options).expect("the plan opens");
    let summary = engine
        .run(&mut |progress| {
            if progress.epoch == Epoch(1) {
                stop.stop();
            }
        })
        .expect("a stop is no failure");
    // When the listener hears of an epoch, the one after it is in hand.
    assert_eq!((summary.epochs, summary.stopped), (3, true));
}

#[test]
fn once_takes_everything_in_one_epoch() {
    let plan = windows(Trigger::Once, AtEnd::Hold, 1);
    let (collected, ran) = run(&plan, &[vec![(1, 5, 1)], vec![(1, 95, 1)]], 1);
    assert_eq!((ran, collected.of("out").len()), (1, 0));
}

#[test]
fn steps_say_when_there_is_nothing_to_do() {
    let plan = windows(Trigger::Continuous, AtEnd::Hold, 1);
    let (options, _) = options(&[("in", vec![])], &["out", "late"], 1);
    let mut engine = Engine::open(&plan, options).expect("the plan opens");
    assert!(matches!(engine.step(), Ok(Step::Finished)), "a source at its end ends the run");
}

/// The graph's own file counted as a leftover of an earlier run and was removed, so that the next run found its versions
/// without a graph and began at epoch 0.
#[test]
fn a_run_goes_on_after_the_newest_version_and_finds_nothing_damaged() {
    let storage = MemoryStorage::new();
    let epochs: Vec<Vec<nodes::Row>> = (0..8).map(|epoch| vec![(1, epoch * 20, 1)]).collect();
    // Another number of partitions is another graph, whose file is new.
    for (run, partitions) in [1, 1, 2, 2, 3, 1, 1, 1].into_iter().enumerate() {
        let mut plan = windows(Trigger::AvailableNow, AtEnd::Hold, partitions);
        plan.run.retain = Some(2);
        let (mut options, _) = options(&[("in", epochs.clone())], &["out", "late"], 2);
        options.checkpoint = Some(Arc::new(storage.clone()));
        options.max_epochs = Some(1);
        let mut engine = Engine::open(&plan, options).expect("the plan opens");
        assert_eq!(engine.damages(), []);
        assert_eq!((engine.next_epoch(), engine.epochs_to_replay()), (Epoch(run as u64), 0));
        engine.run(&mut |_| {}).expect("the run succeeds");
    }
}

/// Eight epochs whose windows close, one after the other, and rows that are late.
fn eight_epochs() -> Vec<Vec<nodes::Row>> {
    (0..8).map(|epoch| vec![(1, epoch * 20, 1), (2, epoch * 20 + 3, 10), (1, epoch * 5, 100)]).collect()
}

/// Opens `plan` on a checkpoint with sinks that outlive the engine.
fn reopened(plan: &Plan, storage: &MemoryStorage, collected: &Collected) -> Result<Engine, EngineError> {
    let (mut options, _) = options(&[("in", eight_epochs())], &[], 2);
    for name in ["out", "late"] {
        options.connectors.sinks.insert(name.to_owned(), Box::new(collected.sink(name)));
    }
    options.checkpoint = Some(Arc::new(storage.clone()));
    Engine::open(plan, options)
}

/// A run that went back to an older version and was ended again left newer commits behind, which counted as whole as soon as
/// the damaged file was written anew: what lay between was never run.
#[test]
fn a_run_that_goes_back_and_is_ended_again_still_runs_every_epoch_again() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 2);
    let (undisturbed, _) = run(&plan, &eight_epochs(), 2);
    for damaged in ["state/sums/0/sums.00000000.snapshot", "state/sums/1/sums.00000000.snapshot"] {
        let (storage, collected) = (MemoryStorage::new(), Collected::default());
        let mut engine = reopened(&plan, &storage, &collected).expect("the plan opens");
        while engine.next_epoch() < Epoch(6) {
            engine.step().expect("an epoch");
        }
        drop(engine);
        storage.write(&[NewFile { name: damaged.to_owned(), content: vec![b"nothing".to_vec()] }]).expect("memory");
        // What the sinks show is lost with the version, as a sink that replaces everything at epoch 0 does.
        let collected = Collected::default();
        let mut engine = reopened(&plan, &storage, &collected).expect("it goes back to the beginning");
        assert_eq!((engine.next_epoch(), engine.epochs_to_replay(), engine.damages().len()), (Epoch(0), 6, 1));
        engine.step().expect("an epoch");
        drop(engine);
        let mut engine = reopened(&plan, &storage, &collected).expect("it goes on");
        assert_eq!((engine.next_epoch(), engine.epochs_to_replay()), (Epoch(1), 5));
        engine.run(&mut |_| {}).expect("the run succeeds");
        for sink in ["out", "late"] {
            assert_eq!(collected.of(sink), undisturbed.of(sink), "{damaged}, {sink}");
        }
    }
}

/// Epochs that were shown would be shown otherwise by another form of the graph.
#[test]
fn committed_epochs_are_not_run_again_by_another_form_of_the_graph() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 2);
    let (storage, collected) = (MemoryStorage::new(), Collected::default());
    let mut engine = reopened(&plan, &storage, &collected).expect("the plan opens");
    while engine.next_epoch() < Epoch(4) {
        engine.step().expect("an epoch");
    }
    drop(engine);
    let newest = FileName::Commit(Epoch(3)).to_string();
    storage.write(&[NewFile { name: newest, content: vec![b"nothing".to_vec()] }]).expect("memory");
    let mut changed = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 2);
    let source = changed.source("in");
    let marked = changed.operator("marked", Mark { delay: 30 }, &[(source, 0)]);
    let sums = changed.operator("sums", Sum {}, &[(marked, 0)]);
    changed.sink("out", (sums, 0));
    changed.sink("late", (sums, 1));
    let refused = reopened(&changed.0, &storage, &collected).err().expect("another form").to_string();
    assert!(refused.contains("epoch 3") && refused.contains("another form"), "{refused}");
    assert!(reopened(&plan, &storage, &collected).is_ok(), "the graph as it was may run it again");
}

/// A second watermark above a node that goes on would have opened windows again that were shown.
#[test]
fn what_was_late_stays_late_whatever_is_new_above_a_node() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 2);
    let (storage, collected) = (MemoryStorage::new(), Collected::default());
    let mut engine = reopened(&plan, &storage, &collected).expect("the plan opens");
    engine.run(&mut |_| {}).expect("the run succeeds");
    drop(engine);
    let shown = collected.of("out");
    let mut changed = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 2);
    let source = changed.source("in");
    let other = changed.source("other");
    let marked = changed.operator("marked", Mark { delay: 10 }, &[(source, 0)]);
    let silent = changed.operator("silent", Mark { delay: 10 }, &[(other, 0)]);
    let sums = changed.operator("sums", Sum {}, &[(marked, 0), (silent, 0)]);
    changed.sink("out", (sums, 0));
    changed.sink("late", (sums, 1));
    let inputs = [("in", [eight_epochs(), vec![vec![(7, 1, 1)]]].concat()), ("other", Vec::new())];
    let (mut options, again) = options(&inputs, &["out", "late"], 2);
    options.checkpoint = Some(Arc::new(storage.clone()));
    let mut engine = Engine::open(&changed.0, options).expect("a new source above is fine");
    engine.run(&mut |_| {}).expect("the run succeeds");
    assert!(!shown.is_empty(), "windows were closed before");
    assert_eq!(again.of("out"), []);
    assert_eq!(again.of("late"), [(9, vec![(7, 1, 1)])]);
}

/// The graph that a pending epoch was planned for counted as a leftover. Without it, an epoch that was cut off twice lost the
/// rows of a source that had been renamed.
#[test]
fn an_epoch_cut_off_twice_keeps_the_rows_of_a_renamed_source() {
    let graph = |source: &str| {
        let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 2);
        let source = plans.source(source);
        plans.sink("out", (source, 0));
        plans.0
    };
    let storage = MemoryStorage::new();
    let open = |plan: &Plan, source: &str, renamed: bool| {
        let (mut options, collected) = options(&[(source, eight_epochs())], &["out"], 1);
        options.checkpoint = Some(Arc::new(storage.clone()));
        if renamed {
            options.adjustments.renamed.insert("input".to_owned(), "in".to_owned());
        }
        (Engine::open(plan, options), collected)
    };
    let mut engine = open(&graph("in"), "in", false).0.expect("the plan opens");
    engine.step().expect("an epoch");
    drop(engine);
    let renamed = graph("input");
    let mut engine = open(&renamed, "input", true).0.expect("a name may change");
    engine.step().expect("an epoch");
    drop(engine);
    storage.remove(&[FileName::Commit(Epoch(1)).to_string()]).expect("memory");
    for _ in 0..2 {
        drop(open(&renamed, "input", true).0.expect("the epoch waits to be run again"));
    }
    let (engine, collected) = open(&renamed, "input", true);
    let mut engine = engine.expect("the epoch waits to be run again");
    assert_eq!((engine.next_epoch(), engine.epochs_to_replay()), (Epoch(1), 1));
    engine.step().expect("an epoch");
    assert_eq!(collected.of("out"), [(1, eight_epochs()[1].clone())]);
}
