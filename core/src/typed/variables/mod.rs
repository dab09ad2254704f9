//! What an operator keeps for a key: named variables, each a table of its own.
//!
//! A variable is two things: a handle that the author holds ([`ValueState`], [`ListState`], [`MapState`]), and cells behind it, one for
//! each key that the epoch is at work on. Cells are filled from one gathered batch and what changed in them is written back as one.

mod collection;
mod list;
mod map;
mod value;

pub use list::ListState;
pub use map::MapState;
pub use value::ValueState;

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields, TimestampMicrosecondType};

pub(super) use collection::{Collection, CollectionCells, read_elements};
pub(super) use list::Items;
pub(super) use map::Entries;
pub(super) use value::ValueCells;

use crate::error::{Error, Result};
use crate::row::generated::row_field;
use crate::row::{Misfit, Value, column_of, misfits_of};
use crate::schema::TIMESTAMP;
use crate::state::Gathered;
use crate::time::{TimeSpan, Timestamp};
use crate::typed::Earlier;

/// What an operator may keep: a [`Value`] that owns all it holds. Every such value is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept as state",
    note = "state outlives the rows: `#[derive(Row)]` on a struct without a lifetime, `String` in place of `&str`"
)]
pub trait State: for<'a> Value<Of<'a> = Self> + Send + 'static {}

impl<V: for<'a> Value<Of<'a> = V> + Send + 'static> State for V {}

/// The column of a value that is no row.
const VALUE: &str = "value";
/// The column of the instants from which on something counts as gone.
pub(super) const EXPIRES_AT: &str = "expires_at";

/// The cells of a variable.
pub(super) trait Variable: Any + Send {
    /// Begins the work on so many keys, of which `kept` holds what the store has.
    fn begin(&mut self, kept: Gathered, keys: usize, now: Timestamp) -> Result<()>;

    /// Looks at what every key has, so that what has expired is written back as gone.
    fn look_at_all(&self) {}

    /// When the first of what the key has now expires.
    fn expires(&self, key: usize) -> Option<Timestamp>;

    /// When the first of what the store has for the key expires.
    fn expired_in_store(&self, key: usize) -> Option<Timestamp>;

    /// Gives the key what an earlier version kept for it.
    fn adopt(&mut self, key: usize, earlier: &Earlier<'_>) -> Result<()>;

    /// What is set from now on expires at that instant, whatever its time to live.
    fn expire_at(&mut self, expires: Timestamp);

    /// What a read came upon that could not be read.
    fn failure(&mut self) -> Option<Error> {
        None
    }

    /// Ends the work: what to keep and what to remove.
    fn end(&mut self) -> Result<Written>;
}

/// What the work on some keys changed.
pub(super) struct Written {
    /// By key, whether a row is to be kept.
    pub(super) kept: Vec<bool>,
    /// The value columns of those rows.
    pub(super) values: Vec<ArrayRef>,
    /// By key, whether its row is to be removed.
    pub(super) gone: Vec<bool>,
}

/// What is known of a variable before there is any state.
pub(super) struct Declared {
    pub(super) name: &'static str,
    pub(super) ttl: Option<TimeSpan>,
    /// All that keeps rows of such value columns from being read, if some are not there.
    pub(super) misfits: fn(&Fields) -> Vec<Misfit>,
    /// Its value columns, for such a time to live.
    pub(super) fields: fn(Option<TimeSpan>) -> Fields,
    /// Cells for it.
    pub(super) cells: fn(Option<TimeSpan>) -> Box<dyn Variable>,
}

/// The columns a value is kept as: those of a row, or one called `name`.
fn flat_fields<V: Value>(name: &str) -> Fields {
    match V::data_type() {
        DataType::Struct(fields) if !V::NULLABLE => fields,
        data_type => Fields::from(vec![Field::new(name, data_type, V::NULLABLE)]),
    }
}

/// A column of values as the columns it is kept as.
fn flattened<V: Value>(column: ArrayRef) -> Vec<ArrayRef> {
    match column.data_type() {
        DataType::Struct(_) if !V::NULLABLE => column.as_struct().columns().to_vec(),
        _ => vec![column],
    }
}

/// The columns a value is kept as, in so many rows, as one.
fn unflattened<V: Value>(name: &str, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    Ok(match V::data_type() {
        DataType::Struct(fields) if !V::NULLABLE && fields.is_empty() => {
            Arc::new(StructArray::new_empty_fields(rows, None))
        }
        DataType::Struct(_) if !V::NULLABLE => {
            Arc::new(StructArray::try_new(flat_fields::<V>(name), columns.to_vec(), None)?)
        }
        _ => Arc::clone(&columns[0]),
    })
}

fn expires_at() -> Field {
    Field::new(EXPIRES_AT, TIMESTAMP, false)
}

/// The instants in a list, in microseconds.
pub(super) fn instants_in(lists: &ListArray, row: usize) -> &[i64] {
    let offsets = lists.value_offsets();
    &lists.values().as_primitive::<TimestampMicrosecondType>().values()
        [offsets[row] as usize..offsets[row + 1] as usize]
}

/// The names of the columns that initial values of `V` are read from.
pub(super) fn initial_columns<V: State>() -> Fields {
    flat_fields::<V>(VALUE)
}

/// All that keeps rows of these columns from being read as values of `V`.
pub(super) fn initial_misfits<V: State>(columns: &Fields) -> Vec<Misfit> {
    match V::data_type() {
        DataType::Struct(_) if !V::NULLABLE => V::misfits(&DataType::Struct(columns.clone())),
        _ => misfits_of(&[row_field::<V>(VALUE, false)], columns),
    }
}

/// The values in rows whose columns are found by name.
pub(super) fn read_initial<V: State>(rows: &RecordBatch) -> Result<Vec<V>> {
    let column: ArrayRef = match V::data_type() {
        DataType::Struct(_) if !V::NULLABLE => {
            let fields = rows.schema_ref().fields().clone();
            let empty = fields.is_empty();
            Arc::new(if empty {
                StructArray::new_empty_fields(rows.num_rows(), None)
            } else {
                StructArray::try_new(fields, rows.columns().to_vec(), None)?
            })
        }
        _ => Arc::clone(rows.column(0)),
    };
    let column = column_of::<V>(VALUE, &column)?;
    Ok((0..rows.num_rows()).map(|row| V::get(&column, row)).collect())
}
