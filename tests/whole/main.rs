//! Tests of whole graphs, in one binary because each binary links all of the engine.

mod cases;
mod conformance;
mod documents;
mod faults;
mod oracle;
mod same_bytes;
mod test_files;
