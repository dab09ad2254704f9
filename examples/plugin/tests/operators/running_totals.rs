//! `RunningTotals`: what a new crate begins with.

use activity_operators::RunningTotals;
use watershed::prelude::TimeSpan;
use watershed::testing::{Epochs, Result, Tested, assert_table};

use crate::same_answers;

fn totals() -> Tested {
    Tested::new(RunningTotals { idle: TimeSpan::from_minutes(1) })
        .input("at TIMESTAMP NOT NULL, user STRING NOT NULL, amount DOUBLE NOT NULL")
        .event_time("at")
}

#[test]
fn a_user_who_pays_nothing_for_a_minute_is_forgotten() -> Result<()> {
    let mut harness = totals().harness()?;
    harness.feed(
        "in",
        "
        | at                   | user | amount |
        | 2026-01-01T10:00:00Z | ann  | 2.5    |
        | 2026-01-01T10:00:50Z | bob  | 4      |
        | 2026-01-01T10:00:30Z | bob  | 1      |
        ",
    )?;
    let output = harness.end_epoch()?;
    assert_table!(
        output["out"],
        "
        | user | payments | total |
        | ann  | 1        | 2.5   |
        | bob  | 2        | 5     |
        "
    );

    harness.set_watermark("2026-01-01T10:01:01Z")?;
    assert_table!(harness.end_epoch()?["out"], "");
    assert_table!(
        harness.state()?.table("state")?.select(&["user", "payments"])?,
        "
        | user | payments |
        | bob  | 2        |
        "
    );

    harness.feed("in", "at | user | amount \n 2026-01-01T10:01:05Z | ann | 1")?;
    assert_table!(harness.end_epoch()?["out"], "user | payments | total \n ann | 1 | 1");
    Ok(())
}

#[test]
fn late_payments_leave_by_a_port_of_their_own() -> Result<()> {
    let mut harness = totals().harness()?;
    harness.set_watermark("2026-01-01T10:00:00Z")?;
    harness.end_epoch()?;
    harness.feed("in", "at | user | amount \n 2026-01-01T09:59:59Z | ann | 1")?;
    let output = harness.end_epoch()?;
    assert_table!(output["out"], "");
    assert_table!(output["late"], "at | user | amount \n 2026-01-01T09:59:59Z | ann | 1");
    Ok(())
}

#[test]
fn the_answer_does_not_depend_on_how_it_is_computed() -> Result<()> {
    same_answers(&totals(), Epochs::Same)
}
