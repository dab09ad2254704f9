//! Sessions: windows that follow the rows of a key.
//!
//! Each row is a *span*, from its event time to a gap after it. Spans of one key that overlap or touch are one session, from
//! the first start to the last end (Spark's `SessionWindowing`).
//!
//! ```text
//! rows          x    x x        x         x
//! spans         ├────┤├────┤    ├────┤    ├────┤
//!                      ├────┤
//! sessions      ├───────────┤   ├────┤    ├────┤
//! ```
//!
//! `gap` says how long a row's span is; `spans` turns rows into spans before the exchange and takes late ones out; `joining`
//! makes sessions of spans; `operator` keeps those that are open.
//!
//! Invariant: no two of a key's sessions that are kept overlap or touch. So what is kept depends on the rows in time and not on
//! the order in which they came, nor on how they were cut into batches, splits and epochs; except where an aggregate looks at the
//! order of rows: it sees the sessions that were kept in the order of their times, then the rows of the epoch as they arrived.

mod gap;
mod joining;
mod operator;
mod spans;

pub(crate) use gap::Gap;
pub(crate) use operator::{SessionOperator, Sessions};

#[cfg(test)]
mod tests;
