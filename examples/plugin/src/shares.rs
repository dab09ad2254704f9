//! `Shares`: whole columns at a time.

use std::sync::Arc;

use watershed::arrow::array::ArrayRef;
use watershed::arrow::compute::kernels::numeric::div;
use watershed::arrow::datatypes::{DataType, Field};
use watershed::prelude::*;

/// A column as shares of another: `parts / whole` as column `share` behind those that were there. Both are DOUBLE; where one is null,
/// so is the share.
#[operator(MapBatches, example: r#"Shares(parts: "amount", whole: "total")"#)]
pub struct Shares {
    /// The column of parts.
    pub parts: String,
    /// The column of what they are parts of.
    pub whole: String,
}

impl MapBatches for Shares {
    fn output(&self, input: &Schema) -> Result<SchemaRef, Faults> {
        let mut faults = Faults::new();
        for (name, field) in [(&self.parts, "parts"), (&self.whole, "whole")] {
            match input.field_with_name(name) {
                Ok(column) if *column.data_type() == DataType::Float64 => {}
                Ok(column) => {
                    let seen = column.data_type();
                    faults.push(Fault::new("column_type", format!("column `{name}` is {seen}, not DOUBLE")).at(field));
                }
                Err(_) => faults.push(Fault::new("unknown_column", format!("no column `{name}`")).at(field)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let share = Arc::new(Field::new("share", DataType::Float64, true));
        let fields: Vec<_> = input.fields().iter().cloned().chain([share]).collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    fn process(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let column = |name: &str| batch.column_by_name(name).expect("`output` has seen the column");
        let share: ArrayRef = div(column(&self.parts), column(&self.whole))?;
        let schema = self.output(&batch.schema()).expect("`output` has accepted these columns");
        Ok(RecordBatch::try_new(schema, batch.columns().iter().cloned().chain([share]).collect())?)
    }
}
