//! Instants as tests give them.

use super::error::{Result, TestError};
use crate::time::Timestamp;

/// An instant, or the text of one: `"2015-02-24T10:00:00Z"`.
pub trait Moment {
    /// The instant.
    fn moment(self) -> Result<Timestamp>;
}

impl Moment for Timestamp {
    fn moment(self) -> Result<Timestamp> {
        Ok(self)
    }
}

impl Moment for &str {
    fn moment(self) -> Result<Timestamp> {
        self.parse().map_err(TestError::Given)
    }
}
