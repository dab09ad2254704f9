//! Rows that a test gives: as a table of text, as Rust values, or as a batch.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};

use super::columns::{batch_of, cells_of};
use super::compare::CellRow;
use super::error::{Result, TestError};
use super::table::{Table, unknown};
use super::text::read_rows;
use crate::error::Error;
use crate::row::{self, Row, Value};
use crate::schema::type_to_ddl;
use crate::stream::column_names;

/// Rows that a test gives, whatever they are written as. They become rows of the columns that they are for when it is known what
/// these are: columns are found by name, and one that may be null can be left out.
///
/// As text, a line is a row, cells stand between `|`, and the first line names the columns. `null` is no value; text needs quotes
/// only where it could be taken for something else (`""`, `"null"`, `"a|b"`); instants are RFC 3339, days `2015-02-24`, lists
/// `[1, 2]`, structs `{a: 1}`, bytes hexadecimal. Empty text is no row.
#[derive(Clone, Debug)]
pub struct Given(Form);

#[derive(Clone, Debug)]
enum Form {
    Text(String),
    Batch(RecordBatch),
}

impl Given {
    /// The rows, as rows of these columns.
    pub fn table(&self, schema: &SchemaRef) -> Result<Table> {
        match &self.0 {
            Form::Text(text) => {
                let rows = read_rows(text, schema, false)?;
                Ok(batch_of(schema, &rows).map_err(Error::from)?.into())
            }
            Form::Batch(batch) => adapt(batch, schema),
        }
    }

    /// Whether it is sure that there is no row.
    pub(super) fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Text(text) => text.trim().is_empty(),
            Form::Batch(batch) => batch.num_rows() == 0,
        }
    }

    /// The rows to compare with rows of these columns: none may be left out.
    pub(super) fn expected(&self, schema: &Schema) -> Result<Vec<CellRow>> {
        match &self.0 {
            Form::Text(text) => read_rows(text, schema, true),
            Form::Batch(batch) => {
                let (wanted, seen): (Vec<_>, Vec<_>) =
                    (column_names(schema).collect(), column_names(batch.schema_ref()).collect());
                if wanted != seen {
                    let message = format!(
                        "the columns should be {}, and they are {}",
                        crate::fault::listed(seen),
                        crate::fault::listed(wanted)
                    );
                    return Err(TestError::Given(message));
                }
                Ok(cells_of(std::slice::from_ref(batch)).map_err(Error::from)?)
            }
        }
    }
}

/// The same rows with these columns, found by name.
fn adapt(batch: &RecordBatch, schema: &SchemaRef) -> Result<Table> {
    let given = batch.schema();
    if let Some(stray) = column_names(&given).find(|name| schema.index_of(name).is_err()) {
        return Err(unknown("column", stray, column_names(schema)));
    }
    let columns = schema.fields().iter().map(|field| match given.index_of(field.name()) {
        Ok(index) if batch.column(index).data_type() == field.data_type() => Ok(Arc::clone(batch.column(index))),
        Ok(index) => {
            let (is, should) = (type_to_ddl(batch.column(index).data_type()), type_to_ddl(field.data_type()));
            Err(TestError::Given(format!("column `{}` should be {should}, and is {is}", field.name())))
        }
        Err(_) => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(Error::from)?;
    Ok(batch.into())
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self(Form::Text(text.to_owned()))
    }
}

impl From<String> for Given {
    fn from(text: String) -> Self {
        Self(Form::Text(text))
    }
}

impl From<RecordBatch> for Given {
    fn from(batch: RecordBatch) -> Self {
        Self(Form::Batch(batch))
    }
}

impl From<&RecordBatch> for Given {
    fn from(batch: &RecordBatch) -> Self {
        Self(Form::Batch(batch.clone()))
    }
}

impl From<Table> for Given {
    fn from(table: Table) -> Self {
        Self(Form::Batch(table.batch().clone()))
    }
}

impl From<&Table> for Given {
    fn from(table: &Table) -> Self {
        Self(Form::Batch(table.batch().clone()))
    }
}

impl<R: Row + Value<Of<'static> = R>> From<Vec<R>> for Given {
    fn from(rows: Vec<R>) -> Self {
        Self(Form::Batch(row::batch_of::<R>(rows)))
    }
}

impl<R: Row + Value<Of<'static> = R>, const ROWS: usize> From<[R; ROWS]> for Given {
    fn from(rows: [R; ROWS]) -> Self {
        Vec::from(rows).into()
    }
}
