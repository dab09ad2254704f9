//! Rows as Rust types: what a column's values are read as, and what they are written from.
//!
//! A [`Row`] is a struct whose fields are columns, made by `#[derive(Row)]`. It is bound to the columns of a batch once;
//! reading a row is then a look into each column, and strings are borrowed from the batch.
//!
//! ```
//! # extern crate watershed_core as watershed;
//! use watershed::row::{Row, batch_of, rows_of};
//! use watershed::time::Timestamp;
//!
//! #[derive(Row)]
//! struct Reading<'a> {
//!     user: &'a str,
//!     #[row(name = "gt")]
//!     activity: Option<&'a str>,
//!     event_time: Timestamp,
//! }
//!
//! # fn main() -> watershed::error::Result<()> {
//! let event_time = Timestamp::from_micros(0);
//! let batch = batch_of::<Reading>([Reading { user: "a", activity: None, event_time }]);
//! assert_eq!(batch.schema().field(1).name(), "gt");
//! for row in rows_of::<Reading>(&batch)? {
//!     assert_eq!((row.user, row.activity), ("a", None));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What columns hold, and what fields are for it:
//!
//! | Column | Field |
//! |---|---|
//! | BOOLEAN, TINYINT to BIGINT, FLOAT, DOUBLE | `bool`, `i8` to `i64`, `f32`, `f64`; unsigned numbers are `u8` to `u64` |
//! | STRING, BINARY | `&str` or `String`, `&[u8]` or [`Bytes`] |
//! | TIMESTAMP, DATE | [`Timestamp`](crate::time::Timestamp), [`Date`] |
//! | BIGINT | [`TimeSpan`](crate::time::TimeSpan): its microseconds |
//! | ARRAY | [`List`], which borrows, or `Vec` |
//! | ARRAY of STRUCT of `key` and `value` | `BTreeMap` |
//! | STRUCT | another [`Row`] |
//! | STRING | [`Json`], of any type that serde knows |
//! | any of these with nulls | `Option` |
//!
//! [`Serde`] reads input rows without a derive, as any struct that serde reads. What does not fit is a [`Misfit`], found by
//! [`misfits`] before there are rows.
//!
//! Event time is a `Timestamp`, and a column is null or it is not:
//!
//! ```compile_fail,E0277
//! # extern crate watershed_core as watershed;
//! #[derive(watershed::row::Row)]
//! struct Seen {
//!     #[row(event_time)]
//!     last: i64,
//! }
//! ```
//!
//! ```compile_fail,E0080
//! # extern crate watershed_core as watershed;
//! #[derive(watershed::row::Row)]
//! struct Seen {
//!     last: Option<Option<i64>>,
//! }
//! watershed::row::batch_of::<Seen>([]);
//! ```

mod batch;
mod by_serde;
mod columns;
mod date;
mod json;
mod list;
mod map;
mod misfit;
mod option;
mod present;
mod read;
mod scalars;
mod text;
mod value;

pub use batch::{batch_of, rows_of};
pub use by_serde::{Serde, SerdeColumns};
pub(crate) use columns::misfits_of;
pub use columns::{Columns, column_of};
pub use date::Date;
pub use json::Json;
pub use list::{List, ListIter};
pub(crate) use map::Entry;
pub use misfit::{Misfit, Problem, misfits};
pub use present::Present;
pub use read::ReadRow;
pub use text::Bytes;
pub use value::{Column, Of, Row, RowField, Value};
pub use watershed_derive::Row;

/// What `#[derive(Row)]` calls.
#[doc(hidden)]
pub mod generated {
    pub use super::columns::{
        Columns, bind_struct, event_time_field, finish_struct, row_field, struct_misfits, struct_type,
    };
    pub use super::{Misfit, Present, Row, RowField, Value};
}
