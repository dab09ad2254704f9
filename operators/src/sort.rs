//! `Sort`: the order of a complete result.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, lexsort_to_indices, take_record_batch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, Stateful,
};
use watershed_core::register_operator;
use watershed_core::state::{StateStore, TableSchema};
use watershed_core::stream::{Mode, Stream};

use crate::inputs;
use crate::order::{self, Order};

/// Puts a complete result in order. Each item is a column, with `ASC` (the default) or `DESC`, and `NULLS FIRST` or
/// `NULLS LAST`; left out, nulls are first in ascending and last in descending order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sort(pub Vec<String>);

register_operator!(Sort, example: r#"Sort(["count DESC", "User"])"#);

impl Sort {
    fn bind(&self, input: &Stream) -> Result<Order, Faults> {
        let mut faults = Faults::new();
        if !matches!(input.mode, Mode::Complete(_)) {
            let message =
                format!("`Sort` orders a complete result, but its input is a stream of mode `{}`", input.mode);
            faults.push(
                Fault::new("mode_not_accepted", message)
                    .help("set `output_mode: Complete` in the node above that aggregates"),
            );
        }
        match Order::bind(&self.0, &input.schema, "Sort") {
            Ok(order) if faults.is_empty() => Ok(order),
            bound => {
                faults.extend(bound.err().into_iter().flatten());
                Err(faults)
            }
        }
    }
}

#[typetag::serde]
impl OperatorSpec for Sort {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        self.bind(inputs::only(inputs))?;
        Ok(Signature { distribution: Distribution::Single, ..Signature::stateless(vec![inputs::only(inputs).clone()]) })
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(Sorted(self.bind(inputs::only(inputs))?))))
    }
}

struct Sorted(Order);

impl Stateful for Sorted {
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }

    fn run(&self, input: EpochInput, _: &mut StateStore, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let batches: Vec<RecordBatch> = input.batches.into_iter().map(|(_, batch)| batch).collect();
        let Some(first) = batches.first() else { return Ok(()) };
        let rows = concat_batches(first.schema_ref(), &batches)?;
        let mut columns = self.0.columns(&rows);
        columns.push(order::ascending(order::arrival(rows.num_rows())));
        let indices = lexsort_to_indices(&columns, None)?;
        out.emit(Port::FIRST, take_record_batch(&rows, &indices)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::testing::{codes, complete, epochs, faults, signature, stream, update};

    fn sort(items: &[&str]) -> Sort {
        Sort(items.iter().map(|item| (*item).to_owned()).collect())
    }

    #[test]
    fn rows_come_out_in_order_and_equal_ones_as_they_came() {
        let input = complete(stream("v BIGINT, `a b` STRING"), &[]);
        let lines =
            [r#"{"v": 2, "a b": "x"}"#, r#"{"v": 1, "a b": "y"}"#, r#"{"a b": "z"}"#, r#"{"v": 2, "a b": "w"}"#];
        for (items, rows) in [
            (&["v"][..], ["|z", "1|y", "2|x", "2|w"]),
            (&["v DESC"], ["2|x", "2|w", "1|y", "|z"]),
            (&["v desc nulls first"], ["|z", "2|x", "2|w", "1|y"]),
            (&["v ASC NULLS LAST", "\"a b\""], ["1|y", "2|w", "2|x", "|z"]),
            (&[" v  DESC ", "\"a b\" ASC"], ["2|w", "2|x", "1|y", "|z"]),
        ] {
            assert_eq!(epochs(&sort(items), &input, &[&lines]), [rows], "{items:?}");
        }
    }

    #[test]
    fn each_epoch_is_sorted_by_itself() {
        let input = complete(stream("v BIGINT"), &[]);
        let (two, one) = (r#"{"v": 2}"#, r#"{"v": 1}"#);
        assert_eq!(epochs(&sort(&["v"]), &input, &[&[two, one], &[], &[one]]), [vec!["1", "2"], vec![], vec!["1"]]);
        let signature = signature(&sort(&["v"]), &input);
        assert_eq!(signature.distribution, Distribution::Single);
        assert_eq!(signature.outputs, [input]);
    }

    #[test]
    fn only_a_complete_result_has_an_order() {
        let columns = stream("v BIGINT, w BIGINT");
        assert_eq!(codes(&sort(&["v"]), from_ref(&columns)), ["mode_not_accepted"]);
        assert_eq!(codes(&sort(&["v"]), &[update(columns.clone(), &["v"])]), ["mode_not_accepted"]);
        assert_eq!(codes(&sort(&[]), &[complete(columns.clone(), &[])]), ["no_columns"]);
        let found = faults(&sort(&["v", "x DESC", "w UP", "v NULLS"]), &[complete(columns, &[])]);
        let places: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.clone(), fault.within.clone())).collect();
        assert_eq!(
            places,
            [
                ("unknown_column", vec![1.into()], Some(0..1)),
                ("bad_order", vec![2.into()], None),
                ("bad_order", vec![3.into()], None)
            ]
        );
    }
}
