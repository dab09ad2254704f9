//! Operators as their authors write them, run by the engine.

extern crate watershed_core as watershed;

mod due_work;
mod faults;
mod graph;
mod groups;
mod initial;
mod keyed;
mod keyed_oracle;
mod migrate;
mod migrate_keyed;
mod operators;
mod recorded;
mod stateless;
mod timeouts;
