//! `Distinct`: the different rows of a stream, each once.
//!
//! It is a `Dedup` over the columns chosen, without the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Operator, OperatorSpec, Ports, Signature};
use watershed_core::register_operator;
use watershed_core::stream::Stream;

use crate::dedup::Bound;
use crate::inputs;

/// The different values of some columns, each once, when it is first met: SQL's `SELECT DISTINCT`.
///
/// Only these columns pass; `Dedup` keeps the first row of each key whole. With the event-time column among them, values are
/// forgotten when the watermark passes them, and rows that come too late leave, whole, by port `late`. Without it nothing is late,
/// and what was met is remembered for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Distinct {
    /// The columns, in the order in which they come out; left out, all of them. Null equals null.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

register_operator!(Distinct, example: r#"Distinct(columns: ["User", "Device"])"#);

impl Distinct {
    fn bind(&self, input: &Stream) -> Result<(Stream, Bound), Faults> {
        let mut faults: Faults = inputs::only_append(input, "Distinct").err().into_iter().collect();
        let mut columns = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match inputs::column(&input.schema, name) {
                Ok(place) if columns.contains(&place) => {
                    let message = format!("column `{name}` is listed twice");
                    faults.push(Fault::new("duplicate_column", message).at("columns").at(index));
                }
                Ok(place) => columns.push(place),
                Err(fault) => faults.push(fault.at("columns").at(index)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if columns.is_empty() {
            columns = (0..input.schema.fields().len()).collect();
        }
        Bound::of_columns(columns, input)
    }
}

#[typetag::serde]
impl OperatorSpec for Distinct {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        let (output, bound) = self.bind(input)?;
        let help = |tagged: Option<&str>| match tagged {
            Some(column) => {
                format!("add `{column}` to the columns, or cut it into windows by `AssignWindow` and add `window_end`")
            }
            None => {
                "put a `Watermark` above, and its column, or a window (`AssignWindow`), among the columns".to_owned()
            }
        };
        Ok(bound.signature(input, output, &help))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(self.bind(inputs::only(inputs))?.1.operator())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use watershed_core::node::StateNeed;
    use watershed_core::testing::{Epochs, Feed, Tested, same_answer};

    use super::*;
    use crate::testing::{batch, codes, epochs, faults, shown, signature, stream, tagged, update};
    use crate::{Dedup, Select};

    fn distinct(columns: &[&str]) -> Distinct {
        Distinct { columns: columns.iter().map(|column| (*column).to_owned()).collect() }
    }

    #[test]
    fn each_value_comes_out_once_without_the_other_columns() {
        let input = stream("a STRING, b BIGINT, c DOUBLE");
        let given: [&[&str]; 3] = [
            &[r#"{"a": "x", "b": 1, "c": 0.5}"#, r#"{"a": "x", "b": 1, "c": 1.5}"#, r#"{"a": "x"}"#],
            &[r#"{"a": "x", "c": 2.5}"#, r#"{"b": 1, "c": -0.0}"#],
            &[r#"{"b": 1, "c": 0.0}"#],
        ];
        for (columns, rows) in [
            (&["b", "a"][..], [vec!["1|x", "|x"], vec!["1|"], vec![]]),
            (&["a"], [vec!["x"], vec![""], vec![]]),
            (&[], [vec!["x|1|0.5", "x|1|1.5", "x||"], vec!["x||2.5", "|1|-0.0"], vec![]]),
        ] {
            assert_eq!(epochs(&distinct(columns), &input, &given), rows, "{columns:?}");
        }
    }

    /// What `Select` and then `Dedup` make of it.
    #[test]
    fn it_is_a_selection_without_its_duplicates() {
        let input = tagged(stream("a STRING, t TIMESTAMP, b BIGINT"), "t");
        for columns in [&["b", "t"][..], &["a"], &["t", "a", "b"], &["a", "b"]] {
            let is = signature(&distinct(columns), &input);
            let selected = signature(&Select(distinct(columns).columns), &input).outputs.remove(0);
            let without = signature(&Dedup::default(), &selected);
            assert_eq!(is.outputs, [without.outputs[0].clone(), input.clone()]);
            assert_eq!((is.distribution, is.state, is.wakes), (without.distribution, without.state, without.wakes));
        }
    }

    #[test]
    fn late_rows_leave_whole_and_values_are_forgotten_where_the_event_time_is_among_the_columns() {
        let input = tagged(stream("a STRING, t TIMESTAMP, b BIGINT"), "t");
        let row = r#"{"a": "x", "t": "1970-01-01T00:00:01Z", "b": 7}"#;
        for (columns, late, state) in [(&["t", "a"][..], vec!["x|1970-01-01T00:00:01|7"], 0), (&["a"], vec![], 1)] {
            let tested = Tested::new(distinct(columns)).stream_at("in", input.clone());
            let mut harness = tested.harness().expect("the operator takes the stream");
            harness.feed("in", batch(&input, &[row])).expect("rows");
            assert_eq!(harness.end_epoch().expect("runs")["out"].batch().num_rows(), 1);
            harness.set_watermark("1970-01-01T00:02:00Z").expect("goes on");
            harness.end_epoch().expect("runs");
            harness.feed("in", batch(&input, &[row])).expect("rows");
            let output = harness.end_epoch().expect("runs");
            assert_eq!(shown(&[output["late"].batch().clone()]), late);
            assert_eq!(output["out"].batch().num_rows(), 0);
            let seen = harness.state().expect("state").table("seen").expect("a table");
            assert_eq!(seen.batch().num_rows(), state);
            let feed = Feed::random(27, &tested).expect("a feed");
            same_answer(&tested, [feed], Epochs::Same).expect("the answer does not depend on how it is computed");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_at_its_place() {
        let input = stream("a STRING, b BIGINT");
        let found = faults(&distinct(&["a", "c", "a"]), from_ref(&input));
        let places: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.clone())).collect();
        assert_eq!(
            places,
            [
                ("unknown_column", vec!["columns".into(), 1.into()]),
                ("duplicate_column", vec!["columns".into(), 2.into()])
            ]
        );
        assert_eq!(codes(&distinct(&[]), &[update(input.clone(), &["a"])]), ["mode_not_accepted"]);
        let unbounded = signature(&distinct(&["a"]), &input);
        assert_eq!((unbounded.state, unbounded.warnings.len()), (StateNeed::Unbounded, 1));
    }
}
