//! `DeviceAverages`: windows of so many rows, and state of its first version. What Spark puts out stands in the test files.

use activity_operators::DeviceAverages;
use watershed::testing::{Epochs, Result, Tested, assert_table};

use crate::same_answers;

fn averages() -> Tested {
    Tested::new(DeviceAverages { every: 3 }).input("device STRING, x DOUBLE NOT NULL, at TIMESTAMP").event_time("at")
}

#[test]
fn readings_are_taken_in_the_order_of_their_times() -> Result<()> {
    let mut harness = averages().harness()?;
    harness.feed(
        "in",
        "
        | device | x  | at                   |
        | s3     | 40 | 2026-01-01T10:00:04Z |
        | s3     | 1  | 2026-01-01T10:00:01Z |
        | s3     | 3  | 2026-01-01T10:00:03Z |
        | s3     | 2  | 2026-01-01T10:00:02Z |
        ",
    )?;
    assert_table!(harness.end_epoch()?["out"], "device | average \n s3 | 2");
    assert_table!(harness.state()?.table("state")?, "device | readings | sum \n s3 | 1 | 40");
    Ok(())
}

#[test]
fn the_answer_does_not_depend_on_how_it_is_computed() -> Result<()> {
    same_answers(&averages(), Epochs::Same)
}

#[test]
fn the_order_of_time_asks_for_event_time() {
    let tested = Tested::new(DeviceAverages { every: 3 }).input("device STRING, x DOUBLE");
    let error = tested.signature().expect_err("no event time").to_string();
    assert!(error.contains("event time"), "{error}");
}
