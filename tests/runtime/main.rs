//! Graphs inside a program: starting, feeding, asking, stopping, failing, and going on.

mod common;
mod failures;
mod foreach;
mod listeners;
mod queries;
mod restarts;
mod starts;
mod tables;
