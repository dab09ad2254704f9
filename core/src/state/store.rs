//! The store of one node and partition.
/// The rows of one call, grouped by key.
#[derive(Debug)]
pub struct Groups;
/// The state of one node and partition.
#[derive(Debug, Default)]
pub struct StateStore;
