//! Runs a graph in a world: from where the world stands to the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use watershed::core::checkpoint::{CheckpointStorage, LocalDirectory};
use watershed::core::engine::{Connectors, Engine, EngineError, EngineOptions, Step};
use watershed::core::error::Error;
use watershed::core::node::Sink;
use watershed::core::plan::{Plan, Role};
use watershed::core::time::{ManualClock, TimeSpan, Timestamp};

use super::graphs::Sample;
use super::sabotage::{Reordered, Sabotage, Unsynced};
use super::sink::Shown;
use super::source::Replayable;
use super::state;
use super::world::{CHECKPOINT, Files, World};

/// A graph with its inputs, ready to be run as often as you like.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) plan: Plan,
    pub(crate) inputs: Vec<(String, Arc<Vec<RecordBatch>>)>,
    /// What is broken, in a test of the tests.
    pub(crate) sabotage: Option<Sabotage>,
    /// Whether an epoch is computed while the one before is committed. If so, all epochs have one time.
    pub(crate) pipelined: bool,
}

/// What a run came to that nothing disturbed, or that was disturbed and came to its end all the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// What the sinks show.
    pub(crate) shown: Files,
    /// What the checkpoint holds.
    pub(crate) state: String,
}

impl Setup {
    pub(crate) fn new(sample: &Sample) -> Self {
        let plan = sample.plan();
        let inputs = sample.inputs(&plan);
        Self { plan, inputs, sabotage: None, pipelined: false }
    }

    /// Opens the graph where the world stands. The clock is the caller's.
    pub(crate) fn open(&self, world: &World, clock: &Arc<ManualClock>) -> Result<Engine, EngineError> {
        self.open_on(world, self.storage(world), clock)
    }

    /// The same, on a checkpoint of the caller's.
    pub(crate) fn open_on(
        &self,
        world: &World,
        checkpoint: Arc<dyn CheckpointStorage>,
        clock: &Arc<ManualClock>,
    ) -> Result<Engine, EngineError> {
        let mut connectors = Connectors::default();
        for (name, inputs) in &self.inputs {
            let (inputs, world) = (Arc::clone(inputs), world.clone());
            let source = Replayable { name: name.clone(), inputs, world, sabotage: self.sabotage };
            connectors.sources.insert(name.clone(), Box::new(source));
        }
        for node in self.plan.dag.node_weights() {
            if let Role::Sink(..) = &node.role {
                let sink = Shown::open(world.file_system(), &node.name, self.sabotage);
                let failed = |source| Error::io("open", &*node.name, source);
                let sink: Box<dyn Sink> = Box::new(
                    sink.map_err(failed)
                        .map_err(|source| EngineError::Open { node: Arc::clone(&node.name), source })?,
                );
                connectors.sinks.insert(node.name.to_string(), sink);
            }
        }
        let options = EngineOptions {
            threads: if self.pipelined { 2 } else { 1 },
            batch_rows: 4,
            clock: Arc::<ManualClock>::clone(clock),
            checkpoint: Some(checkpoint),
            connectors,
            ..EngineOptions::default()
        };
        Engine::open(&self.plan, options)
    }

    /// The checkpoint of the world, or one that breaks its promises.
    fn storage(&self, world: &World) -> Arc<dyn CheckpointStorage> {
        match self.sabotage {
            Some(Sabotage::NeverSyncs) => {
                Arc::new(LocalDirectory::on(Arc::new(Unsynced(world.file_system())), CHECKPOINT))
            }
            Some(sabotage @ (Sabotage::StateAfterCommit | Sabotage::IntentAfterCommit)) => {
                Arc::new(Reordered::new(world.checkpoint(), sabotage))
            }
            _ => Arc::new(world.checkpoint()),
        }
    }

    /// Runs to the end: epoch by epoch, each committed before the next begins, or [pipelined](Self::pipelined). Step by step,
    /// an epoch that is planned now has a time of its own; one that is run again is run much later, which must not show.
    pub(crate) fn finish(&self, world: &World) -> Result<(), EngineError> {
        let clock = Arc::new(ManualClock::at(time_of(0)));
        let mut engine = self.open(world, &clock)?;
        if self.pipelined { engine.run(&mut |_| ()).map(|_| ()) } else { step_to_the_end(&mut engine, &clock) }
    }

    /// What a run comes to that nothing disturbs, and the number of operations that it takes.
    pub(crate) fn undisturbed(&self) -> (Outcome, u64) {
        let world = World::default();
        self.finish(&world).expect("nothing disturbs the run");
        let outcome = outcome(&world).expect("a whole checkpoint");
        assert!(!outcome.shown.is_empty() && !outcome.state.is_empty());
        (outcome, world.disk.operations())
    }
}

/// What the world came to.
pub(crate) fn outcome(world: &World) -> Result<Outcome, String> {
    let storage = world.checkpoint();
    let newest = state::newest(&storage)?.ok_or("nothing was committed")?;
    Ok(Outcome { shown: world.shown(), state: state::text_of(&storage, &newest)? })
}

const LATER: Timestamp = Timestamp::from_micros(4_000_000_000_000_000);

fn time_of(epoch: u64) -> Timestamp {
    Timestamp::from_micros(1_424_772_000_000_000).plus(TimeSpan::from_micros(60_000_000 * epoch as i64))
}

/// Sets the time of the epoch that is run next.
pub(crate) fn prepare_clock(engine: &Engine, clock: &ManualClock) {
    clock.set(if engine.epochs_to_replay() > 0 { LATER } else { time_of(engine.next_epoch().0) });
}

/// Steps until there is nothing to do.
pub(crate) fn step_to_the_end(engine: &mut Engine, clock: &ManualClock) -> Result<(), EngineError> {
    loop {
        prepare_clock(engine, clock);
        match engine.step()? {
            Step::Ran(_) => {}
            Step::Finished => return Ok(()),
            Step::Idle => unreachable!("a source that is frozen has something or is at its end"),
        }
    }
}

/// What is the same whatever the number of partitions: the rows of each epoch and sink, and those of the state.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    shown: BTreeMap<PathBuf, Vec<String>>,
    state: Vec<String>,
}

impl Answer {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let sorted = |text: &str| {
            let mut rows: Vec<String> = text.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
            rows.sort_unstable();
            rows
        };
        let shown = |(path, content): (&PathBuf, &Vec<u8>)| (path.clone(), sorted(&String::from_utf8_lossy(content)));
        Self { shown: outcome.shown.iter().map(shown).collect(), state: sorted(&outcome.state) }
    }
}

/// Where two outcomes differ first, in words.
pub(crate) fn difference(due: &Outcome, seen: &Outcome) -> Option<String> {
    let shown = |files: &Files, name: &PathBuf| {
        files.get(name).map_or_else(|| "nothing".to_owned(), |content| String::from_utf8_lossy(content).into_owned())
    };
    let names: BTreeSet<_> = due.shown.keys().chain(seen.shown.keys()).collect();
    for name in names {
        if due.shown.get(name) != seen.shown.get(name) {
            let (due, seen) = (shown(&due.shown, name), shown(&seen.shown, name));
            return Some(format!("{} should be\n{due}and is\n{seen}", name.display()));
        }
    }
    let lines = due.state.lines().zip(seen.state.lines()).find(|(due, seen)| due != seen);
    match lines {
        Some((due, seen)) => Some(format!("the state should be\n{due}\nand is\n{seen}")),
        None if due.state != seen.state => Some("there is more state, or less, than there should be".to_owned()),
        None => None,
    }
}
