//! Whether a checkpoint is whole: every file read to its last byte, every version held against its files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::DataType;
use rayon::prelude::*;

use super::LOOKS;
use crate::checkpoint::error::{CheckpointError, Damage, DamageCause};
use crate::checkpoint::holdings::Holdings;
use crate::checkpoint::record::{Commit, FileName, StateFile};
use crate::checkpoint::recovery::{Decision, decide};
use crate::checkpoint::restore::{LoadError, read};
use crate::checkpoint::storage::{CheckpointStorage, StoredFile};
use crate::epoch::Epoch;

/// What came of reading all of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// The files of a checkpoint that there are.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The versions that are whole, in order.
    pub whole: Vec<Epoch>,
    /// What is wrong, in the order of names.
    pub findings: Vec<Finding>,
    /// Files that belong to no version and to no epoch: how many, and their bytes. They do no harm.
    pub unneeded: (usize, u64),
    /// Files that are none of a checkpoint's.
    pub strangers: Vec<String>,
    /// How a run would go on.
    pub decision: Decision,
}

/// A damaged file, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, and what is wrong with it.
    pub damage: Damage,
    /// The versions that cannot be loaded without it, in order.
    pub versions: Vec<Epoch>,
    /// What to do about it.
    pub remedy: String,
}

/// Reads every file. `progress` is told of the bytes of state that were read so far, and of those to be read; it is called from
/// several threads.
pub fn verify(
    storage: &dyn CheckpointStorage,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Verification, CheckpointError> {
    let mut known = BTreeMap::new();
    for look in 1.. {
        let holdings = Holdings::read(storage)?;
        let unusable = read_state(storage, &holdings, &mut known, progress)?;
        let verification = judge(storage, &holdings, &unusable, &known)?;
        // What a run removed while it was being read is missed by nobody: a second look tells.
        if verification.findings.is_empty() || look == LOOKS {
            return Ok(verification);
        }
    }
    unreachable!("the last look gives an answer")
}

/// The columns of a file of state that was found whole: how many are the key, and their types.
type Columns = (usize, Vec<DataType>);

/// Reads the files of state that are not known to be whole. Gives those that are damaged.
fn read_state(
    storage: &dyn CheckpointStorage,
    holdings: &Holdings,
    known: &mut BTreeMap<StateFile, Columns>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<BTreeMap<StateFile, DamageCause>, CheckpointError> {
    let unread: Vec<(&StateFile, u64)> = holdings
        .state
        .iter()
        .filter(|(file, _)| !known.contains_key(file))
        .map(|(file, bytes)| (file, *bytes))
        .collect();
    let total: u64 = unread.iter().map(|(_, bytes)| bytes).sum();
    let done = AtomicU64::new(0);
    let look = |(file, bytes): &(&StateFile, u64)| {
        let found = match read(storage, file) {
            Ok(rows) => {
                let types = rows.schema.fields().iter().map(|field| field.data_type().clone()).collect();
                Ok(Ok((rows.header.key_columns, types)))
            }
            Err(LoadError::Unusable(_, cause)) => Ok(Err(cause)),
            Err(LoadError::Other(error)) => Err(error),
        };
        progress(done.fetch_add(*bytes, Ordering::Relaxed) + bytes, total);
        found.map(|found: Result<Columns, DamageCause>| ((*file).clone(), found))
    };
    let found: Vec<_> = unread.par_iter().map(look).collect::<Result<_, CheckpointError>>()?;
    let mut unusable = BTreeMap::new();
    for (file, found) in found {
        match found {
            Ok(columns) => drop(known.insert(file, columns)),
            Err(cause) => drop(unusable.insert(file, cause)),
        }
    }
    Ok(unusable)
}

fn judge(
    storage: &dyn CheckpointStorage,
    holdings: &Holdings,
    unusable: &BTreeMap<StateFile, DamageCause>,
    known: &BTreeMap<StateFile, Columns>,
) -> Result<Verification, CheckpointError> {
    let mut unusable = unusable.clone();
    let commits: Vec<&Commit> = holdings.commits.values().flatten().collect();
    for file in commits.iter().flat_map(|commit| misfits(commit, known)) {
        let how = "its columns are not those of the files before it".to_owned();
        unusable.insert(file, DamageCause::Malformed(how));
    }
    let mut damages = Damages::default();
    damages.of_records(holdings);
    damages.of_state(holdings, &unusable);
    let broken: BTreeSet<Epoch> = damages.0.values().flat_map(|(_, versions)| versions).copied().collect();
    let decision = decide(holdings, &unusable);
    let findings = damages.0.into_iter().map(|(file, (cause, versions))| {
        let remedy = remedy(&file, &cause, &versions, &decision);
        Finding { damage: Damage { file, cause }, versions: versions.into_iter().collect(), remedy }
    });
    let findings = findings.collect();
    let needed: BTreeSet<StateFile> = commits.iter().flat_map(|commit| commit.state_files()).collect();
    let newest = holdings.commits.keys().next_back();
    // What an epoch that is not committed wrote may be about to be.
    let unneeded = |file: &StateFile| !needed.contains(file) && newest.is_some_and(|newest| file.epoch <= *newest);
    let unneeded: Vec<u64> =
        holdings.state.iter().filter(|(file, _)| unneeded(file)).map(|(_, bytes)| *bytes).collect();
    let (ours, strangers): (Vec<StoredFile>, Vec<StoredFile>) =
        storage.list()?.into_iter().partition(|file| FileName::parse(&file.name).is_some());
    Ok(Verification {
        files: ours.len(),
        bytes: ours.iter().map(|file| file.bytes).sum(),
        whole: commits.iter().map(|commit| commit.epoch).filter(|epoch| !broken.contains(epoch)).collect(),
        findings,
        unneeded: (unneeded.len(), unneeded.iter().sum()),
        strangers: strangers.into_iter().map(|file| file.name).collect(),
        decision,
    })
}

/// By file, what is wrong with it, and the versions that cannot be loaded without it.
#[derive(Default)]
struct Damages(BTreeMap<String, (DamageCause, BTreeSet<Epoch>)>);

impl Damages {
    fn add(&mut self, name: &FileName, cause: &DamageCause, version: Option<Epoch>) {
        let (_, versions) = self.0.entry(name.to_string()).or_insert_with(|| (cause.clone(), BTreeSet::new()));
        versions.extend(version);
    }

    fn of_records(&mut self, holdings: &Holdings) {
        match &holdings.metadata {
            Some(Ok(_)) => {}
            Some(Err(cause)) => self.add(&FileName::Metadata, cause, None),
            None if holdings.is_empty() => {}
            None => self.add(&FileName::Metadata, &DamageCause::Missing, None),
        }
        for (epoch, graph) in &holdings.graphs {
            if let Err(cause) = graph {
                self.add(&FileName::Graph(*epoch), cause, None);
            }
        }
        for epoch in missing_between(holdings.intents.keys()) {
            self.add(&FileName::Intent(epoch), &DamageCause::Missing, None);
        }
        for (epoch, intent) in &holdings.intents {
            if let Err(cause) = intent {
                self.add(&FileName::Intent(*epoch), cause, None);
            }
        }
        for epoch in missing_between(holdings.commits.keys()) {
            self.add(&FileName::Commit(epoch), &DamageCause::Missing, Some(epoch));
        }
        for (epoch, commit) in &holdings.commits {
            if let Err(cause) = commit {
                self.add(&FileName::Commit(*epoch), cause, Some(*epoch));
            }
        }
    }

    fn of_state(&mut self, holdings: &Holdings, unusable: &BTreeMap<StateFile, DamageCause>) {
        for (file, cause) in unusable {
            self.add(&FileName::State(file.clone()), cause, None);
        }
        for commit in holdings.commits.values().flatten() {
            if holdings.graphs.get(&commit.graph).is_none_or(Result::is_err) {
                self.add(&FileName::Graph(commit.graph), &DamageCause::Missing, Some(commit.epoch));
            }
            for file in commit.state_files() {
                let there = holdings.state.contains_key(&file);
                let cause = if there { unusable.get(&file) } else { Some(&DamageCause::Missing) };
                if let Some(cause) = cause {
                    self.add(&FileName::State(file), cause, Some(commit.epoch));
                }
            }
        }
    }
}

/// Files of a version that cannot be put together with those before them in their chain.
fn misfits(commit: &Commit, known: &BTreeMap<StateFile, Columns>) -> Vec<StateFile> {
    let mut misfits = Vec::new();
    for (node, tables) in &commit.state {
        for (table, chains) in tables {
            for (partition, chain) in chains.iter().enumerate() {
                let files: Vec<StateFile> = chain.files(node, table, partition).collect();
                let first = files.iter().find_map(|file| known.get(file));
                let fits = |file: &&StateFile| known.get(file).is_none_or(|columns| Some(columns) == first);
                misfits.extend(files.iter().filter(|file| !fits(file)).cloned());
            }
        }
    }
    misfits
}

/// The epochs between the first and the last of `there` that are not among them.
fn missing_between<'a>(there: impl Iterator<Item = &'a Epoch>) -> Vec<Epoch> {
    let there: BTreeSet<u64> = there.map(|epoch| epoch.0).collect();
    let (Some(first), Some(last)) = (there.first(), there.last()) else { return Vec::new() };
    (*first..*last).filter(|epoch| !there.contains(epoch)).map(Epoch).collect()
}

fn remedy(file: &str, cause: &DamageCause, versions: &BTreeSet<Epoch>, decision: &Decision) -> String {
    if let DamageCause::Newer { .. } = cause {
        return "use the version of Watershed that wrote it, or a newer one".to_owned();
    }
    let back = "put it back from a copy of the checkpoint";
    match (FileName::parse(file), decision) {
        (_, Decision::Damaged { damages, remedy }) if damages.iter().any(|damage| damage.file == file) => {
            remedy.clone()
        }
        (Some(FileName::Metadata), _) => "the next run writes it anew".to_owned(),
        (Some(FileName::Intent(epoch)), _) => {
            format!(
                "no run needs it, but one that has to go back before epoch {epoch}; {back}, or leave it: it goes with its epoch"
            )
        }
        _ if versions.is_empty() => "no version needs it: `watershed checkpoint prune` removes it".to_owned(),
        (_, Decision::GoOn { version, .. }) => {
            let from = version.map_or("the beginning".to_owned(), |version| format!("epoch {version}"));
            format!("a run does without, from {from}; to look into {}, {back}", listed(versions))
        }
        _ => back.to_owned(),
    }
}

fn listed(versions: &BTreeSet<Epoch>) -> String {
    match (versions.first(), versions.last()) {
        (Some(first), Some(last)) if first == last => format!("epoch {first}"),
        (Some(first), Some(last)) => format!("epochs {first} to {last}"),
        _ => "them".to_owned(),
    }
}
