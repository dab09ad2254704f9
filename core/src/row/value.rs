//! The two traits that everything typed stands on.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields};

use super::columns::Columns;
use super::misfit::Misfit;
use super::present::Present;
use crate::error::Result;

/// What `V` is when it is read from a batch that lives for `'a`: of `Reading<'static>` it is `Reading<'a>`.
pub type Of<'a, V> = <V as Value>::Of<'a>;

/// The bound column of `V`.
pub type Column<'a, V> = <V as Value>::Column<'a>;

/// A Rust type that the values of one column are read as and written from.
///
/// Types that borrow name themselves at any lifetime: `&'static str` and `&'a str` are the same value.
pub trait Value: Sized {
    /// The value as it is read from a column that lives for `'a`.
    type Of<'a>;
    /// A column that was made ready to be read: references into it, so that a copy costs nothing.
    type Column<'a>: Copy;
    /// Collects values into a column.
    type Builder: Send;

    /// Whether a column of such values may hold nulls: for `Option` only.
    const NULLABLE: bool = false;

    /// The type of the column.
    fn data_type() -> DataType;

    /// All that keeps a column of type `seen` from being read, before there are rows.
    fn misfits(seen: &DataType) -> Vec<Misfit> {
        let wanted = Self::data_type();
        if *seen == wanted { Vec::new() } else { vec![Misfit::of_type(&wanted, seen)] }
    }

    /// Makes a column ready to be read, once per batch: afterwards [`get`](Self::get) cannot fail in any row that is `present`.
    /// A column of another type, or with nulls where none may be, is a misfit.
    fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit>;

    /// The value in a row.
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a>;

    /// An empty column to be filled.
    fn builder() -> Self::Builder;

    /// Puts a value behind those that are there.
    fn push(builder: &mut Self::Builder, value: Self::Of<'_>);

    /// Puts a null there, for [`Option`] and for structs that are null as a whole.
    fn push_null(builder: &mut Self::Builder);

    /// The column of what was pushed; the builder is empty again.
    fn finish(builder: &mut Self::Builder) -> ArrayRef;
}

/// A field of a [`Row`].
#[derive(Clone, Debug)]
pub struct RowField {
    /// Name, type, and whether it may be null.
    pub field: Field,
    /// Whether a row is read without the column: then the field has its default (`#[row(default)]` or `#[serde(default)]`; `Option`
    /// fields only with that attribute too).
    pub has_default: bool,
    /// Whether the column is event time in what an operator puts out (`#[row(event_time)]`).
    pub event_time: bool,
    /// All that keeps a column of that type from being read as the field: [`Value::misfits`].
    pub misfits: fn(&DataType) -> Vec<Misfit>,
}

/// A struct that is a row, field by field a column; made by `#[derive(Row)]`. As a [`Value`] it is a STRUCT.
pub trait Row: Value {
    /// Its columns, in the order of the fields.
    fn fields() -> Vec<RowField>;

    /// Finds its columns among those by name and makes them ready to be read. Columns that are not fields are passed over.
    fn bind_fields<'a>(columns: &Columns<'a>) -> Result<Self::Column<'a>, Misfit>;

    /// The columns of what was pushed, in the order of the fields; the builder is empty again.
    fn finish_columns(builder: &mut Self::Builder) -> Vec<ArrayRef>;

    /// Makes the columns of a batch ready to be read, wherever they stand in it.
    fn bind_columns(batch: &RecordBatch) -> Result<Self::Column<'_>> {
        Ok(Self::bind_fields(&Columns::of(batch))?)
    }

    /// The columns as Arrow fields.
    fn arrow_fields() -> Fields {
        Self::fields().into_iter().map(|field| field.field).collect()
    }
}
