//! How to go on from what a crash left: a pure function from what a checkpoint holds to a decision.
//!
//! A version of the state is as good as the epoch it was committed with, as long as the intents of all epochs after it are
//! there: their replay gives the same state and the same output again. So whatever is damaged, the newest version whose files are
//! whole and after which no intent is missing is exact to go on from. Anything else is an error that says what can be done.

use std::collections::BTreeMap;

use super::error::{Damage, DamageCause};
use super::holdings::Holdings;
use super::record::{FileName, METADATA, StateFile};
use crate::epoch::Epoch;

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing was ever planned: a run starts with epoch 0.
    Fresh,
    /// The state after an epoch is loaded, and epochs are run again as they were meant to be.
    GoOn {
        /// The epoch whose state is loaded; none for the beginning, when all state is empty.
        version: Option<Epoch>,
        /// The epochs to run from their intents, in order.
        replay: Vec<Epoch>,
        /// What is damaged and is done without.
        damages: Vec<Damage>,
    },
    /// Nothing exact can be done.
    Damaged {
        /// What is damaged.
        damages: Vec<Damage>,
        /// What can be done about it.
        remedy: String,
    },
}

/// Decides how to go on. `unusable`: files of state that were read and found damaged.
pub fn decide(holdings: &Holdings, unusable: &BTreeMap<StateFile, DamageCause>) -> Decision {
    let newer = newer_files(holdings, unusable);
    if !newer.is_empty() {
        let remedy = "use the version of Watershed that wrote it, or a newer one".to_owned();
        return Decision::Damaged { damages: newer, remedy };
    }
    let newest = holdings.commits.keys().chain(holdings.intents.keys()).max().copied();
    let written = holdings.state.keys().map(|file| file.epoch).max();
    // State is never written before the intent of its epoch, so what holds state has lost its records.
    let lost = written.filter(|written| newest.is_none_or(|newest| *written > newest));
    if let Some(epoch) = lost {
        let damages = vec![damage(&FileName::Intent(epoch), DamageCause::Missing)];
        return Decision::Damaged { damages, remedy: PUT_BACK.to_owned() };
    }
    let Some(newest) = newest else { return Decision::Fresh };
    let mut damages: Vec<Damage> = match &holdings.metadata {
        None => vec![damage(&FileName::Metadata, DamageCause::Missing)],
        Some(Err(cause)) => vec![damage(&FileName::Metadata, cause.clone())],
        Some(Ok(_)) => Vec::new(),
    };
    let add = |found: Vec<Damage>, damages: &mut Vec<Damage>| {
        for damage in found {
            if !damages.contains(&damage) {
                damages.push(damage);
            }
        }
    };
    // From the beginning only if it is still there.
    let beginning = holdings.intents.contains_key(&Epoch::default()).then_some(None);
    let versions = holdings.commits.keys().rev().copied().map(Some).chain(beginning);
    for version in versions {
        let first = version.map_or(Epoch::default(), Epoch::next);
        if let Some(wrong) = wrong_intent(holdings, first, newest) {
            // Older versions need this intent too.
            add(vec![wrong], &mut damages);
            break;
        }
        match version.map(|version| wrong_with(holdings, version, unusable)).unwrap_or_default() {
            wrong if wrong.is_empty() => {
                let replay = (first.0..=newest.0).map(Epoch).collect();
                return Decision::GoOn { version, replay, damages };
            }
            wrong => add(wrong, &mut damages),
        }
    }
    let remedy = remedy(holdings, newest, &damages);
    Decision::Damaged { damages, remedy }
}

fn damage(name: &FileName, cause: DamageCause) -> Damage {
    Damage { file: name.to_string(), cause }
}

fn newer_files(holdings: &Holdings, unusable: &BTreeMap<StateFile, DamageCause>) -> Vec<Damage> {
    let metadata = holdings.metadata.iter().filter_map(|read| Some((FileName::Metadata, read.as_ref().err()?)));
    let graphs =
        holdings.graphs.iter().filter_map(|(epoch, read)| Some((FileName::Graph(*epoch), read.as_ref().err()?)));
    let intents =
        holdings.intents.iter().filter_map(|(epoch, read)| Some((FileName::Intent(*epoch), read.as_ref().err()?)));
    let commits =
        holdings.commits.iter().filter_map(|(epoch, read)| Some((FileName::Commit(*epoch), read.as_ref().err()?)));
    let state = unusable.iter().map(|(file, cause)| (FileName::State(file.clone()), cause));
    let all = metadata.chain(graphs).chain(intents).chain(commits).chain(state);
    all.filter(|(_, cause)| matches!(cause, DamageCause::Newer { .. }))
        .map(|(name, cause)| damage(&name, cause.clone()))
        .collect()
}

/// The first intent of these epochs that is not there or cannot be read.
fn wrong_intent(holdings: &Holdings, first: Epoch, last: Epoch) -> Option<Damage> {
    (first.0..=last.0).map(Epoch).find_map(|epoch| {
        let cause = match holdings.intents.get(&epoch) {
            Some(Ok(_)) => return None,
            Some(Err(cause)) => cause.clone(),
            None => DamageCause::Missing,
        };
        Some(damage(&FileName::Intent(epoch), cause))
    })
}

/// What keeps the state after `version` from being loaded.
fn wrong_with(holdings: &Holdings, version: Epoch, unusable: &BTreeMap<StateFile, DamageCause>) -> Vec<Damage> {
    let commit = match &holdings.commits[&version] {
        Ok(commit) => commit,
        Err(cause) => return vec![damage(&FileName::Commit(version), cause.clone())],
    };
    let mut wrong = Vec::new();
    match holdings.graphs.get(&commit.graph) {
        Some(Ok(_)) => {}
        Some(Err(cause)) => wrong.push(damage(&FileName::Graph(commit.graph), cause.clone())),
        None => wrong.push(damage(&FileName::Graph(commit.graph), DamageCause::Missing)),
    }
    for file in commit.state_files() {
        let cause =
            if holdings.state.contains_key(&file) { unusable.get(&file).cloned() } else { Some(DamageCause::Missing) };
        wrong.extend(cause.map(|cause| damage(&FileName::State(file), cause)));
    }
    wrong
}

fn remedy(holdings: &Holdings, newest: Epoch, damages: &[Damage]) -> String {
    let intent = FileName::Intent(newest).to_string();
    if damages.iter().all(|damage| damage.file == intent || damage.file == METADATA) {
        // Without its intent an epoch may have no state.
        let with_state = if holdings.state.keys().any(|file| file.epoch == newest) {
            format!(" and the files of state of this epoch, `*.{:08}.*`", newest.0)
        } else {
            String::new()
        };
        return format!(
            "put `{intent}` back from a copy; or remove it{with_state}, and epoch {newest} is planned anew: what a sink had already shown of it may then be shown twice"
        );
    }
    PUT_BACK.to_owned()
}

pub(crate) const PUT_BACK: &str = "put the files back from a copy of the checkpoint, or start anew with an empty one";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::record::{Chain, Commit, GraphRecord, Intent, Metadata, StateContent};
    use crate::time::Timestamp;

    fn delta(epoch: u64) -> StateFile {
        let (node, table) = ("counts".to_owned(), "groups".to_owned());
        StateFile { node, partition: 0, table, epoch: Epoch(epoch), content: StateContent::Delta }
    }

    fn intent(epoch: u64) -> Intent {
        Intent {
            epoch: Epoch(epoch),
            graph: Epoch(0),
            ranges: BTreeMap::new(),
            late: BTreeMap::new(),
            evict: BTreeMap::new(),
            idle: std::collections::BTreeSet::new(),
            processing_time: Timestamp::from_micros(0),
        }
    }

    fn commit(epoch: u64) -> Commit {
        let chain = Chain { snapshot: None, deltas: (0..=epoch).map(Epoch).collect() };
        let state = BTreeMap::from([("counts".to_owned(), BTreeMap::from([("groups".to_owned(), vec![chain])]))]);
        Commit {
            epoch: Epoch(epoch),
            graph: Epoch(0),
            offsets: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            reached: BTreeMap::new(),
            state,
        }
    }

    /// A checkpoint with these intents and commits, all whole, and a delta per commit.
    fn holding(intents: std::ops::Range<u64>, commits: std::ops::Range<u64>) -> Holdings {
        let graph = GraphRecord {
            name: "g".to_owned(),
            text: String::new(),
            partitions: 1,
            nodes: BTreeMap::new(),
            flow: Vec::new(),
        };
        Holdings {
            metadata: Some(Ok(Metadata { graph: "g".to_owned(), created: Timestamp::from_micros(0) })),
            graphs: BTreeMap::from([(Epoch(0), Ok(graph))]),
            intents: intents.map(|epoch| (Epoch(epoch), Ok(intent(epoch)))).collect(),
            commits: commits.clone().map(|epoch| (Epoch(epoch), Ok(commit(epoch)))).collect(),
            state: (0..commits.end).map(|epoch| (delta(epoch), 100)).collect(),
            record_bytes: 0,
        }
    }

    fn said(decision: &Decision) -> String {
        match decision {
            Decision::Fresh => "fresh".to_owned(),
            Decision::GoOn { version, replay, damages } => {
                let version = version.map_or("nothing".to_owned(), |epoch| epoch.to_string());
                let replay: Vec<String> = replay.iter().map(Epoch::to_string).collect();
                let damages: Vec<&str> = damages.iter().map(|damage| damage.file.as_str()).collect();
                format!("after {version} replay [{}] without [{}]", replay.join(" "), damages.join(" "))
            }
            Decision::Damaged { damages, remedy } => {
                let damages: Vec<&str> = damages.iter().map(|damage| damage.file.as_str()).collect();
                format!(
                    "damaged [{}]: {}",
                    damages.join(" "),
                    remedy.split([' ', ',']).take(2).collect::<Vec<_>>().join(" ")
                )
            }
        }
    }

    #[test]
    fn a_whole_checkpoint_goes_on_where_it_was_left() {
        let metadata_alone = Holdings { metadata: holding(0..0, 0..0).metadata, ..Holdings::default() };
        for (holdings, expected) in [
            (Holdings::default(), "fresh"),
            (metadata_alone, "fresh"),
            (holding(0..1, 0..0), "after nothing replay [0] without []"),
            (holding(0..1, 0..1), "after 0 replay [] without []"),
            (holding(0..2, 0..1), "after 0 replay [1] without []"),
            (holding(5..9, 5..9), "after 8 replay [] without []"),
            // The next epoch is planned while this one is committed.
            (holding(5..10, 5..8), "after 7 replay [8 9] without []"),
            // Older intents are pruned before their commits.
            (holding(6..9, 5..9), "after 8 replay [] without []"),
            // The commit alone says enough.
            (holding(0..0, 8..9), "after 8 replay [] without []"),
        ] {
            assert_eq!(said(&decide(&holdings, &BTreeMap::new())), expected);
        }
    }

    #[test]
    fn damage_is_gone_round_where_that_is_exact_and_an_error_where_it_is_not() {
        let broken = || DamageCause::Checksum;
        let damaged = |change: &dyn Fn(&mut Holdings)| {
            let mut holdings = holding(4..9, 3..8);
            change(&mut holdings);
            said(&decide(&holdings, &BTreeMap::new()))
        };
        assert_eq!(damaged(&|_| {}), "after 7 replay [8] without []");
        for (change, expected) in [
            (
                &(|h: &mut Holdings| h.metadata = None) as &dyn Fn(&mut Holdings),
                "after 7 replay [8] without [metadata.json]",
            ),
            (&|h| h.metadata = Some(Err(broken())), "after 7 replay [8] without [metadata.json]"),
            (
                &|h| drop(h.commits.insert(Epoch(7), Err(broken()))),
                "after 6 replay [7 8] without [epochs/00000007.commit]",
            ),
            // A commit that vanished is an epoch that was not committed.
            (&|h| drop(h.commits.remove(&Epoch(7))), "after 6 replay [7 8] without []"),
            (
                &|h| assert!(h.state.remove(&delta(6)).is_some()),
                "after 5 replay [6 7 8] without [state/counts/0/groups.00000006.delta]",
            ),
            (
                &|h| assert!(h.state.remove(&delta(1)).is_some()),
                "damaged [state/counts/0/groups.00000001.delta]: put the",
            ),
            (
                &|h| drop(h.intents.insert(Epoch(8), Err(broken()))),
                "damaged [epochs/00000008.intent]: put `epochs/00000008.intent`",
            ),
            (&|h| drop(h.intents.insert(Epoch(7), Err(broken()))), "after 7 replay [8] without []"),
            (
                &|h| {
                    h.intents.insert(Epoch(7), Err(broken()));
                    h.state.remove(&delta(7));
                },
                "damaged [state/counts/0/groups.00000007.delta epochs/00000007.intent]: put the",
            ),
            (
                &|h| drop(h.commits.insert(Epoch(7), Err(DamageCause::Newer { format: 9 }))),
                "damaged [epochs/00000007.commit]: use the",
            ),
            (
                &|h| drop(h.intents.insert(Epoch(4), Err(DamageCause::Newer { format: 9 }))),
                "damaged [epochs/00000004.intent]: use the",
            ),
            (&|h| h.graphs.clear(), "damaged [graphs/00000000.json]: put the"),
        ] {
            assert_eq!(damaged(change), expected);
        }
    }

    #[test]
    fn a_checkpoint_whose_beginning_is_there_can_be_run_again_from_it() {
        let mut holdings = holding(0..4, 0..3);
        holdings.state.remove(&delta(0));
        let expected = "after nothing replay [0 1 2 3] without [state/counts/0/groups.00000000.delta]";
        assert_eq!(said(&decide(&holdings, &BTreeMap::new())), expected);
    }

    /// A checkpoint that had lost its records was taken for a fresh one, and its state removed.
    #[test]
    fn state_without_records_is_no_fresh_start() {
        let all_gone = Holdings { intents: BTreeMap::new(), commits: BTreeMap::new(), ..holding(0..3, 0..3) };
        let newest_gone = Holdings {
            intents: holding(0..2, 0..2).intents,
            commits: holding(0..2, 0..2).commits,
            ..holding(0..3, 0..3)
        };
        for holdings in [all_gone, newest_gone] {
            assert_eq!(said(&decide(&holdings, &BTreeMap::new())), "damaged [epochs/00000002.intent]: put the");
        }
    }

    /// A stray intent of a far epoch made a list of all epochs before it.
    #[test]
    fn a_stray_intent_costs_nothing() {
        let mut holdings = holding(5..9, 5..9);
        holdings.intents.insert(Epoch(u64::MAX - 1), Ok(intent(u64::MAX - 1)));
        assert_eq!(said(&decide(&holdings, &BTreeMap::new())), "damaged [epochs/00000009.intent]: put the");
    }

    #[test]
    fn a_file_that_was_found_damaged_counts_as_such() {
        let holdings = holding(0..3, 0..3);
        let unusable = BTreeMap::from([(delta(2), DamageCause::Checksum)]);
        let expected = "after 1 replay [2] without [state/counts/0/groups.00000002.delta]";
        assert_eq!(said(&decide(&holdings, &unusable)), expected);
        let unusable = BTreeMap::from([(delta(2), DamageCause::Newer { format: 2 })]);
        assert_eq!(said(&decide(&holdings, &unusable)), "damaged [state/counts/0/groups.00000002.delta]: use the");
    }
}
