//! The first rows of each key in some order: the one engine of `TopN`, `First` and `Last`.
//!
//! At most `n` rows are kept per key, each by its rank, so a row that is kept tells whether it was there before: a rank whose
//! row stays needs neither be written nor told again. Since rows are only ever added, a rank that was taken stays taken.
//! Rows are cut down to `n` per key and split before the exchange.
//!
//! Among rows that the order holds equal, their arrival decides. It is the same however rows are cut into batches and shared out
//! among threads, and what is kept counts as arrived before: its ranks say in which order.

mod best;
mod bind;
mod operator;

pub(crate) use best::Ties;
pub(crate) use bind::{Ranking, Wanted};

#[cfg(test)]
mod tests;
