//! State of the first version of `DeviceAverages`. It has a program of its own, because two operators of one name are linked into it.

use activity_operators::DeviceAverages;
use watershed::testing::{Result, Tested, assert_table};

/// The operator as it was at first: it kept every reading.
mod first {
    use watershed::prelude::*;

    /// Per device, the average of `x` over every so many readings.
    #[operator(StatefulOperator, example: "DeviceAverages(every: 500)")]
    pub(super) struct DeviceAverages {
        /// How many readings make an average.
        pub(super) every: u32,
    }

    #[derive(Row)]
    pub(super) struct Device<'a> {
        device: Option<&'a str>,
    }

    #[derive(Row)]
    pub(super) struct Reading {
        x: f64,
    }

    #[derive(Default, Row)]
    pub(super) struct Readings {
        values: Vec<f64>,
    }

    #[derive(Row)]
    pub(super) struct Average<'a> {
        device: Option<&'a str>,
        average: f64,
    }

    impl StatefulOperator for DeviceAverages {
        type Key = Device<'static>;
        type Input = Reading;
        type State = Readings;
        type Output = Average<'static>;

        fn order(&self) -> RowOrder {
            RowOrder::EventTime
        }

        fn process(
            &self,
            Device { device }: Device,
            readings: Rows<Reading>,
            state: &mut GroupState<Readings>,
            out: &mut Emitter<Average>,
        ) -> Result<()> {
            let Readings { mut values } = state.take_or_default();
            for Reading { x } in readings {
                values.push(x);
                if values.len() >= self.every as usize {
                    out.emit(Average { device, average: values.iter().sum::<f64>() / values.len() as f64 });
                    values.clear();
                }
            }
            state.update(Readings { values });
            Ok(())
        }
    }
}

const COLUMNS: &str = "device STRING, x DOUBLE NOT NULL, at TIMESTAMP";

#[test]
fn an_average_that_was_begun_by_the_first_version_is_finished_by_the_second() -> Result<()> {
    let mut before =
        Tested::new(first::DeviceAverages { every: 3 }).input(COLUMNS).event_time("at").partitions(2).harness()?;
    before.feed(
        "in",
        "
        | device | x | at                   |
        | s3     | 1 | 2026-01-01T10:00:00Z |
        | s3     | 2 | 2026-01-01T10:00:01Z |
        | nexus  | 5 | 2026-01-01T10:00:00Z |
        ",
    )?;
    assert_table!(before.end_epoch()?["out"], "");
    assert_table!(before.state()?.table("state")?, "device | values \n s3 | [1, 2] \n nexus | [5]");

    let mut after = Tested::new(DeviceAverages { every: 3 }).input(COLUMNS).event_time("at").partitions(3).harness()?;
    after.restore(&before.snapshot()?)?;
    assert_table!(after.state()?.table("state")?, "device | readings | sum \n s3 | 2 | 3 \n nexus | 1 | 5");
    after.feed("in", "device | x | at \n s3 | 6 | 2026-01-01T10:00:02Z")?;
    assert_table!(after.end_epoch()?["out"], "device | average \n s3 | 3");
    after.crash()?;
    assert_table!(after.state()?.table("state")?, "device | readings | sum \n s3 | 0 | 0 \n nexus | 1 | 5");
    Ok(())
}

#[test]
fn the_first_version_does_not_take_the_state_of_the_second() -> Result<()> {
    let tested = Tested::new(DeviceAverages { every: 3 }).input(COLUMNS).event_time("at");
    let mut after = tested.harness()?;
    after.feed("in", "device | x | at \n s3 | 6 | 2026-01-01T10:00:02Z")?;
    after.end_epoch()?;
    let mut before = Tested::new(first::DeviceAverages { every: 3 }).input(COLUMNS).event_time("at").harness()?;
    let error = before.restore(&after.snapshot()?).expect_err("there is no way back").to_string();
    assert!(error.contains("does not go back to an earlier version"), "{error}");
    Ok(())
}
