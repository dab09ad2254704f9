//! A look into a checkpoint from outside, also while a run uses it: what it holds, whether it is whole, what of it nobody
//! needs, the rows of its state at any version, and what changed between two.
//!
//! Nothing here takes the lock or writes. What a run adds or removes in the meantime is told apart from damage by looking
//! again.

mod difference;
mod overview;
mod prune;
mod rows;
#[cfg(test)]
mod tests;
mod verify;

pub use difference::{Difference, SlotDifference, WrittenRows, difference, written};
pub use overview::{EpochOverview, EpochState, Overview, TableOverview};
pub use prune::{Removal, prune};
pub use rows::TableVersion;
pub use verify::{Finding, Verification, verify};

use std::collections::BTreeMap;

use super::error::CheckpointError;
use super::holdings::Holdings;
use super::recovery::{Decision, decide};
use super::storage::CheckpointStorage;

/// How often a checkpoint is looked at before what seems to be missing counts as missing.
const LOOKS: usize = 3;

impl Holdings {
    /// Reads what a storage holds while a run may be adding to it and removing from it: files come and go between the listing
    /// and the reading, so what seems damaged is looked at again.
    pub fn read_in_use(storage: &dyn CheckpointStorage) -> Result<Self, CheckpointError> {
        let mut holdings = Self::read(storage)?;
        for _ in 1..LOOKS {
            let settled = match decide(&holdings, &BTreeMap::new()) {
                Decision::Fresh => true,
                Decision::GoOn { damages, .. } => damages.is_empty(),
                Decision::Damaged { .. } => false,
            };
            if settled {
                break;
            }
            holdings = Self::read(storage)?;
        }
        Ok(holdings)
    }

    /// Whether nothing of a checkpoint is there.
    pub fn is_empty(&self) -> bool {
        let records = self.graphs.len() + self.intents.len() + self.commits.len();
        self.metadata.is_none() && records == 0 && self.state.is_empty()
    }
}
