//! Files of a checkpoint that are cut off, altered, missing, of a newer version, or another file's: a run says which file it is
//! and what can be done, or does without it and gives the answer of a run that nothing disturbed. Never another answer.

mod files;
mod surroundings;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use watershed::core::checkpoint::{CheckpointError, Crash, FileName, Holdings};
use watershed::core::engine::{EngineError, Step};
use watershed::core::time::{ManualClock, Timestamp};

use crate::durable::graphs;
use crate::durable::run::{Answer, Outcome, Setup, difference, outcome, prepare_clock};
use crate::durable::world::{CHECKPOINT, World};
use files::{Damage, damages};

/// A checkpoint in the middle of a run: some epochs are committed, one is planned and cut off.
struct Base {
    setup: Setup,
    /// What the run comes to.
    due: Outcome,
    world: World,
    /// Whether the state was cut into other partitions before.
    shared_out_anew: bool,
}

impl Base {
    /// A run with chains of deltas and a snapshot, of which the last two versions are kept.
    fn chains() -> Self {
        let setup = Setup::new(&graphs::LONG);
        let (due, _) = setup.undisturbed();
        Self::cut(setup, due, &World::default(), 12)
    }

    /// A run with two sources and many tables that went on with another number of partitions. All epochs are kept.
    fn shared_out_anew() -> Self {
        let mut setup = Setup::new(&graphs::WINDOWS);
        setup.plan.run.retain = Some(10);
        let world = World::default();
        run_up_to(&setup, &world, 2);
        setup.plan.run.partitions = Some(3);
        let through = world.crash(Crash::KeepsAll);
        setup.finish(&through).expect("nothing disturbs the run");
        let due = outcome(&through).expect("a whole checkpoint");
        Self { shared_out_anew: true, ..Self::cut(setup, due, &world, 4) }
    }

    /// Goes on from `world` until this epoch is planned and computed, and not committed.
    fn cut(setup: Setup, due: Outcome, world: &World, epoch: u64) -> Self {
        run_up_to(&setup, world, epoch);
        for operation in 1.. {
            let tried = world.crash(Crash::KeepsAll);
            tried.disk.stop_at(operation);
            assert!(setup.finish(&tried).is_err(), "epoch {epoch} is never under way");
            let found = tried.crash(Crash::KeepsSynced);
            let holdings = Holdings::read(&found.checkpoint()).expect("a disk that answers");
            let is_written = holdings.state.keys().any(|file| file.epoch.0 == epoch);
            if is_written && !holdings.commits.keys().any(|committed| committed.0 == epoch) {
                return Self { setup, due, world: found, shared_out_anew: false };
            }
        }
        unreachable!("there is an end")
    }

    /// The files of the checkpoint, by their names in it.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let name = |path: &Path| Some(path.strip_prefix(CHECKPOINT).ok()?.to_str()?.to_owned());
        self.world.files().into_iter().filter_map(|(path, content)| Some((name(&path)?, content))).collect()
    }

    /// A copy of the world in which files of the checkpoint have this content, or are not there.
    fn with(&self, changes: &[(&str, Option<&[u8]>)], released: bool) -> World {
        let copy = self.world.crash(Crash::KeepsAll);
        let copy = if released { copy } else { World::with_disk(copy.disk) };
        for (name, content) in changes {
            let path = PathBuf::from(CHECKPOINT).join(name);
            match content {
                Some(content) => copy.disk.replace(&path, *content),
                None => copy.disk.lose(&path),
            }
        }
        copy
    }
}

/// Runs until this epoch is the next.
fn run_up_to(setup: &Setup, world: &World, epoch: u64) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
    let mut engine = setup.open(world, &clock).expect("the graph opens");
    while engine.next_epoch().0 < epoch {
        prepare_clock(&engine, &clock);
        assert!(matches!(engine.step(), Ok(Step::Ran(_))));
    }
}

/// What a run came to on a damaged checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// The right answer.
    Right,
    /// An error that names the file and says what can be done.
    Told,
    /// Another error.
    Failed,
}

/// Runs to the end; an answer that is not the right one, and an error that does not say enough, is a fault.
fn run_on(base: &Base, world: &World, file: &str) -> Result<Came, String> {
    match base.setup.finish(world) {
        Ok(()) => {
            let seen = outcome(world)?;
            match difference(&base.due, &seen) {
                // An epoch that had other partitions the first time may have its rows in another order.
                Some(difference) if !base.shared_out_anew || Answer::of(&base.due) != Answer::of(&seen) => {
                    Err(format!("a wrong answer: {difference}"))
                }
                _ => Ok(Came::Right),
            }
        }
        Err(EngineError::Checkpoint { source: CheckpointError::Damaged { damages, remedy, location }, .. }) => {
            let says = CheckpointError::Damaged { location, damages, remedy: remedy.clone() }.to_string();
            if says.contains(&format!("`{file}`")) && says.contains(CHECKPOINT) && remedy.len() > 20 {
                Ok(Came::Told)
            } else {
                Err(format!("it does not say enough: {says}; {remedy}"))
            }
        }
        Err(error) if error.to_string().contains("died") => Err(format!("a panic: {error}")),
        Err(_) => Ok(Came::Failed),
    }
}

/// Does every damage to every file. Gives how often what came of it, by kind of file.
fn damage_everything(base: &Base, released: bool) -> BTreeMap<(&'static str, Came), usize> {
    let (files, mut tally, mut faults) = (base.files(), BTreeMap::new(), Vec::new());
    let mut turn = 0;
    for name in files.keys() {
        let is_state = matches!(FileName::parse(name), Some(FileName::State(_)));
        for (number, Damage { what, content }) in damages(name, &files).into_iter().enumerate() {
            // There are many files of state, and they are alike: each is lost, and has its share of the rest.
            turn += 1;
            if (is_state && number > 0 && turn % 4 > 0) || (released && turn % 3 > 0) {
                continue;
            }
            let world = base.with(&[(name, content.as_deref())], released);
            match run_on(base, &world, name) {
                // With inputs that are gone, going back is not to be had; the error is that of the source.
                Ok(Came::Failed) if !released => faults.push(format!("`{name}` {what}: an error of another kind")),
                Ok(came) => *tally.entry((kind(name), came)).or_default() += 1,
                Err(fault) => faults.push(format!("`{name}` {what}: {fault}")),
            }
        }
    }
    assert!(faults.is_empty(), "{} faults, first\n{}", faults.len(), faults[..faults.len().min(8)].join("\n"));
    tally
}

fn kind(name: &str) -> &'static str {
    match FileName::parse(name) {
        Some(FileName::Metadata) => "metadata",
        Some(FileName::Graph(_)) => "graph",
        Some(FileName::Intent(_)) => "intent",
        Some(FileName::Commit(_)) => "commit",
        Some(FileName::State(file)) => file.content.extension(),
        None => "lock",
    }
}

#[test]
fn no_damage_to_a_file_gives_a_wrong_answer() {
    let kinds = ["metadata", "graph", "intent", "commit", "delta", "snapshot", "lock"];
    for (what, base) in [("chains", Base::chains()), ("shared out anew", Base::shared_out_anew())] {
        let tally = damage_everything(&base, false);
        println!("{what}: {tally:?}");
        for kind in kinds {
            assert!(tally.keys().any(|(of, _)| *of == kind), "{what}: no {kind} was damaged");
        }
        let came = |kind, came| tally.get(&(kind, came)).copied().unwrap_or(0);
        // Nobody needs what these say to go on, but for a newer format.
        assert!(came("metadata", Came::Right) > came("metadata", Came::Told));
        assert_eq!(came("lock", Came::Told), 0);
        assert!(came("commit", Came::Right) > 0, "{what}: an older version was never gone back to");
        assert!(came("intent", Came::Told) > 0 && came("delta", Came::Right) > 0);
    }
}

#[test]
fn no_damage_gives_a_wrong_answer_when_inputs_that_were_read_are_gone() {
    let tally = damage_everything(&Base::chains(), true);
    println!("{tally:?}");
    assert!(tally.keys().any(|(_, came)| *came == Came::Failed));
}

#[test]
fn two_damaged_files_give_no_wrong_answer() {
    let base = Base::shared_out_anew();
    let files = base.files();
    let names: Vec<&String> = files.keys().collect();
    let mut dice = graphs::Dice(7);
    for _ in 0..200 {
        let two = [0; 2].map(|_| names[dice.below(names.len() as u64) as usize]);
        let [one, other] = two.map(|name| {
            let mut damages = damages(name, &files);
            damages.swap_remove(dice.below(damages.len() as u64) as usize)
        });
        let changes = [(two[0].as_str(), one.content.as_deref()), (two[1].as_str(), other.content.as_deref())];
        let came = run_on(&base, &base.with(&changes, false), two[0]).or_else(|fault| {
            // It may be the other one that stands in the way.
            run_on(&base, &base.with(&changes, false), two[1]).map_err(|_| fault)
        });
        if let Err(fault) = came {
            panic!("{two:?} {} and {}: {fault}", one.what, other.what);
        }
    }
}

#[test]
fn an_intent_that_cannot_be_read_may_be_given_up_as_the_remedy_says() {
    let base = Base::chains();
    let files = base.files();
    let intent = files.keys().rfind(|name| kind(name) == "intent").expect("an intent");
    let remedy = match base.setup.finish(&base.with(&[(intent, Some(b"?"))], false)) {
        Err(EngineError::Checkpoint { source: CheckpointError::Damaged { remedy, .. }, .. }) => remedy,
        other => panic!("{other:?}"),
    };
    assert!(remedy.contains(intent) && remedy.contains("`*.00000012.*`"), "{remedy}");
    let state = files.keys().filter(|name| name.starts_with("state/") && name.contains(".00000012."));
    let given_up: Vec<(&str, Option<&[u8]>)> = state.chain([intent]).map(|name| (name.as_str(), None)).collect();
    assert!(given_up.len() > 1);
    assert_eq!(run_on(&base, &base.with(&given_up, false), intent), Ok(Came::Right));
}

/// What people are told, and what becomes of it.
#[test]
fn damage_is_told_with_the_file_and_the_remedy() {
    let base = Base::chains();
    let files = base.files();
    let last = |kind_of: &str| files.keys().rfind(|name| kind(name) == kind_of).expect("one of each kind").clone();
    let mut told = String::new();
    for (name, wanted) in [
        (last("metadata"), "is of a newer version"),
        (last("graph"), "is cut off at 0"),
        (last("intent"), "is missing"),
        (last("intent"), "has a bit flipped"),
        (last("snapshot"), "is missing"),
        (last("snapshot"), "is of a newer version"),
        (last("delta"), "has a bit flipped"),
    ] {
        let damage = damages(&name, &files).into_iter().find(|damage| damage.what.starts_with(wanted));
        let damage = damage.unwrap_or_else(|| panic!("`{name}` never {wanted}"));
        let ran = base.setup.finish(&base.with(&[(&name, damage.content.as_deref())], false));
        let came = match ran {
            Ok(()) => "the run goes on".to_owned(),
            Err(EngineError::Checkpoint { source: source @ CheckpointError::Damaged { .. }, .. }) => {
                let CheckpointError::Damaged { remedy, .. } = &source else { unreachable!("just matched") };
                format!("{source}\n  help: {remedy}")
            }
            Err(error) => error.to_string(),
        };
        writeln!(told, "`{name}` {wanted}\n  {came}").expect("a string can be written");
    }
    insta::assert_snapshot!(told);
}
