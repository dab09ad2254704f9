//! `DeviceAverages`: a window that is counted, not timed.

use watershed::prelude::*;

/// Per device, the average of `x` over every so many readings, in the order of their times within an epoch.
#[operator(StatefulOperator, example: "DeviceAverages(every: 500)")]
pub struct DeviceAverages {
    /// How many readings make an average.
    pub every: u32,
}

/// Whose rows belong together.
#[derive(Row)]
pub struct Device<'a> {
    device: Option<&'a str>,
}

/// What is read of a row.
#[derive(Row)]
pub struct Reading {
    x: f64,
}

/// What is remembered of a device: the readings since the last average.
#[derive(Default, Row)]
pub struct Running {
    readings: u32,
    sum: f64,
}

/// What the first version remembered of a device: every reading since the last average.
#[derive(Row)]
struct Readings {
    values: Vec<f64>,
}

/// What is put out.
#[derive(Row)]
pub struct Average<'a> {
    device: Option<&'a str>,
    average: f64,
}

impl StatefulOperator for DeviceAverages {
    type Key = Device<'static>;
    type Input = Reading;
    type State = Running;
    type Output = Average<'static>;

    const VERSION: u32 = 1;

    fn order(&self) -> RowOrder {
        RowOrder::EventTime
    }

    fn check(&self) -> Result<(), Faults> {
        if self.every == 0 {
            return Err(Fault::new("bad_value", "`every` must be at least 1").at("every").into());
        }
        Ok(())
    }

    fn process(
        &self,
        Device { device }: Device,
        readings: Rows<Reading>,
        state: &mut GroupState<Running>,
        out: &mut Emitter<Average>,
    ) -> Result<()> {
        let mut running = state.take_or_default();
        for Reading { x } in readings {
            running.readings += 1;
            running.sum += x;
            if running.readings >= self.every {
                out.emit(Average { device, average: running.sum / f64::from(running.readings) });
                running = Running::default();
            }
        }
        state.update(running);
        Ok(())
    }

    fn migrate(&self, _: u32, earlier: Earlier) -> Result<Option<Running>> {
        let Readings { values } = earlier.value()?;
        Ok(Some(Running { readings: values.len() as u32, sum: values.iter().sum() }))
    }
}
