//! Another number of state partitions after a restart: every key's state goes to its new partition, and the answer is that of
//! a run that never changed, epoch by epoch. Only the order of rows within an epoch may be another.

use std::sync::Arc;

use watershed::core::checkpoint::Crash;
use watershed::core::engine::Step;
use watershed::core::time::{ManualClock, Timestamp};

use crate::durable::graphs::{self, Dice};
use crate::durable::run::{Answer, Setup, outcome, prepare_clock};
use crate::durable::state;
use crate::durable::world::World;

/// The setup, with so many partitions.
fn with(setup: &Setup, partitions: Option<usize>) -> Setup {
    let mut setup = setup.clone();
    setup.plan.run.partitions = partitions;
    setup
}

/// Runs so many epochs, or to the end. Tells how many were run.
fn run_epochs(setup: &Setup, world: &World, most: usize) -> usize {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
    let mut engine = setup.open(world, &clock).expect("the graph opens");
    for epoch in 0..most {
        prepare_clock(&engine, &clock);
        match engine.step().expect("the epoch runs") {
            Step::Ran(_) => {}
            Step::Idle | Step::Finished => return epoch,
        }
    }
    most
}

#[test]
fn a_run_that_grows_from_two_to_five_and_shrinks_to_one_gives_the_same_rows() {
    for sample in graphs::ALL {
        let setup = with(&Setup::new(&sample), Some(2));
        let due = Answer::of(&setup.undisturbed().0);
        let epochs = run_epochs(&setup, &World::default(), usize::MAX);
        for grows in 0..epochs {
            for shrinks in [grows + 1, grows + 3] {
                let world = World::default();
                run_epochs(&setup, &world, grows);
                run_epochs(&with(&setup, Some(5)), &world, shrinks - grows);
                run_epochs(&with(&setup, Some(1)), &world, usize::MAX);
                let seen = Answer::of(&outcome(&world).expect("a whole checkpoint"));
                assert_eq!(seen, due, "{}: 5 partitions from epoch {grows} on, 1 from {shrinks} on", sample.name);
            }
        }
    }
}

#[test]
fn a_crash_may_come_between_and_the_next_run_may_have_other_partitions() {
    for sample in graphs::ALL {
        let setup = with(&Setup::new(&sample), Some(2));
        let (due, operations) = setup.undisturbed();
        let due = Answer::of(&due);
        for seed in 0..40 {
            let (mut dice, mut world, mut what) = (Dice(seed), World::default(), String::new());
            for _ in 0..=dice.below(4) {
                let (partitions, cut) = (1 + dice.below(5) as usize, 1 + dice.below(operations));
                let crash = [Crash::KeepsSynced, Crash::KeepsAll, Crash::Torn(seed)][dice.below(3) as usize];
                what = format!("{what}{partitions} partitions, cut at operation {cut}, {crash:?}; ");
                world.disk.stop_at(cut);
                // Whether it came to its end before the power was cut is of no account.
                let _ = with(&setup, Some(partitions)).finish(&world);
                world = world.crash(crash);
            }
            let partitions = 1 + dice.below(5) as usize;
            with(&setup, Some(partitions)).finish(&world).unwrap_or_else(|error| panic!("{what}: {error}"));
            let seen = Answer::of(&outcome(&world).expect("a whole checkpoint"));
            assert_eq!(seen, due, "{}: {what}{partitions} partitions", sample.name);
        }
    }
}

#[test]
fn a_graph_that_does_not_say_how_many_keeps_those_of_the_checkpoint() {
    let setup = Setup::new(&graphs::WINDOWS);
    let (due, _) = with(&setup, Some(3)).undisturbed();
    let world = World::default();
    run_epochs(&with(&setup, Some(3)), &world, 2);
    run_epochs(&with(&setup, None), &world, usize::MAX);
    // To the byte: the order of rows shows the number of partitions.
    assert_eq!(outcome(&world).expect("a whole checkpoint"), due);
    let newest = state::newest(&world.checkpoint()).expect("a whole checkpoint").expect("a commit");
    assert_eq!(newest.state["tumbling"]["groups"].len(), 3, "{:?}", newest.state);
}
