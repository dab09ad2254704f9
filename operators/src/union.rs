//! `Union`: the rows of several streams.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Collector, EpochContext, Operator, OperatorSpec, Ports, Signature, Stateless,
};
use watershed_core::register_operator;
use watershed_core::schema::type_to_ddl;
use watershed_core::stream::{EventTime, Mode, Stream, column_names};

/// The rows of all its inputs. Columns are matched by name; their order is that of the first input.
///
/// A column is event time in the output where it is event time in every input that has a watermark; the watermark below is
/// the least of the inputs'.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Union {}

register_operator!(Union, example: "Union()");

impl Union {
    fn bind(inputs: &[Stream]) -> Result<Stream, Faults> {
        let (mut output, mut faults) = (inputs[0].clone(), Faults::new());
        let mut fields: Vec<Field> = output.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        for (number, input) in inputs.iter().enumerate() {
            if input.mode != Mode::Append {
                let message = format!(
                    "input {} of `Union` is a stream of mode `{}`, whose rows replace each other",
                    number + 1,
                    input.mode
                );
                faults.push(
                    Fault::new("mode_not_accepted", message)
                        .help("set `output_mode: Append` in the node above that aggregates"),
                );
            }
            for field in &mut fields {
                let Ok(other) = input.schema.field_with_name(field.name()) else {
                    let message = format!(
                        "input {} of `Union` has no column `{}`, which the first has",
                        number + 1,
                        field.name()
                    );
                    let help =
                        format!("its columns are {}", watershed_core::fault::listed(column_names(&input.schema)));
                    faults.push(Fault::new("union_columns", message).help(help));
                    continue;
                };
                if other.data_type() != field.data_type() {
                    let (first, other) = (type_to_ddl(field.data_type()), type_to_ddl(other.data_type()));
                    let message = format!(
                        "column `{}` is {first} in the first input of `Union` and {other} in input {}",
                        field.name(),
                        number + 1
                    );
                    faults.push(Fault::new("union_columns", message).help("`CAST` one of them in a `Select` above"));
                }
                if other.is_nullable() {
                    field.set_nullable(true);
                }
            }
            for surplus in column_names(&input.schema).filter(|name| output.schema.index_of(name).is_err()) {
                let message =
                    format!("input {} of `Union` has a column `{surplus}`, which the first has not", number + 1);
                faults.push(
                    Fault::new("union_columns", message)
                        .help("leave it out in a `Select` above, or add it to the others"),
                );
            }
            output.watermarks.extend(input.watermarks.iter().cloned());
        }
        output.schema = Arc::new(Schema::new(fields));
        output.event_times = event_times(inputs);
        if faults.is_empty() { Ok(output) } else { Err(faults) }
    }
}

/// The tags that all inputs with a watermark share; the delay is the longest.
fn event_times(inputs: &[Stream]) -> Vec<EventTime> {
    let mut tagged = inputs.iter().filter(|input| !input.watermarks.is_empty());
    let Some(first) = tagged.next() else { return Vec::new() };
    let rest: Vec<&Stream> = tagged.collect();
    let common = first.event_times.iter().filter_map(|tag| {
        let mut tag = tag.clone();
        for input in &rest {
            let other = input.event_time(&tag.column).filter(|other| other.kind == tag.kind)?;
            tag.delay = tag.delay.max(other.delay);
        }
        Some(tag)
    });
    common.collect()
}

#[typetag::serde]
impl OperatorSpec for Union {
    fn ports(&self) -> Ports {
        Ports { many: true, ..Ports::PLAIN }
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature::stateless(vec![Self::bind(&inputs[0])?]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(ByName { schema: Self::bind(&inputs[0])?.schema })))
    }
}

struct ByName {
    schema: SchemaRef,
}

impl Stateless for ByName {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let places =
            column_names(&self.schema).map(|name| batch.schema_ref().index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let columns = places.into_iter().map(|place| Arc::clone(batch.column(place))).collect();
        out.emit(Port::FIRST, RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::stream::EventTimeKind;
    use watershed_core::time::TimeSpan;

    use super::*;
    use crate::testing::{batch, complete, faults, process_with, shown, stream, tag, tagged, update};

    fn union(inputs: &[Stream]) -> Stream {
        Union {}.signature(&[inputs.to_vec()]).unwrap_or_else(|faults| panic!("{faults:#?}")).outputs.remove(0)
    }

    #[test]
    fn columns_are_matched_by_name() {
        let inputs = [stream("a BIGINT NOT NULL, b STRING NOT NULL"), stream("b STRING, a BIGINT NOT NULL")];
        assert_eq!(watershed_core::schema::to_ddl(&union(&inputs).schema), "a BIGINT NOT NULL, b STRING");
        for (input, line) in inputs.iter().zip([r#"{"a": 1, "b": "x"}"#, r#"{"a": 2}"#]) {
            let rows =
                process_with(&Union {}, &inputs, batch(input, &[line]), &mut Collector::default()).expect("runs");
            assert_eq!(shown(&rows).len(), 1);
        }
        let second = process_with(&Union {}, &inputs, batch(&inputs[1], &[r#"{"a": 2}"#]), &mut Collector::default())
            .expect("runs");
        assert_eq!(shown(&second), ["2|"]);
    }

    #[test]
    fn event_time_is_what_all_inputs_with_a_watermark_agree_on() {
        let plain = stream("t TIMESTAMP, u TIMESTAMP");
        let by_t = tagged(plain.clone(), "t");
        let by_u = tagged(plain.clone(), "u");
        let mut slow = plain.clone();
        slow.event_times.push(EventTime { delay: TimeSpan::from_seconds(9), ..tag("t", EventTimeKind::Instant) });
        slow.watermarks.insert("slow".to_owned());
        assert_eq!(union(&[by_t.clone(), plain.clone()]).event_times, by_t.event_times);
        assert_eq!(union(&[plain.clone(), by_t.clone()]).event_times, by_t.event_times);
        assert_eq!(union(&[by_t.clone(), by_u]).event_times, []);
        let both = union(&[by_t, slow]);
        assert_eq!(both.event_times[0].delay, TimeSpan::from_seconds(9));
        assert_eq!(both.watermarks.iter().map(String::as_str).collect::<Vec<_>>(), ["marked", "slow"]);
        assert_eq!(union(&[plain.clone(), plain]).watermarks.len(), 0);
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        let first = stream("a BIGINT, b STRING");
        for (other, words) in [
            (stream("a BIGINT"), "has no column `b`"),
            (stream("a BIGINT, b STRING, c DOUBLE"), "has a column `c`"),
            (stream("a DOUBLE, b STRING"), "is BIGINT in the first input of `Union` and DOUBLE in input 2"),
            (update(first.clone(), &["a"]), "mode `Update`"),
            (complete(first.clone(), &["a"]), "mode `Complete`"),
        ] {
            let found = faults(&Union {}, &[first.clone(), other]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].message.contains(words), "{found:?}");
        }
    }
}
