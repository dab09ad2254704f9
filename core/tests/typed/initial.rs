//! State that keys begin with.

use watershed_core::assert_table;
use watershed_core::testing::{Result, Tested};

use crate::operators::{CountNullable, CountTo};

fn tested() -> Tested {
    Tested::new(CountTo { limit: 9 }).input("user STRING").input_at("initial", "count BIGINT, more STRING, user STRING")
}

#[test]
fn initial_state_counts_before_the_rows_of_its_epoch() -> Result<()> {
    for partitions in [1, 3] {
        let mut harness = tested().partitions(partitions).harness()?;
        harness.feed("initial", "user | count | more \n a | 5 | x \n b | 7 | y")?;
        harness.feed("in", "user \n c \n a")?;
        let output = harness.end_epoch()?;
        assert_table!(output["out"], "user | count \n a | 6 \n b | 7 \n c | 1");
        harness.feed("initial", "user | count | more \n d | 1 | x")?;
        assert_table!(harness.end_epoch()?["out"], "user | count \n d | 1");
        assert_table!(harness.state()?.table("state")?, "user | count \n a | 6 \n b | 7 \n c | 1 \n d | 1");
    }
    Ok(())
}

#[test]
fn a_key_has_one_initial_state() -> Result<()> {
    for (fed, again) in [
        ("user | count | more \n a | 5 | x \n b | 1 | x \n a | 5 | x", None),
        ("user | count | more \n a | 5 | x", Some("user | count | more \n b | 1 | x \n a | 6 | x")),
    ] {
        let mut harness = tested().harness()?;
        harness.feed("initial", fed)?;
        let mut outcome = harness.end_epoch();
        if let Some(again) = again {
            outcome?;
            harness.feed("initial", again)?;
            outcome = harness.end_epoch();
        }
        let error = outcome.expect_err("a second one").to_string();
        assert!(error.contains("at key `user` = `a`: the key has state already"), "{error}");
    }
    Ok(())
}

#[test]
fn state_that_is_no_row_comes_in_a_column_called_value() -> Result<()> {
    let tested = Tested::new(CountNullable {}).input("user STRING, n DOUBLE");
    let mut harness = tested.clone().input_at("initial", "value BIGINT, user STRING, n DOUBLE").harness()?;
    harness.feed("initial", "user | n | value \n null | 1 | 41")?;
    harness.feed("in", "user | n \n null | 1")?;
    assert_table!(harness.end_epoch()?["out"], "count | n | user \n 42 | 1 | null");
    let error = tested.input_at("initial", "valeu BIGINT, user STRING, n DOUBLE").signature().expect_err("no `value`");
    assert!(error.to_string().contains("did you mean `valeu`?"), "{error}");
    Ok(())
}
