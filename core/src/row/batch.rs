//! Rows to batches and back.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;

use super::value::{Of, Row, Value};
use crate::error::Result;

/// The batch of these rows.
pub fn batch_of<'a, R: Row>(rows: impl IntoIterator<Item = Of<'a, R>>) -> RecordBatch {
    let mut builder = R::builder();
    let mut count = 0;
    for row in rows {
        R::push(&mut builder, row);
        count += 1;
    }
    let schema = Arc::new(Schema::new(R::arrow_fields()));
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(schema, R::finish_columns(&mut builder), &options)
        .expect("a row's columns are those that its fields say")
}

/// The rows of a batch.
pub fn rows_of<R: Row>(batch: &RecordBatch) -> Result<impl ExactSizeIterator<Item = Of<'_, R>>> {
    let columns = R::bind_columns(batch)?;
    Ok((0..batch.num_rows()).map(move |row| <R as Value>::get(&columns, row)))
}
