//! Inputs that fall silent, and clocks that are wrong.

use std::sync::Arc;

use watershed::core::checkpoint::{CheckpointStorage, MemoryStorage};
use watershed::core::plan::Plan;
use watershed::core::time::TimeSpan;
use watershed::testing::{EpochOutput, GraphDriver, Result, assert_table, plan};

/// Counts of two inputs together, in windows of ten seconds.
fn counts(marked: &str) -> Result<Plan> {
    plan(&format!(
        r#"Graph(
            name: "counts",
            sources: {{"left": Memory(schema: "at TIMESTAMP"), "right": Memory(schema: "at TIMESTAMP")}},
            operators: {{
                "marked_left": Watermark(column: "at", delay: "0 seconds"),
                "marked_right": Watermark(column: "at", delay: "0 seconds", {marked}),
                "both": Union(),
                "counts": Window(window: Tumbling(size: "10 seconds"), aggregates: ["count(*) AS n"], output_mode: Append),
            }},
            sinks: {{"out": Memory(), "late": Memory(), "bad": Memory()}},
            flow: [
                "left -> marked_left -> both -> counts -> out",
                "right -> marked_right -> both",
                "counts.late -> late",
                "{bad} -> bad",
            ],
            run: (trigger: Continuous),
        )"#,
        bad = if marked.contains("max_future") { "marked_right.bad_time" } else { "left" },
    ))
}

fn at(seconds: &[&str]) -> String {
    seconds.iter().fold("at".to_owned(), |table, second| format!("{table} \n 2020-01-01T00:00:{second}Z"))
}

fn one(epochs: &[EpochOutput], sink: &str) -> Vec<usize> {
    epochs.iter().map(|epoch| epoch[sink].len()).collect()
}

#[test]
fn a_silent_input_holds_results_back_until_it_is_idle() -> Result<()> {
    for (marked, counted) in [("", 0), (r#"idle_after: "1 minute""#, 1)] {
        let mut driver = GraphDriver::new(&counts(marked)?);
        driver.set_clock("2020-01-01T01:00:00Z")?;
        driver.feed("left", at(&["01", "02"]).as_str())?;
        driver.feed("right", at(&["03"]).as_str())?;
        driver.run()?;
        driver.feed("left", at(&["25"]).as_str())?;
        assert_eq!(one(&driver.run()?, "out").iter().sum::<usize>(), 0, "`right` may still bring rows");
        driver.advance_clock(TimeSpan::from_seconds(59));
        assert_eq!(driver.run()?.len(), 0, "not for long enough");
        driver.advance_clock(TimeSpan::from_seconds(2));
        let epochs = driver.run()?;
        assert_eq!(one(&epochs, "out").iter().sum::<usize>(), counted, "the clock alone calls for an epoch");
        if counted == 0 {
            continue;
        }
        assert_table!(
            epochs[0]["out"],
            "window_start | window_end | n \n 2020-01-01T00:00:00Z | 2020-01-01T00:00:10Z | 3"
        );
        // It returns: what nobody waited for is late, the rest counts, and it is waited for again.
        driver.feed("right", at(&["04", "26"]).as_str())?;
        let epochs = driver.run()?;
        assert_eq!(one(&epochs, "late").iter().sum::<usize>(), 1);
        driver.feed("left", at(&["45"]).as_str())?;
        assert_eq!(one(&driver.run()?, "out").iter().sum::<usize>(), 0, "`right` is at 26");
        driver.feed("right", at(&["45"]).as_str())?;
        assert_table!(
            driver.run()?.last().expect("epochs")["out"],
            "window_start | window_end | n \n 2020-01-01T00:00:20Z | 2020-01-01T00:00:30Z | 2"
        );
    }
    Ok(())
}

#[test]
fn an_epoch_that_is_run_again_knows_who_was_idle() -> Result<()> {
    let plan = counts(r#"idle_after: "1 minute""#)?;
    let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::new());
    let mut driver = GraphDriver::new(&plan).checkpoint(storage);
    driver.set_clock("2020-01-01T01:00:00Z")?;
    driver.feed("left", at(&["01"]).as_str())?;
    driver.feed("right", at(&["03"]).as_str())?;
    driver.run()?;
    driver.feed("left", at(&["25"]).as_str())?;
    driver.run()?;
    driver.advance_clock(TimeSpan::from_seconds(61));
    let before = driver.run()?;
    assert_eq!(one(&before, "out"), [1]);
    // The epoch's commit is lost, not its intent.
    driver.crash()?;
    driver.run()?;
    let again = driver.replayed();
    assert_eq!(again.len(), 1, "one epoch is run again");
    assert_eq!(format!("{:?}", again[0]["out"]), format!("{:?}", before[0]["out"]));
    // After a restart the silence is counted anew, and what was reached is not given up.
    driver.feed("left", at(&["39"]).as_str())?;
    driver.feed("right", at(&["05"]).as_str())?;
    let epochs = driver.run()?;
    assert_eq!(one(&epochs, "late").iter().sum::<usize>(), 1, "the window of 05 is closed and stays so");
    assert_eq!(one(&epochs, "out").iter().sum::<usize>(), 0);
    Ok(())
}

#[test]
fn a_row_from_the_future_closes_nothing() -> Result<()> {
    for (max_future, closed, bad) in [("1 hour", 0, 1), ("2 hours", 1, 0)] {
        let mut driver = GraphDriver::new(&counts(&format!(r#"max_future: "{max_future}""#))?);
        driver.set_clock("2019-12-31T23:00:10Z")?;
        driver.feed("left", at(&["01", "59"]).as_str())?;
        driver.feed("right", at(&["05", "10", "50"]).as_str())?;
        let epochs = driver.run()?;
        assert_eq!(one(&epochs, "bad").iter().sum::<usize>(), bad, "of 05, 10 and 50, seen at 23:00:10");
        assert_eq!(one(&epochs, "out").iter().sum::<usize>(), 1 + closed, "{max_future}");
    }
    Ok(())
}
