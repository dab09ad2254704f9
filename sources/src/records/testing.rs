//! What the tests of several modules share: an output that collects, and rows as JSON.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use watershed_core::error::Result;
use watershed_core::node::{RowOutput, Split};

/// Collects what a split hands on.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) bad: u64,
}

impl RowOutput for Collected {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.batches.push(batch);
        Ok(())
    }

    fn count_bad_records(&mut self, records: u64) {
        self.bad += records;
    }
}

impl Collected {
    pub(crate) fn of(splits: Vec<Box<dyn Split>>) -> Result<Self> {
        let mut collected = Self::default();
        for split in splits {
            split.read(&mut collected)?;
        }
        Ok(collected)
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// One line per row, values as Arrow shows them, null as `∅`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.batches.iter().flat_map(lines).collect()
    }
}

/// One line per row of a batch.
pub(crate) fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::new().with_null("∅");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).expect("a type that can be shown"))
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | "))
        .collect()
}
