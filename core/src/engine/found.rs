//! What an earlier run left in a checkpoint, and how this one takes it up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rayon::ThreadPool;

use super::commit::SnapshotWriter;
use super::durable::Durable;
use super::error::EngineError;
use super::fingerprint::Fingerprint;
use super::recovery::Recovery;
use crate::checkpoint::{
    Adjustments, CheckpointError, CheckpointLock, CheckpointStorage, Commit, Damage, DamageCause, Decision, FileName,
    GraphNode, GraphRecord, Holder, Holdings, Intent, Ledger, LoadError, Metadata, PUT_BACK, StateFile, Verdict,
    Wanted, compare, decide, is_the_same, load, record_file,
};
use crate::epoch::Epoch;
use crate::node::{Offset, Stateful};
use crate::plan::Plan;
use crate::state::{EarlierState, StateStore};
use crate::time::Timestamp;

/// How many of the last epochs a checkpoint keeps unless the graph says otherwise.
const RETAIN: u64 = 10;

/// An epoch that an earlier run planned.
pub(super) struct Replay {
    pub(super) intent: Intent,
    /// Whether the graph that planned it did the same to the same rows as the present one.
    pub(super) same_graph: bool,
}

/// What a run goes on from.
#[derive(Default)]
pub(super) struct Resumed {
    /// The commit whose state is loaded; none at the beginning.
    pub(super) version: Option<Commit>,
    /// That epoch's processing time, where its intent still tells.
    pub(super) ran_at: Option<Timestamp>,
    /// The epochs to run from their intents.
    pub(super) replay: VecDeque<Replay>,
    /// Whether an earlier run has planned anything.
    pub(super) resumes: bool,
    /// The graph as it was run before.
    graph: Option<GraphRecord>,
    /// Nodes by the name they have now; those that are new or reset are left out.
    known: BTreeMap<String, String>,
    /// What is damaged and was done without.
    pub(super) damages: Vec<Damage>,
}

impl Resumed {
    /// Decides how to go on. `unusable`: files of state that were found damaged.
    pub(super) fn decide(
        storage: &dyn CheckpointStorage,
        holdings: &Holdings,
        unusable: &BTreeMap<StateFile, DamageCause>,
    ) -> Result<Self, CheckpointError> {
        match decide(holdings, unusable) {
            Decision::Fresh => Ok(Self::default()),
            Decision::Damaged { damages, remedy } => {
                Err(CheckpointError::Damaged { location: storage.location(), damages, remedy })
            }
            Decision::GoOn { version, replay, damages } => {
                let commit = version.and_then(|version| holdings.commits[&version].clone().ok());
                let intents = replay.iter().filter_map(|epoch| holdings.intents[epoch].clone().ok());
                let replay: VecDeque<Replay> = intents.map(|intent| Replay { intent, same_graph: false }).collect();
                // At the beginning nothing is kept, but what is to be run again was planned for some graph.
                let planned_for = replay.front().map(|replay| replay.intent.graph);
                let number = commit.as_ref().map(|commit| commit.graph).or(planned_for);
                let graph = number.and_then(|number| holdings.graphs.get(&number)?.clone().ok());
                let intent = commit.as_ref().and_then(|commit| holdings.intents.get(&commit.epoch)?.as_ref().ok());
                let ran_at = intent.map(|intent| intent.processing_time);
                Ok(Self { version: commit, ran_at, replay, resumes: true, graph, known: BTreeMap::new(), damages })
            }
        }
    }

    /// Holds the graph against the one that was run before, and takes note of the nodes that go on. No verdict: there is
    /// nothing yet that it could contradict.
    pub(super) fn compare(
        &mut self,
        nodes: &BTreeMap<String, GraphNode>,
        adjustments: &Adjustments,
    ) -> Result<Option<Verdict>, EngineError> {
        let Some(before) = &self.graph else {
            self.known = nodes.keys().map(|name| (name.clone(), name.clone())).collect();
            return Ok(None);
        };
        let mut verdict = compare(before, nodes, adjustments).map_err(EngineError::Adjustments)?;
        if let Some(version) = &self.version {
            verdict.keep_watermarks(before, nodes, &version.watermarks);
        }
        self.known = verdict.carried().collect();
        Ok(Some(verdict))
    }

    /// The name of the graph as it was run before.
    pub(super) fn graph_name(&self) -> Option<&str> {
        self.graph.as_ref().map(|graph| graph.name.as_str())
    }

    /// The number of partitions of the state as it was.
    pub(super) fn partitions(&self) -> Option<usize> {
        self.graph.as_ref().map(|graph| graph.partitions)
    }

    /// Nodes that go on: their names now, and in the checkpoint.
    pub(super) fn known(&self) -> &BTreeMap<String, String> {
        &self.known
    }

    /// The name that the node has in the checkpoint, if it is there and goes on.
    pub(super) fn name_of(&self, node: &str) -> Option<&str> {
        self.known.get(node).map(String::as_str)
    }

    /// Where a source goes on.
    pub(super) fn offset_of(&self, node: &str) -> Option<&Offset> {
        self.version.as_ref()?.offsets.get(self.name_of(node)?)
    }

    /// Whether a sink goes on with what an earlier run has put out, which is so if it is what it was.
    pub(super) fn puts_on(&self, name: &str, nodes: &BTreeMap<String, GraphNode>) -> bool {
        let before = self.graph.as_ref().zip(self.name_of(name)).and_then(|(graph, before)| graph.nodes.get(before));
        self.resumes && before.zip(nodes.get(name)).is_some_and(|(before, now)| is_the_same(before, now))
    }

    /// Gives the nodes in intents the names that they have now, and refuses epochs that this graph cannot run as they were meant.
    fn take_over_intents(
        &mut self,
        holdings: &Holdings,
        now: &GraphRecord,
        location: &str,
    ) -> Result<(), CheckpointError> {
        let by_version: BTreeMap<&String, &String> = self.known.iter().map(|(now, before)| (before, now)).collect();
        for Replay { intent, same_graph } in &mut self.replay {
            let planned_for = holdings.graphs.get(&intent.graph).and_then(|graph| graph.as_ref().ok());
            *same_graph = planned_for.is_some_and(|graph| graph.does_the_same_as(now));
            let another = |node: &str| CheckpointError::PlannedForAnother {
                location: location.to_owned(),
                epoch: intent.epoch,
                node: node.to_owned(),
            };
            if holdings.commits.contains_key(&intent.epoch) && planned_for.is_none() {
                // Nobody can tell whether this graph would show what was shown already.
                let cause = holdings.graphs.get(&intent.graph).and_then(|graph| graph.as_ref().err().cloned());
                let (file, cause) = (FileName::Graph(intent.graph).to_string(), cause.unwrap_or(DamageCause::Missing));
                let mut damages = self.damages.clone();
                if damages.iter().all(|damage| damage.file != file) {
                    damages.push(Damage { file, cause });
                }
                let remedy = PUT_BACK.to_owned();
                return Err(CheckpointError::Damaged { location: location.to_owned(), damages, remedy });
            }
            // What was shown already would be shown otherwise.
            if holdings.commits.contains_key(&intent.epoch) && !*same_graph {
                return Err(another(""));
            }
            let of_version = match (planned_for, &self.graph) {
                (Some(planned_for), Some(version)) => planned_for.nodes.keys().eq(version.nodes.keys()),
                _ => true,
            };
            let renamed = |name: &String| {
                if of_version { by_version.get(name).map(|now| (*now).clone()) } else { Some(name.clone()) }
            };
            let at_hand = if of_version { self.graph.as_ref() } else { Some(now) };
            let is_unknown = |name: &&String| at_hand.is_some_and(|graph| !graph.nodes.contains_key(*name));
            if let Some(unknown) = intent.ranges.keys().find(is_unknown) {
                return Err(another(unknown));
            }
            intent.ranges =
                intent.ranges.iter().filter_map(|(name, range)| Some((renamed(name)?, range.clone()))).collect();
            for watermarks in [&mut intent.late, &mut intent.evict] {
                *watermarks = watermarks.iter().filter_map(|(name, value)| Some((renamed(name)?, *value))).collect();
            }
        }
        Ok(())
    }
}

/// What an earlier run left, before anything is opened.
pub(super) struct Found {
    storage: Arc<dyn CheckpointStorage>,
    lock: Box<dyn CheckpointLock>,
    holdings: Holdings,
    unusable: BTreeMap<StateFile, DamageCause>,
    adjustments: Adjustments,
    verdict: Option<Verdict>,
    retain: u64,
    pub(super) resumed: Resumed,
}

impl Found {
    /// Takes the checkpoint for this process and decides how to go on.
    pub(super) fn look(
        storage: Arc<dyn CheckpointStorage>,
        plan: &Plan,
        adjustments: &Adjustments,
        now: Timestamp,
    ) -> Result<Self, CheckpointError> {
        let lock = storage.lock(&Holder::of_this_process(&plan.name, now))?;
        let holdings = Holdings::read(&*storage)?;
        let (adjustments, retain) = (adjustments.clone(), plan.run.retain.unwrap_or(RETAIN));
        let mut found = Self {
            storage,
            lock,
            holdings,
            unusable: BTreeMap::new(),
            adjustments,
            verdict: None,
            retain,
            resumed: Resumed::default(),
        };
        found.decide()?;
        Ok(found)
    }

    fn decide(&mut self) -> Result<(), CheckpointError> {
        self.resumed = Resumed::decide(&*self.storage, &self.holdings, &self.unusable)?;
        Ok(())
    }

    /// Holds the graph against the one that was run before.
    pub(super) fn compare(&mut self, nodes: &BTreeMap<String, GraphNode>) -> Result<(), EngineError> {
        self.verdict = self.resumed.compare(nodes, &self.adjustments)?;
        if let Some(verdict) = self.verdict.take_if(|verdict| !verdict.is_compatible()) {
            let (location, verdict) = (self.storage.location(), Box::new(verdict));
            let source = CheckpointError::Incompatible { location, verdict };
            return Err(EngineError::Checkpoint { epoch: None, source });
        }
        Ok(())
    }

    /// What the run goes on from, once its state is loaded.
    pub(super) fn recovery(&self) -> Recovery {
        Recovery::new(self.storage.location(), &self.resumed, self.verdict.clone(), &self.holdings)
    }

    fn is_migrated(&self, node: &str) -> bool {
        self.verdict.iter().flat_map(|verdict| &verdict.nodes).any(|verdict| verdict.node == node && verdict.migrated)
    }

    /// Of a node whose state was kept by another form of its operator: who takes it over, and that form.
    fn adoption_of(
        &self,
        node: &str,
        nodes: &BTreeMap<String, GraphNode>,
    ) -> Option<(Arc<dyn Stateful>, EarlierState)> {
        let before = self.resumed.graph.as_ref()?.nodes.get(self.resumed.name_of(node)?)?;
        let operator = nodes.get(node)?.operator.as_ref()?;
        self.is_migrated(node).then(|| (Arc::clone(operator), before.earlier_state()))
    }

    /// Loads the state of `wanted` (by the names that the nodes have now). When a file turns out to be damaged, looks for an
    /// older version that can be gone on from.
    pub(super) fn load(
        &mut self,
        wanted: &[Wanted],
        nodes: &BTreeMap<String, GraphNode>,
        pool: &ThreadPool,
    ) -> Result<Vec<Vec<StateStore>>, EngineError> {
        let failed = |source| EngineError::Checkpoint { epoch: None, source };
        let in_checkpoint = |wanted: &Wanted, found: &Self| Wanted {
            // A node that starts with nothing has no name in the checkpoint.
            node: found.resumed.name_of(&wanted.node).unwrap_or("").into(),
            adopted: found.adoption_of(&wanted.node, nodes),
            ..wanted.clone()
        };
        loop {
            let Some(version) = &self.resumed.version else {
                let empty =
                    |wanted: &Wanted| (0..wanted.partitions).map(|_| StateStore::new(wanted.tables.clone())).collect();
                return Ok(wanted.iter().map(empty).collect());
            };
            let in_checkpoint: Vec<Wanted> = wanted.iter().map(|wanted| in_checkpoint(wanted, self)).collect();
            match pool.install(|| load(&*self.storage, version, &in_checkpoint)) {
                Ok(stores) => return Ok(stores),
                Err(LoadError::Other(error)) => return Err(failed(error)),
                Err(LoadError::Unusable(file, cause)) => {
                    self.unusable.insert(file, cause);
                    self.decide().map_err(failed)?;
                    // The older version may have been made by another form of the graph.
                    self.compare(nodes)?;
                }
            }
        }
    }

    /// Writes what this run adds before its first epoch, and clears away what is not true any more. `partitions_of`: into how
    /// many partitions a node's state is cut now.
    pub(super) fn take_up(
        self,
        fingerprint: &Fingerprint,
        partitions_of: impl Fn(&str) -> usize,
        now: Timestamp,
    ) -> Result<(Durable, Resumed), EngineError> {
        let failed = |source| EngineError::Checkpoint { epoch: None, source };
        let migrated: BTreeSet<String> =
            self.resumed.known.keys().filter(|node| self.is_migrated(node)).cloned().collect();
        let Self { storage, lock, holdings, retain, mut resumed, .. } = self;
        let graph = &fingerprint.record;
        resumed.take_over_intents(&holdings, graph, &storage.location()).map_err(failed)?;
        let mut ledger = Ledger::open(&holdings, resumed.version.as_ref(), retain);
        // ORDER: what has another form is written whole with the next commit; until then the version that is there stays.
        let goes_on = |node: &str| resumed.name_of(node) == Some(node) && !migrated.contains(node);
        ledger.keep_chains(|node, written| goes_on(node) && partitions_of(node) == written);
        let mut files = Vec::new();
        if !matches!(holdings.metadata, Some(Ok(_))) {
            files.push(record_file(&FileName::Metadata, &Metadata { graph: graph.name.clone(), created: now }));
        }
        let next = resumed.version.as_ref().map_or(Epoch::default(), |commit| commit.epoch.next());
        let overtaken: Vec<Epoch> = holdings.commits.keys().rev().copied().take_while(|epoch| *epoch >= next).collect();
        if let (false, Some(first)) = (overtaken.is_empty(), resumed.replay.front()) {
            // ORDER: the newest first, and durably before their epochs are run again. The files that made them damaged are about to be
            // written anew, and with those they would count again, although what comes before them is not there yet.
            let names: Vec<String> = overtaken.iter().map(|epoch| FileName::Commit(*epoch).to_string()).collect();
            storage.remove(&names).map_err(failed)?;
            // Writing into the same folder makes the removal durable.
            let intent = &holdings.intents[&first.intent.epoch];
            files.extend(intent.as_ref().ok().map(|intent| record_file(&FileName::Intent(intent.epoch), intent)));
            ledger.forget(&overtaken);
        }
        storage.remove(&ledger.leftovers()).map_err(failed)?;
        let number = match (&resumed.graph, &resumed.version) {
            (Some(before), Some(version)) if before == graph => version.graph,
            _ => {
                // A number that no intent or version has.
                let taken = holdings.graphs.keys().next_back().map_or(Epoch::default(), |last| last.next());
                let number = next.max(taken);
                files.push(record_file(&FileName::Graph(number), graph));
                number
            }
        };
        ledger.run_graph(number);
        storage.write(&files).map_err(failed)?;
        let snapshots = SnapshotWriter::start(Arc::clone(&storage))?;
        Ok((Durable { storage, ledger, graph: number, snapshots, _lock: lock }, resumed))
    }
}
