//! Numbers as tests write them.

use arrow::datatypes::DataType;

use super::cell::Cell;

/// What a written number is for a column of this type; `exact`: it must fit the type, else any number will do.
pub fn number_of_type(text: &str, data_type: &DataType, exact: bool) -> Option<Cell> {
    match (data_type, number(text)) {
        (&DataType::Decimal128(precision, scale), number) => {
            decimal(text, precision, scale).or_else(|| number.filter(|_| !exact))
        }
        (data_type, Some(Cell::Int(value))) if data_type.is_floating() => Some(Cell::Float(value as f64)),
        (data_type, number) if data_type.is_floating() => number,
        (data_type, Some(Cell::Int(value))) if data_type.is_integer() => {
            (!exact || fits(value, data_type)).then_some(Cell::Int(value))
        }
        (data_type, number) if data_type.is_integer() => number.filter(|_| !exact),
        _ => None,
    }
}

/// Whether tests have a way to write values of this type.
pub fn is_writable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Decimal128(..)
        | DataType::Timestamp(..) => true,
        DataType::List(item) => is_writable(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_writable(field.data_type())),
        other => other.is_integer() || matches!(other, DataType::Float32 | DataType::Float64),
    }
}

/// A number as it is written; whole numbers exactly, also when they are written `3.0`.
fn number(text: &str) -> Option<Cell> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (sign, unsigned) = digits.strip_prefix('-').map_or((1, digits), |unsigned| (-1, unsigned));
    let of_radix = |(prefix, radix)| i128::from_str_radix(unsigned.strip_prefix(prefix)?, radix).ok();
    if let Some(value) = [("", 10), ("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(of_radix) {
        return Some(Cell::Int(sign * value));
    }
    let value: f64 = digits.parse().ok()?;
    let exact = value.fract() == 0.0 && value.abs() < 9e15;
    Some(if exact { Cell::Int(value as i128) } else { Cell::Float(value) })
}

/// A number that a decimal column can hold exactly.
fn decimal(text: &str, precision: u8, scale: i8) -> Option<Cell> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (sign, digits) = digits.strip_prefix('-').map_or((1, digits), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let wanted = usize::try_from(scale).ok()?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > wanted || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let units: i128 = format!("{whole}{fraction:0<wanted$}").parse().ok()?;
    let limit = 10_i128.checked_pow(precision.into())?;
    (units < limit).then_some(Cell::Decimal { units: sign * units, scale })
}

fn fits(value: i128, data_type: &DataType) -> bool {
    match data_type {
        DataType::Int8 => i8::try_from(value).is_ok(),
        DataType::Int16 => i16::try_from(value).is_ok(),
        DataType::Int32 => i32::try_from(value).is_ok(),
        DataType::Int64 => i64::try_from(value).is_ok(),
        DataType::UInt8 => u8::try_from(value).is_ok(),
        DataType::UInt16 => u16::try_from(value).is_ok(),
        DataType::UInt32 => u32::try_from(value).is_ok(),
        _ => u64::try_from(value).is_ok(),
    }
}
