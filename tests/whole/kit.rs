//! The test kit on built-in operators and whole graphs.

use std::sync::Arc;

use proptest::prelude::*;
use watershed::core::checkpoint::{Crash, LocalDirectory, SimulatedDisk};
use watershed::core::plan::Plan;
use watershed::core::state::Slot;
use watershed::operators::{Dedup, Limit};
use watershed::testing::{
    Epochs, Feed, GraphDriver, Restarts, Result, Table, TestError, Tested, Way, assert_table, plan, same_answer,
};

fn dedup(keys: &[&str]) -> Tested {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Tested::new(Dedup { keys, within_watermark: false }).input("user STRING, at TIMESTAMP, n BIGINT").event_time("at")
}

#[test]
fn a_built_in_operator_shows_its_state_and_takes_other() -> Result<()> {
    let mut harness = dedup(&["user"]).partitions(2).harness()?;
    harness.feed("in", "user | n \n ann | 1 \n ann | 2")?;
    assert_table!(harness.end_epoch()?["out"], "user | at | n \n ann | null | 1");
    assert_table!(harness.state()?.table("seen")?, "user \n ann");
    assert_eq!(harness.state()?.slots("seen")?.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [Slot::NEVER]);
    harness.remove_state("seen", "user \n ann")?;
    harness.set_state("seen", "user \n bob \n null")?;
    harness.feed("in", "user | n \n ann | 3 \n bob | 4 \n null | 5")?;
    assert_table!(harness.end_epoch()?["out"], "user | at | n \n ann | null | 3");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_duplicate_is_dropped_whatever_the_epochs(seed in any::<u64>(), with_time in any::<bool>()) {
        let tested = if with_time { dedup(&["user", "at"]) } else { dedup(&["user", "n"]) };
        let feed = Feed::random(seed, &tested).expect("a feed");
        same_answer(&tested, [feed], Epochs::Any).expect("the same answer");
    }

    #[test]
    fn windows_give_the_same_answer_in_every_way(seed in any::<u64>()) {
        let plan = windows("Append").expect("a plan");
        let feed = Feed::random(seed, &plan).expect("a feed");
        same_answer(&plan, [feed], Epochs::Same).expect("the same answer");
    }
}

#[test]
fn which_rows_an_epoch_ends_with_may_show_in_a_limit() -> Result<()> {
    let tested = Tested::new(Limit(2)).input("user STRING");
    let feed = || Feed::new().rows("in", "user \n a \n b").end_epoch().rows("in", "user \n c");
    same_answer(&tested, [feed()], Epochs::Same)?;
    Ok(())
}

/// Two sources, windows of ten seconds, and what is late.
fn windows(mode: &str) -> Result<Plan> {
    plan(&format!(
        r#"Graph(
            name: "windows",
            sources: {{"left": Memory(schema: "user STRING, at TIMESTAMP"), "right": Memory(schema: "user STRING, at TIMESTAMP")}},
            operators: {{
                "both": Union(),
                "marked": Watermark(column: "at", delay: "5 seconds"),
                "counts": Window(
                    window: Tumbling(size: "10 seconds"), keys: ["user"], aggregates: ["count(*) AS n"], output_mode: {mode},
                ),
            }},
            sinks: {{"out": Memory(), "late": Memory()}},
            flow: ["left -> both -> marked -> counts -> out", "right -> both", "counts.late -> late"],
            run: (at_end: Flush),
        )"#
    ))
}

fn fed(mut driver: GraphDriver) -> Result<GraphDriver> {
    driver.feed("left", "user | at \n ann | 2020-01-01T00:00:01Z \n ann | 2020-01-01T00:00:02Z")?;
    driver.feed("right", "user | at \n bob | 2020-01-01T00:00:03Z")?;
    driver.queue()?;
    driver.feed("right", "user | at \n bob | 2020-01-01T00:00:21Z")?;
    Ok(driver)
}

const CLOSED: &str = "
    window_start         | window_end           | user | n
    2020-01-01T00:00:00Z | 2020-01-01T00:00:10Z | ann  | 2
    2020-01-01T00:00:00Z | 2020-01-01T00:00:10Z | bob  | 1
";

#[test]
fn a_graph_is_driven_epoch_by_epoch() -> Result<()> {
    let mut driver = fed(GraphDriver::new(&windows("Append")?))?;
    let epochs = driver.run()?;
    // The third is the engine's own: the watermark has moved.
    assert_eq!(epochs.iter().map(|epoch| epoch["out"].len()).collect::<Vec<_>>(), [0, 0, 2]);
    assert_table!(epochs[2]["out"], CLOSED);
    driver.feed("left", "user | at \n ann | 2020-01-01T00:00:09Z")?;
    let epochs = driver.run()?;
    assert_table!(epochs[0]["late"], "user | at \n ann | 2020-01-01T00:00:09Z");
    assert_eq!(epochs[0].rows_late(), 1);
    driver.end_input()?;
    assert_eq!(driver.run()?.len(), 1, "the end of input moves the watermark to the end of time");
    assert_eq!(driver.output("out")?.len(), 3);
    Ok(())
}

#[test]
fn a_graph_goes_on_after_a_crash_and_into_other_partitions() -> Result<()> {
    let plan = windows("Append")?;
    let mut driver = fed(GraphDriver::new(&plan).way(Way::PARALLEL))?;
    assert!(driver.step()?.is_some());
    driver.crash()?;
    assert_eq!(driver.replayed().len(), 1);
    assert!(driver.step()?.is_some());
    driver.restart_into(5)?;
    assert!(driver.replayed().is_empty());
    assert_eq!(driver.state("counts")?.partitions(), 5);
    driver.run()?;
    assert_table!(driver.output("out")?, CLOSED);
    Ok(())
}

#[test]
fn a_graph_recovers_wherever_the_power_is_cut() -> Result<()> {
    let plan = windows("Append")?;
    let on = |disk: &SimulatedDisk| Arc::new(LocalDirectory::on(Arc::new(disk.clone()), "checkpoint"));
    let disk = SimulatedDisk::new();
    let mut driver = fed(GraphDriver::new(&plan).checkpoint(on(&disk)))?;
    driver.run()?;
    let (expected, operations) = (driver.output("out")?, disk.operations());
    assert_eq!(expected.len(), 2);
    drop(driver);
    let mut cuts = 0;
    for operation in 1..=operations {
        let disk = SimulatedDisk::new();
        disk.stop_at(operation);
        let mut driver = fed(GraphDriver::new(&plan).checkpoint(on(&disk)))?;
        cuts += usize::from(driver.run().is_err());
        for crash in [Crash::KeepsSynced, Crash::Torn(operation)] {
            driver.restart_from(on(&disk.crash(crash)))?;
            driver.run()?;
            assert_eq!(driver.output("out")?, expected, "power cut at operation {operation}, {crash:?}");
        }
    }
    // The last operations are at the end of the run, when nothing waits for them any more.
    assert!(cuts > 20, "{cuts} of {operations}");
    Ok(())
}

#[test]
fn a_feed_for_a_graph_says_nothing_of_watermarks() -> Result<()> {
    let feed = Feed::new().watermark("2020-01-01T00:00:00Z").rows("left", "user | at \n ann | null");
    let error = same_answer(&windows("Append")?, [feed], Epochs::Same).expect_err("it does").to_string();
    assert!(error.contains("the watermark of a graph follows from its rows"), "{error}");
    Ok(())
}

#[test]
fn a_graph_with_faults_is_no_plan() {
    let error =
        plan("Graph(name: \"x\", sources: {}, sinks: {\"out\": Memori()}, flow: [])").expect_err("it has faults");
    assert!(matches!(error, TestError::Given(_)));
    assert!(error.to_string().contains("Memori"), "{error}");
}

#[test]
fn a_way_of_restarts_is_kept_by_the_driver() -> Result<()> {
    let plan = windows("Update")?;
    let outputs = |restarts| -> Result<Vec<Table>> {
        let mut driver = fed(GraphDriver::new(&plan).way(Way { restarts, ..Way::SEQUENTIAL }))?;
        Ok(driver.run()?.iter().map(|epoch| epoch["out"].clone()).collect())
    };
    let expected = outputs(Restarts::AsWritten)?;
    for restarts in [Restarts::EveryEpoch, Restarts::CommitLost] {
        assert_eq!(outputs(restarts)?, expected, "{restarts:?}");
    }
    Ok(())
}
