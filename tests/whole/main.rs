//! Tests of whole graphs, in one binary because each binary links all of the engine.

mod cases;
mod chains;
mod conformance;
mod crash;
mod damage;
mod documents;
mod durable;
mod faults;
mod idle;
mod kit;
mod oracle;
mod order;
mod plain;
mod plan_text;
mod rescale;
mod same_bytes;
mod tables;
mod test_files;
