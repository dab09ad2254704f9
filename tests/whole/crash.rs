//! A run whose power is cut at every operation, in every way, and that is taken up again: what the sinks show in the end, and
//! what the checkpoint holds, is that of a run that nothing disturbed, to the byte.
//!
//! The disk is simulated. Reading aside, whatever a run does to it is an operation: of the checkpoint, and of the sinks. After
//! each crash, before anything is recovered, the promises are checked on which recovery rests.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use watershed::core::checkpoint::{Crash, Holdings};
use watershed::core::epoch::Epoch;
use watershed::core::node::{Kind, entries};
use watershed::core::plan::Role;

use crate::durable::graphs::{self, Dice};
use crate::durable::run::{Outcome, Setup, difference, outcome};
use crate::durable::sabotage::Sabotage;
use crate::durable::state;
use crate::durable::world::World;

const CRASHES: [Crash; 8] = [
    Crash::KeepsSynced,
    Crash::KeepsAll,
    Crash::Torn(1),
    Crash::Torn(2),
    Crash::Torn(3),
    Crash::Torn(4),
    Crash::Torn(5),
    Crash::Torn(6),
];

/// What crashing came to.
#[derive(Default)]
struct Tally {
    crashes: usize,
    /// Worlds that were found, each counted once, however many crashes leave it.
    worlds: usize,
    /// The most epochs that were found planned and not committed.
    longest_replay: usize,
    faults: Vec<String>,
}

impl Tally {
    fn assert_none(&self, what: &str) {
        println!("{what}: {} crashes, {} worlds", self.crashes, self.worlds);
        assert!(self.faults.is_empty(), "{what}: {} faults, first\n{}", self.faults.len(), self.faults[0]);
    }
}

/// A setup, what it comes to when nothing disturbs it, and the worlds that were looked at.
struct Trial {
    setup: Setup,
    due: Outcome,
    operations: u64,
    seen: HashSet<u64>,
    tally: Tally,
}

/// A world as a crash leaves it.
struct Photo {
    /// The operation before which it was taken.
    operation: usize,
    crash: Crash,
    found: World,
}

/// Runs on, and takes a photo of what each crash would leave before every operation and at the end.
fn photos(world: &World, run: impl FnOnce(&World)) -> Vec<Photo> {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let camera = {
        let (world, taken) = (world.clone(), Arc::clone(&taken));
        Arc::new(move || {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            let operation = 1 + taken.len() / CRASHES.len();
            taken.extend(CRASHES.map(|crash| Photo { operation, crash, found: world.crash(crash) }));
        })
    };
    let shutter = Arc::clone(&camera);
    run(&world.watched(move || shutter()));
    camera();
    std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Trial {
    fn new(setup: Setup) -> Self {
        // The answer is that of a run in which everything keeps its promises.
        let (due, operations) = Setup { sabotage: None, ..setup.clone() }.undisturbed();
        Self { setup, due, operations, seen: HashSet::new(), tally: Tally::default() }
    }

    /// Looks at the world that a crash left. Tells whether it is new, and so worth being recovered.
    fn look(&mut self, found: &World, what: &dyn Display) -> bool {
        self.tally.crashes += 1;
        let mut hasher = DefaultHasher::new();
        found.found().hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return false;
        }
        self.tally.worlds += 1;
        if let Ok(holdings) = Holdings::read(&found.checkpoint()) {
            let committed = holdings.commits.keys().next_back();
            let planned = holdings.intents.keys().filter(|epoch| committed.is_none_or(|newest| *epoch > newest));
            self.tally.longest_replay = self.tally.longest_replay.max(planned.count());
        }
        if let Err(fault) = self.check_promises(found) {
            self.tally.faults.push(format!("{what}, as it was found: {fault}"));
        }
        true
    }

    /// What must be so after every crash.
    fn check_promises(&self, found: &World) -> Result<(), String> {
        let storage = found.checkpoint();
        let newest = state::newest(&storage)?;
        let committed = newest.as_ref().map(|commit| commit.epoch);
        let holdings = Holdings::read(&storage).map_err(|error| error.to_string())?;
        if let Some(commit) = &newest {
            state::text_of(&storage, commit).map_err(|fault| format!("committed without its state: {fault}"))?;
        }
        let shown = found.shown();
        for (path, content) in &shown {
            if self.due.shown.get(path) != Some(content) {
                return Err(format!("{} shows what it should not", path.display()));
            }
            let epoch = state::epoch_of(path).unwrap_or_default();
            if state::is_after(path, committed) && !matches!(holdings.intents.get(&epoch), Some(Ok(_))) {
                return Err(format!("{} is shown, and its epoch was never planned", path.display()));
            }
        }
        let is_missing = |path: &&PathBuf| !state::is_after(path, committed) && !shown.contains_key(*path);
        let missing = self.due.shown.keys().find(is_missing);
        if let (Some(path), Some(committed)) = (missing, committed) {
            return Err(format!("epoch {committed} is committed, and {} is not shown", path.display()));
        }
        for (source, _) in &self.setup.inputs {
            let offset = newest.as_ref().and_then(|commit| commit.offsets.get(source)?.0.as_u64()).unwrap_or(0);
            if found.released(source) > offset {
                return Err(format!("`{source}` threw away what is not committed"));
            }
        }
        Ok(())
    }

    /// Runs to the end and compares.
    fn recover(&mut self, found: &World, what: &dyn Display) {
        let fault = match self.setup.finish(found) {
            Err(error) => Some(format!("it does not go on: {error}")),
            Ok(()) => match outcome(found) {
                Ok(seen) => difference(&self.due, &seen),
                Err(fault) => Some(fault),
            },
        };
        self.tally.faults.extend(fault.map(|fault| format!("{what}: {fault}")));
    }

    /// Crashes before every operation, or every so many, in every way; stops at the first fault.
    fn crash_everywhere(&mut self, every: usize) {
        let mut ran = Ok(());
        let photos = photos(&World::default(), |world| ran = self.setup.finish(world));
        if let (Err(error), None) = (ran, self.setup.sabotage) {
            panic!("nothing disturbs the run, and it fails: {error}");
        }
        for photo in photos.into_iter().filter(|photo| photo.operation.is_multiple_of(every)) {
            let what = format!("power cut before operation {}, {:?}", photo.operation, photo.crash);
            if self.look(&photo.found, &what) {
                self.recover(&photo.found, &what);
            }
            if !self.tally.faults.is_empty() {
                return;
            }
        }
    }

    /// Cuts the power at an operation; gives the world as it is when the run has ended.
    fn cut_at(&self, from: &World, operation: u64) -> World {
        let world = from.crash(Crash::KeepsAll);
        world.disk.stop_at(operation);
        let ran = self.setup.finish(&world);
        assert!(ran.is_err() || !world.disk.is_stopped(), "a run whose power was cut must say so");
        world
    }

    /// Crashes once at random, then again and again while it recovers, then lets it come to its end. Here the power is cut
    /// indeed: what is being written is there by half, and the run has to end.
    fn crash_in_chains(&mut self, chains: u64) {
        for seed in 0..chains {
            let mut dice = Dice(seed);
            let (mut world, mut what) = (World::default(), String::new());
            for _ in 0..=dice.below(6) {
                // A recovery is cut early more often than late.
                let most = if dice.below(2) == 0 { self.operations } else { 60 };
                let (operation, crash) = (1 + dice.below(most), CRASHES[dice.below(CRASHES.len() as u64) as usize]);
                what = format!("{what}power cut at operation {operation}, {crash:?}; ");
                world = self.cut_at(&world, operation).crash(crash);
                self.look(&world, &what);
            }
            self.recover(&world, &what);
        }
    }
}

#[test]
fn windows_are_recovered_from_every_crash() {
    let mut trial = Trial::new(Setup::new(&graphs::WINDOWS));
    trial.crash_everywhere(1);
    trial.tally.assert_none("windows");
}

#[test]
fn rows_and_groups_are_recovered_from_every_crash() {
    let mut trial = Trial::new(Setup::new(&graphs::ROWS));
    trial.crash_everywhere(1);
    trial.tally.assert_none("rows");
}

#[test]
fn sessions_are_recovered_from_every_crash() {
    let mut trial = Trial::new(Setup::new(&graphs::SESSIONS));
    trial.crash_everywhere(1);
    trial.tally.assert_none("sessions");
}

#[test]
fn chains_of_deltas_and_snapshots_are_recovered_from_every_crash() {
    let mut trial = Trial::new(Setup::new(&graphs::LONG));
    trial.crash_everywhere(1);
    trial.tally.assert_none("long");
}

#[test]
fn joins_are_recovered_from_every_crash() {
    let mut trial = Trial::new(Setup::new(&graphs::JOINS));
    trial.crash_everywhere(1);
    trial.tally.assert_none("joins");
}

#[test]
fn nodes_that_feed_each_other_are_recovered_from_every_crash() {
    let mut trial = Trial::new(Setup::new(&graphs::CHAINS));
    trial.crash_everywhere(1);
    trial.tally.assert_none("chains");
}

#[test]
fn epochs_that_overlap_are_recovered_from_every_crash() {
    for (sample, every) in [(graphs::WINDOWS, 3), (graphs::LONG, 2)] {
        let mut trial = Trial::new(Setup { pipelined: true, ..Setup::new(&sample) });
        trial.crash_everywhere(every);
        trial.tally.assert_none(sample.name);
        assert!(trial.tally.longest_replay >= 2, "no crash finds an epoch that is planned while another is committed");
    }
}

#[test]
fn a_recovery_that_crashes_is_recovered() {
    for sample in graphs::ALL {
        let mut trial = Trial::new(Setup::new(&sample));
        trial.crash_in_chains(60);
        trial.tally.assert_none(sample.name);
    }
}

#[test]
fn every_broken_promise_is_noticed() {
    for sabotage in Sabotage::ALL {
        let mut trial = Trial::new(Setup { sabotage: Some(sabotage), ..Setup::new(&graphs::LONG) });
        trial.crash_everywhere(1);
        let fault = trial.tally.faults.first();
        println!("{sabotage:?}: {}", fault.map_or("", String::as_str));
        assert!(fault.is_some(), "{sabotage:?} does no harm");
    }
}

/// Epochs that every graph must come to, or the tests above try less than they say.
#[test]
fn the_graphs_have_all_there_is_to_crash() {
    let mut nodes = BTreeSet::new();
    for sample in graphs::ALL {
        let setup = Setup::new(&sample);
        let (due, _) = setup.undisturbed();
        let epochs: BTreeSet<Epoch> = due.shown.keys().filter_map(|path| state::epoch_of(path)).collect();
        assert!(epochs.len() >= 4, "{}: {epochs:?}", sample.name);
        for node in setup.plan.dag.node_weights() {
            match &node.role {
                Role::Operator { spec, .. } => drop(nodes.insert(spec.typetag_name())),
                Role::Sink(..) => {
                    let shows = |path: &Path| path.components().any(|part| part.as_os_str() == &*node.name);
                    assert!(
                        due.shown.keys().any(|path| shows(path)),
                        "{}: nothing reaches `{}`",
                        sample.name,
                        node.name
                    );
                }
                Role::Source(..) => {}
            }
        }
    }
    let entries =
        entries().into_iter().filter(|entry| entry.kind == Kind::Operator && entry.package == "watershed-operators");
    let all: BTreeSet<&str> = entries.map(|entry| entry.name).collect();
    assert_eq!(nodes, all, "every operator is in one of the graphs");
}
