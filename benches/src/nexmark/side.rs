//! The table that query 13 looks bids up in: a value for each of ten thousand keys.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::Failure;

/// How many keys there are, from 0.
pub(crate) const KEYS: i64 = 10_000;

/// What stands beside a key.
pub(crate) fn value(key: i64) -> String {
    format!("value-{key}")
}

/// The table as a file, which goes with the value.
#[derive(Debug)]
pub(crate) struct SideInput(TempDir);

impl SideInput {
    /// Writes the file.
    pub(crate) fn write() -> Result<Self, Failure> {
        let side = Self(tempfile::tempdir()?);
        let mut lines = vec!["key,value".to_owned()];
        lines.extend((0..KEYS).map(|key| format!("{key},{}", value(key))));
        fs::write(side.path(), lines.join("\n"))?;
        Ok(side)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("side_input.csv")
    }
}
