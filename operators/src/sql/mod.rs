//! SQL expressions: the only place that knows DataFusion's planner.
//!
//! A text becomes an [`Expression`] in steps, each in a file of its own: `syntax` parses it and keeps the place of every
//! token, `check` finds every unknown column and function, `plan` turns it into a typed expression in which timestamps
//! are microseconds and the clock is the epoch's, and then into one that runs, and `normal` gives results the types that
//! edges carry.
//!
//! What expressions mean is DataFusion's SQL, with these differences:
//! - Identifiers are taken exactly as written; function names may be in any case.
//! - `TIMESTAMP` is UTC microseconds. Functions that give other units are brought to it at once, downwards, so that a
//!   comparison loses nothing. A number cast to `TIMESTAMP` counts microseconds.
//! - `now()` and its kin are the epoch's processing time. Functions that give another value each time are refused.
//! - What cannot be computed (a bad `CAST`, an overflow of integers, a division by zero) is an error and stops the run;
//!   `TRY_CAST` and `nullif` give null instead. Floating point follows IEEE 754.
//! - The time between two instants is compared with an interval by its length, a day being 24 hours.
//! - In `ORDER BY`, nulls are first in ascending and last in descending order, as in Spark.

mod check;
mod distinct;
mod expression;
mod functions;
mod length;
mod normal;
mod plan;
mod syntax;

pub(crate) use check::{Aggregation, check};
pub use expression::{Expression, Named, Scope};
pub(crate) use functions::is_clock;
pub(crate) use length::length_of;
pub(crate) use plan::{Planner, cause_of, type_fault};
pub(crate) use syntax::Parsed;

#[cfg(test)]
mod tests;
