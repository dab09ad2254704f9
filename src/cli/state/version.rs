//! The version of the state that is looked at: which there are, and which nodes and tables it has.

use watershed_core::checkpoint::inspect::TableVersion;
use watershed_core::checkpoint::{
    CheckpointStorage, Commit, Damage, FileName, GraphRecord, Holdings, Intent, LoadError,
};
use watershed_core::epoch::Epoch;

use crate::cli::checkpoint::{epochs, failed};
use crate::cli::exit::{Exit, Failure};

/// The state after one epoch.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub(super) storage: &'a dyn CheckpointStorage,
    holdings: &'a Holdings,
    pub(super) commit: &'a Commit,
}

/// What there was before an epoch.
pub(super) enum Before<'a> {
    /// Nothing: it is the first.
    Beginning,
    /// A version that is kept.
    Kept(Version<'a>),
    /// A version that is not kept any more.
    Gone,
}

impl<'a> Version<'a> {
    /// The version after `epoch`; left out, after the newest that is committed.
    pub(super) fn find(
        storage: &'a dyn CheckpointStorage,
        holdings: &'a Holdings,
        epoch: Option<u64>,
    ) -> Result<Self, Failure> {
        let newest = holdings.commits.keys().next_back();
        let Some(epoch) = epoch.map(Epoch).or(newest.copied()) else {
            let failure =
                Failure::new(Exit::InputOutput, format!("no epoch of `{}` is committed yet", storage.location()));
            return Err(failure.help("`watershed checkpoint list` shows how far it is"));
        };
        match holdings.commits.get(&epoch) {
            Some(Ok(commit)) => Ok(Self { storage, holdings, commit }),
            Some(Err(cause)) => {
                let file = FileName::Commit(epoch).to_string();
                Err(damaged(storage, &Damage { file, cause: cause.clone() }))
            }
            None => {
                let kept: Vec<Epoch> = holdings.commits.keys().copied().collect();
                let what = if holdings.intents.contains_key(&epoch) { "committed" } else { "kept" };
                let failure =
                    Failure::new(Exit::Usage, format!("epoch {epoch} is not {what} in `{}`", storage.location()));
                Err(failure.help(format!("there is the state after {}", epochs(&kept))))
            }
        }
    }

    /// Another version of the same checkpoint.
    pub(super) fn at(&self, epoch: u64) -> Result<Self, Failure> {
        Self::find(self.storage, self.holdings, Some(epoch))
    }

    /// The version that the epoch started from.
    pub(super) fn before(&self) -> Before<'a> {
        let Some(before) = self.commit.epoch.0.checked_sub(1) else { return Before::Beginning };
        self.at(before).map_or(Before::Gone, Before::Kept)
    }

    /// The graph that made it.
    pub(super) fn graph(&self) -> Option<&'a GraphRecord> {
        self.holdings.graphs.get(&self.commit.graph).and_then(|graph| graph.as_ref().ok())
    }

    /// What its epoch was to do.
    pub(super) fn intent(&self) -> Option<&'a Intent> {
        self.holdings.intents.get(&self.commit.epoch).and_then(|intent| intent.as_ref().ok())
    }

    /// The bytes of the files of a table.
    pub(super) fn bytes(&self, node: &str, table: &str) -> u64 {
        let files = self.commit.state_files().filter(|file| file.node == node && file.table == table);
        files.filter_map(|file| self.holdings.state.get(&file)).sum()
    }

    /// The names of a node's tables, or the one that is wanted.
    pub(super) fn tables(&self, node: &str, wanted: Option<&str>) -> Result<Vec<String>, Failure> {
        let Some(tables) = self.commit.state.get(node) else { return Err(self.unknown_node(node)) };
        let names: Vec<String> = tables.keys().cloned().collect();
        match wanted {
            None => Ok(names),
            Some(wanted) if tables.contains_key(wanted) => Ok(vec![wanted.to_owned()]),
            Some(wanted) => {
                let failure = Failure::new(Exit::Usage, format!("node `{node}` keeps no table `{wanted}`"));
                Err(failure.help(format!("it keeps {}", names.join(", "))))
            }
        }
    }

    fn unknown_node(&self, node: &str) -> Failure {
        let known: Vec<&String> = self.commit.state.keys().collect();
        let is_stateless = self.graph().is_some_and(|graph| graph.nodes.contains_key(node));
        let what = if is_stateless { "keeps no state" } else { "is not in this checkpoint" };
        let failure = Failure::new(Exit::Usage, format!("node `{node}` {what}"));
        let distance = |name: &&&String| strsim::damerau_levenshtein(&name.to_lowercase(), &node.to_lowercase());
        let nearest = known.iter().filter(|name| distance(name) <= (node.len() / 3).max(1)).min_by_key(distance);
        match (nearest, known.as_slice()) {
            (_, []) => failure.help("no node of this graph keeps any"),
            (Some(nearest), _) if !is_stateless => failure.help(format!("did you mean `{nearest}`?")),
            _ => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                failure.help(format!("nodes that keep state are {}", names.join(", ")))
            }
        }
    }

    /// The rows of a table; none when this version has no such table.
    pub(super) fn load(
        &self,
        node: &str,
        table: &str,
        partition: Option<usize>,
    ) -> Result<Option<TableVersion>, Failure> {
        let chains = self.commit.state.get(node).and_then(|tables| tables.get(table));
        if let (Some(chains), Some(partition)) = (chains, partition)
            && partition >= chains.len()
        {
            let failure = Failure::new(Exit::Usage, format!("node `{node}` has no partition {partition}"));
            return Err(failure.help(format!("its partitions are 0 to {}", chains.len() - 1)));
        }
        TableVersion::load(self.storage, self.commit, node, table, partition)
            .map_err(|error| load_failed(self.storage, error))
    }
}

/// A file of state that cannot be read, as the command reports it.
pub(super) fn load_failed(storage: &dyn CheckpointStorage, error: LoadError) -> Failure {
    match error {
        LoadError::Unusable(file, cause) => {
            damaged(storage, &Damage { file: FileName::State(file).to_string(), cause })
        }
        LoadError::Other(error) => failed(&error),
    }
}

fn damaged(storage: &dyn CheckpointStorage, damage: &Damage) -> Failure {
    let location = storage.location();
    let failure = Failure::new(Exit::InputOutput, format!("checkpoint `{location}`: {damage}"));
    failure.help(format!("`watershed checkpoint verify {location}` tells all that is damaged, and what to do"))
}
