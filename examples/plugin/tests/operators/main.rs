//! The operators of this crate: each alone in a harness and for the same answer however it is run, and all of them in graphs.

mod current_activity;
mod described;
mod device_averages;
mod documents;
mod graphs;
mod new_crate;
mod payment_alerts;
mod running_totals;
mod stateless;
mod user_sessions;

use watershed::testing::{Epochs, Feed, Result, Testable, same_answer};

/// The answer is the same on one thread and on several, with one partition and with many, with a restart and with a crash at every
/// epoch.
fn same_answers(tested: &impl Testable, epochs: Epochs) -> Result<()> {
    let feeds = (0..10).map(|seed| Feed::random(seed, tested)).collect::<Result<Vec<_>>>()?;
    same_answer(tested, feeds, epochs)
}
