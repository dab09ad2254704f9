//! `First` and `Last`: one row of each key, the earliest or the latest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Operator, OperatorSpec, Ports, Signature};
use watershed_core::register_operator;
use watershed_core::stream::{OutputMode, Stream};

use crate::inputs;
use crate::order::{self, Order};
use crate::ranking::{Ranking, Ties, Wanted};

/// The row of each key with the least value in a column; of equal ones, that which arrived first.
///
/// With an event-time column among the keys, a key is dropped when the watermark passes it, and rows that come too late leave by
/// port `late`. Where the first row to *arrive* is wanted and no later one may replace it, `Dedup` gives it at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct First {
    /// Columns whose values tell rows apart; left out, there is one row. Null is a value like any other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The column that decides. A null is behind every value. Left out, it is the event time, or where there is none besides the
    /// keys, the order of arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When rows come out: `Append` once the watermark has passed their key, which takes an event-time column among the keys;
    /// `Update` whenever a key has another row; `Complete` all of them in every epoch.
    pub output_mode: OutputMode,
}

register_operator!(First, example: r#"First(keys: ["User"], by: "event_time", output_mode: Update)"#);

/// The row of each key with the greatest value in a column; of equal ones, that which arrived last.
///
/// With an event-time column among the keys, a key is dropped when the watermark passes it, and rows that come too late leave by
/// port `late`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// Columns whose values tell rows apart; left out, there is one row. Null is a value like any other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The column that decides. A null is behind every value. Left out, it is the event time, or where there is none besides the
    /// keys, the order of arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When rows come out: `Append` once the watermark has passed their key, which takes an event-time column among the keys;
    /// `Update` whenever a key has another row; `Complete` all of them in every epoch.
    pub output_mode: OutputMode,
}

register_operator!(Last, example: r#"Last(keys: ["bidder", "auction"], by: "event_time", output_mode: Update)"#);

/// The column called `by`, else the event time unless it is a key, else none: arrival decides.
fn deciding_column(by: Option<&str>, keys: &[String], input: &Stream) -> Result<Option<usize>, Fault> {
    if let Some(name) = by {
        return order::sortable_column(&input.schema, name).map(Some).map_err(|fault| fault.at("by"));
    }
    let time = inputs::event_time(input)?;
    Ok(time.filter(|time| !keys.contains(&time.name)).map(|time| time.index))
}

impl First {
    fn bind(&self, input: &Stream) -> Result<Ranking, Faults> {
        one_row(("First", Ties::Earliest), &self.keys, self.by.as_deref(), self.output_mode, input)
    }
}

impl Last {
    fn bind(&self, input: &Stream) -> Result<Ranking, Faults> {
        one_row(("Last", Ties::Latest), &self.keys, self.by.as_deref(), self.output_mode, input)
    }
}

/// A ranking of one row per key, from the side that `ties` says.
fn one_row(
    (node, ties): (&'static str, Ties),
    keys: &[String],
    by: Option<&str>,
    output_mode: OutputMode,
    input: &Stream,
) -> Result<Ranking, Faults> {
    let order = match deciding_column(by, keys, input) {
        Ok(Some(column)) => Ok(Order::by_column(column, ties == Ties::Latest)),
        Ok(None) => Ok(Order::default()),
        Err(fault) => Err(fault.into()),
    };
    Ranking::bind(Wanted { node, keys, order, ties, n: 1, rank: None, always_rank: false, output_mode }, input)
}

#[typetag::serde]
impl OperatorSpec for First {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        Ok(self.bind(input)?.signature(input))
    }

    // What is kept is the same in every mode.
    fn free_fields(&self) -> &'static [&'static str] {
        &["output_mode"]
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(self.bind(inputs::only(inputs))?.operator())
    }
}

#[typetag::serde]
impl OperatorSpec for Last {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        Ok(self.bind(input)?.signature(input))
    }

    // What is kept is the same in every mode.
    fn free_fields(&self) -> &'static [&'static str] {
        &["output_mode"]
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(self.bind(inputs::only(inputs))?.operator())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use watershed_core::node::StateNeed;
    use watershed_core::stream::Mode;

    use super::*;
    use crate::testing::{codes, complete, epochs, faults, signature, stream, tagged, update};

    fn first(keys: &[&str], by: Option<&str>, output_mode: OutputMode) -> First {
        First { keys: keys.iter().map(|key| (*key).to_owned()).collect(), by: by.map(str::to_owned), output_mode }
    }

    fn last(keys: &[&str], by: Option<&str>, output_mode: OutputMode) -> Last {
        let First { keys, by, output_mode } = first(keys, by, output_mode);
        Last { keys, by, output_mode }
    }

    const ROWS: [&str; 4] = [
        r#"{"k": "a", "v": 2, "x": 1}"#,
        r#"{"k": "a", "v": 1, "x": 2}"#,
        r#"{"k": "a", "v": 2, "x": 3}"#,
        r#"{"k": "a", "x": 4}"#,
    ];

    #[test]
    fn of_equal_rows_the_first_is_that_which_came_first_and_the_last_that_which_came_last() {
        let input = stream("k STRING, v BIGINT, x BIGINT");
        let each: [&[&str]; 4] = [&ROWS[..1], &ROWS[1..2], &ROWS[2..3], &ROWS[3..]];
        let mode = OutputMode::Update;
        let rows = ["a|2|1", "a|1|2", "a|2|3", "a||4"];
        for (by, firsts, lasts) in [
            (Some("v"), [Some(0), Some(1), None, None], [Some(0), None, Some(2), None]),
            (None, [Some(0), None, None, None], [Some(0), Some(1), Some(2), Some(3)]),
        ] {
            let told = |places: [Option<usize>; 4]| places.map(|place| place.map_or(vec![], |place| vec![rows[place]]));
            assert_eq!(epochs(&first(&["k"], by, mode), &input, &each), told(firsts), "{by:?}");
            assert_eq!(epochs(&last(&["k"], by, mode), &input, &each), told(lasts), "{by:?}");
        }
        assert_eq!(epochs(&last(&["k"], None, mode), &input, &[&ROWS]), [[rows[3]]]);
        assert_eq!(epochs(&last(&["k"], Some("v"), mode), &input, &[&ROWS]), [[rows[2]]]);
        assert_eq!(epochs(&first(&["k"], Some("v"), mode), &input, &[&ROWS]), [[rows[1]]]);
    }

    #[test]
    fn the_event_time_decides_where_nothing_is_said_unless_it_is_a_key() {
        let input = tagged(stream("k STRING, t TIMESTAMP, x BIGINT"), "t");
        let rows = [
            r#"{"k": "a", "t": "1970-01-01T00:00:09Z", "x": 1}"#,
            r#"{"k": "a", "t": "1970-01-01T00:00:05Z", "x": 2}"#,
            r#"{"k": "a", "t": "1970-01-01T00:00:05Z", "x": 3}"#,
        ];
        let mode = OutputMode::Complete;
        assert_eq!(epochs(&first(&["k"], None, mode), &input, &[&rows]), [["a|1970-01-01T00:00:05|2"]]);
        assert_eq!(epochs(&last(&["k"], None, mode), &input, &[&rows]), [["a|1970-01-01T00:00:09|1"]]);
        assert_eq!(
            epochs(&last(&["t"], None, mode), &input, &[&rows]),
            [["a|1970-01-01T00:00:09|1", "a|1970-01-01T00:00:05|3"]]
        );
    }

    #[test]
    fn a_row_replaces_that_of_its_key() {
        let input = stream("k STRING, v BIGINT");
        let facts = signature(&last(&["k"], None, OutputMode::Update), &input);
        assert_eq!(facts.outputs[0], update(input.clone(), &["k"]));
        assert_eq!((facts.state, facts.warnings.len()), (StateNeed::Unbounded, 1));
        let one = signature(&first(&[], Some("v"), OutputMode::Update), &input);
        assert_eq!((one.state, one.outputs[0].mode.clone()), (StateNeed::Bounded, Mode::Update(Vec::new())));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let input = stream("k STRING, v BIGINT");
        assert_eq!(codes(&first(&["k"], None, OutputMode::Append), from_ref(&input)), ["append_without_watermark"]);
        assert_eq!(
            codes(&last(&["k"], None, OutputMode::Update), &[update(input.clone(), &["k"])]),
            ["mode_not_accepted"]
        );
        assert_eq!(
            codes(&last(&["k"], None, OutputMode::Update), &[complete(input.clone(), &["k"])]),
            ["mode_not_accepted"]
        );
        let found = faults(&first(&["q"], Some("w"), OutputMode::Update), &[input]);
        let places: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.clone())).collect();
        assert_eq!(places, [("unknown_column", vec!["keys".into(), 0.into()]), ("unknown_column", vec!["by".into()])]);
    }
}
