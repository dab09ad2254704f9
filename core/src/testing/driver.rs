//! Runs a graph epoch by epoch in a test's hand: rows in, rows out, the clock, crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::captured::Captured;
use super::columns::cells_of;
use super::difference::diverged;
use super::error::{Result, TestError};
use super::feeder::{Feeder, Input};
use super::given::Given;
use super::moment::Moment;
use super::output::EpochOutput;
use super::snapshot::Snapshot;
use super::state::{Stores, Touch};
use super::table::{Table, unknown};
use super::way::{Restarts, Way};
use crate::checkpoint::{CheckpointStorage, FileName, MemoryStorage};
use crate::engine::{Connectors, Engine, EngineOptions, Step};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::node::Sink;
use crate::plan::{Plan, PlanNode, Role, Trigger};
use crate::time::{Clock, ManualClock, TimeSpan, Timestamp};
use crate::typed::due;

/// The processing time of a test that does not set another: 2000-01-01T00:00:00Z.
pub const DEFAULT_CLOCK: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// A graph in a test's hand. It runs as it would in earnest, on the same engine, but no connector is opened: rows come from
/// [`feed`](Self::feed), what reaches the sinks is kept to be looked at, the clock stands still unless it is moved, and the checkpoint
/// is in memory, whatever the graph says of it. The feed takes the trigger's place; `partitions` and `at_end` hold as written in the
/// graph's `run` section.
pub struct GraphDriver {
    pub(super) plan: Plan,
    way: Way,
    clock: Arc<ManualClock>,
    feeder: Feeder,
    /// The input that is being put together.
    pending: BTreeMap<String, Vec<RecordBatch>>,
    sources: BTreeMap<String, SchemaRef>,
    sinks: BTreeMap<String, (SchemaRef, Captured)>,
    storage: Arc<dyn CheckpointStorage>,
    /// Asked for at a restart.
    partitions: Option<usize>,
    restarts: usize,
    /// Whether the way asks for a restart before the next epoch.
    restart_due: bool,
    /// What the test did to state and watermarks, by the epoch before which it did: done again when that is run again.
    touches: BTreeMap<Epoch, Vec<Touch>>,
    /// So many touches of the next epoch are made in the open engine.
    touched: usize,
    /// What the last restart ran again.
    replayed: Vec<EpochOutput>,
    engine: Option<Engine>,
}

impl GraphDriver {
    /// The graph of this plan, run with one thread and one partition.
    pub fn new(plan: &Plan) -> Self {
        let mut plan = plan.clone();
        plan.run.trigger = Trigger::Continuous;
        plan.run.checkpoint = None;
        let (mut sources, mut sinks) = (BTreeMap::new(), BTreeMap::new());
        for node in plan.dag.node_weights() {
            let name = node.name.to_string();
            match &node.role {
                Role::Source(_, stream) => drop(sources.insert(name, Arc::clone(&stream.schema))),
                Role::Sink(_, stream) => {
                    sinks.insert(name, (Arc::clone(&stream.schema), Captured::default()));
                }
                Role::Operator { .. } => {}
            }
        }
        Self {
            way: Way::SEQUENTIAL.with_partitions(plan.run.partitions),
            plan,
            clock: Arc::new(ManualClock::at(DEFAULT_CLOCK)),
            feeder: Feeder::default(),
            pending: BTreeMap::new(),
            sources,
            sinks,
            storage: Arc::new(MemoryStorage::new()),
            partitions: None,
            restarts: 0,
            restart_due: true,
            touches: BTreeMap::new(),
            touched: 0,
            replayed: Vec::new(),
            engine: None,
        }
    }

    /// Runs it this way instead: with other threads, partitions, batches, and with a restart before each epoch if the way says so.
    /// A number of partitions in the graph's `run` section holds all the same.
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = way.with_partitions(self.plan.run.partitions);
        self
    }

    /// Keeps the checkpoint here instead of in memory: on a [`SimulatedDisk`](crate::checkpoint::SimulatedDisk), say, whose power is
    /// cut.
    #[must_use]
    pub fn checkpoint(mut self, storage: Arc<dyn CheckpointStorage>) -> Self {
        self.storage = storage;
        self
    }

    /// The names of the sources.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The columns of a source.
    pub fn columns(&self, source: &str) -> Result<SchemaRef> {
        let found = self.sources.get(source).map(Arc::clone);
        found.ok_or_else(|| unknown("source", source, self.sources()))
    }

    /// Gives a source rows for the next epoch. Sources that are given none read nothing in it; no rows at all are an input, too, an
    /// empty file.
    pub fn feed(&mut self, source: &str, rows: impl Into<Given>) -> Result<()> {
        let table = rows.into().table(&self.columns(source)?)?;
        self.pending.entry(source.to_owned()).or_default().push(table.batch().clone());
        Ok(())
    }

    /// Ends the input of an epoch: what is fed from now on is for the one after. Without it, the next step ends it.
    pub fn queue(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let whole = |(source, batches): (String, Vec<RecordBatch>)| {
            let rows = concat_batches(&self.sources[&source], &batches).map_err(Error::from)?;
            Ok((source, rows))
        };
        let input: Input = pending.into_iter().map(whole).collect::<Result<_>>()?;
        if !input.is_empty() {
            self.feeder.offer(input);
        }
        Ok(())
    }

    /// Says that the sources are at their end once what was fed is read: with `at_end: Flush` the watermarks then move to the end of
    /// time.
    pub fn end_input(&mut self) -> Result<()> {
        self.queue()?;
        self.feeder.end();
        Ok(())
    }

    /// Sets the processing time of the epochs to come.
    pub fn set_clock(&mut self, time: impl Moment) -> Result<()> {
        self.clock.set(time.moment()?);
        Ok(())
    }

    /// Moves the clock on.
    pub fn advance_clock(&mut self, by: TimeSpan) {
        self.clock.set(self.clock.now().plus(by));
    }

    /// The processing time.
    pub fn clock(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs one epoch, with what was fed; without, one that the engine has of its own accord, because a watermark moved. `None`: there
    /// is none, the graph is at rest.
    ///
    /// # Errors
    ///
    /// As the engine gives them: nothing of the epoch was committed. [`restart`](Self::restart) runs it again.
    pub fn step(&mut self) -> Result<Option<EpochOutput>> {
        self.restart_if_due()?;
        self.queue()?;
        self.touch()?;
        match self.engine()?.step()? {
            Step::Ran(progress) => {
                self.restart_due = true;
                self.touched = 0;
                Ok(Some(EpochOutput::new(*progress, self.tables())?))
            }
            Step::Idle | Step::Finished => Ok(None),
        }
    }

    /// Runs epochs until the graph is at rest.
    pub fn run(&mut self) -> Result<Vec<EpochOutput>> {
        let mut outputs = Vec::new();
        while let Some(output) = self.step()? {
            outputs.push(output);
        }
        Ok(outputs)
    }

    /// All rows that a sink got so far, epoch by epoch.
    pub fn output(&self, sink: &str) -> Result<Table> {
        let known = || self.sinks.keys().map(String::as_str);
        let (schema, captured) = self.sinks.get(sink).ok_or_else(|| unknown("sink", sink, known()))?;
        Table::new(schema, &captured.all())
    }

    /// Stops, and goes on from the checkpoint.
    pub fn restart(&mut self) -> Result<()> {
        self.engine = None;
        self.restarts += 1;
        self.restart_due = false;
        self.open()
    }

    /// Crashes, so that the last epoch is done but for the proof of it: it is run again from its intent, and must put out what it did
    /// the first time.
    pub fn crash(&mut self) -> Result<()> {
        self.engine = None;
        let mut names: Vec<String> = self.storage.list()?.into_iter().map(|file| file.name).collect();
        names.retain(|name| matches!(FileName::parse(name), Some(FileName::Commit(_))));
        names.drain(..names.len().saturating_sub(1));
        self.storage.remove(&names)?;
        self.restart()
    }

    /// Stops, and goes on with another number of state partitions.
    pub fn restart_into(&mut self, partitions: usize) -> Result<()> {
        self.partitions = Some(partitions);
        self.restart()
    }

    /// Stops, and goes on from a checkpoint in another place: a [`SimulatedDisk`](crate::checkpoint::SimulatedDisk) as it is found
    /// after its power was cut.
    pub fn restart_from(&mut self, storage: Arc<dyn CheckpointStorage>) -> Result<()> {
        self.engine = None;
        self.storage = storage;
        self.restart()
    }

    /// The epochs that the last restart ran again, from their intents.
    pub fn replayed(&self) -> &[EpochOutput] {
        &self.replayed
    }

    /// The epoch that is run next.
    pub fn next_epoch(&mut self) -> Result<Epoch> {
        Ok(self.engine()?.next_epoch())
    }

    /// The state of an operator.
    pub fn state(&mut self, node: &str) -> Result<Stores<'_>> {
        self.touch()?;
        let engine = self.engine()?;
        let next = engine.next_epoch();
        let found = engine.state_of(node).map(|stores| &*stores);
        let stores = found.ok_or_else(|| TestError::Given(format!("node `{node}` keeps no state")))?;
        Ok(Stores { stores, next })
    }

    /// All state of all operators, by `node`.`table`. When a key is to be looked at is no part of what is known of it.
    pub(super) fn all_state(&mut self) -> Result<BTreeMap<String, Table>> {
        let is_operator = |node: &&PlanNode| matches!(node.role, Role::Operator { .. });
        let names: Vec<String> =
            self.plan.dag.node_weights().filter(is_operator).map(|node| node.name.to_string()).collect();
        let mut tables = BTreeMap::new();
        for node in names {
            let engine = self.engine()?;
            let next = engine.next_epoch();
            let Some(stores) = engine.state_of(&node) else { continue };
            let state = Stores { stores, next };
            for declared in state.declared().filter(|declared| !due::is_index(declared)) {
                tables.insert(format!("`{node}`.`{}`", declared.name), state.table(declared.name)?);
            }
        }
        Ok(tables)
    }

    /// What the run would go on from, to be restored later or elsewhere. Rows that were fed and not run are not in it.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let next = self.next_epoch()?;
        Snapshot::take(&*self.storage, next, &self.feeder, &self.touches, self.clock.now())
    }

    /// Goes on from a snapshot, of this graph or of an earlier version of it: with its state, watermarks and clock. Output of epochs
    /// that it does not know is forgotten.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.engine = None;
        self.pending.clear();
        self.storage = snapshot.storage()?;
        self.feeder = snapshot.feeder.copy();
        self.touches = snapshot.touches.clone();
        self.clock.set(snapshot.clock);
        self.sinks.values().for_each(|(_, captured)| captured.forget_from(snapshot.next));
        self.open()
    }

    /// Does something to state or watermarks before the next epoch, and again whenever that is run again.
    pub(super) fn add_touch(&mut self, touch: Touch) -> Result<()> {
        let next = self.next_epoch()?;
        self.touches.entry(next).or_default().push(touch);
        self.touch()
    }

    pub(super) fn engine(&mut self) -> Result<&mut Engine> {
        if self.engine.is_none() {
            self.open()?;
        }
        Ok(self.engine.as_mut().expect("it was just opened"))
    }

    /// Makes what is to be made before the next epoch.
    pub(super) fn touch(&mut self) -> Result<()> {
        let next = self.next_epoch()?;
        let Self { engine: Some(engine), touches, touched, .. } = self else { return Ok(()) };
        let of_next = touches.get(&next).map_or(&[][..], Vec::as_slice);
        for touch in &of_next[(*touched).min(of_next.len())..] {
            touch.make(engine)?;
            *touched += 1;
        }
        Ok(())
    }

    /// Restarts if the way asks for it and an epoch has run since the last time.
    pub(super) fn restart_if_due(&mut self) -> Result<()> {
        if !self.restart_due || self.way.restarts == Restarts::AsWritten {
            return Ok(());
        }
        // Not even a run that has not begun is left out: it leaves a checkpoint of its own.
        self.engine()?;
        match self.way.restarts {
            Restarts::AsWritten => Ok(()),
            Restarts::EveryEpoch | Restarts::SharedOutAnew => self.restart(),
            Restarts::CommitLost => self.crash(),
        }
    }

    fn open(&mut self) -> Result<()> {
        self.feeder.rewind();
        let mut connectors = Connectors::default();
        for node in self.plan.dag.node_weights() {
            if let Role::Source(..) = &node.role {
                let source = self.feeder.source(&node.name, self.way.splits, self.way.batch_rows);
                connectors.sources.insert(node.name.to_string(), source);
            }
        }
        let sink = |(name, (_, captured)): (&String, &(SchemaRef, Captured))| -> (String, Box<dyn Sink>) {
            (name.clone(), captured.sink())
        };
        connectors.sinks.extend(self.sinks.iter().map(sink));
        let options = EngineOptions {
            threads: self.way.threads,
            batch_rows: self.way.batch_rows,
            clock: Arc::<ManualClock>::clone(&self.clock),
            connectors,
            checkpoint: Some(Arc::clone(&self.storage)),
            ..EngineOptions::default()
        };
        // The way has heard what the graph says.
        self.plan.run.partitions = Some(self.partitions.unwrap_or_else(|| self.way.partitions_after(self.restarts)));
        self.engine = Some(Engine::open(&self.plan, options)?);
        self.touched = 0;
        self.replayed.clear();
        let replayed = self.run_again();
        if replayed.is_err() {
            self.engine = None;
        }
        replayed
    }

    /// Runs the epochs that an earlier run left open.
    fn run_again(&mut self) -> Result<()> {
        while self.engine()?.epochs_to_replay() > 0 {
            let epoch = self.next_epoch()?;
            let shown: BTreeSet<&String> =
                self.sinks.iter().filter(|(_, (_, captured))| captured.has(epoch)).map(|(name, _)| name).collect();
            let first: BTreeMap<String, Vec<RecordBatch>> =
                shown.into_iter().map(|name| (name.clone(), self.sinks[name].1.rows(epoch))).collect();
            self.touch()?;
            let Step::Ran(progress) = self.engine()?.step()? else {
                return Err(TestError::Given(format!("epoch {epoch} was planned, and is not run again")));
            };
            self.touched = 0;
            self.replayed.push(EpochOutput::new(*progress, self.tables())?);
            for (name, first) in first {
                let (schema, captured) = &self.sinks[&name];
                let cells = |batches: &[RecordBatch]| cells_of(batches).map_err(Error::from);
                let (there, here) = (cells(&first)?, cells(&captured.rows(epoch))?);
                if let Some(diverged) = diverged(epoch, &name, schema, &there, &here) {
                    return Err(TestError::Diverged(Box::new(diverged)));
                }
            }
        }
        Ok(())
    }

    fn tables(&self) -> impl Iterator<Item = (&str, &SchemaRef, &Captured)> {
        self.sinks.iter().map(|(name, (schema, captured))| (name.as_str(), schema, captured))
    }
}

impl std::fmt::Debug for GraphDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphDriver").field("graph", &self.plan.name).field("way", &self.way).finish_non_exhaustive()
    }
}
