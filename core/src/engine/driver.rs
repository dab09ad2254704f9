//! The driver: plans epochs, runs them and has them committed, alone and in order.
//!
//! While the thread that commits makes one epoch durable, the driver computes the next. At most one epoch is being committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::commit::{Committer, EpochCommit, Staged, TableFile};
use super::compute::{self, SplitLane};
use super::durable::{CommitRecord, Durable};
use super::error::EngineError;
use super::found::Replay;
use super::intake::{Intake, Reading};
use super::lane::{EpochRun, LaneOutput, NodeCount};
use super::options::StopSignal;
use super::progress::{
    Durations, EventTimeProgress, OperatorProgress, Progress, SinkProgress, SourceProgress, Stopwatch, Summary,
};
use super::recovery::Recovery;
use super::topology::{NodeId, Topology, Work};
use super::watermarks::{InForce, Watermarks};
use crate::checkpoint::{CheckpointError, Damage, Intent};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::node::{Available, Limit, Offset, OffsetRange, Sink, Source};
use crate::plan::{AtEnd, RunOptions, Trigger};
use crate::state::{Change, StateStore};
use crate::time::{Clock, TimeSpan, Timestamp, Watermark};

/// How long the driver waits before it asks idle sources again.
const IDLE: Duration = Duration::from_millis(10);

/// A graph that is open and can be run, epoch by epoch.
pub struct Engine {
    // ORDER: of dropping. What is being committed is waited for before the checkpoint's lock is given back.
    pub(super) committer: Committer,
    pub(super) durable: Option<Durable>,
    pub(super) name: String,
    pub(super) run: RunOptions,
    pub(super) topology: Topology,
    pub(super) sources: Vec<OpenSource>,
    pub(super) sinks: BTreeMap<NodeId, Arc<dyn Sink>>,
    /// By node, per partition.
    pub(super) stores: Vec<Vec<StateStore>>,
    pub(super) watermarks: Watermarks,
    /// Epochs that an earlier run left to be run from their intents.
    pub(super) replay: VecDeque<Replay>,
    /// What the run goes on from, when it has a checkpoint.
    pub(super) recovery: Option<Recovery>,
    pub(super) next: Epoch,
    /// The next epoch's input, or why it could not be planned: that is for the next epoch to tell.
    pub(super) ahead: Option<Result<Planned, EngineError>>,
    pub(super) in_flight: Option<InFlight>,
    /// What went wrong after an epoch was committed: that is for the next epoch to tell.
    pub(super) deferred: Option<EngineError>,
    pub(super) max_epochs: Option<u64>,
    pub(super) flushed: bool,
    pub(super) failed: bool,
    pub(super) pool: Arc<ThreadPool>,
    pub(super) intake: Intake,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: StopSignal,
}

pub(super) struct OpenSource {
    pub(super) node: NodeId,
    pub(super) source: Box<dyn Source>,
    /// Up to here rows are committed, or being committed.
    pub(super) committed: Offset,
    /// Up to here rows are planned: by this epoch, or the one read ahead.
    pub(super) planned: Offset,
    pub(super) awaits: Awaits,
}

/// What is to be expected of a source that had nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
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

/// What there is to do.
enum Due {
    /// This epoch was computed and is to be committed.
    Commit(Box<Computed>),
    Idle,
    Finished,
}

/// The input of an epoch, being read.
pub(super) struct Planned {
    ranges: Vec<(usize, OffsetRange)>,
    lanes: Vec<SplitLane>,
    reading: Reading,
}

/// An epoch whose output is staged.
struct Computed {
    planned: Planned,
    output: LaneOutput,
    staged: Vec<Staged>,
    in_force: InForce,
    watermark: Option<Watermark>,
    processing_time: Timestamp,
    durations: Durations,
}

/// An epoch that is being committed.
pub(super) struct InFlight {
    progress: Box<Progress>,
    /// By source, up to where its rows may be released.
    releases: Vec<(usize, Offset)>,
    snapshots: Vec<TableFile>,
}

impl Engine {
    /// Runs until the trigger's end or a stop, telling `listener` of every epoch once it is committed.
    pub fn run(&mut self, listener: &mut dyn FnMut(&Progress)) -> Result<Summary, EngineError> {
        let watch = Stopwatch::start();
        let mut summary = Summary { graph: self.name.clone(), ..Summary::default() };
        let mut tell = |progress: &Progress| {
            summary.add(progress);
            listener(progress);
        };
        let ran = self.run_epochs(&mut tell);
        // What is under way when the run ends is committed all the same.
        let settled = self.settle().map(|progress| progress.iter().for_each(|progress| tell(progress)));
        let settled = settled.and_then(|()| self.take_snapshots());
        let settled = settled.and_then(|()| self.deferred.take().map_or(Ok(()), Err));
        self.failed |= ran.is_err() || settled.is_err();
        ran.and(settled)?;
        summary.seconds = watch.elapsed().as_secs_f64();
        summary.watermark = self.watermarks.least().unwrap_or_default();
        summary.stopped = self.stop.is_stopped();
        Ok(summary)
    }

    fn run_epochs(&mut self, tell: &mut dyn FnMut(&Progress)) -> Result<(), EngineError> {
        self.refuse_failed()?;
        let mut begun = 0;
        while !self.stop.is_stopped() && self.max_epochs.is_none_or(|most| begun < most) {
            let began = self.clock.now();
            match self.compute_next()? {
                Due::Commit(computed) => {
                    self.settle()?.iter().for_each(|progress| tell(progress));
                    self.begin_commit(*computed)?;
                    begun += 1;
                    if self.run.trigger == Trigger::Once {
                        return Ok(());
                    }
                    if let Trigger::Every(period) = self.run.trigger {
                        self.settle()?.iter().for_each(|progress| tell(progress));
                        self.wait_for_tick(began, period);
                    }
                }
                Due::Idle => {
                    if let Some(progress) = self.settle()? {
                        tell(&progress);
                        continue;
                    }
                    self.take_snapshots_done()?;
                    match self.run.trigger {
                        Trigger::Once if !self.awaits(Awaits::Later) => return Ok(()),
                        Trigger::Once | Trigger::AvailableNow | Trigger::Continuous => self.stop.wait(IDLE),
                        Trigger::Every(period) => self.wait_for_tick(began, period),
                    }
                }
                Due::Finished => return Ok(()),
            }
        }
        Ok(())
    }

    /// Runs one epoch if one is due, and waits until all of it is committed; does not wait for input. After a failure the engine
    /// is at its end: nothing of the failed epoch was committed, and another engine has to run it.
    pub fn step(&mut self) -> Result<Step, EngineError> {
        let step = self.try_step();
        self.failed |= step.is_err();
        step
    }

    fn try_step(&mut self) -> Result<Step, EngineError> {
        self.refuse_failed()?;
        match self.compute_next()? {
            Due::Commit(computed) => {
                self.begin_commit(*computed)?;
                let progress = self.settle()?.expect("a commit was just begun");
                self.take_snapshots()?;
                Ok(Step::Ran(progress))
            }
            Due::Idle => Ok(Step::Idle),
            Due::Finished => Ok(Step::Finished),
        }
    }

    fn refuse_failed(&self) -> Result<(), EngineError> {
        if self.failed { Err(EngineError::Failed { epoch: self.next }) } else { Ok(()) }
    }

    /// The epoch that is run next.
    pub fn next_epoch(&self) -> Epoch {
        self.next
    }

    /// How many epochs of an earlier run are run again before anything new is read.
    pub fn epochs_to_replay(&self) -> usize {
        self.replay.len()
    }

    /// What was found damaged in the checkpoint, and is done without: no answer depends on it.
    pub fn damages(&self) -> &[Damage] {
        self.recovery.as_ref().map_or(&[], |recovery| &recovery.damages)
    }

    /// What the run goes on from; `None` without a checkpoint.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Computes the next epoch, if one is due.
    fn compute_next(&mut self) -> Result<Due, EngineError> {
        if let Some(error) = self.deferred.take() {
            return Err(error);
        }
        if let Some(replay) = self.replay.pop_front() {
            return self.compute_again(&replay).map(|computed| Due::Commit(Box::new(computed)));
        }
        let planned = match self.ahead.take() {
            Some(planned) => planned?,
            None => self.plan_input()?,
        };
        if !planned.ranges.is_empty() || self.watermarks.call_for_epoch(&self.topology) {
            return self.compute_new(planned).map(|computed| Due::Commit(Box::new(computed)));
        }
        let goes_on =
            self.awaits(Awaits::Later) || (self.run.trigger != Trigger::AvailableNow && self.awaits(Awaits::New));
        if goes_on {
            return Ok(Due::Idle);
        }
        if self.run.at_end == AtEnd::Flush && !self.flushed {
            self.flushed = true;
            self.watermarks.flush();
            return self.compute_next();
        }
        Ok(Due::Finished)
    }

    /// How much input is left, in the sources' own units; `None` when a source cannot tell.
    pub fn remaining(&self) -> Option<u64> {
        self.sources.iter().map(|open| open.source.remaining(&open.committed)).sum()
    }

    fn awaits(&self, awaits: Awaits) -> bool {
        self.sources.iter().any(|open| open.awaits == awaits)
    }

    pub(super) fn each_source(
        &mut self,
        mut act: impl FnMut(&mut OpenSource) -> Result<(), Error>,
    ) -> Result<(), EngineError> {
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

    /// An epoch of an earlier run, from its intent: the same rows, watermarks and processing time.
    fn compute_again(&mut self, Replay { intent, same_graph }: &Replay) -> Result<Computed, EngineError> {
        if *same_graph && intent.epoch > Epoch::default() {
            self.compare_watermarks(intent)?;
        }
        self.watermarks.put_in_force(&self.topology, intent);
        let (mut ranges, mut lanes, mut all_splits) = (Vec::new(), Vec::new(), Vec::new());
        let names: Vec<Arc<str>> =
            self.sources.iter().map(|open| Arc::clone(&self.topology.nodes[open.node].name)).collect();
        let mut index = 0;
        self.each_source(|open| {
            if let Some(range) = intent.ranges.get(&*names[index]) {
                let splits = open.source.splits(range)?;
                lanes.extend(splits.iter().map(|_| SplitLane::new(open.node)));
                all_splits.extend(splits);
                open.planned = range.end.clone();
                ranges.push((index, range.clone()));
            }
            index += 1;
            Ok(())
        })?;
        let planned = Planned { ranges, lanes, reading: self.intake.read(all_splits) };
        self.compute(planned, intent.processing_time, Durations::default())
    }

    /// Whether the epochs replayed so far have moved the watermarks as they did when this epoch was planned.
    fn compare_watermarks(&self, intent: &Intent) -> Result<(), EngineError> {
        let [_, now] = self.watermarks.by_name(&self.topology);
        for (node, kept) in &intent.evict {
            if let Some(seen) = now.get(node).filter(|seen| *seen != kept && kept.0 != Some(Timestamp::END)) {
                let (epoch, node) = (Epoch(intent.epoch.0 - 1), node.clone());
                let source = CheckpointError::Diverged { epoch, node, seen: seen.to_string(), kept: kept.to_string() };
                return Err(EngineError::Checkpoint { epoch: None, source });
            }
        }
        Ok(())
    }

    /// A new epoch: its intent is durable before a row of it reaches an operator.
    fn compute_new(&mut self, planned: Planned) -> Result<Computed, EngineError> {
        let mut watch = Stopwatch::start();
        let processing_time = self.clock.now().floor_to_millis();
        if let Some(durable) = &mut self.durable {
            let [late, evict] = self.watermarks.by_name(&self.topology);
            let name = |source: usize| self.topology.nodes[self.sources[source].node].name.to_string();
            let ranges = planned.ranges.iter().map(|(source, range)| (name(*source), range.clone())).collect();
            let (epoch, graph) = (self.next, durable.graph());
            let intent = Intent { epoch, graph, ranges, late, evict, processing_time };
            let epoch = Some(self.next);
            durable.intend(&intent).map_err(|source| EngineError::Checkpoint { epoch, source })?;
        }
        let durations = Durations { intent: watch.lap_ms(), ..Durations::default() };
        self.compute(planned, processing_time, durations)
    }

    /// Runs an epoch up to its staged output.
    fn compute(
        &mut self,
        mut planned: Planned,
        processing_time: Timestamp,
        mut durations: Durations,
    ) -> Result<Computed, EngineError> {
        let mut watch = Stopwatch::start();
        let whole = watch;
        let in_force = self.watermarks.in_force(&self.topology);
        let watermark = self.watermarks.least();
        let run = EpochRun { topology: &self.topology, epoch: self.next, processing_time, in_force: &in_force };
        let taken = compute::take_in(&planned.reading, &mut planned.lanes, &run, &self.pool)?;
        durations.intake = watch.lap_ms();
        let reads_ahead = matches!(self.run.trigger, Trigger::AvailableNow | Trigger::Continuous);
        if reads_ahead && !planned.ranges.is_empty() && self.replay.is_empty() {
            let ahead = self.plan_input();
            let is_empty = ahead.as_ref().is_ok_and(|ahead| ahead.ranges.is_empty());
            self.ahead = (!is_empty).then_some(ahead);
        }
        let run = EpochRun { topology: &self.topology, epoch: self.next, processing_time, in_force: &in_force };
        let stores = &mut self.stores;
        let output = self.pool.install(|| compute::run_stateful(taken, stores, &run))?;
        durations.compute = watch.lap_ms();
        let staged = self.stage(&output)?;
        durations.stage = watch.lap_ms();
        durations.total = durations.intent + whole.elapsed().as_secs_f64() * 1000.0;
        Ok(Computed { planned, output, staged, in_force, watermark, processing_time, durations })
    }

    fn stage(&self, output: &LaneOutput) -> Result<Vec<Staged>, EngineError> {
        let epoch = self.next;
        let stage = |(&node, sink): (&NodeId, &Arc<dyn Sink>)| {
            let rows = &output.written[node];
            let staged = self.pool.install(|| compute::stage(epoch, &**sink, rows));
            let receipts = staged.map_err(self.failed(node))?;
            Ok(Staged { node: Arc::clone(&self.topology.nodes[node].name), sink: Arc::clone(sink), receipts })
        };
        self.sinks.iter().map(stage).collect()
    }

    /// Makes the epoch the newest version in memory, and hands it over to be committed.
    fn begin_commit(&mut self, computed: Computed) -> Result<(), EngineError> {
        debug_assert!(self.in_flight.is_none(), "one commit at a time");
        for (source, range) in &computed.planned.ranges {
            let open = &mut self.sources[*source];
            let node = open.node;
            open.committed = range.end.clone();
            if let Some(store) = self.stores[node].first_mut() {
                let remembered = open.source.remember(range, store);
                remembered.map_err(self.failed(node))?;
            }
        }
        let changes = self.commit_stores()?;
        let newest: Vec<Watermark> = computed.output.counts.iter().map(|count| count.newest).collect();
        self.watermarks.advance(&self.topology, &newest);
        let progress = Box::new(self.progress(&computed));
        let releases = computed.planned.ranges.iter().map(|(source, range)| (*source, range.end.clone())).collect();
        let offset = |open: &OpenSource| (self.topology.nodes[open.node].name.to_string(), open.committed.clone());
        let offsets = self.sources.iter().map(offset).collect();
        let (durable, snapshots) = match &mut self.durable {
            Some(durable) => {
                let (watermarks, topology) = (&self.watermarks, &self.topology);
                let (watermarks, reached) = (watermarks.records(topology), watermarks.reached(topology));
                let record = CommitRecord { offsets, watermarks, reached };
                let (durable, snapshots) = durable.commit(self.next, &self.topology, &self.stores, changes, record);
                (Some(durable), snapshots)
            }
            None => (None, Vec::new()),
        };
        self.committer.begin(EpochCommit { epoch: self.next, output: computed.staged, durable });
        self.in_flight = Some(InFlight { progress, releases, snapshots });
        self.next = self.next.next();
        Ok(())
    }

    /// Commits the stores in memory: by node, partition and table what changed.
    fn commit_stores(&mut self) -> Result<Vec<Vec<Vec<Vec<Change>>>>, EngineError> {
        let stores = &mut self.stores;
        let commit = |node: &mut Vec<StateStore>| node.par_iter_mut().map(StateStore::commit).collect();
        let committed: Vec<Result<_, Error>> = self.pool.install(|| stores.par_iter_mut().map(commit).collect());
        let named = |(node, changes): (NodeId, Result<_, Error>)| changes.map_err(self.failed(node));
        committed.into_iter().enumerate().map(named).collect()
    }

    /// Waits for the commit under way, if there is one.
    fn settle(&mut self) -> Result<Option<Box<Progress>>, EngineError> {
        let Some(InFlight { mut progress, releases, snapshots }) = self.in_flight.take() else { return Ok(None) };
        let committed = self.committer.finish()?;
        let mut afterwards = committed.afterwards;
        if let (Some(durable), Some(record)) = (&mut self.durable, committed.record) {
            afterwards = afterwards.and(durable.committed(record, committed.written, snapshots));
        }
        for (source, offset) in releases {
            let open = &mut self.sources[source];
            let (node, epoch) = (Arc::clone(&self.topology.nodes[open.node].name), progress.epoch);
            let released = open.source.release(&offset);
            afterwards =
                afterwards.and(released.map_err(|source| EngineError::Node { node, epoch, partition: None, source }));
        }
        self.deferred = afterwards.err();
        progress.duration_ms.commit = committed.milliseconds;
        progress.duration_ms.total += committed.milliseconds;
        progress.processed_rows_per_second =
            progress.input_rows as f64 / (progress.duration_ms.total / 1000.0).max(1e-9);
        Ok(Some(progress))
    }

    fn take_snapshots_done(&mut self) -> Result<(), EngineError> {
        self.durable.as_mut().map_or(Ok(()), |durable| durable.take_snapshots(false))
    }

    /// Waits for the snapshots under way.
    fn take_snapshots(&mut self) -> Result<(), EngineError> {
        self.durable.as_mut().map_or(Ok(()), |durable| durable.take_snapshots(true))
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

    fn progress(&self, computed: &Computed) -> Progress {
        let Computed { planned, output, in_force, watermark, processing_time, durations, .. } = computed;
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
            epoch: self.next,
            timestamp: *processing_time,
            duration_ms: *durations,
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
