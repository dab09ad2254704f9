//! Values of rows, apart from the width of their types: what a test file writes and what a sink gets meet here.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::core::schema::TIMESTAMP;
use crate::core::time::Timestamp;

/// How far two floating-point numbers may be apart, as a share of the greater: the order in which a sum is added up may
/// show in its last digits.
pub(super) const TOLERANCE: f64 = 1e-9;

/// How far two floating-point numbers may be apart near zero, where a share says nothing.
pub(super) const TOLERANCE_AT_ZERO: f64 = 1e-12;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number of any width.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// A decimal number: units of ten to the minus `scale`.
    Decimal {
        /// The units.
        units: i128,
        /// The number of digits after the point.
        scale: i8,
    },
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A day, counted from 1970-01-01.
    Date(i32),
    /// An instant.
    Instant(Timestamp),
    /// A list.
    List(Vec<Cell>),
    /// A struct: its fields in the order of its type.
    Struct(Vec<(String, Cell)>),
    /// A value of a type that a test file cannot write, as Arrow shows it.
    Other(String),
}

impl Cell {
    /// Whether a test takes the two for the same value: numbers by what they are worth, floating-point numbers up to a
    /// relative difference of 1e-9, everything else exactly.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(these), Self::List(those)) => {
                these.len() == those.len() && these.iter().zip(those).all(|(this, that)| this.equals(that))
            }
            (Self::Struct(these), Self::Struct(those)) => {
                these.len() == those.len()
                    && these.iter().zip(those).all(|((name, this), (other, that))| name == other && this.equals(that))
            }
            (Self::Float(_), _) | (_, Self::Float(_)) => match (self.to_f64(), other.to_f64()) {
                (Some(this), Some(that)) => nearly_equal(this, that),
                _ => false,
            },
            (Self::Decimal { .. }, _) | (_, Self::Decimal { .. }) => match (self.to_decimal(), other.to_decimal()) {
                (Some(this), Some(that)) => this == that,
                _ => false,
            },
            _ => self == other,
        }
    }

    fn to_f64(&self) -> Option<f64> {
        match *self {
            Self::Int(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Decimal { units, scale } => Some(units as f64 / 10_f64.powi(i32::from(scale))),
            _ => None,
        }
    }

    /// The units and digits of an exact number, without zeros at the end.
    fn to_decimal(&self) -> Option<(i128, i32)> {
        let (mut units, mut scale) = match *self {
            Self::Int(value) => (value, 0),
            Self::Decimal { units, scale } => (units, i32::from(scale)),
            _ => return None,
        };
        while units != 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        Some(if units == 0 { (0, 0) } else { (units, scale) })
    }
}

fn nearly_equal(this: f64, that: f64) -> bool {
    if !this.is_finite() || !that.is_finite() {
        return (this.is_nan() && that.is_nan()) || this.total_cmp(&that).is_eq();
    }
    let apart = (this - that).abs();
    apart <= (TOLERANCE * this.abs().max(that.abs())).max(TOLERANCE_AT_ZERO)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Decimal { units, scale } => f.write_str(&decimal_text(*units, *scale)),
            Self::Text(text) => write!(f, "{}", text.escape_debug()),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Date(days) => f.write_str(&date_text(*days)),
            Self::Instant(instant) => instant.fmt(f),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Struct(fields) => {
                f.write_str("{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

fn decimal_text(units: i128, scale: i8) -> String {
    let Ok(scale) = usize::try_from(scale) else {
        return format!("{units}{}", "0".repeat(usize::from(scale.unsigned_abs())));
    };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let (sign, point) = (if units < 0 { "-" } else { "" }, if scale == 0 { "" } else { "." });
    format!("{sign}{whole}{point}{fraction}")
}

fn date_text(days: i32) -> String {
    let midnight = Timestamp::from_micros(i64::from(days) * 86_400_000_000).to_string();
    midnight.split_once('T').map_or(midnight.clone(), |(date, _)| date.to_owned())
}

/// The rows of batches, in order.
pub(super) fn rows_of(batches: &[RecordBatch]) -> Result<Vec<Vec<Cell>>, ArrowError> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(cells_of).collect::<Result<Vec<_>, _>>()?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let row = |_| columns.iter_mut().map(|column| column.next().unwrap_or(Cell::Null)).collect();
        rows.extend((0..batch.num_rows()).map(row));
    }
    Ok(rows)
}

/// The values of a column.
fn cells_of(array: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    /// One cell per row; nulls apart.
    fn each(array: &dyn Array, cell: impl Fn(usize) -> Cell) -> Vec<Cell> {
        (0..array.len()).map(|row| if array.is_null(row) { Cell::Null } else { cell(row) }).collect()
    }
    Ok(match array.data_type() {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Boolean => each(array, |row| Cell::Bool(array.as_boolean().value(row))),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let wide = cast(array, &DataType::Int64)?;
            each(array, |row| Cell::Int(wide.as_primitive::<Int64Type>().value(row).into()))
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            let wide = cast(array, &DataType::UInt64)?;
            each(array, |row| Cell::Int(wide.as_primitive::<UInt64Type>().value(row).into()))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let wide = cast(array, &DataType::Float64)?;
            each(array, |row| Cell::Float(wide.as_primitive::<Float64Type>().value(row)))
        }
        &DataType::Decimal128(_, scale) => {
            each(array, |row| Cell::Decimal { units: array.as_primitive::<Decimal128Type>().value(row), scale })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = cast(array, &DataType::Utf8)?;
            each(array, |row| Cell::Text(text.as_string::<i32>().value(row).to_owned()))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let bytes = cast(array, &DataType::Binary)?;
            each(array, |row| Cell::Bytes(bytes.as_binary::<i32>().value(row).to_owned()))
        }
        DataType::Date32 => each(array, |row| Cell::Date(array.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(..) => {
            let instants = cast(array, &TIMESTAMP)?;
            let instants = instants.as_primitive::<TimestampMicrosecondType>();
            each(array, |row| Cell::Instant(Timestamp::from_micros(instants.value(row))))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let list = cast(array, &DataType::List(Arc::clone(item)))?;
            let list = list.as_list::<i32>();
            let items = cells_of(list.values())?;
            let offsets = list.value_offsets();
            each(array, |row| Cell::List(items[offsets[row] as usize..offsets[row + 1] as usize].to_vec()))
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter().map(cells_of).collect::<Result<Vec<_>, _>>()?;
            each(array, |row| {
                let named =
                    fields.iter().zip(&columns).map(|(field, column)| (field.name().clone(), column[row].clone()));
                Cell::Struct(named.collect())
            })
        }
        DataType::Dictionary(_, value) => cells_of(&cast(array, value)?)?,
        _ => {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::default())?;
            each(array, |row| Cell::Other(formatter.value(row).to_string()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_when_they_are_worth_the_same() {
        let decimal = |units, scale| Cell::Decimal { units, scale };
        for (this, that, same) in [
            (Cell::Int(3), Cell::Float(3.0), true),
            (Cell::Int(3), decimal(300, 2), true),
            (decimal(1250, 3), decimal(125, 2), true),
            (decimal(0, 3), Cell::Int(0), true),
            (Cell::Float(0.1 + 0.2), Cell::Float(0.3), true),
            (Cell::Float(1e-17), Cell::Float(0.0), true),
            (Cell::Float(f64::NAN), Cell::Float(f64::NAN), true),
            (Cell::Float(f64::INFINITY), Cell::Float(f64::INFINITY), true),
            (Cell::Float(f64::INFINITY), Cell::Float(1.0), false),
            (Cell::Float(1.0), Cell::Float(1.000_001), false),
            (Cell::Int(i128::from(i64::MAX)), Cell::Int(i128::from(i64::MAX) - 1), false),
            (Cell::Int(1), Cell::Bool(true), false),
            (Cell::Null, Cell::Int(0), false),
            (Cell::Null, Cell::Null, true),
            (Cell::List(vec![Cell::Int(1)]), Cell::List(vec![Cell::Float(1.0)]), true),
            (Cell::List(vec![Cell::Int(1)]), Cell::List(vec![]), false),
        ] {
            assert_eq!(this.equals(&that), same, "{this} and {that}");
            assert_eq!(that.equals(&this), same, "{that} and {this}");
        }
    }

    #[test]
    fn cells_show_what_people_write() {
        for (cell, text) in [
            (Cell::Decimal { units: -5, scale: 2 }, "-0.05"),
            (Cell::Decimal { units: 1250, scale: 2 }, "12.50"),
            (Cell::Decimal { units: 12, scale: -2 }, "1200"),
            (Cell::Date(0), "1970-01-01"),
            (Cell::Date(-1), "1969-12-31"),
            (Cell::Float(3.0), "3.0"),
            (Cell::Text("a\nb".to_owned()), "a\\nb"),
            (Cell::Struct(vec![("a".to_owned(), Cell::List(vec![Cell::Int(1), Cell::Null]))]), "{a: [1, null]}"),
        ] {
            assert_eq!(cell.to_string(), text);
        }
    }
}
