//! The place of a checkpoint as the command line and graph files write it: a directory, or the URL of a store of objects.
//!
//! `open(place) -> Result<Arc<dyn CheckpointStorage>, Failure>` is the one way in for every subcommand. Nothing is read or made
//! yet: a directory that is not there is an empty checkpoint.

use std::sync::Arc;

use watershed_core::checkpoint::CheckpointStorage;

use super::exit::{Exit, Failure};
use crate::storage::StorageError;

/// The checkpoint at `place`. A relative path is relative to the working directory.
pub(super) fn open(place: &str) -> Result<Arc<dyn CheckpointStorage>, Failure> {
    crate::storage::open(place).map_err(|error| {
        let exit = if let StorageError::Thread { .. } = error { Exit::InputOutput } else { Exit::Usage };
        Failure::new(exit, error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_a_fault_of_usage() {
        assert_eq!(
            open("checkpoints/visits").ok().map(|storage| storage.location()).as_deref(),
            Some("checkpoints/visits")
        );
        for place in ["", "ftp://host/visits", "s3://"] {
            let failure = open(place).expect_err(place);
            assert_eq!(failure.exit, Exit::Usage, "{place}");
            assert!(failure.message.is_some(), "{place}");
        }
    }
}
