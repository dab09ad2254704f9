//! Which files of a checkpoint nobody needs, in the order in which they may go.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::holdings::Holdings;
use crate::checkpoint::record::{Commit, FileName, StateFile};
use crate::checkpoint::recovery::{Decision, decide};
use crate::checkpoint::restore::{LoadError, read};
use crate::checkpoint::storage::CheckpointStorage;
use crate::epoch::Epoch;

/// What may go from a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// The versions that stay, in order.
    pub kept: Vec<Epoch>,
    /// The versions that go, in order.
    pub versions: Vec<Epoch>,
    /// The files that go, with their bytes, in the order in which they may be removed.
    pub files: Vec<(String, u64)>,
}

impl Removal {
    /// The bytes of all files that go.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Finds what may go when the newest `keep` versions stay: older versions, and files that no version needs. Whatever a run would
/// go on from stays, and is read to the last byte first, so that nothing goes which may be needed in its place. Removes nothing
/// itself; to act on the answer, hold the lock while asking and acting.
pub fn prune(storage: &dyn CheckpointStorage, keep: usize) -> Result<Removal, CheckpointError> {
    let holdings = Holdings::read(storage)?;
    let mut unusable = BTreeMap::new();
    loop {
        match decide(&holdings, &unusable) {
            Decision::Fresh | Decision::GoOn { version: None, .. } => return Ok(Removal::default()),
            Decision::Damaged { damages, remedy } => {
                return Err(CheckpointError::Damaged { location: storage.location(), damages, remedy });
            }
            Decision::GoOn { version: Some(version), damages, .. } => {
                let files = holdings.commits[&version].iter().flat_map(Commit::state_files);
                let broken: Vec<(StateFile, LoadError)> =
                    files.filter_map(|file| read(storage, &file).err().map(|error| (file, error))).collect();
                if broken.is_empty() {
                    let sizes: BTreeMap<String, u64> =
                        storage.list()?.into_iter().map(|file| (file.name, file.bytes)).collect();
                    return Ok(removal(&holdings, version, keep, damages.is_empty(), &sizes));
                }
                for (file, error) in broken {
                    match error {
                        LoadError::Unusable(_, cause) => unusable.insert(file, cause),
                        LoadError::Other(error) => return Err(error),
                    };
                }
            }
        }
    }
}

/// What may go when a run would go on from `version`. `whole`: nothing was found damaged; otherwise what is newer than
/// `version` stays, to be put right.
fn removal(holdings: &Holdings, version: Epoch, keep: usize, whole: bool, sizes: &BTreeMap<String, u64>) -> Removal {
    let versions: Vec<&Commit> =
        holdings.commits.range(..=version).filter_map(|(_, read)| read.as_ref().ok()).collect();
    let (going, staying) = versions.split_at(versions.len().saturating_sub(keep.max(1)));
    let oldest = staying.first().map_or(version, |commit| commit.epoch);
    let mut names = Vec::new();
    let epochs: BTreeSet<Epoch> = holdings.intents.keys().chain(holdings.commits.keys()).copied().collect();
    for epoch in epochs.range(..oldest) {
        // ORDER: the intent first. A commit alone is a version still; an intent alone would be an epoch to be run.
        names.extend([FileName::Intent(*epoch), FileName::Commit(*epoch)]);
    }
    // ORDER: records before what they speak of. A version whose files are gone would be a damaged one.
    let is_old = |epoch: Epoch| epoch <= version;
    let graphs: BTreeSet<Epoch> = staying.iter().map(|commit| commit.graph).collect();
    let unneeded = holdings.graphs.keys().filter(|graph| is_old(**graph) && !graphs.contains(graph));
    names.extend(unneeded.map(|graph| FileName::Graph(*graph)));
    let needed: BTreeSet<StateFile> = staying.iter().flat_map(|commit| commit.state_files()).collect();
    let unneeded = holdings.state.keys().filter(|file| (whole || is_old(file.epoch)) && !needed.contains(file));
    names.extend(unneeded.map(|file| FileName::State(file.clone())));
    let files = names.into_iter().map(|name| name.to_string());
    Removal {
        kept: staying.iter().map(|commit| commit.epoch).collect(),
        versions: going.iter().map(|commit| commit.epoch).collect(),
        files: files.filter_map(|name| sizes.get(&name).map(|bytes| (name.clone(), *bytes))).collect(),
    }
}
