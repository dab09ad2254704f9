//! Text as records: cut into blocks of whole records, decoded into Arrow columns, and what becomes of a bad one.
//!
//! The way of a byte: a [`Blocks`] reads blocks that hold whole records, as [`Framing`] cuts them; a [`RecordReader`] hands
//! each record to its decoder, which appends to [`Column`]s or leaves them as they were and says why.

mod bad;
mod blocks;
mod column;
mod decoder;
mod framing;
mod number;
mod reader;

#[cfg(test)]
pub(crate) mod testing;

pub use bad::{BadRecord, OnBadRecord};
pub(crate) use bad::{Problem, ProblemKind, shown};
pub(crate) use blocks::{BlockError, Blocks};
pub(crate) use column::{Bytes, Column, Record, Values};
pub(crate) use decoder::{RecordDecoder, RecordFormat, text_schema};
pub(crate) use framing::Framing;
pub(crate) use number::{Number, parse_scaled};
pub(crate) use reader::{Origin, RecordReader, RecordSchema};
