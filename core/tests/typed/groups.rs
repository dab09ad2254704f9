//! One state per key: what calls see and leave.

use watershed_core::assert_table;
use watershed_core::testing::{Result, Tested};

use crate::operators::{CountNullable, CountTo, CurrentActivity};

#[test]
fn state_goes_on_from_epoch_to_epoch_until_it_is_removed() -> Result<()> {
    let tested = Tested::new(CountTo { limit: 3 }).input("x DOUBLE, user STRING");
    for partitions in [1, 3] {
        let mut harness = tested.clone().partitions(partitions).harness()?;
        for (fed, expected) in [
            ("user | x \n a | 1", "user | count \n a | 1"),
            ("user | x \n a | 1 \n b | 2", "user | count \n a | 2 \n b | 1"),
            ("user | x \n a | 1 \n b | 2", "user | count \n b | 2"),
            ("user | x \n a | 1 \n c | 2 \n a | 1", "user | count \n a | 2 \n c | 1"),
        ] {
            harness.feed("in", fed)?;
            assert_table!(harness.end_epoch()?["out"], expected);
        }
        assert_table!(harness.state()?.table("state")?, "user | count \n a | 2 \n b | 2 \n c | 1");
    }
    Ok(())
}

#[test]
fn keys_are_called_in_the_order_in_which_they_come() -> Result<()> {
    let mut harness = Tested::new(CountTo { limit: 9 }).input("user STRING").harness()?;
    harness.feed("in", "user \n c \n a \n c \n b \n a")?;
    assert_table!(harness.end_epoch()?["out"], ordered "user | count \n c | 2 \n a | 2 \n b | 1");
    Ok(())
}

#[test]
fn null_is_a_key_and_nan_and_zero_are_one_each() -> Result<()> {
    let mut harness = Tested::new(CountNullable {}).input("n DOUBLE, user STRING").harness()?;
    harness.feed("in", "user | n \n a | 0.0 \n null | 1 \n a | -0.0 \n null | 1 \n a | 1")?;
    assert_table!(harness.end_epoch()?["out"], "count | n | user \n 2 | 0.0 | a \n 2 | 1 | null \n 1 | 1 | a");
    Ok(())
}

#[test]
fn rows_come_in_the_order_of_time() -> Result<()> {
    let tested =
        Tested::new(CurrentActivity { idle: None }).input("user STRING, gt STRING, at TIMESTAMP").event_time("at");
    let mut harness = tested.harness()?;
    harness.feed(
        "in",
        "user | gt | at
         a | walk | 2015-02-24T10:00:05Z
         a | sit | 2015-02-24T10:00:01Z
         a | null | 2015-02-24T10:00:06Z
         a | walk | 2015-02-24T10:00:04Z
         b | sit | 2015-02-24T10:00:04Z",
    )?;
    assert_table!(
        harness.end_epoch()?["out"],
        "user | activity | since | timed_out
         a | walk | 2015-02-24T10:00:04Z | false
         b | sit | 2015-02-24T10:00:04Z | false"
    );
    Ok(())
}
