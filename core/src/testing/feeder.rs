//! The source that stands in for every source of a tested graph: it offers the inputs of a test, one epoch each.
//!
//! All sources of a graph share one feeder, because an epoch's input is that of all of them together. The engine asks
//! each source once before an epoch; an input is offered to all of its sources within one such round, and the next one
//! not before the next round. An offset counts inputs: those up to the last one of which the source took its share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::node::{Available, Limit, Offset, OffsetRange, RowOutput, Source, Split};
use crate::state::StateStore;

/// The rows of an epoch by source; a source that is not in it reads nothing.
pub type Input = BTreeMap<String, RecordBatch>;

/// The inputs that were offered so far; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Feeder(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    inputs: Vec<Input>,
    /// Whether there will be no more.
    ended: bool,
    /// The input that is offered in this round.
    current: usize,
    /// The sources that were asked in this round.
    asked: BTreeSet<Arc<str>>,
    /// Whether one of them took its share of the current input.
    taken: bool,
}

impl Feeder {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers an input.
    pub(super) fn offer(&self, input: Input) {
        self.lock().inputs.push(input);
    }

    /// Says that what was offered is all.
    pub(super) fn end(&self) {
        self.lock().ended = true;
    }

    /// The same inputs, apart from these.
    pub(super) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// The run starts again: what was offered and not committed is offered again. The sources that are resumed say how far
    /// that is.
    pub(super) fn rewind(&self) {
        let state = &mut *self.lock();
        (state.current, state.taken) = (0, false);
        state.asked.clear();
    }

    /// A source of these inputs. Its rows come in `splits` pieces, each in batches of at most `batch_rows` rows.
    pub(super) fn source(&self, node: &Arc<str>, splits: usize, batch_rows: usize) -> Box<dyn Source> {
        Box::new(ScriptedSource {
            feeder: self.clone(),
            node: Arc::clone(node),
            splits: splits.max(1),
            batch_rows: batch_rows.max(1),
        })
    }
}

struct ScriptedSource {
    feeder: Feeder,
    node: Arc<str>,
    splits: usize,
    batch_rows: usize,
}

impl Source for ScriptedSource {
    fn resume(&mut self, committed: &Offset, _: &mut StateStore) -> Result<()> {
        let state = &mut *self.feeder.lock();
        // An input goes to all of its sources in one epoch, so what one of them has committed is done with.
        state.current = state.current.max(committed.0.as_u64().unwrap_or(0) as usize);
        Ok(())
    }

    fn freeze(&mut self) -> Result<()> {
        Ok(())
    }

    fn available(&mut self, after: &Offset, _: Limit) -> Result<Available> {
        let state = &mut *self.feeder.lock();
        if !state.asked.insert(Arc::clone(&self.node)) {
            // Asked again: a new round.
            state.asked = BTreeSet::from([Arc::clone(&self.node)]);
            state.current += usize::from(std::mem::take(&mut state.taken));
        }
        let Some(input) = state.inputs.get(state.current) else {
            return Ok(if state.ended { Available::Finished } else { Available::Nothing });
        };
        if !input.contains_key(&*self.node) {
            return Ok(Available::Nothing);
        }
        state.taken = true;
        let end = Offset(json!(state.current + 1));
        Ok(Available::Range(OffsetRange { start: after.clone(), end, detail: json!(state.current), size: 1 }))
    }

    fn remaining(&self, _: &Offset) -> Option<u64> {
        let state = self.feeder.lock();
        Some(
            state.inputs[state.current.min(state.inputs.len())..]
                .iter()
                .filter(|input| input.contains_key(&*self.node))
                .count() as u64,
        )
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let state = &mut *self.feeder.lock();
        let index = range.detail.as_u64().map(|index| index as usize);
        let input = index.and_then(|index| Some((index, state.inputs.get(index)?.get(&*self.node)?)));
        let (index, batch) =
            input.ok_or_else(|| Error::BadInput(format!("the test has no input {}", show(&range.detail))))?;
        if !state.taken {
            // Nobody was asked: an epoch is run again.
            state.current = state.current.max(index + 1);
        }
        let rows_each = batch.num_rows().div_ceil(self.splits).max(1);
        let starts = (0..batch.num_rows().max(1)).step_by(rows_each);
        let piece = |start: usize| -> Box<dyn Split> {
            let rows = batch.slice(start, rows_each.min(batch.num_rows() - start));
            Box::new(Rows { rows, batch_rows: self.batch_rows })
        };
        Ok(starts.map(piece).collect())
    }

    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }
}

fn show(detail: &Value) -> String {
    detail.to_string()
}

/// Some rows of an input.
struct Rows {
    rows: RecordBatch,
    batch_rows: usize,
}

impl Split for Rows {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let rows = self.rows.num_rows();
        for start in (0..rows).step_by(self.batch_rows) {
            out.push(self.rows.slice(start, self.batch_rows.min(rows - start)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn input(sources: &[&str]) -> Input {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
        let rows = RecordBatch::try_from_iter([("v", values)]).expect("a batch");
        sources.iter().map(|source| ((*source).to_owned(), rows.clone())).collect()
    }

    fn offering(inputs: impl IntoIterator<Item = Input>) -> Feeder {
        let feeder = Feeder::default();
        inputs.into_iter().for_each(|input| feeder.offer(input));
        feeder.end();
        feeder
    }

    /// What a round of asking `a` and `b` gives: the numbers of the inputs.
    fn round(sources: &mut [Box<dyn Source>]) -> Vec<String> {
        let ask = |source: &mut Box<dyn Source>| match source.available(&Offset::default(), Limit::Epoch) {
            Ok(Available::Range(range)) => range.detail.to_string(),
            Ok(Available::Nothing | Available::Later) => "-".to_owned(),
            Ok(Available::Finished) => "end".to_owned(),
            Err(error) => error.to_string(),
        };
        sources.iter_mut().map(ask).collect()
    }

    #[test]
    fn an_input_is_offered_to_its_sources_in_one_round_and_the_next_in_another() {
        let feeder = Feeder::default();
        let mut sources = ["a", "b"].map(|name| feeder.source(&name.into(), 1, 10));
        assert_eq!(round(&mut sources), ["-", "-"], "nothing was offered");
        feeder.offer(input(&["a"]));
        assert_eq!(round(&mut sources), ["0", "-"]);
        assert_eq!(round(&mut sources), ["-", "-"], "the next was not offered");
        feeder.offer(input(&["b"]));
        feeder.offer(input(&["a", "b"]));
        feeder.end();
        assert_eq!(round(&mut sources), ["-", "1"]);
        assert_eq!(round(&mut sources), ["2", "2"]);
        assert_eq!(round(&mut sources), ["end", "end"]);
    }

    #[test]
    fn a_run_that_starts_again_goes_on_after_the_last_input_that_was_committed() {
        let feeder = offering([input(&["a"]), input(&["b"]), input(&["a", "b"])]);
        let open = || ["a", "b"].map(|name| feeder.source(&name.into(), 1, 10));
        let mut sources = open();
        for expected in [["0", "-"], ["-", "1"], ["2", "2"]] {
            assert_eq!(round(&mut sources), expected);
        }
        for (committed, expected) in [([1, 2], ["2", "2"]), ([1, 0], ["-", "1"]), ([3, 3], ["end", "end"])] {
            feeder.rewind();
            let mut sources = open();
            for (source, offset) in sources.iter_mut().zip(committed) {
                source.resume(&Offset(json!(offset)), &mut StateStore::default()).expect("an offset of the inputs");
            }
            assert_eq!(round(&mut sources), expected, "{committed:?}");
        }
    }

    #[test]
    fn rows_are_cut_into_splits_and_batches_without_losing_their_order() {
        struct Out(Vec<usize>);
        impl RowOutput for Out {
            fn push(&mut self, batch: RecordBatch) -> Result<()> {
                self.0.push(batch.num_rows());
                Ok(())
            }
            fn count_bad_records(&mut self, _: u64) {}
        }
        let feeder = offering([input(&["a"])]);
        let range = OffsetRange { start: Offset::default(), end: Offset::default(), detail: json!(0), size: 1 };
        for (splits, batch_rows, cut) in
            [(1, 10, vec![5]), (1, 2, vec![2, 2, 1]), (2, 2, vec![2, 1, 2]), (9, 1, vec![1; 5])]
        {
            let mut out = Out(Vec::new());
            let mut source = feeder.source(&"a".into(), splits, batch_rows);
            for split in source.splits(&range).expect("splits") {
                split.read(&mut out).expect("rows");
            }
            assert_eq!(out.0, cut, "{splits} splits, batches of {batch_rows}");
        }
    }
}
