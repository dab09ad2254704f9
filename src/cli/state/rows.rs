//! The rows of a table after an epoch, in the order of time and key.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use watershed_core::checkpoint::inspect::TableVersion;
use watershed_core::error::Result;
use watershed_core::state::Slot;

use super::unreadable;
use super::version::Version;
use super::view::{View, batch};
use crate::cli::exit::Failure;

/// Rows to be shown.
pub(super) struct Shown {
    /// Their columns.
    pub(super) schema: SchemaRef,
    /// As many as are wanted.
    pub(super) batches: Vec<RecordBatch>,
    /// How many there are besides.
    pub(super) more: usize,
}

/// Reads the rows of a table, at most `limit`.
pub(super) fn read(version: &Version<'_>, view: &View, limit: usize) -> Result<Shown, Failure> {
    let Some(table) = version.load(&view.node, &view.table, view.partition)? else {
        return Err(unreadable(format!("no file of `{}` is there", view.node)));
    };
    let nothing = RecordBatch::new_empty(Arc::clone(&table.columns));
    let schema = whole(view, Slot::NEVER, &nothing, table.keys).map_err(unreadable)?.schema();
    let mut shown = Shown { schema, batches: Vec::new(), more: 0 };
    let mut room = limit;
    for slot in table.slots() {
        let (found, rows) = part(view, &table, slot, room).map_err(unreadable)?;
        room -= rows.num_rows();
        shown.more += found - rows.num_rows();
        if rows.num_rows() > 0 {
            shown.batches.push(rows);
        }
    }
    Ok(shown)
}

/// How many rows of a slot are meant, and the first of them, as many as there is room for.
fn part(view: &View, table: &TableVersion, slot: Slot, room: usize) -> Result<(usize, RecordBatch)> {
    let rows = table.scan(slot)?;
    let rows = view.filter.of(&view.identity(slot, &rows, table.keys)?, &rows)?;
    let found = rows.num_rows();
    let rows = if room == 0 { rows.slice(0, 0) } else { sorted(&rows, 0..table.keys)?.slice(0, found.min(room)) };
    Ok((found, whole(view, slot, &rows, table.keys)?))
}

/// Rows as they are shown: what tells them apart, and what is kept.
fn whole(view: &View, slot: Slot, rows: &RecordBatch, keys: usize) -> Result<RecordBatch> {
    beside(&[&view.identity(slot, rows, keys)?, &view.values(rows, keys)?])
}

/// The columns of several batches with equally many rows, side by side.
pub(super) fn beside(parts: &[&RecordBatch]) -> Result<RecordBatch> {
    let fields = parts.iter().flat_map(|part| part.schema().fields().to_vec()).collect();
    let columns: Vec<ArrayRef> = parts.iter().flat_map(|part| part.columns().to_vec()).collect();
    batch(fields, columns, parts.first().map_or(0, |part| part.num_rows()))
}

/// `rows` in the order of the columns at these places, nulls first. Columns that have no order are left as they are.
pub(super) fn sorted(rows: &RecordBatch, places: std::ops::Range<usize>) -> Result<RecordBatch> {
    let columns = &rows.columns()[places];
    let fields: Vec<SortField> = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    if fields.is_empty() || rows.num_rows() < 2 || !RowConverter::supports_fields(&fields) {
        return Ok(rows.clone());
    }
    let encoded = RowConverter::new(fields)?.convert_columns(columns)?;
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by(|one, other| encoded.row(*one as usize).cmp(&encoded.row(*other as usize)));
    Ok(take_record_batch(rows, &UInt32Array::from(order))?)
}
