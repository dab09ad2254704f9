//! The sink that stands in for every sink of a tested graph: it keeps what an epoch sends, epoch by epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;

use crate::epoch::Epoch;
use crate::error::Result;
use crate::node::{Part, Receipt, Sink};

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

    /// Whether the epoch is committed here.
    pub(super) fn has(&self, epoch: Epoch) -> bool {
        self.lock().committed.contains_key(&epoch)
    }

    /// The rows of all epochs, in order.
    pub(super) fn all(&self) -> Vec<RecordBatch> {
        self.lock().committed.values().flatten().cloned().collect()
    }

    /// Forgets what came from this epoch on.
    pub(super) fn forget_from(&self, epoch: Epoch) {
        let content = &mut *self.lock();
        content.committed.split_off(&epoch);
        content.staged.clear();
    }

    /// A sink that writes here.
    pub(super) fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }
}

impl Sink for Captured {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        self.lock().staged.insert(part, rows.to_vec());
        Ok(Receipt(part.index.into()))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        let content = &mut *self.lock();
        let later = content.staged.split_off(&Part { epoch: epoch.next(), index: 0 });
        let mut staged = std::mem::replace(&mut content.staged, later);
        // What an attempt staged that was cut off is in no receipt.
        let parts = receipts.iter().filter_map(|receipt| receipt.0.as_u64());
        let rows = parts.filter_map(|index| staged.remove(&Part { epoch, index: index as usize })).flatten().collect();
        // An epoch that is run again takes its own place.
        content.committed.insert(epoch, rows);
        Ok(())
    }
}
