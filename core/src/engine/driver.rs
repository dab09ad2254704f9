//! The driver: plans epochs, runs them and has them committed, alone and in order.
//!
//! While the thread that commits makes one epoch durable, the driver computes the next. At most one epoch is being committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::calls::Calls;
use super::commit::{Committer, EpochCommit, Staged, TableFile};
use super::compute;
use super::durable::{CommitRecord, Durable};
use super::error::EngineError;
use super::found::Replay;
use super::intake::Intake;
use super::lane::{EpochRun, LaneOutput};
use super::observer::{Observer, OnCommit, Unobserved};
use super::options::StopSignal;
use super::planning::{Awaits, OpenSource, Planned};
use super::progress::{Durations, Progress, Stopwatch, Summary};
use super::recovery::Recovery;
use super::topology::{NodeId, Topology};
use super::watermarks::{InForce, Watermarks};
use crate::checkpoint::{Damage, Intent};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::node::{Offset, Sink};
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
    /// The processing time at which a node wants an epoch, with or without input.
    pub(super) wake: Option<Timestamp>,
    /// Whether an operator has work left that the watermark calls for already.
    pub(super) work_is_due: bool,
    /// The processing time of the last epoch.
    pub(super) ran_at: Option<Timestamp>,
    pub(super) pool: Arc<ThreadPool>,
    pub(super) calls: Calls,
    pub(super) intake: Intake,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: StopSignal,
}

/// What a run has come to so far, and who is told.
struct Tally<'a> {
    observer: &'a mut dyn Observer,
    summary: Summary,
}

impl Tally<'_> {
    fn take(&mut self, committed: Option<Box<Progress>>) {
        if let Some(progress) = committed {
            self.summary.add(&progress);
            self.observer.committed(&progress);
        }
    }
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

/// An epoch whose output is staged.
pub(super) struct Computed {
    pub(super) planned: Planned,
    pub(super) output: LaneOutput,
    staged: Vec<Staged>,
    pub(super) in_force: InForce,
    pub(super) watermark: Option<Watermark>,
    pub(super) processing_time: Timestamp,
    pub(super) durations: Durations,
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
        self.run_observed(&mut OnCommit(listener))
    }

    /// Runs until the trigger's end or a stop, telling `observer` how it goes on.
    pub fn run_observed(&mut self, observer: &mut dyn Observer) -> Result<Summary, EngineError> {
        self.refuse_failed()?;
        // A listener that panics leaves an epoch half done.
        self.failed = true;
        let watch = Stopwatch::start();
        let mut tally = Tally { observer, summary: Summary { graph: self.name.clone(), ..Summary::default() } };
        let ran = self.run_epochs(&mut tally);
        // What is under way when the run ends is committed all the same.
        let settled = self.settle().map(|progress| tally.take(progress));
        let mut summary = tally.summary;
        let settled = settled.and_then(|()| self.take_snapshots());
        let settled = settled.and_then(|()| self.deferred.take().map_or(Ok(()), Err));
        self.failed = ran.is_err() || settled.is_err();
        ran.and(settled)?;
        summary.seconds = watch.elapsed().as_secs_f64();
        summary.watermark = self.watermarks.least().unwrap_or_default();
        summary.waiting = self.waiting();
        summary.stopped = self.stop.is_stopped();
        Ok(summary)
    }

    fn run_epochs(&mut self, tally: &mut Tally) -> Result<(), EngineError> {
        let (mut begun, mut used_up) = (0, None);
        while !self.stop.is_stopped() && self.max_epochs.is_none_or(|most| begun < most) {
            let began = self.clock.now();
            tally.observer.looks_for_input();
            match self.compute_next(&mut used_up, tally.observer)? {
                Due::Commit(computed) => {
                    tally.take(self.settle()?);
                    self.begin_commit(*computed)?;
                    begun += 1;
                    if self.run.trigger == Trigger::Once {
                        return Ok(());
                    }
                    if let Trigger::Every(period) = self.run.trigger {
                        tally.take(self.settle()?);
                        self.wait_for_tick(began, period);
                    }
                }
                Due::Idle => {
                    if let Some(progress) = self.settle()? {
                        tally.take(Some(progress));
                        continue;
                    }
                    self.take_snapshots_done()?;
                    tally.observer.rests();
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
        self.refuse_failed()?;
        let step = self.try_step();
        self.failed = step.is_err();
        step
    }

    fn try_step(&mut self) -> Result<Step, EngineError> {
        match self.compute_next(&mut None, &mut Unobserved)? {
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

    /// Computes the next epoch, if one is due. `used_up`: since when a run that takes what is available has none left.
    fn compute_next(
        &mut self,
        used_up: &mut Option<Timestamp>,
        observer: &mut dyn Observer,
    ) -> Result<Due, EngineError> {
        if let Some(error) = self.deferred.take() {
            return Err(error);
        }
        if let Some(replay) = self.replay.pop_front() {
            let planned = self.plan_again(&replay)?;
            observer.begins(self.next, !planned.ranges.is_empty());
            let computed = self.compute(planned, replay.intent.processing_time, Durations::default())?;
            return Ok(Due::Commit(Box::new(computed)));
        }
        let planned = match self.ahead.take() {
            Some(planned) => planned?,
            None => self.plan_input(self.next)?,
        };
        self.watermarks.look_for_idle(&self.topology, self.clock.now().floor_to_millis());
        let mut asked_for =
            || self.work_is_due || self.watermarks.call_for_epoch(&self.topology) || self.wake_is_due(used_up);
        if !planned.ranges.is_empty() || asked_for() {
            observer.begins(self.next, !planned.ranges.is_empty());
            return self.compute_new(planned).map(|computed| Due::Commit(Box::new(computed)));
        }
        let frozen = self.run.trigger == Trigger::AvailableNow;
        if self.awaits(Awaits::Later) || (!frozen && self.awaits(Awaits::New)) {
            return Ok(Due::Idle);
        }
        if self.run.at_end == AtEnd::Flush && !self.flushed {
            self.flushed = true;
            self.watermarks.flush();
            return self.compute_next(used_up, observer);
        }
        Ok(if self.waits_to_wake() { Due::Idle } else { Due::Finished })
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
            let idle = self.watermarks.idle(&self.topology);
            let intent = Intent { epoch, graph, ranges, late, evict, idle, processing_time };
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
        let read: Vec<NodeId> = planned.ranges.iter().map(|(source, _)| self.sources[*source].node).collect();
        let renewed = self.topology.renewed(|source| read.contains(&source));
        let (epoch, calls) = (self.next, &self.calls);
        let run = EpochRun {
            topology: &self.topology,
            epoch,
            processing_time,
            in_force: &in_force,
            renewed: &renewed,
            calls,
        };
        let taken = compute::take_in(&planned.reading, &mut planned.lanes, &run, &self.pool)?;
        durations.intake = watch.lap_ms();
        let reads_ahead = matches!(self.run.trigger, Trigger::AvailableNow | Trigger::Continuous);
        if reads_ahead && !planned.ranges.is_empty() && self.replay.is_empty() {
            let ahead = self.plan_input(self.next.next());
            let is_empty = ahead.as_ref().is_ok_and(|ahead| ahead.ranges.is_empty());
            self.ahead = (!is_empty).then_some(ahead);
        }
        let (epoch, calls) = (self.next, &self.calls);
        let run = EpochRun {
            topology: &self.topology,
            epoch,
            processing_time,
            in_force: &in_force,
            renewed: &renewed,
            calls,
        };
        let stores = &mut self.stores;
        let output = self.pool.install(|| compute::run_stateful(taken, stores, &run))?;
        durations.compute = watch.lap_ms();
        let staged = self.stage(&output, &renewed)?;
        durations.stage = watch.lap_ms();
        durations.total = durations.intent + whole.elapsed().as_secs_f64() * 1000.0;
        Ok(Computed { planned, output, staged, in_force, watermark, processing_time, durations })
    }

    fn stage(&self, output: &LaneOutput, renewed: &[bool]) -> Result<Vec<Staged>, EngineError> {
        let epoch = self.next;
        let stage = |(&node, sink): (&NodeId, &Arc<dyn Sink>)| {
            let (name, sink) = (Arc::clone(&self.topology.nodes[node].name), Arc::clone(sink));
            if !renewed[node] {
                return Ok(Staged { node: name, sink, receipts: None });
            }
            let (rows, calls) = (&output.written[node], &self.calls);
            let staged = self.pool.install(|| compute::stage(epoch, &name, &*sink, rows, calls));
            let receipts = Some(staged.map_err(self.failed(node))?);
            Ok(Staged { node: name, sink, receipts })
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
                let remembered = self.calls.call(|| open.source.remember(range, store));
                remembered.map_err(self.failed(node))?;
            }
        }
        let changes = self.commit_stores()?;
        self.wake = self.ask_when_to_wake()?;
        self.ran_at = Some(computed.processing_time);
        let newest: Vec<Watermark> = computed.output.counts.iter().map(|count| count.newest).collect();
        self.watermarks.advance(&self.topology, &newest);
        self.work_is_due = self.ask_for_due_work()?;
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
            let released = self.calls.call(|| open.source.release(&offset));
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
}
