//! Watershed's benchmarks: seeded data, and the engine beside a hand-written loop.
//!
//! [`activity`] makes rows of the shape of the activity data, [`generate`] writes them to files, [`compare`] runs both sides,
//! [`durability`] runs graphs with and without a checkpoint, [`nexmark`] answers the queries of that benchmark.

pub mod activity;
pub mod compare;
pub mod durability;
pub mod generate;
pub mod nexmark;

mod failure;
mod feed;
mod measure;
mod random;

pub use failure::Failure;
