//! The driver: plans epochs, runs them and commits them, alone and in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;

use super::compute::{self, SplitLane};
use super::error::EngineError;
use super::intake::{Intake, Reading};
use super::lane::{EpochRun, LaneOutput, NodeCount};
use super::options::{EngineOptions, StopSignal};
use super::progress::{
    Durations, EventTimeProgress, OperatorProgress, Progress, SinkProgress, SourceProgress, Stopwatch, Summary,
};
use super::topology::{NodeId, Topology, Work};
use super::watermarks::{InForce, Watermarks};
use crate::checkpoint::{EpochLog, Intent};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::node::{Available, Limit, Offset, OffsetRange, OpenContext, Receipt, Sink, Source};
use crate::plan::{AtEnd, Plan, Role, RunOptions, Trigger};
use crate::state::StateStore;
use crate::time::{Clock, TimeSpan, Timestamp, Watermark};

/// How long the driver waits before it asks idle sources again.
const IDLE: Duration = Duration::from_millis(10);

/// A graph that is open and can be run, epoch by epoch.
pub struct Engine {
    name: String,
    run: RunOptions,
    topology: Topology,
    sources: Vec<OpenSource>,
    sinks: BTreeMap<NodeId, Box<dyn Sink>>,
    stores: Vec<Vec<StateStore>>,
    watermarks: Watermarks,
    log: EpochLog,
    next: Epoch,
    /// The next epoch's input, or why it could not be planned: that is for the next epoch to tell.
    ahead: Option<Result<Planned, EngineError>>,
    flushed: bool,
    failed: bool,
    pool: ThreadPool,
    intake: Intake,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
}

struct OpenSource {
    node: NodeId,
    source: Box<dyn Source>,
    /// Up to here rows are committed.
    committed: Offset,
    /// Up to here rows are planned: by this epoch, or the one read ahead.
    planned: Offset,
    awaits: Awaits,
}

/// What is to be expected of a source that had nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// New rows, if any come.
    New,
    /// Rows or an end that is sure to come.
    Later,
    /// Nothing any more.
    Nothing,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// An epoch was run and committed.
    Ran(Box<Progress>),
    /// There is nothing to do at present.
    Idle,
    /// There will never be anything to do again.
    Finished,
}

/// The input of an epoch, being read.
struct Planned {
    ranges: Vec<(usize, OffsetRange)>,
    lanes: Vec<SplitLane>,
    reading: Reading,
}

impl Engine {
    /// Opens every source and sink of a plan and builds its operators. Nothing is read yet.
    pub fn open(plan: &Plan, options: EngineOptions) -> Result<Self, EngineError> {
        let EngineOptions { threads, batch_rows, clock, handles, stop, mut connectors } = options;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let partitions = plan.run.partitions.unwrap_or(cores).max(1);
        let topology = Topology::build(plan, partitions, batch_rows)?;
        let context = |node: &Arc<str>| OpenContext {
            node: Arc::clone(node),
            resumes: false,
            batch_rows,
            clock: Arc::clone(&clock),
            handles: handles.clone(),
        };
        let (mut sources, mut sinks) = (Vec::new(), BTreeMap::new());
        // ORDER: sources in the order of the file, so that lanes and with them rows have a fixed order.
        for planned in plan.dag.node_weights() {
            let name = &planned.name;
            let node = topology.nodes.iter().position(|node| node.name == *name).expect("the topology has every node");
            let failed = |source| EngineError::Open { node: Arc::clone(name), source };
            match &planned.role {
                Role::Source(spec, stream) => {
                    let source = match connectors.sources.remove(&**name) {
                        Some(source) => source,
                        None => spec.open(Arc::clone(&stream.schema), &context(name)).map_err(failed)?,
                    };
                    sources.push(OpenSource {
                        node,
                        source,
                        committed: Offset::default(),
                        planned: Offset::default(),
                        awaits: Awaits::New,
                    });
                }
                Role::Sink(spec, stream) => {
                    let sink = match connectors.sinks.remove(&**name) {
                        Some(sink) => sink,
                        None => spec.open(stream, &context(name)).map_err(failed)?,
                    };
                    sinks.insert(node, sink);
                }
                Role::Operator { .. } => {}
            }
        }
        let stores = topology.nodes.iter().map(|node| match &node.work {
            Work::Stateful(stateful) => {
                (0..stateful.partitions).map(|_| StateStore::new(stateful.operator.tables())).collect()
            }
            _ => Vec::new(),
        });
        let stores = stores.collect();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|number| format!("compute-{number}"));
        let mut engine = Self {
            name: plan.name.clone(),
            run: plan.run.clone(),
            watermarks: Watermarks::new(&topology),
            topology,
            sources,
            sinks,
            stores,
            log: EpochLog::default(),
            next: Epoch::default(),
            ahead: None,
            flushed: false,
            failed: false,
            pool: pool.build().map_err(|cause| EngineError::Threads(cause.to_string()))?,
            intake: Intake::start(threads.max(1))?,
            clock,
            stop,
        };
        if engine.run.trigger == Trigger::AvailableNow {
            engine.each_source(|open| open.source.freeze())?;
        }
        Ok(engine)
    }

    /// Runs until the trigger's end or a stop, telling `listener` of every epoch.
    pub fn run(&mut self, listener: &mut dyn FnMut(&Progress)) -> Result<Summary, EngineError> {
        let watch = Stopwatch::start();
        let mut summary = Summary { graph: self.name.clone(), ..Summary::default() };
        while !self.stop.is_stopped() {
            let began = self.clock.now();
            match self.step()? {
                Step::Ran(progress) => {
                    summary.add(&progress);
                    listener(&progress);
                    if self.run.trigger == Trigger::Once {
                        break;
                    }
                    if let Trigger::Every(period) = self.run.trigger {
                        self.wait_for_tick(began, period);
                    }
                }
                Step::Idle => match self.run.trigger {
                    Trigger::Once if !self.awaits(Awaits::Later) => break,
                    Trigger::Once | Trigger::AvailableNow | Trigger::Continuous => self.stop.wait(IDLE),
                    Trigger::Every(period) => self.wait_for_tick(began, period),
                },
                Step::Finished => break,
            }
        }
        summary.seconds = watch.elapsed().as_secs_f64();
        summary.watermark = self.watermarks.least().unwrap_or_default();
        summary.stopped = self.stop.is_stopped();
        Ok(summary)
    }

    /// Runs one epoch if one is due. Does not wait. After a failure the engine is at its end: nothing of the failed epoch
    /// was committed, and another engine has to run it.
    pub fn step(&mut self) -> Result<Step, EngineError> {
        if self.failed {
            return Err(EngineError::Failed { epoch: self.next });
        }
        let step = self.try_step();
        self.failed = step.is_err();
        step
    }

    fn try_step(&mut self) -> Result<Step, EngineError> {
        let planned = match self.ahead.take() {
            Some(planned) => planned?,
            None => self.plan_input()?,
        };
        let due = !planned.ranges.is_empty() || self.watermarks.call_for_epoch(&self.topology);
        if due {
            return self.run_epoch(planned).map(|progress| Step::Ran(Box::new(progress)));
        }
        let goes_on =
            self.awaits(Awaits::Later) || (self.run.trigger != Trigger::AvailableNow && self.awaits(Awaits::New));
        if goes_on {
            return Ok(Step::Idle);
        }
        if self.run.at_end == AtEnd::Flush && !self.flushed {
            self.flushed = true;
            self.watermarks.flush();
            return self.try_step();
        }
        Ok(Step::Finished)
    }

    /// How much input is left, in the sources' own units; `None` when a source cannot tell.
    pub fn remaining(&self) -> Option<u64> {
        self.sources.iter().map(|open| open.source.remaining(&open.committed)).sum()
    }

    fn awaits(&self, awaits: Awaits) -> bool {
        self.sources.iter().any(|open| open.awaits == awaits)
    }

    /// The epochs' log.
    pub fn log(&self) -> &EpochLog {
        &self.log
    }

    fn each_source(&mut self, mut act: impl FnMut(&mut OpenSource) -> Result<(), Error>) -> Result<(), EngineError> {
        for open in &mut self.sources {
            let node = &self.topology.nodes[open.node].name;
            let epoch = self.next;
            act(open).map_err(|source| EngineError::Node { node: Arc::clone(node), epoch, partition: None, source })?;
        }
        Ok(())
    }

    /// Asks every source what there is and begins to read it.
    fn plan_input(&mut self) -> Result<Planned, EngineError> {
        let limit = if self.run.trigger == Trigger::Once { Limit::Everything } else { Limit::Epoch };
        let (mut ranges, mut lanes, mut all_splits) = (Vec::new(), Vec::new(), Vec::new());
        let mut index = 0;
        self.each_source(|open| {
            open.awaits = Awaits::New;
            match open.source.available(&open.planned, limit)? {
                Available::Range(range) => {
                    let splits = open.source.splits(&range)?;
                    lanes.extend(splits.iter().map(|_| SplitLane::new(open.node)));
                    all_splits.extend(splits);
                    open.planned = range.end.clone();
                    ranges.push((index, range));
                }
                Available::Nothing => {}
                Available::Later => open.awaits = Awaits::Later,
                Available::Finished => open.awaits = Awaits::Nothing,
            }
            index += 1;
            Ok(())
        })?;
        Ok(Planned { ranges, lanes, reading: self.intake.read(all_splits) })
    }

    /// Runs the next epoch from its intent to its commit. When it fails, nothing of it is kept.
    fn run_epoch(&mut self, mut planned: Planned) -> Result<Progress, EngineError> {
        let mut watch = Stopwatch::start();
        let whole = watch;
        let in_force = self.watermarks.in_force(&self.topology);
        let watermark = self.watermarks.least();
        let processing_time = self.clock.now().floor_to_millis();
        let [late, evict] = self.watermarks.by_name(&self.topology);
        let ranges: BTreeMap<String, OffsetRange> = planned
            .ranges
            .iter()
            .map(|(source, range)| (self.topology.nodes[self.sources[*source].node].name.to_string(), range.clone()))
            .collect();
        self.log.intend(Intent { epoch: self.next, ranges, late, evict, processing_time });

        let run = EpochRun { topology: &self.topology, epoch: self.next, processing_time, in_force: &in_force };
        let mut durations = Durations::default();
        let taken = compute::take_in(&planned.reading, &mut planned.lanes, &run, &self.pool)?;
        durations.intake = watch.lap_ms();
        if matches!(self.run.trigger, Trigger::AvailableNow | Trigger::Continuous) && !planned.ranges.is_empty() {
            let ahead = self.plan_input();
            let is_empty = ahead.as_ref().is_ok_and(|ahead| ahead.ranges.is_empty());
            self.ahead = (!is_empty).then_some(ahead);
        }
        let run = EpochRun { topology: &self.topology, epoch: self.next, processing_time, in_force: &in_force };
        let stores = &mut self.stores;
        let output = self.pool.install(|| compute::run_stateful(taken, stores, &run)).inspect_err(|_| {
            stores.iter_mut().flatten().for_each(StateStore::roll_back);
        })?;
        durations.compute = watch.lap_ms();
        let receipts = self.stage(&output)?;
        durations.stage = watch.lap_ms();
        self.commit(&planned, &output, &receipts)?;
        durations.commit = watch.lap_ms();
        durations.total = whole.elapsed().as_secs_f64() * 1000.0;
        Ok(self.progress(&planned, &output, &in_force, watermark, durations))
    }

    fn stage(&mut self, output: &LaneOutput) -> Result<BTreeMap<NodeId, Vec<Receipt>>, EngineError> {
        let mut receipts = BTreeMap::new();
        for (&node, sink) in &self.sinks {
            let staged = self.pool.install(|| compute::stage(self.next, &**sink, &output.written[node]));
            receipts.insert(node, staged.map_err(self.failed(node))?);
        }
        Ok(receipts)
    }

    fn commit(
        &mut self,
        planned: &Planned,
        output: &LaneOutput,
        receipts: &BTreeMap<NodeId, Vec<Receipt>>,
    ) -> Result<(), EngineError> {
        // ORDER: state, sinks, log, sources; a crash before the log entry means that the epoch is run again.
        for (node, stores) in self.stores.iter_mut().enumerate() {
            let committed = stores.iter_mut().try_for_each(StateStore::commit);
            if let Err(error) = committed {
                return Err(self.failed(node)(error));
            }
        }
        for (node, receipts) in receipts {
            self.sinks[node].commit(self.next, receipts).map_err(self.failed(*node))?;
        }
        self.log.commit(self.next);
        for (source, range) in &planned.ranges {
            let open = &mut self.sources[*source];
            let node = open.node;
            open.committed = range.end.clone();
            let released = open.source.release(&range.end);
            released.map_err(self.failed(node))?;
        }
        let newest: Vec<Watermark> = output.counts.iter().map(|count| count.newest).collect();
        self.watermarks.advance(&self.topology, &newest);
        self.next = self.next.next();
        Ok(())
    }

    fn failed(&self, node: NodeId) -> impl FnOnce(Error) -> EngineError + use<> {
        let (node, epoch) = (Arc::clone(&self.topology.nodes[node].name), self.next);
        move |source| EngineError::Node { node, epoch, partition: None, source }
    }

    /// Waits for the first multiple of `period` after `began`; not at all when it is past already.
    fn wait_for_tick(&self, began: Timestamp, period: TimeSpan) {
        let tick = began.minus(TimeSpan::from_micros(began.micros().rem_euclid(period.micros().max(1)))).plus(period);
        let left = tick.micros().saturating_sub(self.clock.now().micros());
        self.stop.wait(TimeSpan::from_micros(left).to_std());
    }

    fn progress(
        &self,
        planned: &Planned,
        output: &LaneOutput,
        in_force: &InForce,
        watermark: Option<Watermark>,
        durations: Durations,
    ) -> Progress {
        let counts = &output.counts;
        let source = |(index, open): (usize, &OpenSource)| {
            let range = planned.ranges.iter().find(|(source, _)| *source == index).map(|(_, range)| range);
            let lanes = planned.lanes.iter().filter(|lane| lane.source == open.node);
            SourceProgress {
                node: self.topology.nodes[open.node].name.to_string(),
                start: range.map_or_else(|| open.committed.clone(), |range| range.start.clone()),
                end: range.map_or_else(|| open.committed.clone(), |range| range.end.clone()),
                rows: counts[open.node].rows_out,
                bad_records: lanes.map(|lane| lane.bad_records).sum(),
                size: range.map_or(0, |range| range.size),
            }
        };
        let operator = |(id, count): (NodeId, &NodeCount)| {
            let node = &self.topology.nodes[id];
            matches!(node.work, Work::Stateless(_) | Work::Stateful(_)).then(|| OperatorProgress {
                node: node.name.to_string(),
                rows_in: count.rows_in,
                rows_out: count.rows_out,
                rows_late: count.late.rows,
                dropped_by_watermark: count.late.dropped,
                state_rows: self.stores[id].iter().map(|store| store.rows() as u64).sum(),
                state_bytes: self.stores[id].iter().map(|store| store.memory() as u64).sum(),
                watermark: in_force.evict[id],
            })
        };
        let sink = |(id, count): (NodeId, &NodeCount)| {
            let node = &self.topology.nodes[id];
            matches!(node.work, Work::Sink).then(|| SinkProgress { node: node.name.to_string(), rows: count.rows_in })
        };
        let sources: Vec<SourceProgress> = self.sources.iter().enumerate().map(source).collect();
        let input_rows = sources.iter().map(|source| source.rows).sum();
        let newest = self.topology.nodes.iter().zip(counts).filter(|(node, _)| node.delay.is_some());
        Progress {
            graph: self.name.clone(),
            epoch: self.log.committed().unwrap_or_default(),
            timestamp: self.log.intended().map_or(Timestamp::MIN, |intent| intent.processing_time),
            duration_ms: durations,
            input_rows,
            processed_rows_per_second: input_rows as f64 / (durations.total / 1000.0).max(1e-9),
            event_time: watermark.map(|watermark| EventTimeProgress {
                max: newest.map(|(_, count)| count.newest).max().unwrap_or_default(),
                watermark,
            }),
            sources,
            operators: counts.iter().enumerate().filter_map(operator).collect(),
            sinks: counts.iter().enumerate().filter_map(sink).collect(),
        }
    }
}
