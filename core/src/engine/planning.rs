//! What an epoch reads: asked of the sources for a new one, taken from its intent for one that is run again.

use std::sync::Arc;

use super::compute::SplitLane;
use super::driver::Engine;
use super::error::EngineError;
use super::found::Replay;
use super::intake::{Reading, SplitOf};
use super::topology::NodeId;
use crate::checkpoint::{CheckpointError, Intent};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::guard::guarded;
use crate::node::{Available, Limit, Offset, OffsetRange, Source};
use crate::plan::Trigger;
use crate::time::Timestamp;

/// A source and how far it was read.
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

/// The input of an epoch, being read.
pub(super) struct Planned {
    /// By source what is read of it, where it is read at all.
    pub(super) ranges: Vec<(usize, OffsetRange)>,
    pub(super) lanes: Vec<SplitLane>,
    pub(super) reading: Reading,
}

/// What an epoch reads: ranges, and the splits that they are read in.
#[derive(Default)]
struct Input {
    ranges: Vec<(usize, OffsetRange)>,
    lanes: Vec<SplitLane>,
    splits: Vec<SplitOf>,
}

impl Input {
    /// Adds what is read of the source at place `index`.
    fn add(&mut self, index: usize, name: &Arc<str>, open: &mut OpenSource, range: OffsetRange) -> Result<(), Error> {
        for split in open.source.splits(&range)? {
            self.lanes.push(SplitLane::new(open.node));
            self.splits.push(SplitOf { source: Arc::clone(name), split });
        }
        open.planned = range.end.clone();
        self.ranges.push((index, range));
        Ok(())
    }
}

impl Engine {
    /// How much input is left, in the sources' own units; `None` when a source cannot tell.
    pub fn remaining(&self) -> Option<u64> {
        let remaining = |open: &OpenSource| guarded(|| Ok(open.source.remaining(&open.committed))).ok().flatten();
        self.sources.iter().map(remaining).sum()
    }

    pub(super) fn awaits(&self, awaits: Awaits) -> bool {
        self.sources.iter().any(|open| open.awaits == awaits)
    }

    /// Calls every source for `epoch`. `act` is given its place, its name and the source.
    pub(super) fn each_source(
        &mut self,
        epoch: Epoch,
        mut act: impl FnMut(usize, &Arc<str>, &mut OpenSource) -> Result<(), Error>,
    ) -> Result<(), EngineError> {
        for (index, open) in self.sources.iter_mut().enumerate() {
            let node = &self.topology.nodes[open.node].name;
            let failed = |source| EngineError::Node { node: Arc::clone(node), epoch, partition: None, source };
            self.calls.call(|| act(index, node, open)).map_err(failed)?;
        }
        Ok(())
    }

    /// Asks every source what there is for `epoch` and begins to read it.
    pub(super) fn plan_input(&mut self, epoch: Epoch) -> Result<Planned, EngineError> {
        let limit = if self.run.trigger == Trigger::Once { Limit::Everything } else { Limit::Epoch };
        let mut all = Input::default();
        self.each_source(epoch, |index, name, open| {
            open.awaits = Awaits::New;
            match open.source.available(&open.planned, limit)? {
                Available::Range(range) => all.add(index, name, open, range)?,
                Available::Nothing => {}
                Available::Later => open.awaits = Awaits::Later,
                Available::Finished => open.awaits = Awaits::Nothing,
            }
            Ok(())
        })?;
        Ok(self.read(epoch, all))
    }

    /// The input of an epoch of an earlier run, from its intent; its watermarks are put in force.
    pub(super) fn plan_again(&mut self, Replay { intent, same_graph }: &Replay) -> Result<Planned, EngineError> {
        if *same_graph && intent.epoch > Epoch::default() {
            self.compare_watermarks(intent)?;
        }
        self.watermarks.put_in_force(&self.topology, intent);
        let mut all = Input::default();
        self.each_source(intent.epoch, |index, name, open| match intent.ranges.get(&**name) {
            Some(range) => all.add(index, name, open, range.clone()),
            None => Ok(()),
        })?;
        Ok(self.read(intent.epoch, all))
    }

    fn read(&self, epoch: Epoch, Input { ranges, lanes, splits }: Input) -> Planned {
        Planned { ranges, lanes, reading: self.intake.read(epoch, splits) }
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
}
