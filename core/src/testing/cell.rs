//! Values of rows, apart from the width of their types: what a test writes and what an operator puts out meet here.

use std::fmt;

use crate::time::Timestamp;

/// How far two floating-point numbers may be apart, as a share of the greater: the order in which a sum is added up may
/// show in its last digits.
pub const TOLERANCE: f64 = 1e-9;

/// How far two floating-point numbers may be apart near zero, where a share says nothing.
pub const TOLERANCE_AT_ZERO: f64 = 1e-12;

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
    /// A value of a type that a test cannot write, as Arrow shows it.
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
            Self::Text(text) if is_plain(text) => f.write_str(text),
            Self::Text(text) => write!(f, "{text:?}"),
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

/// Whether text needs no quotes: it cannot be taken for anything else in a table, a list or a struct.
fn is_plain(text: &str) -> bool {
    let special = |c: char| c.is_control() || matches!(c, '|' | '"' | ',' | '[' | ']' | '{' | '}');
    !text.is_empty() && text != "null" && text.trim() == text && !text.contains(special)
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
            (Cell::Text("a b".to_owned()), "a b"),
            (Cell::Text("a\nb".to_owned()), "\"a\\nb\""),
            (Cell::Text("null".to_owned()), "\"null\""),
            (Cell::Text(String::new()), "\"\""),
            (Cell::Struct(vec![("a".to_owned(), Cell::List(vec![Cell::Int(1), Cell::Null]))]), "{a: [1, null]}"),
        ] {
            assert_eq!(cell.to_string(), text);
        }
    }
}
