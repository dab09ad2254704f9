//! The sink that stands in for every sink of a tested graph: it keeps what an epoch sends, epoch by epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;

use crate::core::epoch::Epoch;
use crate::core::error::Result;
use crate::core::node::{Part, Receipt, Sink};

/// What a sink was sent; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Captured(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    staged: BTreeMap<Part, Vec<RecordBatch>>,
    committed: BTreeMap<Epoch, Vec<RecordBatch>>,
}

impl Captured {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of a committed epoch, in order.
    pub(super) fn rows(&self, epoch: Epoch) -> Vec<RecordBatch> {
        self.lock().committed.get(&epoch).cloned().unwrap_or_default()
    }

    /// A sink that writes here.
    pub(super) fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }
}

impl Sink for Captured {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        self.lock().staged.insert(part, rows.to_vec());
        Ok(Receipt::default())
    }

    fn commit(&self, epoch: Epoch, _: &[Receipt]) -> Result<()> {
        let content = &mut *self.lock();
        let staged = std::mem::take(&mut content.staged);
        // Parts come in the order of their keys: by epoch, then by number.
        let rows = staged.into_iter().filter(|(part, _)| part.epoch == epoch).flat_map(|(_, rows)| rows);
        content.committed.entry(epoch).or_default().extend(rows);
        Ok(())
    }
}
