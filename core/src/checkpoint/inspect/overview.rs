//! What a checkpoint holds, from its small files and the sizes of the large ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::checkpoint::holdings::Holdings;
use crate::checkpoint::record::{Chain, Commit, Intent, WatermarkRecord};
use crate::checkpoint::recovery::{Decision, decide};
use crate::epoch::Epoch;
use crate::node::Offset;
use crate::time::{Timestamp, Watermark};

/// All that can be said of a checkpoint without reading its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// The graph that made it, where a file says so.
    pub graph: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Into how many partitions the state is cut.
    pub partitions: Option<usize>,
    /// The epochs that are kept, in order.
    pub epochs: Vec<EpochOverview>,
    /// The newest version of the state that a record speaks of.
    pub version: Option<Epoch>,
    /// What that version is made of.
    pub tables: Vec<TableOverview>,
    /// All files of a checkpoint: how many, and their bytes.
    pub files: usize,
    /// The bytes of all files.
    pub bytes: u64,
    /// How a run would go on, as far as that can be told without reading the state.
    pub decision: Decision,
}

/// An epoch in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochOverview {
    /// Its number.
    pub epoch: Epoch,
    /// How far it came.
    pub state: EpochState,
    /// Its processing time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_time: Option<Timestamp>,
    /// The graph that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<Epoch>,
    /// How much it read of each source, in the source's own unit; 0 when unknown.
    pub read: BTreeMap<String, u64>,
    /// Where every source stood after it.
    pub offsets: BTreeMap<String, Offset>,
    /// Every watermark node after it; of an epoch that is not committed, what is in force in it.
    pub watermarks: BTreeMap<String, WatermarkRecord>,
    /// The files of state that were written for it.
    pub new_files: usize,
    /// Their bytes.
    pub new_bytes: u64,
}

/// How far an epoch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EpochState {
    /// It is done.
    Committed,
    /// It was planned: a run does it, or does it again, as planned.
    Uncommitted,
    /// A record of it cannot be read.
    Damaged,
}

impl EpochState {
    /// The state in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Uncommitted => "uncommitted",
            Self::Damaged => "damaged",
        }
    }
}

/// A table of a node's state: the chain of files of each partition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableOverview {
    /// The node.
    pub node: String,
    /// The table.
    pub table: String,
    /// Per partition, the files that it is made of.
    pub chains: Vec<Chain>,
    /// The bytes of all these files.
    pub bytes: u64,
}

impl Overview {
    /// What `holdings` come to.
    pub fn of(holdings: &Holdings) -> Self {
        let newest = holdings.commits.values().rev().flatten().next();
        let graph = newest
            .and_then(|commit| holdings.graphs.get(&commit.graph))
            .or_else(|| holdings.graphs.values().next_back())
            .and_then(|graph| graph.as_ref().ok());
        let metadata = holdings.metadata.as_ref().and_then(|metadata| metadata.as_ref().ok());
        let records = holdings.graphs.len() + holdings.intents.len() + holdings.commits.len();
        let epochs: BTreeSet<Epoch> = holdings.intents.keys().chain(holdings.commits.keys()).copied().collect();
        Self {
            graph: metadata.map(|metadata| metadata.graph.clone()).or_else(|| graph.map(|graph| graph.name.clone())),
            created: metadata.map(|metadata| metadata.created),
            partitions: graph.map(|graph| graph.partitions),
            epochs: epochs.into_iter().map(|epoch| EpochOverview::of(holdings, epoch)).collect(),
            version: newest.map(|commit| commit.epoch),
            tables: newest.map(|commit| tables(holdings, commit)).unwrap_or_default(),
            files: usize::from(holdings.metadata.is_some()) + records + holdings.state.len(),
            bytes: holdings.record_bytes + holdings.state.values().sum::<u64>(),
            decision: decide(holdings, &BTreeMap::new()),
        }
    }
}

impl EpochOverview {
    fn of(holdings: &Holdings, epoch: Epoch) -> Self {
        let (intent, commit) = (holdings.intents.get(&epoch), holdings.commits.get(&epoch));
        let state = match (intent, commit) {
            (_, Some(Ok(_))) => EpochState::Committed,
            (Some(Ok(_)), None) => EpochState::Uncommitted,
            _ => EpochState::Damaged,
        };
        let intent = intent.and_then(|intent| intent.as_ref().ok());
        let commit = commit.and_then(|commit| commit.as_ref().ok());
        let new: Vec<u64> =
            holdings.state.iter().filter(|(file, _)| file.epoch == epoch).map(|(_, bytes)| *bytes).collect();
        let read = |intent: &Intent| intent.ranges.iter().map(|(source, range)| (source.clone(), range.size)).collect();
        let in_force = |(node, in_force): (&String, &Watermark)| {
            (node.clone(), WatermarkRecord { in_force: *in_force, ..WatermarkRecord::default() })
        };
        Self {
            epoch,
            state,
            processing_time: intent.map(|intent| intent.processing_time),
            graph: commit.map(|commit| commit.graph),
            read: intent.map(read).unwrap_or_default(),
            offsets: commit.map(|commit| commit.offsets.clone()).unwrap_or_default(),
            watermarks: match (commit, intent) {
                (Some(commit), _) => commit.watermarks.clone(),
                (None, Some(intent)) => intent.evict.iter().map(in_force).collect(),
                (None, None) => BTreeMap::new(),
            },
            new_files: new.len(),
            new_bytes: new.iter().sum(),
        }
    }
}

fn tables(holdings: &Holdings, commit: &Commit) -> Vec<TableOverview> {
    let mut tables = Vec::new();
    for (node, by_table) in &commit.state {
        for (table, chains) in by_table {
            let files = chains.iter().enumerate().flat_map(|(partition, chain)| chain.files(node, table, partition));
            let bytes = files.filter_map(|file| holdings.state.get(&file)).sum();
            tables.push(TableOverview { node: node.clone(), table: table.clone(), chains: chains.clone(), bytes });
        }
    }
    tables
}
