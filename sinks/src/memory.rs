//! A table in this process: what a test or an embedding program reads a graph's result from.
//!
//! A [`MemoryTable`] always shows the rows as of a committed epoch, never half of one. It lives in this process only:
//! it starts empty with every run, also with one that goes on from a checkpoint.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Epoch;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::node::{Delivery, OpenContext, Part, Receipt, Sink, SinkSpec};
use watershed_core::register_sink;
use watershed_core::stream::{Mode, Stream, column_names};

use crate::staging::Staging;

mod table;

pub use table::{MemorySnapshot, MemoryTable, WaitError};

/// Keeps rows in a table in this process, for tests and embedding programs. Takes all modes: appended rows add up, an
/// updated row takes the place of the one with its keys, a complete result replaces the one before.
///
/// The table shows an epoch as a whole or not at all, each row once, and lives as long as the process: a run starts with
/// an empty one, also when it goes on from a checkpoint. It grows with what it is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {}

register_sink!(Memory, example: "Memory()");

#[typetag::serde]
impl SinkSpec for Memory {
    fn check(&self, input: &Stream) -> Result<(), Faults> {
        let Mode::Update(keys) = &input.mode else { return Ok(()) };
        let faults: Faults = keys.iter().filter_map(|key| key_fault(key, &input.schema)).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>> {
        let table = cx.handles.get::<MemoryTable>(&cx.node).unwrap_or_else(|| {
            let table = Arc::new(MemoryTable::default());
            cx.handles.publish(&cx.node, Arc::clone(&table));
            table
        });
        let run = table.begin(input)?;
        Ok(Box::new(MemorySink { table, run, staging: Staging::default() }))
    }
}

fn key_fault(key: &str, schema: &Schema) -> Option<Fault> {
    let Some((_, field)) = schema.column_with_name(key) else {
        let message =
            format!("rows are updated by `{key}`, which is not among the columns: {}", listed(column_names(schema)));
        return Some(
            Fault::new("unknown_column", message).help(format!("keep `{key}` in the `Select` before this sink")),
        );
    };
    if RowConverter::supports_fields(&[SortField::new(field.data_type().clone())]) {
        return None;
    }
    let message = format!("rows are updated by `{key}`, and values of type {} cannot be compared", field.data_type());
    Some(Fault::new("column_type", message).help("group by a column of a simpler type"))
}

struct MemorySink {
    table: Arc<MemoryTable>,
    run: u64,
    staging: Staging<Vec<RecordBatch>>,
}

impl Sink for MemorySink {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        let rows = rows.iter().filter(|batch| batch.num_rows() > 0).cloned().collect();
        Ok(self.staging.stage(part, rows))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        if let Some(parts) = self.staging.take(epoch, receipts) {
            self.table.take_epoch(epoch, parts.concat())?;
        }
        Ok(())
    }

    fn keep(&self, epoch: Epoch) -> Result<()> {
        self.table.keep_until(epoch);
        Ok(())
    }
}

impl Drop for MemorySink {
    fn drop(&mut self) {
        self.table.end(self.run);
    }
}

#[cfg(test)]
mod tests;
