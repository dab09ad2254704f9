//! An operator of one's own, and the whole `watershed` command with it linked in.
//!
//! `cargo run --release --example operator -- describe KeepKnown`

use std::process::ExitCode;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed::arrow::array::{Array, RecordBatch};
use watershed::arrow::compute::{filter_record_batch, is_not_null};
use watershed::core::epoch::Port;
use watershed::core::error::Result;
use watershed::core::fault::{Fault, Faults};
use watershed::core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Signature, Stateless};
use watershed::core::register_operator;
use watershed::core::stream::Stream;

/// The rows whose column is not null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepKnown {
    /// The column to look at.
    pub column: String,
}

register_operator!(KeepKnown, example: r#"KeepKnown(column: "user")"#);

#[typetag::serde]
impl OperatorSpec for KeepKnown {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = &inputs[0][0];
        if input.schema.index_of(&self.column).is_err() {
            return Err(Fault::new("unknown_column", format!("no column `{}`", self.column)).at("column").into());
        }
        Ok(Signature::stateless(vec![input.clone()]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        let column = inputs[0][0].schema.index_of(&self.column).expect("`signature` accepted the column");
        Ok(Operator::Stateless(Arc::new(Known { column })))
    }
}

struct Known {
    column: usize,
}

impl Stateless for Known {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let column = batch.column(self.column);
        let known = if column.null_count() == 0 { batch } else { filter_record_batch(&batch, &is_not_null(column)?)? };
        out.emit(Port::FIRST, known);
        Ok(())
    }
}

fn main() -> ExitCode {
    watershed::cli::main()
}
