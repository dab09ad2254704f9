//! `Union`: the rows of several streams.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
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

/// The rows of all its inputs. Columns are matched by name, whatever their order; it is that of the first input in the output.
///
/// A column is event time in the output where it is event time in every input that has a watermark; the watermark below is
/// the least of the inputs'.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Union {
    /// What becomes of a column that not every input has: `Refuse`, the default, takes it for a mistake; `Null` fills it with null
    /// in rows of the others. A column that the first input has not comes behind those that it has.
    #[serde(skip_serializing_if = "is_default")]
    pub missing: Missing,
}

/// What becomes of a column that not every input has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Missing {
    /// It is a fault.
    #[default]
    Refuse,
    /// It is null in rows of the inputs that lack it.
    Null,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_default(missing: &Missing) -> bool {
    *missing == Missing::default()
}

register_operator!(Union, example: "Union()");

impl Union {
    /// The columns of the output before they are compared with each input's: those of the first, then those of others.
    fn fields(&self, inputs: &[Stream]) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        let all = if self.missing == Missing::Null { inputs } else { &inputs[..1] };
        for field in all.iter().flat_map(|input| input.schema.fields()) {
            if !fields.iter().any(|other| other.name() == field.name()) {
                fields.push(field.as_ref().clone());
            }
        }
        fields
    }

    fn bind(&self, inputs: &[Stream]) -> Result<Stream, Faults> {
        let (mut output, mut faults) = (inputs[0].clone(), Faults::new());
        let mut fields = self.fields(inputs);
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
                    if self.missing == Missing::Null {
                        field.set_nullable(true);
                        continue;
                    }
                    let message = format!(
                        "input {} of `Union` has no column `{}`, which the first has",
                        number + 1,
                        field.name()
                    );
                    let help = format!(
                        "its columns are {}; `Union(missing: Null)` fills what is missing with null",
                        watershed_core::fault::listed(column_names(&input.schema))
                    );
                    faults.push(Fault::new("union_columns", message).help(help));
                    continue;
                };
                if other.data_type() != field.data_type() {
                    let (first, other) = (type_to_ddl(field.data_type()), type_to_ddl(other.data_type()));
                    let of_first = |input: &Stream| input.schema.column_with_name(field.name()).is_some();
                    let first_input = match inputs.iter().position(of_first) {
                        None | Some(0) => "the first input".to_owned(),
                        Some(place) => format!("input {}", place + 1),
                    };
                    let message = format!(
                        "column `{}` is {first} in {first_input} of `Union` and {other} in input {}",
                        field.name(),
                        number + 1
                    );
                    faults.push(Fault::new("union_columns", message).help("`CAST` one of them in a `Select` above"));
                }
                if other.is_nullable() {
                    field.set_nullable(true);
                }
            }
            let is_surplus = |name: &&str| !fields.iter().any(|field| field.name() == name);
            for surplus in column_names(&input.schema).filter(is_surplus) {
                let message =
                    format!("input {} of `Union` has a column `{surplus}`, which the first has not", number + 1);
                faults.push(Fault::new("union_columns", message).help(
                    "leave it out in a `Select` above, or let `Union(missing: Null)` fill it with null in the others",
                ));
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
        Ok(Signature::stateless(vec![self.bind(&inputs[0])?]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(ByName { schema: self.bind(&inputs[0])?.schema })))
    }
}

struct ByName {
    schema: SchemaRef,
}

impl Stateless for ByName {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let column = |field: &FieldRef| {
            let missing = || new_null_array(field.data_type(), batch.num_rows());
            batch.column_by_name(field.name()).map_or_else(missing, Arc::clone)
        };
        let columns = self.schema.fields().iter().map(column).collect();
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
        Union::default().signature(&[inputs.to_vec()]).unwrap_or_else(|faults| panic!("{faults:#?}")).outputs.remove(0)
    }

    #[test]
    fn columns_are_matched_by_name() {
        let inputs = [stream("a BIGINT NOT NULL, b STRING NOT NULL"), stream("b STRING, a BIGINT NOT NULL")];
        assert_eq!(watershed_core::schema::to_ddl(&union(&inputs).schema), "a BIGINT NOT NULL, b STRING");
        for (input, line) in inputs.iter().zip([r#"{"a": 1, "b": "x"}"#, r#"{"a": 2}"#]) {
            let rows = process_with(&Union::default(), &inputs, batch(input, &[line]), &mut Collector::default())
                .expect("runs");
            assert_eq!(shown(&rows).len(), 1);
        }
        let second =
            process_with(&Union::default(), &inputs, batch(&inputs[1], &[r#"{"a": 2}"#]), &mut Collector::default())
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
    fn what_an_input_lacks_is_null_where_that_is_wanted() {
        let filling = Union { missing: Missing::Null };
        let first = tagged(stream("t TIMESTAMP NOT NULL, a BIGINT NOT NULL"), "t");
        let inputs = [first.clone(), stream("c DOUBLE NOT NULL, a BIGINT NOT NULL")];
        let output = filling.signature(&[inputs.to_vec()]).expect("they fit").outputs.remove(0);
        assert_eq!(watershed_core::schema::to_ddl(&output.schema), "t TIMESTAMP, a BIGINT NOT NULL, c DOUBLE");
        assert_eq!(output.event_times, first.event_times);
        for (input, line, row) in [
            (&inputs[0], r#"{"t": "1970-01-01T00:00:01Z", "a": 1}"#, "1970-01-01T00:00:01|1|"),
            (&inputs[1], r#"{"c": 0.5, "a": 2}"#, "|2|0.5"),
        ] {
            let rows = process_with(&filling, &inputs, batch(input, &[line]), &mut Collector::default());
            assert_eq!(shown(&rows.expect("runs")), [row]);
        }
        let unlike = [stream("a BIGINT"), stream("b BIGINT"), stream("b STRING")];
        let found = faults(&filling, &unlike);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("is BIGINT in input 2 of `Union` and STRING in input 3"), "{found:?}");
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
            let found = faults(&Union::default(), &[first.clone(), other]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].message.contains(words), "{found:?}");
        }
    }
}
