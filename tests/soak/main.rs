//! Kills the real command at random moments, again and again, and holds what it wrote against a run that nobody disturbed.
//!
//! ```sh
//! cargo test --test soak                                         # a few dozen kills, as part of the ordinary tests
//! WATERSHED_SOAK_KILLS=200 cargo test --release --test soak      # the full soak
//! WATERSHED_SOAK_SEED=17 …                                       # other choices
//! ```
//!
//! The seed makes the input and the choices (when to kill, how, with how many threads); where a kill then lands is up to the
//! machine. A failure tells the seed and leaves the directory behind.
#![cfg(unix)]

mod dice;
mod feed;
mod graph;
mod life;
mod soak;
mod witness;

use soak::Soak;

/// How often the processes of all tests here are killed, unless `WATERSHED_SOAK_KILLS` says so.
const KILLS: u64 = 28;

#[test]
fn a_run_that_is_killed_at_random_moments_ends_in_the_files_of_an_undisturbed_one() {
    let kills = Soak::kills_asked_for(KILLS) * 3 / 4;
    Soak::begin("fixed", kills).over_files_that_are_all_there();
}

#[test]
fn files_that_are_added_while_runs_are_killed_are_read_once_each() {
    let kills = Soak::kills_asked_for(KILLS).div_ceil(4);
    Soak::begin("growing", kills).over_files_that_are_added();
}
