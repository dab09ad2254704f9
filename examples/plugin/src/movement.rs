//! `Movement`: a row from a row.

use watershed::prelude::*;

/// How strongly a device moved: the length of the vector of its three axes, as column `movement` besides those that were there.
#[operator(MapRows, example: "Movement(gravity: 9.81)")]
pub struct Movement {
    /// What is taken off: what a device at rest shows.
    #[serde(default)]
    pub gravity: f64,
}

/// The axes; a reading without one of them has no movement.
#[derive(Row)]
pub struct Axes {
    x: Option<f64>,
    y: Option<f64>,
    z: Option<f64>,
}

/// The new column.
#[derive(Row)]
pub struct Moved {
    movement: Option<f64>,
}

impl MapRows for Movement {
    type Input = Axes;
    type Output = Moved;

    fn keeps_columns(&self) -> bool {
        true
    }

    fn map(&self, Axes { x, y, z }: Axes) -> Result<Moved> {
        let length = |x: f64, y: f64, z: f64| (x * x + y * y + z * z).sqrt();
        Ok(Moved { movement: x.zip(y).zip(z).map(|((x, y), z)| length(x, y, z) - self.gravity) })
    }
}
