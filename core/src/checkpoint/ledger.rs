//! Which files a checkpoint has, which of them each version is made of, and which nobody needs any more.

use std::collections::{BTreeMap, BTreeSet};

use super::holdings::Holdings;
use super::record::{Chain, Commit, FileName, StateContent, StateFile};
use crate::epoch::Epoch;

/// A chain of at least so many deltas may be replaced by a snapshot …
const FEWEST_DELTAS: usize = 10;
/// … as soon as they hold as much as the last snapshot does, or there are so many of them.
const MOST_DELTAS: usize = 200;

/// A table of one partition of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableKey {
    /// The node.
    pub node: String,
    /// The table.
    pub table: String,
    /// The partition.
    pub partition: usize,
}

impl TableKey {
    /// The file of this table after `epoch`.
    pub fn file(&self, epoch: Epoch, content: StateContent) -> StateFile {
        StateFile { node: self.node.clone(), partition: self.partition, table: self.table.clone(), epoch, content }
    }

    fn of(file: &StateFile) -> Self {
        Self { node: file.node.clone(), table: file.table.clone(), partition: file.partition }
    }
}

/// The files of the run in hand. Only the driver has one.
#[derive(Debug, Default)]
pub struct Ledger {
    retain: u64,
    chains: BTreeMap<TableKey, Chain>,
    /// Tables whose snapshot is being written.
    under_way: BTreeSet<TableKey>,
    files: BTreeMap<StateFile, u64>,
    records: BTreeSet<Epoch>,
    graphs: BTreeSet<Epoch>,
    /// The graph of the run in hand: needed before the first commit names it.
    graph: Option<Epoch>,
    /// Epochs that are to be run again, and the graphs that they were planned for.
    planned: BTreeMap<Epoch, Epoch>,
    /// The versions that are kept.
    versions: BTreeMap<Epoch, Commit>,
}

impl Ledger {
    /// A ledger of what there is, when a run goes on from `version`.
    pub fn open(holdings: &Holdings, version: Option<&Commit>, retain: u64) -> Self {
        let mut ledger = Self { retain: retain.max(1), files: holdings.state.clone(), ..Self::default() };
        ledger.records = holdings.intents.keys().chain(holdings.commits.keys()).copied().collect();
        ledger.graphs = holdings.graphs.keys().copied().collect();
        ledger.graph = version.map(|commit| commit.graph);
        let after = |epoch: Epoch| version.is_none_or(|commit| epoch > commit.epoch);
        let planned = holdings.intents.values().flatten().filter(|intent| after(intent.epoch));
        ledger.planned = planned.map(|intent| (intent.epoch, intent.graph)).collect();
        for commit in holdings.commits.values().flatten() {
            ledger.versions.insert(commit.epoch, commit.clone());
        }
        for (node, tables) in version.iter().flat_map(|commit| &commit.state) {
            for (table, partitions) in tables {
                for (partition, chain) in partitions.iter().enumerate() {
                    let key = TableKey { node: node.clone(), table: table.clone(), partition };
                    ledger.chains.insert(key, chain.clone());
                }
            }
        }
        ledger
    }

    /// Forgets the chains of other nodes (`of` gets a node and the number of its partitions): what those keep is to be written
    /// whole.
    pub fn keep_chains(&mut self, of: impl Fn(&str, usize) -> bool) {
        let mut written: BTreeMap<String, usize> = BTreeMap::new();
        for key in self.chains.keys() {
            let partitions = written.entry(key.node.clone()).or_default();
            *partitions = (*partitions).max(key.partition + 1);
        }
        self.chains.retain(|key, _| of(&key.node, written[&key.node]));
    }

    /// Forgets versions that are to be made again.
    pub fn forget(&mut self, epochs: &[Epoch]) {
        self.versions.retain(|epoch, _| !epochs.contains(epoch));
    }

    /// Whether nothing of the table was written yet.
    pub fn is_unwritten(&self, key: &TableKey) -> bool {
        !self.chains.contains_key(key)
    }

    /// Takes note of a file that epoch `epoch` writes for a table.
    pub fn write(&mut self, key: &TableKey, epoch: Epoch, content: StateContent) {
        let chain = self.chains.entry(key.clone()).or_default();
        match content {
            StateContent::Snapshot => *chain = Chain { snapshot: Some(epoch), deltas: Vec::new() },
            StateContent::Delta => chain.deltas.push(epoch),
        }
    }

    /// Whether it is time for a snapshot of the table; if so, it counts as under way.
    pub fn takes_snapshot(&mut self, key: &TableKey) -> bool {
        let Some(chain) = self.chains.get(key) else { return false };
        if chain.deltas.len() < FEWEST_DELTAS || self.under_way.contains(key) {
            return false;
        }
        let size = |epoch: &Epoch, content| self.files.get(&key.file(*epoch, content)).copied().unwrap_or(0);
        let deltas: u64 = chain.deltas.iter().map(|epoch| size(epoch, StateContent::Delta)).sum();
        let snapshot = chain.snapshot.as_ref().map_or(0, |epoch| size(epoch, StateContent::Snapshot));
        let due = deltas >= snapshot || chain.deltas.len() >= MOST_DELTAS;
        if due {
            self.under_way.insert(key.clone());
        }
        due
    }

    /// A snapshot was written: it takes the place of the deltas up to it.
    pub fn snapshot_done(&mut self, file: StateFile, bytes: u64) {
        let key = TableKey::of(&file);
        self.under_way.remove(&key);
        if let Some(chain) = self.chains.get_mut(&key)
            && chain.snapshot.is_none_or(|epoch| epoch < file.epoch)
        {
            chain.snapshot = Some(file.epoch);
            chain.deltas.retain(|epoch| *epoch > file.epoch);
        }
        self.files.insert(file, bytes);
    }

    /// The chains as a commit names them.
    pub fn state(&self) -> BTreeMap<String, BTreeMap<String, Vec<Chain>>> {
        let mut state: BTreeMap<String, BTreeMap<String, Vec<Chain>>> = BTreeMap::new();
        // Keys come in the order of partitions, none left out.
        for (key, chain) in &self.chains {
            state.entry(key.node.clone()).or_default().entry(key.table.clone()).or_default().push(chain.clone());
        }
        state
    }

    /// An intent was written.
    pub fn intended(&mut self, epoch: Epoch) {
        self.records.insert(epoch);
    }

    /// This is the graph of the run in hand.
    pub fn run_graph(&mut self, epoch: Epoch) {
        self.graphs.insert(epoch);
        self.graph = Some(epoch);
    }

    /// An epoch was committed with these files of state.
    pub fn committed(&mut self, commit: Commit, written: Vec<(StateFile, u64)>) {
        self.records.insert(commit.epoch);
        self.planned.remove(&commit.epoch);
        self.files.extend(written);
        self.versions.insert(commit.epoch, commit);
    }

    /// Takes out what no version that is to be kept needs, and gives the files' names in the order in which they may go.
    /// `newest` is the newest epoch that is done.
    pub fn prune(&mut self, newest: Epoch) -> Vec<String> {
        let oldest = Epoch(newest.0.saturating_sub(self.retain - 1));
        let mut gone = Vec::new();
        let kept = self.records.split_off(&oldest);
        // ORDER: the intent first. A commit alone is a version still; an intent alone would be an epoch to be run.
        for epoch in std::mem::replace(&mut self.records, kept) {
            gone.extend([FileName::Intent(epoch), FileName::Commit(epoch)].map(|name| name.to_string()));
        }
        self.versions = self.versions.split_off(&oldest);
        // Looking through all files takes time; they may lie about for a few epochs.
        if newest.0.is_multiple_of(self.retain) {
            gone.extend(self.unneeded(newest));
        }
        gone
    }

    /// Files of state and graphs that no version needs, other than those being written.
    fn unneeded(&mut self, newest: Epoch) -> Vec<String> {
        let needed: BTreeSet<StateFile> = self.versions.values().flat_map(Commit::state_files).collect();
        let is_chained = |file: &StateFile| {
            let chain = self.chains.get(&TableKey::of(file));
            chain.is_some_and(|chain| match file.content {
                StateContent::Delta => chain.deltas.contains(&file.epoch),
                StateContent::Snapshot => chain.snapshot == Some(file.epoch),
            })
        };
        let unneeded = |file: &&StateFile| file.epoch <= newest && !needed.contains(file) && !is_chained(file);
        let unneeded: Vec<StateFile> = self.files.keys().filter(unneeded).cloned().collect();
        let graphs: Vec<Epoch> = self
            .graphs
            .iter()
            .copied()
            .filter(|graph| *graph <= newest && self.graph != Some(*graph))
            .filter(|graph| !self.versions.values().any(|version| version.graph == *graph))
            .filter(|graph| !self.planned.values().any(|planned_for| planned_for == graph))
            .collect();
        let mut names: Vec<String> = graphs.iter().map(|graph| FileName::Graph(*graph).to_string()).collect();
        self.graphs.retain(|graph| !graphs.contains(graph));
        for file in unneeded {
            self.files.remove(&file);
            names.push(FileName::State(file).to_string());
        }
        names
    }

    /// Files of state that belong to no version: what an epoch that was cut off left behind.
    pub fn leftovers(&mut self) -> Vec<String> {
        self.unneeded(Epoch(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TableKey {
        TableKey { node: "n".to_owned(), table: "t".to_owned(), partition: 0 }
    }

    /// Runs epochs of one delta of so many bytes; snapshots are done at once and are of so many bytes.
    fn run(ledger: &mut Ledger, epochs: std::ops::Range<u64>, delta: u64, snapshot: u64) -> (Vec<u64>, Vec<String>) {
        let (mut snapshots, mut gone) = (Vec::new(), Vec::new());
        for epoch in epochs.map(Epoch) {
            ledger.intended(epoch);
            ledger.write(&key(), epoch, StateContent::Delta);
            let (graph, state) = (Epoch(0), ledger.state());
            let commit = Commit {
                epoch,
                graph,
                offsets: BTreeMap::new(),
                watermarks: BTreeMap::new(),
                reached: BTreeMap::new(),
                state,
            };
            ledger.committed(commit, vec![(key().file(epoch, StateContent::Delta), delta)]);
            if ledger.takes_snapshot(&key()) {
                assert!(!ledger.takes_snapshot(&key()), "one at a time");
                snapshots.push(epoch.0);
                ledger.snapshot_done(key().file(epoch, StateContent::Snapshot), snapshot);
            }
            gone.extend(ledger.prune(epoch));
        }
        (snapshots, gone)
    }

    #[test]
    fn a_snapshot_comes_when_the_deltas_hold_as_much() {
        for (delta, snapshot, expected) in
            [(10, 10, &[9, 19, 29, 39][..]), (10, 200, &[9, 29][..]), (1, 1_000_000, &[9][..])]
        {
            assert_eq!(run(&mut Ledger { retain: 5, ..Ledger::default() }, 0..45, delta, snapshot).0, expected);
        }
    }

    #[test]
    fn what_the_kept_versions_are_made_of_is_kept() {
        let mut ledger = Ledger { retain: 3, ..Ledger::default() };
        let (snapshots, gone) = run(&mut ledger, 0..31, 10, 10);
        assert_eq!(snapshots, [9, 19, 29]);
        let versions: Vec<u64> = ledger.versions.keys().map(|epoch| epoch.0).collect();
        assert_eq!(versions, [28, 29, 30]);
        for (epoch, version) in &ledger.versions {
            assert!(version.state_files().all(|file| ledger.files.contains_key(&file)), "version {epoch}");
        }
        assert!(!gone.contains(&FileName::State(key().file(Epoch(19), StateContent::Snapshot)).to_string()));
        assert!(gone.contains(&FileName::State(key().file(Epoch(9), StateContent::Snapshot)).to_string()));
        assert!(gone.contains(&FileName::Commit(Epoch(26)).to_string()));
        let files: Vec<u64> = ledger.files.keys().map(|file| file.epoch.0).collect();
        assert_eq!(files, [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 29, 30], "two snapshots and eleven deltas");
        let mut all = gone.clone();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), gone.len(), "no file is removed twice");
    }

    #[test]
    fn an_intent_goes_before_its_commit_and_what_nobody_committed_is_a_leftover() {
        let mut ledger = Ledger { retain: 1, ..Ledger::default() };
        let (_, gone) = run(&mut ledger, 0..2, 1, 1);
        assert_eq!(gone, ["epochs/00000000.intent", "epochs/00000000.commit"]);
        let stray = key().file(Epoch(7), StateContent::Delta);
        ledger.files.insert(stray.clone(), 1);
        assert_eq!(ledger.leftovers(), [FileName::State(stray).to_string()]);
        assert_eq!(ledger.leftovers(), Vec::<String>::new());
    }

    /// A fresh checkpoint lost its graph to the clearing of leftovers, before a commit could name it.
    #[test]
    fn the_graph_of_the_run_in_hand_stays_before_a_commit_names_it() {
        let mut ledger = Ledger { retain: 1, ..Ledger::default() };
        ledger.graphs.insert(Epoch(3));
        ledger.run_graph(Epoch(0));
        assert_eq!(ledger.leftovers(), [FileName::Graph(Epoch(3)).to_string()]);
        run(&mut ledger, 0..3, 1, 1);
        assert_eq!(ledger.graphs, BTreeSet::from([Epoch(0)]));
    }
}
