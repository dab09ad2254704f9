//! Cuts and joins batches, so that a source hands on batches of one size whatever it was given.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use watershed_core::error::Result;
use watershed_core::node::RowOutput;

/// Collects batches of any size and pushes batches of `batch_rows` rows; large ones are cut without copying.
pub(crate) struct Rebatcher {
    schema: SchemaRef,
    batch_rows: usize,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
}

impl Rebatcher {
    pub(crate) fn new(schema: SchemaRef, batch_rows: usize) -> Self {
        Self { schema, batch_rows: batch_rows.max(1), waiting: Vec::new(), waiting_rows: 0 }
    }

    /// Takes a batch, and hands on what is full.
    pub(crate) fn push(&mut self, batch: &RecordBatch, out: &mut dyn RowOutput) -> Result<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = (batch.num_rows() - at).min(self.batch_rows - self.waiting_rows);
            self.waiting.push(batch.slice(at, rows));
            self.waiting_rows += rows;
            at += rows;
            if self.waiting_rows == self.batch_rows {
                self.flush(out)?;
            }
        }
        Ok(())
    }

    /// Hands on what is left.
    pub(crate) fn flush(&mut self, out: &mut dyn RowOutput) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_rows = 0;
        match waiting.as_slice() {
            [] => Ok(()),
            [one] => out.push(one.clone()),
            many => out.push(concat_batches(&self.schema, many)?),
        }
    }
}
