//! What an epoch put out.

use std::collections::BTreeMap;
use std::ops::Index;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::captured::Captured;
use super::error::{Result, TestError};
use super::table::{Table, unknown};
use crate::engine::{OperatorProgress, Progress};
use crate::epoch::Epoch;
use crate::schema::to_ddl;

/// What an epoch put out, by sink, or for a single operator by output port: `output["out"]`.
#[derive(Clone, Debug)]
pub struct EpochOutput {
    /// The epoch in numbers.
    pub progress: Progress,
    tables: BTreeMap<String, Table>,
}

impl EpochOutput {
    pub(super) fn new<'a>(
        progress: Progress,
        sinks: impl Iterator<Item = (&'a str, &'a SchemaRef, &'a Captured)>,
    ) -> Result<Self> {
        let table = |(name, schema, captured): (&str, &SchemaRef, &Captured)| {
            let rows = captured.rows(progress.epoch);
            // Values that are never null may stand where some may be.
            let is_other = |other: &SchemaRef| !schema.fields().contains(other.fields());
            if let Some(other) = rows.iter().map(RecordBatch::schema).find(is_other) {
                let (is, should) = (to_ddl(&other), to_ddl(schema));
                return Err(TestError::Given(format!("`{name}` got rows of `{is}`, and was promised `{should}`")));
            }
            Ok((name.to_owned(), Table::new(schema, &rows)?))
        };
        let tables = sinks.map(table).collect::<Result<_>>()?;
        Ok(Self { progress, tables })
    }

    /// The epoch's number.
    pub fn epoch(&self) -> Epoch {
        self.progress.epoch
    }

    /// The rows for a sink, or of an output port.
    pub fn table(&self, name: &str) -> Result<&Table> {
        self.tables.get(name).ok_or_else(|| unknown("output", name, self.names()))
    }

    /// All outputs with their rows.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.tables.iter().map(|(name, table)| (name.as_str(), table))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Input rows of all operators that came too late to have any effect.
    pub fn rows_late(&self) -> u64 {
        self.operators().map(|operator| operator.rows_late).sum()
    }

    /// What Spark counts as `numRowsDroppedByWatermark`, of all operators.
    pub fn dropped_by_watermark(&self) -> u64 {
        self.operators().map(|operator| operator.dropped_by_watermark).sum()
    }

    fn operators(&self) -> impl Iterator<Item = &OperatorProgress> {
        self.progress.operators.iter()
    }
}

/// The rows of an output; a name that no output has ends the test.
impl Index<&str> for EpochOutput {
    type Output = Table;

    fn index(&self, name: &str) -> &Table {
        self.table(name).unwrap_or_else(|error| panic!("{error}"))
    }
}
