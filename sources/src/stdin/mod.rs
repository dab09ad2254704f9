//! The source `Stdin`: records from standard input.
//!
//! [`spec`] is what a graph file says; [`source`] reads.

mod source;
mod spec;

#[cfg(test)]
mod tests;

pub use spec::{Stdin, StdinFormat};
