//! What changed in a table of state: between two versions that are both there, or in one epoch by what it wrote.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};

use super::rows::{TableVersion, columns_of};
use crate::checkpoint::record::{Commit, StateContent};
use crate::checkpoint::restore::{LoadError, read};
use crate::checkpoint::state_file::Action;
use crate::checkpoint::storage::CheckpointStorage;
use crate::error::{Error, Result};
use crate::state::{Interner, Slot};

/// What changed between two versions of a table.
#[derive(Debug)]
pub struct Difference {
    /// How many of the columns are the key.
    pub keys: usize,
    /// The columns of all batches.
    pub columns: SchemaRef,
    /// The slots in which something changed, in the order of time.
    pub slots: Vec<SlotDifference>,
}

/// What changed in one slot.
#[derive(Debug)]
pub struct SlotDifference {
    /// The slot.
    pub slot: Slot,
    /// Rows of keys that had none.
    pub added: RecordBatch,
    /// Rows of keys that have none any more.
    pub removed: RecordBatch,
    /// Rows that changed, as they were …
    pub before: RecordBatch,
    /// … and as they are, in the same order.
    pub after: RecordBatch,
}

/// What is other in `after` than it was in `before`; `None` is a table without rows.
pub fn difference(before: Option<&TableVersion>, after: Option<&TableVersion>) -> Result<Option<Difference>> {
    let Some(known) = after.or(before) else { return Ok(None) };
    if let (Some(before), Some(after)) = (before, after)
        && (before.keys != after.keys || types(before) != types(after))
    {
        return Err(Error::BadInput("compare rows of other columns: the graph was changed in between".to_owned()));
    }
    let slots: BTreeSet<Slot> = [before, after].into_iter().flatten().flat_map(TableVersion::slots).collect();
    let mut found = Vec::new();
    for slot in slots {
        let rows = |version: Option<&TableVersion>| match version {
            Some(version) => version.scan(slot),
            None => Ok(RecordBatch::new_empty(Arc::clone(&known.columns))),
        };
        let changed = slot_difference(slot, known.keys, &rows(before)?, &rows(after)?)?;
        if changed.added.num_rows() + changed.removed.num_rows() + changed.after.num_rows() > 0 {
            found.push(changed);
        }
    }
    Ok(Some(Difference { keys: known.keys, columns: Arc::clone(&known.columns), slots: found }))
}

fn types(version: &TableVersion) -> Vec<&DataType> {
    version.columns.fields().iter().map(|field| field.data_type()).collect()
}

fn slot_difference(slot: Slot, keys: usize, before: &RecordBatch, after: &RecordBatch) -> Result<SlotDifference> {
    let key_types: Vec<DataType> = before.columns()[..keys].iter().map(|column| column.data_type().clone()).collect();
    let mut interner = Interner::new(&key_types)?;
    let mut ids = Vec::new();
    // No key stands twice in a slot: the ids of the rows before are their places.
    interner.intern(&before.columns()[..keys], before.num_rows(), &mut ids)?;
    ids.clear();
    interner.intern(&after.columns()[..keys], after.num_rows(), &mut ids)?;
    let same = Sameness::of(&before.columns()[keys..], &after.columns()[keys..])?;
    let mut gone = vec![true; before.num_rows()];
    let (mut added, mut was, mut is) = (Vec::new(), Vec::new(), Vec::new());
    for (row, id) in ids.into_iter().enumerate() {
        match gone.get_mut(id as usize) {
            None => added.push(row as u32),
            Some(gone) => {
                *gone = false;
                if !same.holds(id as usize, row) {
                    was.push(id);
                    is.push(row as u32);
                }
            }
        }
    }
    let removed: Vec<u32> = (0..before.num_rows() as u32).filter(|row| gone[*row as usize]).collect();
    let rows_of = |rows: &RecordBatch, indices: Vec<u32>| take_record_batch(rows, &UInt32Array::from(indices));
    Ok(SlotDifference {
        slot,
        added: rows_of(after, added)?,
        removed: rows_of(before, removed)?,
        before: rows_of(before, was)?,
        after: rows_of(after, is)?,
    })
}

/// Whether two rows hold the same values.
enum Sameness {
    Encoded(arrow::row::Rows, arrow::row::Rows),
    /// Types that have no encoding are compared one by one.
    Plain(Vec<ArrayRef>, Vec<ArrayRef>),
    Nothing,
}

impl Sameness {
    fn of(before: &[ArrayRef], after: &[ArrayRef]) -> Result<Self> {
        let fields: Vec<SortField> = before.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        if fields.is_empty() {
            return Ok(Self::Nothing);
        }
        if !RowConverter::supports_fields(&fields) {
            return Ok(Self::Plain(before.to_vec(), after.to_vec()));
        }
        let converter = RowConverter::new(fields)?;
        Ok(Self::Encoded(converter.convert_columns(before)?, converter.convert_columns(after)?))
    }

    fn holds(&self, before: usize, after: usize) -> bool {
        match self {
            Self::Encoded(was, is) => was.row(before) == is.row(after),
            Self::Plain(was, is) => {
                was.iter().zip(is).all(|(was, is)| was.slice(before, 1).to_data() == is.slice(after, 1).to_data())
            }
            Self::Nothing => true,
        }
    }
}

/// What one epoch wrote of a table.
#[derive(Debug)]
pub struct WrittenRows {
    /// How many of the columns are the key.
    pub keys: usize,
    /// The columns of all batches.
    pub columns: SchemaRef,
    /// What was done, in order, with the rows it was done with. Of removed rows the keys alone are known, of a dropped slot nothing.
    pub entries: Vec<(Action, Slot, RecordBatch)>,
}

/// What the epoch of `commit` wrote of a table, from its files alone. `None` when a partition was written whole, so that what of
/// it is new cannot be told, or when there is no such table.
pub fn written(
    storage: &dyn CheckpointStorage,
    commit: &Commit,
    node: &str,
    table: &str,
    partition: Option<usize>,
) -> Result<Option<WrittenRows>, LoadError> {
    let Some(chains) = commit.state.get(node).and_then(|tables| tables.get(table)) else { return Ok(None) };
    let wanted = chains.iter().enumerate().filter(|(number, _)| partition.is_none_or(|only| only == *number));
    let (mut found, mut newest) = (Vec::new(), None);
    for (number, chain) in wanted {
        if chain.snapshot == Some(commit.epoch) {
            return Ok(None);
        }
        for file in chain.files(node, table, number) {
            if file.epoch == commit.epoch && file.content == StateContent::Delta {
                found.push(read(storage, &file)?);
            } else if newest
                .as_ref()
                .is_none_or(|newest: &crate::checkpoint::record::StateFile| newest.epoch < file.epoch)
            {
                newest = Some(file);
            }
        }
    }
    let declared = match (found.first(), newest) {
        (Some(rows), _) => columns_of(rows),
        (None, Some(file)) => columns_of(&read(storage, &file)?),
        (None, None) => return Ok(None),
    };
    let mut entries = Vec::new();
    for rows in found {
        let taken = rows.each_entry(|action, slot, rows| {
            entries.push((action, slot, rows));
            Ok::<(), std::convert::Infallible>(())
        });
        match taken {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
    Ok(Some(WrittenRows { keys: declared.keys.len(), columns: declared.columns(), entries }))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{Field, Int64Type, Schema};

    use super::*;

    fn rows(rows: &[(&str, Option<i64>)]) -> RecordBatch {
        let fields = vec![Field::new("k", DataType::Utf8, false), Field::new("v", DataType::Int64, true)];
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
        let values: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![keys, values]).expect("columns of the schema")
    }

    fn shown(rows: &RecordBatch) -> Vec<(&str, Option<i64>)> {
        rows.column(0).as_string::<i32>().iter().flatten().zip(rows.column(1).as_primitive::<Int64Type>()).collect()
    }

    #[test]
    fn each_row_that_is_other_stands_once() {
        let before = rows(&[("a", Some(1)), ("b", Some(2)), ("c", None), ("d", None)]);
        let after = rows(&[("e", Some(5)), ("c", Some(3)), ("a", Some(1)), ("d", None)]);
        let found = slot_difference(Slot::NEVER, 1, &before, &after).expect("compares");
        assert_eq!(shown(&found.added), [("e", Some(5))]);
        assert_eq!(shown(&found.removed), [("b", Some(2))]);
        assert_eq!(shown(&found.before), [("c", None)]);
        assert_eq!(shown(&found.after), [("c", Some(3))]);
    }
}
