//! Rows as Rust structs: what is written is read, and what does not fit is said.

extern crate watershed_core as watershed;

mod by_serde;
mod contract;
mod misfits;
mod round_trip;
mod slices;
