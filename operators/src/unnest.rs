//! `Unnest`: a row per element of a list.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Signature, Stateless};
use watershed_core::register_operator;
use watershed_core::schema::type_to_ddl;
use watershed_core::stream::{Mode, Stream};

use crate::inputs;

/// One row per element of a list column; the column then holds the element. A row whose list is null or empty gives none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unnest(pub String);

register_operator!(Unnest, example: r#"Unnest("words")"#);

impl Unnest {
    fn bind(&self, input: &Stream) -> Result<Elements, Faults> {
        let column = inputs::column(&input.schema, &self.0)?;
        let field = input.schema.field(column);
        let DataType::List(item) = field.data_type() else {
            let message =
                format!("column `{}` is {}, and `Unnest` takes a list", self.0, type_to_ddl(field.data_type()));
            return Err(Fault::new("not_a_list", message)
                .help("make one in a `Select` above, for instance with `string_to_array(text, ' ')`")
                .into());
        };
        let mut fields: Vec<_> = input.schema.fields().to_vec();
        fields[column] = Arc::new(Field::new(field.name(), item.data_type().clone(), true));
        Ok(Elements { column, schema: Arc::new(Schema::new(fields)) })
    }
}

#[typetag::serde]
impl OperatorSpec for Unnest {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs).clone();
        let schema = self.bind(&input)?.schema;
        let mut signature = Signature::stateless(Vec::new());
        if let Mode::Update(keys) = &input.mode {
            let message = format!(
                "rows of an `Update` stream replace each other by {}, and `Unnest` makes several rows with the same",
                listed(keys)
            );
            signature
                .warnings
                .push(Fault::warning("repeated_keys", message).help("unnest before the node that aggregates"));
        }
        signature.outputs.push(input.with_schema(schema));
        Ok(signature)
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(self.bind(inputs::only(inputs))?)))
    }
}

struct Elements {
    column: usize,
    schema: SchemaRef,
}

impl Stateless for Elements {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let lists = batch.column(self.column).as_list::<i32>();
        let (mut rows, mut elements) = (Vec::new(), Vec::new());
        for (row, bounds) in lists.value_offsets().windows(2).enumerate() {
            if lists.is_valid(row) {
                elements.extend(bounds[0] as u32..bounds[1] as u32);
                rows.resize(elements.len(), row as u32);
            }
        }
        let (rows, elements) = (UInt32Array::from(rows), UInt32Array::from(elements));
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (index, column) in batch.columns().iter().enumerate() {
            columns.push(if index == self.column {
                take(lists.values(), &elements, None)?
            } else {
                take(column, &rows, None)?
            });
        }
        out.emit(Port::FIRST, RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::testing::{codes, faults, process, signature, stream, tagged, update};

    #[test]
    fn each_element_makes_a_row() {
        let input = tagged(stream("t TIMESTAMP, words ARRAY<STRING>, n BIGINT"), "t");
        let lines = [
            r#"{"words": ["a", null, "b"], "n": 1}"#,
            r#"{"words": [], "n": 2}"#,
            r#"{"n": 3}"#,
            r#"{"words": ["c"], "n": 4}"#,
        ];
        assert_eq!(process(&Unnest("words".to_owned()), &input, &lines), ["|a|1", "||1", "|b|1", "|c|4"]);
        let output = &signature(&Unnest("words".to_owned()), &input).outputs[0];
        assert_eq!(watershed_core::schema::to_ddl(&output.schema), "t TIMESTAMP, words STRING, n BIGINT");
        assert_eq!(output.event_times, input.event_times);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let input = stream("words ARRAY<STRING>, n BIGINT");
        assert_eq!(codes(&Unnest("n".to_owned()), from_ref(&input)), ["not_a_list"]);
        let found = faults(&Unnest("word".to_owned()), &[input]);
        assert_eq!(found[0].code, "unknown_column");
        assert!(found[0].help.as_deref().unwrap_or_default().contains("did you mean `words`?"));
    }

    #[test]
    fn repeated_keys_of_an_update_stream_are_a_warning() {
        let input = update(stream("k BIGINT, words ARRAY<STRING>"), &["k"]);
        assert_eq!(signature(&Unnest("words".to_owned()), &input).warnings[0].code, "repeated_keys");
    }
}
