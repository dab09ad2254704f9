//! `Limit`: the first rows.

use std::sync::Arc;

use arrow::array::{AsArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Fields, UInt64Type};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, StateNeed,
    Stateful,
};
use watershed_core::register_operator;
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::stream::{Mode, Stream};
use watershed_core::time::Timestamp;

use crate::inputs;

/// The first so many rows: of the whole stream where rows are final, of each epoch's result where it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limit(pub u64);

register_operator!(Limit, example: "Limit(10)");

#[typetag::serde]
impl OperatorSpec for Limit {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        if let Mode::Update(_) = input.mode {
            let message = "`Limit` has no meaning over a stream of mode `Update`, whose rows replace each other";
            return Err(Fault::new("mode_not_accepted", message)
                .help("use `Append` or `Complete` in the node above that aggregates")
                .into());
        }
        let (state, notes) = match input.mode {
            Mode::Append => (StateNeed::Bounded, vec!["how many rows have passed is kept for ever".to_owned()]),
            Mode::Update(_) | Mode::Complete(_) => (StateNeed::None, Vec::new()),
        };
        Ok(Signature {
            distribution: Distribution::Single,
            state,
            notes,
            ..Signature::stateless(vec![inputs::only(inputs).clone()])
        })
    }

    fn free_fields(&self) -> &'static [&'static str] {
        &["0"]
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(FirstRows {
            most: self.0,
            of_the_stream: inputs::only(inputs).mode == Mode::Append,
        })))
    }
}

struct FirstRows {
    most: u64,
    of_the_stream: bool,
}

impl Stateful for FirstRows {
    fn tables(&self) -> Vec<TableSchema> {
        let passed = Field::new("passed", DataType::UInt64, false);
        let table = TableSchema {
            name: "passed",
            keys: Fields::empty(),
            values: vec![passed].into(),
            placed_by: PlacedBy::Keys,
            slots: String::new(),
        };
        if self.of_the_stream { vec![table] } else { Vec::new() }
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut passed = 0;
        if self.of_the_stream {
            let kept = state.table(0).scan(Slot::NEVER)?;
            passed = kept.column(0).as_primitive::<UInt64Type>().values().first().copied().unwrap_or(0);
        }
        let before = passed;
        for (_, batch) in input.batches {
            let rows = (self.most.saturating_sub(passed)).min(batch.num_rows() as u64);
            passed += rows;
            out.emit(Port::FIRST, batch.slice(0, rows as usize));
        }
        if self.of_the_stream && passed > before {
            let table = state.table(0);
            let one = table.group(Slot::NEVER, &[], 1)?;
            table.upsert(&one, vec![Arc::new(UInt64Array::from(vec![passed]))])?;
        }
        Ok(())
    }

    fn readable_slot(&self, _: usize, _: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, complete, epochs, signature, stream, update};

    const ROWS: [&str; 4] = [r#"{"v": 1}"#, r#"{"v": 2}"#, r#"{"v": 3}"#, r#"{"v": 4}"#];

    #[test]
    fn facts_pass_until_so_many_have_passed_in_all() {
        let input = stream("v BIGINT");
        let given: [&[&str]; 4] = [&ROWS[..2], &[], &ROWS[2..], &ROWS[..1]];
        for (most, passed) in [
            (3, [vec!["1", "2"], vec![], vec!["3"], vec![]]),
            (0, [vec![], vec![], vec![], vec![]]),
            (2, [vec!["1", "2"], vec![], vec![], vec![]]),
            (9, [vec!["1", "2"], vec![], vec!["3", "4"], vec!["1"]]),
        ] {
            assert_eq!(epochs(&Limit(most), &input, &given), passed, "{most}");
        }
    }

    #[test]
    fn each_complete_result_is_cut() {
        let input = complete(stream("v BIGINT"), &[]);
        assert_eq!(epochs(&Limit(1), &input, &[&ROWS[..2], &[], &ROWS[1..]]), [vec!["1"], vec![], vec!["2"]]);
    }

    #[test]
    fn a_count_is_all_it_keeps_and_no_watermark_wakes_it() {
        let facts = signature(&Limit(3), &stream("v BIGINT"));
        assert_eq!((facts.state, facts.wakes, facts.distribution), (StateNeed::Bounded, false, Distribution::Single));
        assert_eq!(signature(&Limit(3), &complete(stream("v BIGINT"), &[])).state, StateNeed::None);
        assert_eq!(codes(&Limit(3), &[update(stream("v BIGINT"), &["v"])]), ["mode_not_accepted"]);
    }
}
