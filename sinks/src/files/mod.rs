//! Part files in a directory: NDJSON, CSV or Parquet, each visible only when its epoch is committed.
//!
//! `spec` says what a graph file may ask for, `directory` keeps the promise (staged under a hidden name, synced,
//! renamed), and `encoding` turns rows into bytes that depend on the rows alone.

mod csv;
mod directory;
mod encoding;
mod parquet;
mod sink;
mod spec;

#[cfg(test)]
mod crashes;

pub use spec::{Compression, Existing, FileFormat, Files};
