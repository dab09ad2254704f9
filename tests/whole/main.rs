//! Tests of whole graphs, in one binary because each binary links all of the engine.

mod cases;
mod conformance;
mod crash;
mod damage;
mod documents;
mod durable;
mod faults;
mod kit;
mod oracle;
mod order;
mod plan_text;
mod rescale;
mod same_bytes;
mod test_files;
