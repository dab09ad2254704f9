//! Aggregates: many rows to one value per group, piece by piece.
//!
//! [`Aggregates`] reads texts such as `sum(x) / count(*) AS mean` and lifts the aggregate functions out of them; equal ones
//! are computed once. An [`Accumulation`] sums rows up by group. What it has found can be taken out as plain columns (the
//! *states*) and merged into another accumulation later, on another thread or in another epoch:
//!
//! ```text
//! rows ──update──▶ Accumulation ──into_states──▶ columns ──merge──▶ Accumulation ──into_results──▶ columns
//! ```
//!
//! Invariants: the answer does not depend on how rows are cut into batches; merging states in the order of the rows they
//! were made from gives what summing up all rows gives (sums of floating point numbers up to rounding); merge what is older
//! first, so that first and last values and lists keep their order.
//!
//! Results follow SQL as DataFusion has it: `count` of no rows is 0, most others are null. A sum of integers that does not
//! fit into `BIGINT` is an error, never a wrong number; it is found when the result is asked for, so that it does not
//! depend on the order of rows. Sums of decimals gain ten digits. Of rows that are equal under an `ORDER BY`, `first_value`
//! and `last_value` take the one that came first.

mod accumulation;
mod collected;
mod deferred;
mod function;
mod grouped;
mod integer_sum;
mod parse;

pub use accumulation::Accumulation;
pub use parse::Aggregates;

#[cfg(test)]
mod tests;
