//! The files read so far, as a table of the checkpoint.
//!
//! The table holds the files of committed epochs and no others: each was read, and is not read again however it changes. The
//! files of an epoch that was planned and not committed stand in its intent.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field};
use watershed_core::error::Result;
use watershed_core::schema::TIMESTAMP;
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};

use super::listing::FileEntry;

/// The place of the table among those of the source.
const TABLE: usize = 0;

/// Paths, each with the time of change and the size that the file was read with.
pub(super) fn table() -> TableSchema {
    TableSchema {
        name: "files",
        keys: vec![Field::new("path", DataType::Utf8, false)].into(),
        values: vec![Field::new("modified", TIMESTAMP, false), Field::new("size", DataType::Int64, false)].into(),
        placed_by: PlacedBy::Keys,
        slots: String::new(),
    }
}

/// Adds the files of an epoch that is about to be committed.
pub(super) fn enter(files: &[FileEntry], state: &mut StateStore) -> Result<()> {
    let paths: ArrayRef = Arc::new(StringArray::from_iter_values(files.iter().map(|file| &file.path)));
    let modified = TimestampMicrosecondArray::from_iter_values(files.iter().map(|file| file.modified.micros()));
    let size = Int64Array::from_iter_values(files.iter().map(|file| i64::try_from(file.size).unwrap_or(i64::MAX)));
    let table = state.table(TABLE);
    let groups = table.group(Slot::NEVER, &[paths], files.len())?;
    table.upsert(&groups, vec![Arc::new(modified), Arc::new(size)])
}

/// The paths of all files read.
pub(super) fn paths(state: &mut StateStore) -> Result<BTreeSet<String>> {
    let rows = state.table(TABLE).scan(Slot::NEVER)?;
    Ok(rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}
