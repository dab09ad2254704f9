//! `Filter`: the rows that fulfil a condition.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Signature, Stateless};
use watershed_core::register_operator;
use watershed_core::schema::type_to_ddl;
use watershed_core::stream::Stream;

use crate::inputs;
use crate::sql::Expression;

/// The rows that fulfil a SQL condition. A condition that is null counts as not fulfilled.
///
/// Its place in the flow counts: rows that a `Watermark` above has seen have moved the watermark, also when they are
/// filtered out here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter(pub String);

register_operator!(Filter, example: r#"Filter("gt = 'stand' AND x IS NOT NULL")"#);

/// Reads a SQL condition over the columns of `schema`.
pub(crate) fn condition(text: &str, schema: &Schema) -> Result<Expression, Faults> {
    let condition = Expression::parse(text, schema)?;
    if *condition.data_type() == DataType::Boolean {
        return Ok(condition);
    }
    let message = format!("a condition is BOOLEAN, but `{}` is {}", text.trim(), type_to_ddl(condition.data_type()));
    Err(Fault::new("not_a_condition", message)
        .label("not a condition")
        .help("compare it with something: `x > 0`, `x IS NOT NULL`")
        .into())
}

#[typetag::serde]
impl OperatorSpec for Filter {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        condition(&self.0, &inputs::only(inputs).schema)?;
        Ok(Signature::stateless(vec![inputs::only(inputs).clone()]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(Condition(condition(&self.0, &inputs::only(inputs).schema)?))))
    }
}

struct Condition(Expression);

impl Stateless for Condition {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let keep = self.0.evaluate_condition(&batch, cx)?;
        out.emit(Port::FIRST, if keep.false_count() == 0 { batch } else { filter_record_batch(&batch, &keep)? });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::testing::{codes, faults, process, signature, stream, tagged, update};

    fn filter(text: &str) -> Filter {
        Filter(text.to_owned())
    }

    #[test]
    fn a_condition_that_is_null_is_not_fulfilled() {
        let input = stream("v BIGINT, s STRING");
        let lines = [r#"{"v": 1, "s": "a"}"#, r#"{"s": "b"}"#, r#"{"v": 3}"#];
        for (text, rows) in [
            ("v > 1", &["3|"][..]),
            ("v > 1 OR s = 'b'", &["|b", "3|"]),
            ("v IS NULL", &["|b"]),
            ("v = v", &["1|a", "3|"]),
            ("true", &["1|a", "|b", "3|"]),
            ("1 > 2", &[]),
        ] {
            assert_eq!(process(&filter(text), &input, &lines), rows, "{text}");
        }
    }

    #[test]
    fn the_stream_stays_what_it_is() {
        let input = update(tagged(stream("t TIMESTAMP"), "t"), &["t"]);
        assert_eq!(signature(&filter("t IS NOT NULL"), &input).outputs, [input]);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let input = stream("v BIGINT");
        assert_eq!(codes(&filter("v + 1"), from_ref(&input)), ["not_a_condition"]);
        assert_eq!(codes(&filter("v > 1 AS big"), from_ref(&input)), ["bad_expression"]);
        let found = faults(&filter("w > 1"), &[input]);
        assert_eq!((found[0].code, found[0].within.clone()), ("unknown_column", Some(0..1)));
    }
}
