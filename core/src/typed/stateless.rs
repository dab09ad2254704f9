//! Operators that look at each row alone: [`MapRows`], [`FlatMapRows`], [`FilterRows`], and [`MapBatches`] for whole columns.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::rows::Emitter;
use crate::error::Result;
use crate::fault::Faults;
use crate::row::{Of, ReadRow, Row};

/// A row as it is read from a batch.
pub type ItemOf<'a, R> = <R as ReadRow>::Item<'a>;

/// The options that all these traits have.
macro_rules! options {
    () => {
        /// What is wrong with the operator's own fields.
        fn check(&self) -> Result<(), Faults> {
            Ok(())
        }

        /// Called once before a run, on the operator's own copy: the place to fill fields that the graph file does not have.
        fn on_start(&mut self) -> Result<()> {
            Ok(())
        }
    };
}

/// An operator that makes one row of each.
///
/// A field of the output marked `#[row(event_time)]` carries on the input's event time, whatever its name; the operator leaves the
/// value as it is.
pub trait MapRows: Debug + Clone + Send + Sync + 'static {
    /// The columns that are read.
    type Input: ReadRow + 'static;
    /// The columns that are made.
    type Output: Row + 'static;

    options!();

    /// Whether the input's columns go on, those of the output behind them; a column of the same name takes the place of the input's.
    fn keeps_columns(&self) -> bool {
        false
    }

    /// The row that is made of a row.
    // The lifetime stands at `self` too, so that an operator whose rows borrow nothing need not name it.
    fn map<'a>(&'a self, row: ItemOf<'a, Self::Input>) -> Result<Of<'a, Self::Output>>;
}

/// An operator that makes any number of rows of each.
///
/// A field of the output marked `#[row(event_time)]` carries on the input's event time, whatever its name; the operator leaves the
/// value as it is.
pub trait FlatMapRows: Debug + Clone + Send + Sync + 'static {
    /// The columns that are read.
    type Input: ReadRow + 'static;
    /// The columns that are made.
    type Output: Row + 'static;

    options!();

    /// Puts out what is made of a row.
    fn flat_map(&self, row: ItemOf<'_, Self::Input>, out: &mut Emitter<Self::Output>) -> Result<()>;
}

/// An operator that lets some rows pass, as they are.
pub trait FilterRows: Debug + Clone + Send + Sync + 'static {
    /// The columns that are read.
    type Input: ReadRow + 'static;

    options!();

    /// Whether the row passes.
    fn keep(&self, row: ItemOf<'_, Self::Input>) -> Result<bool>;
}

/// An operator on columns: for those who want speed, or a library's kernels. How the rows are cut into batches must not show in what
/// it makes.
pub trait MapBatches: Debug + Clone + Send + Sync + 'static {
    options!();

    /// The columns that are made of an input's columns. One that keeps name and type is the same column: what was event time
    /// there stays event time.
    fn output(&self, input: &Schema) -> Result<SchemaRef, Faults>;

    /// The rows that are made of some rows.
    fn process(&self, batch: RecordBatch) -> Result<RecordBatch>;
}
