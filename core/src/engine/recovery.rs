//! What a run goes on from: told when it starts, and foreseen without starting anything.

use std::collections::BTreeMap;

use super::error::EngineError;
use super::fingerprint::Fingerprint;
use super::found::Resumed;
use super::topology::Topology;
use crate::checkpoint::{Adjustments, CheckpointError, CheckpointStorage, Commit, Damage, Holdings, Verdict};
use crate::epoch::Epoch;
use crate::plan::Plan;
use crate::time::Watermark;

/// How often a checkpoint is looked at again that seems damaged: a run that goes on may remove what was just listed.
const LOOKS: usize = 3;

/// What a run goes on from.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The checkpoint, in words.
    pub location: String,
    /// The name of the graph that made this state, where there is any.
    pub graph: Option<String>,
    /// The epoch whose state is loaded; none when all state is empty.
    pub version: Option<Epoch>,
    /// The epochs after it that are run again, as they were planned.
    pub replay: Vec<Epoch>,
    /// What is damaged and is done without: no answer depends on it.
    pub damages: Vec<Damage>,
    /// Into how many partitions the state is cut in the checkpoint, where it holds any.
    pub partitions: Option<usize>,
    /// The watermarks that go on, by the names that their nodes have now.
    pub watermarks: BTreeMap<String, Watermark>,
    /// The size of the files that hold a node's state, by the node's name in the checkpoint.
    pub state_bytes: BTreeMap<String, u64>,
    /// What becomes of each node; none when there is nothing that the graph could contradict.
    pub verdict: Option<Verdict>,
}

impl Recovery {
    pub(super) fn new(location: String, resumed: &Resumed, verdict: Option<Verdict>, holdings: &Holdings) -> Self {
        let mut state_bytes: BTreeMap<String, u64> = BTreeMap::new();
        for file in resumed.version.iter().flat_map(Commit::state_files) {
            *state_bytes.entry(file.node.clone()).or_default() += holdings.state.get(&file).copied().unwrap_or(0);
        }
        let last = resumed.replay.back();
        let watermark = |(now, before): (&String, &String)| {
            let committed = resumed.version.as_ref().and_then(|commit| Some(commit.watermarks.get(before)?.next));
            let planned = last.and_then(|replay| replay.intent.evict.get(before).copied());
            Some((now.clone(), committed.max(planned)?))
        };
        Self {
            location,
            graph: resumed.graph_name().map(str::to_owned),
            version: resumed.version.as_ref().map(|commit| commit.epoch),
            replay: resumed.replay.iter().map(|replay| replay.intent.epoch).collect(),
            damages: resumed.damages.clone(),
            partitions: resumed.partitions(),
            watermarks: resumed.known().iter().filter_map(watermark).collect(),
            state_bytes,
            verdict,
        }
    }

    /// Whether nothing was ever planned: the run starts with epoch 0 and empty state.
    pub fn is_fresh(&self) -> bool {
        self.version.is_none() && self.replay.is_empty()
    }
}

/// What a run of the plan would go on from, without opening, locking or changing anything. Whether the graph may go on
/// is for the verdict to say. The content of files of state is not read, so damage in it is not seen.
pub fn foresee(
    plan: &Plan,
    storage: &dyn CheckpointStorage,
    adjustments: &Adjustments,
) -> Result<Recovery, EngineError> {
    let topology = Topology::build(plan, 1, 1)?;
    let nodes = Fingerprint::of(plan, &topology, 1).nodes;
    let (holdings, resumed) = look(storage);
    let mut resumed = resumed.map_err(|source| EngineError::Checkpoint { epoch: None, source })?;
    let verdict = resumed.compare(&nodes, adjustments)?;
    Ok(Recovery::new(storage.location(), &resumed, verdict, &holdings))
}

/// Reads what there is, until it is whole or has been looked at often enough.
fn look(storage: &dyn CheckpointStorage) -> (Holdings, Result<Resumed, CheckpointError>) {
    let once = || match Holdings::read(storage) {
        Ok(holdings) => {
            let resumed = Resumed::decide(storage, &holdings, &BTreeMap::new());
            (holdings, resumed)
        }
        Err(error) => (Holdings::default(), Err(error)),
    };
    let mut seen = once();
    for _ in 1..LOOKS {
        match &seen.1 {
            Ok(resumed) if resumed.damages.is_empty() => break,
            Err(CheckpointError::Storage { .. }) => break,
            _ => seen = once(),
        }
    }
    seen
}
