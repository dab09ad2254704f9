//! CSV fields into columns.

use crate::instant::{parse_date, parse_timestamp};
use crate::json::{parse_decimal, push_hex};
use crate::records::{Column, ProblemKind, Values, parse_scaled};

const WHOLE: ProblemKind = ProblemKind::Type("a whole number");
const NUMBER: ProblemKind = ProblemKind::Type("a number");

impl Column {
    /// Appends the value that a field stands for, null set aside. On an error the column may hold a part of it.
    pub(crate) fn read_field(&mut self, text: &[u8]) -> Result<(), ProblemKind> {
        let bare = text.trim_ascii();
        match &mut self.values {
            Values::Text(bytes) => {
                bytes.data.extend_from_slice(text);
                bytes.end()?;
            }
            Values::Binary(bytes) => {
                push_hex(bytes, bare).ok_or(ProblemKind::Type("hexadecimal digits"))?;
                bytes.end()?;
            }
            Values::Boolean(values) => {
                values.append(parse_boolean(bare).ok_or(ProblemKind::Type("`true` or `false`"))?);
            }
            Values::Int8(values) => values.push(parse_integer(bare)?),
            Values::Int16(values) => values.push(parse_integer(bare)?),
            Values::Int32(values) => values.push(parse_integer(bare)?),
            Values::Int64(values) => values.push(parse_integer(bare)?),
            Values::Float32(values) => values.push(parse_float(bare, f32::is_infinite)?),
            Values::Float64(values) => values.push(parse_float(bare, f64::is_infinite)?),
            Values::Date(values) => {
                values.push(parse_date(bare).ok_or(ProblemKind::Type("a date such as 2015-02-24"))?);
            }
            Values::Timestamp(values) => {
                let wanted =
                    "an instant such as 2015-02-24T10:00:00Z (a number is none: declare BIGINT and convert it)";
                values.push(parse_timestamp(bare).ok_or(ProblemKind::Type(wanted))?);
            }
            Values::Decimal { unscaled, precision, scale } => {
                let wanted = ProblemKind::Type("a number with no more digits than that");
                unscaled.push(parse_decimal(bare, *precision, *scale).ok_or(wanted)?);
            }
            // The decoder is not made for nested columns.
            Values::List { .. } | Values::Struct(_) => return Err(ProblemKind::Type("no nested value")),
        }
        self.nulls.push_valid();
        Ok(())
    }
}

/// Reads `true` or `false` in any case.
pub(crate) fn parse_boolean(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case(b"false").then_some(false)
}

fn parse_integer<T: TryFrom<i128>>(text: &[u8]) -> Result<T, ProblemKind> {
    let plain =
        std::str::from_utf8(text).ok().filter(|text| text.len() <= 18).and_then(|text| text.parse::<i64>().ok());
    let value = match plain {
        Some(value) => i128::from(value),
        None => parse_scaled(text, 0).ok_or(WHOLE)?,
    };
    T::try_from(value).map_err(|_| ProblemKind::Range)
}

/// Reads a float. Infinity is a value where it is written, and out of range where a number became it.
fn parse_float<T: std::str::FromStr + Copy>(text: &[u8], is_infinite: impl Fn(T) -> bool) -> Result<T, ProblemKind> {
    let value: T = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(NUMBER)?;
    let has_digits = text.iter().any(u8::is_ascii_digit);
    if has_digits && is_infinite(value) { Err(ProblemKind::Range) } else { Ok(value) }
}
