//! Staged parts of the sinks that live in this process: kept aside until their epoch is committed, handed out once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use watershed_core::epoch::Epoch;
use watershed_core::node::{Part, Receipt};

/// Parts that wait for their commit. A receipt is the part's index.
#[derive(Debug)]
pub(crate) struct Staging<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    waiting: BTreeMap<Part, T>,
    committed: Option<Epoch>,
}

impl<T> Default for Staging<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner { waiting: BTreeMap::new(), committed: None }))
    }
}

impl<T> Staging<T> {
    /// Keeps `value` as `part`, instead of what was staged as that part before.
    pub(crate) fn stage(&self, part: Part, value: T) -> Receipt {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.insert(part, value);
        Receipt(json!(part.index))
    }

    /// Takes what the receipts name, in their order, and forgets everything else up to `epoch`. `None` when this epoch
    /// was taken before: a second commit changes nothing.
    pub(crate) fn take(&self, epoch: Epoch, receipts: &[Receipt]) -> Option<Vec<T>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let later = inner.waiting.split_off(&Part { epoch: epoch.next(), index: 0 });
        let mut waiting = std::mem::replace(&mut inner.waiting, later);
        if inner.committed.is_some_and(|committed| epoch <= committed) {
            return None;
        }
        inner.committed = Some(epoch);
        let index_of = |receipt: &Receipt| receipt.0.as_u64().and_then(|index| usize::try_from(index).ok());
        let parts = receipts.iter().filter_map(index_of).map(|index| Part { epoch, index });
        Some(parts.filter_map(|part| waiting.remove(&part)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(epoch: u64, index: usize) -> Part {
        Part { epoch: Epoch(epoch), index }
    }

    #[test]
    fn parts_come_out_once_and_in_the_order_of_the_receipts() {
        let staging = Staging::default();
        let second = staging.stage(part(0, 1), "b");
        let first = staging.stage(part(0, 0), "a");
        assert_eq!(staging.take(Epoch(0), &[first.clone(), second.clone()]), Some(vec!["a", "b"]));
        assert_eq!(staging.take(Epoch(0), &[first, second]), None);
    }

    #[test]
    fn staging_again_replaces_and_what_has_no_receipt_is_forgotten() {
        let staging = Staging::default();
        staging.stage(part(3, 0), "old");
        staging.stage(part(3, 1), "of an attempt that failed");
        let receipt = staging.stage(part(3, 0), "new");
        let next = staging.stage(part(4, 0), "next");
        assert_eq!(staging.take(Epoch(3), &[receipt]), Some(vec!["new"]));
        assert_eq!(staging.take(Epoch(4), &[next]), Some(vec!["next"]));
    }

    #[test]
    fn an_epoch_without_output_hands_out_nothing() {
        assert_eq!(Staging::<()>::default().take(Epoch(0), &[]), Some(Vec::new()));
    }
}
