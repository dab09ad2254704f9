//! `TopN`: the first rows of each key in an order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Operator, OperatorSpec, Ports, Signature};
use watershed_core::register_operator;
use watershed_core::stream::{OutputMode, Stream};

use crate::inputs;
use crate::order::Order;
use crate::ranking::{Ranking, Ties, Wanted};

/// The first `n` rows of each key, in an order.
///
/// Of rows that are equal in that order, the one that arrived first is first. With an event-time column among the keys (the
/// `window_end` that `AssignWindow` gives, for one), a key is dropped when the watermark passes it, and rows that come too late
/// leave by port `late`. Of a complete result, it gives the first rows of each epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopN {
    /// Columns to order by, each with `ASC` (the default) or `DESC`, and `NULLS FIRST` or `NULLS LAST`; left out, nulls are first
    /// in ascending and last in descending order.
    pub by: Vec<String>,
    /// Columns whose values tell the lists apart; left out, there is one list. Null is a value like any other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// How many rows of each key, at least 1.
    pub n: u64,
    /// When rows come out: `Append` once the watermark has passed their key, which takes an event-time column among the keys;
    /// `Update` whenever another row has come to have a rank, in place of the one that had it; `Complete` all of them in every
    /// epoch.
    pub output_mode: OutputMode,
    /// The name of a column with each row's rank, from 1. Left out, there is one called `rank` where rows replace each other by
    /// it (in `Update`, and `Complete` over facts), and none elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<String>,
}

register_operator!(TopN, example: r#"TopN(by: ["price DESC", "event_time"], keys: ["auction", "window_end"], n: 10, output_mode: Append)"#);

impl TopN {
    fn bind(&self, input: &Stream) -> Result<Ranking, Faults> {
        let order = Order::bind(&self.by, &input.schema, "TopN");
        let bound = Ranking::bind(
            Wanted {
                node: "TopN",
                keys: &self.keys,
                order: order.map_err(|faults| faults.into_iter().map(|fault| fault.under("by")).collect()),
                ties: Ties::Earliest,
                n: self.n,
                rank: Some(self.rank.as_deref().unwrap_or("rank")),
                always_rank: self.rank.is_some(),
                output_mode: self.output_mode,
            },
            input,
        );
        if self.n > 0 {
            return bound;
        }
        let mut faults = bound.err().unwrap_or_default();
        faults.push(Fault::new("bad_count", "`n` is 0, but it must be at least 1").at("n"));
        Err(faults)
    }
}

#[typetag::serde]
impl OperatorSpec for TopN {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        Ok(self.bind(input)?.signature(input))
    }

    // What is kept is the same in every mode, and does not know what its ranks are called outside.
    fn free_fields(&self) -> &'static [&'static str] {
        &["output_mode", "rank"]
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(self.bind(inputs::only(inputs))?.operator())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use watershed_core::node::{Distribution, StateNeed};
    use watershed_core::stream::{EventTimeKind, Mode};

    use super::*;
    use crate::testing::{codes, complete, epochs, faults, signature, stream, tag, tagged, update};

    fn top(by: &[&str], keys: &[&str], n: u64, output_mode: OutputMode) -> TopN {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        TopN { by: texts(by), keys: texts(keys), n, output_mode, rank: None }
    }

    const BIDS: [&str; 5] = [
        r#"{"a": "x", "p": 3, "who": "ann"}"#,
        r#"{"a": "y", "p": 1, "who": "bob"}"#,
        r#"{"a": "x", "p": 5, "who": "bob"}"#,
        r#"{"a": "x", "p": 3, "who": "eve"}"#,
        r#"{"a": "y", "who": "ann"}"#,
    ];

    #[test]
    fn an_update_tells_each_rank_that_has_another_row() {
        let input = stream("a STRING, p BIGINT, who STRING");
        let spec = top(&["p DESC"], &["a"], 2, OutputMode::Update);
        let later = [r#"{"a": "x", "p": 4, "who": "ida"}"#, r#"{"a": "x", "p": 4, "who": "kim"}"#];
        assert_eq!(
            epochs(&spec, &input, &[&BIDS, &[], &later, &[later[0]], &[r#"{"a": "y", "p": 9, "who": "leo"}"#]]),
            [
                vec!["x|5|bob|1", "x|3|ann|2", "y|1|bob|1", "y||ann|2"],
                vec![],
                vec!["x|4|ida|2"],
                vec![],
                vec!["y|9|leo|1", "y|1|bob|2"],
            ]
        );
        let facts = signature(&spec, &input);
        assert_eq!(facts.outputs[0].mode, Mode::Update(vec!["a".to_owned(), "rank".to_owned()]));
        assert_eq!((facts.state, facts.wakes), (StateNeed::Unbounded, false));
        assert_eq!(facts.warnings.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["unbounded_state"]);
    }

    #[test]
    fn without_keys_there_is_one_list_of_bounded_size() {
        let input = stream("a STRING, p BIGINT, who STRING");
        let spec = TopN { rank: Some("place".to_owned()), ..top(&["p", "who DESC"], &[], 3, OutputMode::Complete) };
        assert_eq!(
            epochs(&spec, &input, &[&BIDS[..3], &BIDS[3..]]),
            [vec!["y|1|bob|1", "x|3|ann|2", "x|5|bob|3"], vec!["y||ann|1", "y|1|bob|2", "x|3|eve|3"]]
        );
        let facts = signature(&spec, &input);
        assert_eq!(facts.outputs[0].mode, Mode::Complete(vec!["place".to_owned()]));
        assert_eq!((facts.state, facts.distribution), (StateNeed::Bounded, Distribution::Single));
    }

    #[test]
    fn each_complete_result_is_ranked_by_itself() {
        let input = complete(stream("a STRING, p BIGINT, who STRING"), &["a", "who"]);
        let spec = top(&["p DESC"], &["a"], 1, OutputMode::Complete);
        assert_eq!(
            epochs(&spec, &input, &[&BIDS, &[], &BIDS[..2]]),
            [vec!["y|1|bob", "x|5|bob"], vec![], vec!["x|3|ann", "y|1|bob"]]
        );
        let facts = signature(&spec, &input);
        assert_eq!((facts.state, facts.outputs[0].clone()), (StateNeed::None, input));
    }

    #[test]
    fn a_window_among_the_keys_bounds_the_state_and_stays_event_time() {
        let mut input = tagged(stream("a STRING, window_end TIMESTAMP, t TIMESTAMP"), "window_end");
        input.event_times = vec![tag("window_end", EventTimeKind::WindowEnd)];
        for mode in [OutputMode::Append, OutputMode::Update] {
            let facts = signature(&top(&["t"], &["window_end"], 1, mode), &input);
            assert_eq!((facts.state, facts.wakes), (StateNeed::Bounded, true));
            assert_eq!(facts.outputs[0].event_times, input.event_times);
        }
        let kept_for_ever = signature(&top(&["t"], &["window_end"], 1, OutputMode::Complete), &input);
        assert_eq!((kept_for_ever.state, kept_for_ever.wakes), (StateNeed::Unbounded, false));
        let by_key = signature(&top(&["t"], &["a"], 1, OutputMode::Update), &input);
        assert_eq!((by_key.state, by_key.outputs[0].event_times.len()), (StateNeed::Unbounded, 0));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let input = tagged(stream("a STRING, t TIMESTAMP, u TIMESTAMP, rank BIGINT"), "t");
        let append = |keys: &[&str]| top(&["rank DESC"], keys, 1, OutputMode::Append);
        assert_eq!(codes(&append(&["a"]), from_ref(&input)), ["append_without_watermark"]);
        assert!(append(&["a", "t"]).signature(&[vec![input.clone()]]).is_ok());
        let mut both = input.clone();
        both.event_times.push(tag("u", EventTimeKind::Instant));
        assert_eq!(codes(&append(&["t", "u"]), &[both]), ["two_event_times"]);
        assert_eq!(codes(&append(&["t"]), &[update(input.clone(), &["a"])]), ["mode_not_accepted"]);
        assert_eq!(codes(&append(&["t"]), &[complete(input.clone(), &["a"])]), ["mode_not_accepted"]);
        let clash = top(&["t"], &["a"], 1, OutputMode::Update);
        assert_eq!(codes(&clash, from_ref(&input)), ["duplicate_column"]);
        let named = TopN { rank: Some("place".to_owned()), ..clash };
        assert!(named.signature(&[vec![input.clone()]]).is_ok());
        let wrong = top(&["t", "price DESC"], &["a", "b", "a"], 0, OutputMode::Update);
        let found = faults(&wrong, &[stream("a STRING, t TIMESTAMP")]);
        let places: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.clone())).collect();
        assert_eq!(
            places,
            [
                ("unknown_column", vec!["keys".into(), 1.into()]),
                ("duplicate_key", vec!["keys".into(), 2.into()]),
                ("unknown_column", vec!["by".into(), 1.into()]),
                ("bad_count", vec!["n".into()]),
            ]
        );
        assert_eq!(codes(&top(&[], &["a"], 1, OutputMode::Update), &[stream("a STRING")]), ["no_columns"]);
    }
}
