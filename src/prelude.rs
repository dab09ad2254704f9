//! What an operator of one's own is written with: `use watershed::prelude::*;`.
//!
//! ```
//! use watershed::prelude::*;
//!
//! /// The length of a text, as a column besides those that were there.
//! #[operator(MapRows)]
//! pub struct Lengths {}
//!
//! #[derive(Row)]
//! pub struct Text<'a> {
//!     text: &'a str,
//! }
//!
//! #[derive(Row)]
//! pub struct Length {
//!     length: i64,
//! }
//!
//! impl MapRows for Lengths {
//!     type Input = Text<'static>;
//!     type Output = Length;
//!
//!     fn keeps_columns(&self) -> bool {
//!         true
//!     }
//!
//!     fn map(&self, row: Text) -> Result<Length> {
//!         Ok(Length { length: row.text.chars().count() as i64 })
//!     }
//! }
//! ```
//!
//! The guide for operator authors is `docs/operators-of-your-own.md`.

// Rows.
pub use watershed_core::row::{Bytes, Date, Json, List, Row, Serde};
pub use watershed_core::{operator, record, setting};

// The traits, and what their methods are given.
pub use watershed_core::typed::{
    Declare, Earlier, Emitter, FilterRows, FlatMapRows, GroupState, KeyContext, KeyedOperator, ListState, MapBatches,
    MapGroups, MapRows, MapState, RowOrder, Rows, SideOutput, StatefulOperator, TimeMode, Timeout, Timer, ValueState,
};

// Time.
pub use watershed_core::epoch::Epoch;
pub use watershed_core::time::{TimeSpan, Timestamp, Watermark};

// What comes out, and what goes wrong.
pub use arrow::array::RecordBatch;
pub use arrow::datatypes::{Schema, SchemaRef};
pub use watershed_core::error::{Error, Result};
pub use watershed_core::fault::{Fault, Faults};
pub use watershed_core::stream::OutputMode;
