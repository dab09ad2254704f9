//! `CurrentActivity`: one row per user and epoch. What Spark puts out stands in the test files.

use activity_operators::CurrentActivity;
use watershed::testing::{Epochs, Result, Tested, assert_table};

use crate::same_answers;

fn current() -> Tested {
    Tested::new(CurrentActivity {}).input("user STRING, activity STRING, event_time TIMESTAMP")
}

#[test]
fn a_user_has_one_row_an_epoch_and_keeps_it_over_restarts() -> Result<()> {
    let mut harness = current().partitions(3).harness()?;
    harness.feed(
        "in",
        "
        | user | activity | event_time           |
        | ann  | walk     | 2026-01-01T10:00:00Z |
        | bob  | sit      | 2026-01-01T10:00:01Z |
        | ann  | walk     | 2026-01-01T10:00:05Z |
        ",
    )?;
    assert_table!(
        harness.end_epoch()?["out"],
        "
        | user | activity | start                | end                  |
        | ann  | walk     | 2026-01-01T10:00:00Z | 2026-01-01T10:00:05Z |
        | bob  | sit      | 2026-01-01T10:00:01Z | 2026-01-01T10:00:01Z |
        "
    );
    harness.restart_into(2)?;
    harness.feed("in", "user | activity | event_time \n ann | sit | 2026-01-01T10:00:07Z \n null | sit | null")?;
    assert_table!(
        harness.end_epoch()?["out"],
        "
        | user | activity | start                | end                  |
        | ann  | sit      | 2026-01-01T10:00:07Z | 2026-01-01T10:00:07Z |
        | null | \"\"     | null                 | null                 |
        "
    );
    Ok(())
}

#[test]
fn the_answer_does_not_depend_on_how_it_is_computed() -> Result<()> {
    same_answers(&current(), Epochs::Same)
}
