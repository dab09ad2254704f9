//! Watershed's benchmarks: seeded data, and the engine beside a hand-written loop.
//!
//! [`activity`] makes rows of the shape of the activity data, [`generate`] writes them to files, [`compare`] runs both sides.

pub mod activity;
pub mod compare;
pub mod generate;

mod failure;

pub use failure::Failure;
