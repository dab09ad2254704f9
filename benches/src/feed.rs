//! Batches in memory as a source, cut into epochs and splits, and a sink that keeps what it is given.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use watershed::core::epoch::Epoch;
use watershed::core::error::Result;
use watershed::core::node::{Available, Limit, Offset, OffsetRange, Part, Receipt, RowOutput, Sink, Source, Split};

/// Hands out the same batches to every run. An offset is a number of batches.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) batches: Arc<[RecordBatch]>,
    pub(crate) batches_per_epoch: usize,
    /// How many threads can read an epoch at once.
    pub(crate) splits: usize,
}

impl Feed {
    fn at(&self, offset: &Offset) -> usize {
        offset.0.as_u64().map_or(0, |batches| batches as usize).min(self.batches.len())
    }
}

impl Source for Feed {
    fn freeze(&mut self) -> Result<()> {
        Ok(())
    }

    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let start = self.at(after);
        let end = match limit {
            Limit::Epoch => self.batches.len().min(start + self.batches_per_epoch.max(1)),
            Limit::Everything => self.batches.len(),
        };
        if start == end {
            return Ok(Available::Finished);
        }
        Ok(Available::Range(OffsetRange {
            start: after.clone(),
            end: Offset(end.into()),
            detail: serde_json::Value::Null,
            size: (end - start) as u64,
        }))
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        Some((self.batches.len() - self.at(after)) as u64)
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let (start, end) = (self.at(&range.start), self.at(&range.end));
        let splits = self.splits.clamp(1, end - start);
        let border = |split: usize| start + (end - start) * split / splits;
        let share = |split| Share { batches: Arc::clone(&self.batches), range: border(split)..border(split + 1) };
        Ok((0..splits).map(|split| Box::new(share(split)) as Box<dyn Split>).collect())
    }

    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }
}

struct Share {
    batches: Arc<[RecordBatch]>,
    range: std::ops::Range<usize>,
}

impl Split for Share {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        self.batches[self.range].iter().try_for_each(|batch| out.push(batch.clone()))
    }
}

/// Keeps all batches of all epochs, in the order of epoch and part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<KeptPart>>>);

type KeptPart = (Part, Vec<RecordBatch>);

impl Kept {
    /// Takes what has come.
    pub(crate) fn take(&self) -> Vec<RecordBatch> {
        let mut parts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        parts.sort_by_key(|(part, _)| *part);
        parts.into_iter().flat_map(|(_, batches)| batches).collect()
    }
}

impl Sink for Kept {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((part, rows.to_vec()));
        Ok(Receipt::default())
    }

    fn commit(&self, _: Epoch, _: &[Receipt]) -> Result<()> {
        Ok(())
    }
}
