//! A source that gives the same rows for the same range, in splits, and throws away what it was told to release. What it has
//! read also stands in a table of the checkpoint, as the files of `Files` do, and must agree with the offset.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type};
use watershed::core::error::{Error, Result};
use watershed::core::node::{Available, Limit, Offset, OffsetRange, RowOutput, Source, Split};
use watershed::core::state::{PlacedBy, Slot, StateStore, TableSchema};

use super::sabotage::Sabotage;
use super::world::World;

/// How many rows a batch holds.
const BATCH_ROWS: usize = 2;

/// A source over some inputs, one for each epoch.
pub(crate) struct Replayable {
    pub(crate) name: String,
    pub(crate) inputs: Arc<Vec<RecordBatch>>,
    pub(crate) world: World,
    pub(crate) sabotage: Option<Sabotage>,
}

fn place(offset: &Offset) -> u64 {
    offset.0.as_u64().unwrap_or(0)
}

impl Source for Replayable {
    fn tables(&self) -> Vec<TableSchema> {
        let field = |name: &str| vec![Field::new(name, DataType::Int64, false)].into();
        vec![TableSchema {
            name: "read",
            keys: field("place"),
            values: field("rows"),
            placed_by: PlacedBy::Keys,
            slots: String::new(),
        }]
    }

    fn resume(&mut self, committed: &Offset, state: &mut StateStore) -> Result<()> {
        let rows = state.table(0).scan(Slot::NEVER)?;
        let read: Vec<i64> = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
        let due: Vec<i64> = (0..place(committed) as i64).collect();
        if read == due {
            Ok(())
        } else {
            Err(Error::BadInput(format!("the offset says that {due:?} were read, and the table that {read:?} were")))
        }
    }

    fn remember(&mut self, range: &OffsetRange, state: &mut StateStore) -> Result<()> {
        let place = place(&range.start);
        let column = |value: usize| -> ArrayRef { Arc::new(Int64Array::from(vec![value as i64])) };
        let table = state.table(0);
        let groups = table.group(Slot::NEVER, &[column(place as usize)], 1)?;
        table.upsert(&groups, vec![column(self.inputs[place as usize].num_rows())])
    }

    fn freeze(&mut self) -> Result<()> {
        Ok(())
    }

    fn available(&mut self, after: &Offset, _: Limit) -> Result<Available> {
        let start = place(after);
        if self.sabotage == Some(Sabotage::ReleasesEarly) {
            self.world.release(&self.name, start);
        }
        if start as usize == self.inputs.len() {
            return Ok(Available::Finished);
        }
        let (end, size) = (Offset((start + 1).into()), self.inputs[start as usize].num_rows() as u64);
        Ok(Available::Range(OffsetRange { start: after.clone(), end, detail: serde_json::Value::Null, size }))
    }

    fn remaining(&self, _: &Offset) -> Option<u64> {
        None
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let start = place(&range.start);
        let released = self.world.released(&self.name);
        if start < released {
            return Err(Error::BadInput(format!("input {start} is asked for, and all before {released} was released")));
        }
        let rows = &self.inputs[start as usize];
        let half = rows.num_rows().div_ceil(2);
        let pieces = [rows.slice(0, half), rows.slice(half, rows.num_rows() - half)];
        Ok(pieces.into_iter().map(|rows| Box::new(Rows(rows)) as Box<dyn Split>).collect())
    }

    fn release(&mut self, offset: &Offset) -> Result<()> {
        self.world.release(&self.name, place(offset));
        Ok(())
    }
}

struct Rows(RecordBatch);

impl Split for Rows {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let rows = self.0.num_rows();
        (0..rows).step_by(BATCH_ROWS).try_for_each(|start| out.push(self.0.slice(start, BATCH_ROWS.min(rows - start))))
    }
}
