//! `Select`: columns and expressions over them.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Signature, Stateless};
use watershed_core::register_operator;
use watershed_core::stream::{EventTime, Mode, Stream};

use crate::inputs;
use crate::sql::{Named, Scope};

/// Columns and expressions over them, one output column each.
///
/// `"*"` stands for all input columns; `"expression AS name"` computes one. An event-time column keeps its tag when it is
/// passed on or renamed, and loses it in a computation. A value that cannot be computed, such as a `CAST` of a text that is
/// no number, stops the run; `TRY_CAST` gives null instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Select(pub Vec<String>);

register_operator!(Select, example: r#"Select(["*", "to_timestamp_nanos(Creation_Time) AS event_time"])"#);

impl Select {
    fn bind(&self, input: &Stream) -> Result<Vec<Named>, Faults> {
        let scope = Scope::new(&input.schema)?;
        let (mut columns, mut faults): (Vec<Named>, Faults) = (Vec::new(), Faults::new());
        for (index, text) in self.0.iter().enumerate() {
            let named = if text.trim() == "*" {
                (0..input.schema.fields().len()).map(|column| scope.column(column)).collect()
            } else {
                match scope.parse_named(text) {
                    Ok(named) => vec![named],
                    Err(found) => {
                        faults.extend(found.into_iter().map(|fault| fault.under(index)));
                        continue;
                    }
                }
            };
            for named in named {
                if columns.iter().any(|other| other.name == named.name) {
                    let fault =
                        Fault::new("duplicate_column", format!("two output columns are called `{}`", named.name));
                    faults.push(fault.at(index).help("give one of them another name: `… AS name`"));
                } else {
                    columns.push(named);
                }
            }
        }
        if self.0.is_empty() {
            faults.push(
                Fault::new("no_columns", "`Select` lists no column").help("`Select([\"*\"])` passes all columns on"),
            );
        }
        faults.extend(masked_key(&input.mode, &columns));
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }
}

/// A column that takes the name of a key which is not passed on: rows would replace each other by something else.
fn masked_key(mode: &Mode, columns: &[Named]) -> Option<Fault> {
    let (Mode::Update(keys) | Mode::Complete(keys)) = mode else { return None };
    let is_passed_on = |key: &String| columns.iter().any(|column| column.expression.as_column() == Some(key));
    let masks = |key: &&String| !is_passed_on(key) && columns.iter().any(|column| column.name == **key);
    let key = keys.iter().find(masks)?;
    let message =
        format!("`{key}` is the key by which rows of mode `{mode}` replace each other, and is computed anew here");
    Some(Fault::new("masked_key", message).help(format!("give the new column another name, and pass `{key}` on")))
}

/// The mode with its keys under their new names. A key that is left out keeps its name, so that a sink which needs it can
/// say that it is missing.
fn renamed(mode: &Mode, columns: &[Named]) -> Mode {
    let rename = |key: &String| {
        let passed_on = columns.iter().find(|column| column.expression.as_column() == Some(key));
        passed_on.map_or_else(|| key.clone(), |column| column.name.clone())
    };
    match mode {
        Mode::Append => Mode::Append,
        Mode::Update(keys) => Mode::Update(keys.iter().map(rename).collect()),
        Mode::Complete(keys) => Mode::Complete(keys.iter().map(rename).collect()),
    }
}

fn schema_of(columns: &[Named]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|column| column.expression.field(&column.name)).collect::<Vec<_>>()))
}

#[typetag::serde]
impl OperatorSpec for Select {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        let columns = self.bind(input)?;
        let mut output = input.clone().with_schema(schema_of(&columns));
        output.mode = renamed(&input.mode, &columns);
        output.event_times = columns
            .iter()
            .filter_map(|column| {
                let tag = input.event_time(column.expression.as_column()?)?;
                Some(EventTime { column: column.name.clone(), ..tag.clone() })
            })
            .collect();
        Ok(Signature::stateless(vec![output]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        let columns = self.bind(inputs::only(inputs))?;
        Ok(Operator::Stateless(Arc::new(Projection { schema: schema_of(&columns), columns })))
    }
}

struct Projection {
    schema: SchemaRef,
    columns: Vec<Named>,
}

impl Stateless for Projection {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let columns =
            self.columns.iter().map(|column| column.expression.evaluate(&batch, cx)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        out.emit(Port::FIRST, RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::testing::{codes, faults, process, signature, stream, tagged, update};

    fn select(texts: &[&str]) -> Select {
        Select(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn columns_come_out_in_the_order_they_are_listed() {
        let input = stream("User STRING, `odd \"name` BIGINT NOT NULL");
        let rows = process(
            &select(&["`odd \"name` + 1 AS n", "*", "upper(User) AS loud"]),
            &input,
            &[r#"{"User": "a", "odd \"name": 1}"#, r#"{"odd \"name": 2}"#],
        );
        assert_eq!(rows, ["2|a|1|A", "3||2|"]);
        let output = &signature(&select(&["*", "2 AS two"]), &input).outputs[0];
        assert_eq!(
            watershed_core::schema::to_ddl(&output.schema),
            "User STRING, `odd \"name` BIGINT NOT NULL, two BIGINT NOT NULL"
        );
    }

    #[test]
    fn event_time_survives_names_and_is_lost_in_computations() {
        let input = tagged(stream("t TIMESTAMP, x DOUBLE"), "t");
        for (texts, tags) in [
            (&["*"][..], &["t"][..]),
            (&["x", "t AS happened"], &["happened"]),
            (&["t AS a", "(t) AS b"], &["a", "b"]),
            (&["t + INTERVAL '1 second' AS t"], &[]),
            (&["x"], &[]),
        ] {
            let output = &signature(&select(texts), &input).outputs[0];
            assert_eq!(output.event_times.iter().map(|tag| tag.column.as_str()).collect::<Vec<_>>(), tags, "{texts:?}");
            assert_eq!(output.watermarks, input.watermarks);
        }
    }

    #[test]
    fn keys_of_an_update_stream_are_renamed_with_their_columns() {
        let input = update(stream("User STRING, Device STRING, n BIGINT"), &["User", "Device"]);
        let output = &signature(&select(&["User AS who", "n"]), &input).outputs[0];
        assert_eq!(output.mode, Mode::Update(vec!["who".to_owned(), "Device".to_owned()]));
    }

    #[test]
    fn every_fault_is_placed_in_its_text() {
        let input = stream("User STRING, x DOUBLE");
        let found = faults(&select(&["*", "user", "x + nope(1)", "x AS User", "y z"]), from_ref(&input));
        let places: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.clone(), fault.within.clone())).collect();
        assert_eq!(
            places,
            [
                ("unknown_column", vec![1.into()], Some(0..4)),
                ("unknown_function", vec![2.into()], Some(4..8)),
                ("duplicate_column", vec![3.into()], None),
                ("bad_expression", vec![4.into()], Some(2..3)),
            ]
        );
        assert_eq!(codes(&select(&[]), from_ref(&input)), ["no_columns"]);
        assert_eq!(codes(&select(&["sum(x)"]), &[input]), ["aggregate"]);
    }
}
