//! `UserSessions`: sessions that end by a timeout or by their length. What Spark puts out stands in the test files.

use activity_operators::UserSessions;
use watershed::prelude::TimeSpan;
use watershed::testing::{Epochs, Result, Tested, assert_table};

use crate::same_answers;

fn sessions() -> Tested {
    Tested::new(UserSessions { gap: TimeSpan::from_seconds(5), most: 3 })
        .input("user STRING, activity STRING, x DOUBLE NOT NULL, event_time TIMESTAMP")
        .event_time("event_time")
}

const COLUMNS: &str = "user | activity | x | event_time";

#[test]
fn a_session_ends_with_its_last_reading_or_when_time_has_passed() -> Result<()> {
    let mut harness = sessions().harness()?;
    harness.feed(
        "in",
        format!(
            "{COLUMNS}
            ann | walk | 1 | 2026-01-01T10:00:00Z
            ann | sit  | 2 | 2026-01-01T10:00:01Z
            bob | sit  | 9 | 2026-01-01T10:00:01Z
            ann | walk | 6 | 2026-01-01T10:00:02Z
            ann | walk | 8 | 2026-01-01T10:00:03Z"
        ),
    )?;
    assert_table!(harness.end_epoch()?["out"], "user | activities | readings | mean_x \n ann | [sit, walk] | 3 | 3");
    // A timeout is over when the watermark is later.
    harness.set_watermark("2026-01-01T10:00:06Z")?;
    assert_table!(harness.end_epoch()?["out"], "");
    harness.set_watermark("2026-01-01T10:00:06.001Z")?;
    assert_table!(harness.end_epoch()?["out"], "user | activities | readings | mean_x \n bob | [sit] | 1 | 9");
    harness.crash()?;
    harness.set_watermark("2026-01-01T10:00:09Z")?;
    assert_table!(harness.end_epoch()?["out"], "user | activities | readings | mean_x \n ann | [walk] | 1 | 8");
    assert!(harness.state()?.table("state")?.is_empty(), "nothing is left");
    Ok(())
}

#[test]
fn the_answer_does_not_depend_on_how_it_is_computed() -> Result<()> {
    same_answers(&sessions(), Epochs::Same)
}
