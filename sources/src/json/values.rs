//! JSON values into columns.
#![expect(
    clippy::inline_always,
    reason = "one loop over the line, whose place stays in a register: half as fast otherwise"
)]

use super::cursor::Cursor;
use crate::instant::{parse_date, parse_timestamp};
use crate::records::{Bytes, Column, Number, Problem, ProblemKind, Record, Values, parse_scaled};

impl Record {
    /// Reads an object as row `row`. On an error the columns may hold a part of the row. `top` says that these are the columns
    /// that a message should name.
    pub(crate) fn read_object(&mut self, line: &mut Cursor<'_>, row: usize, top: bool) -> Result<(), Problem> {
        if line.peek() != b'{' {
            return Err(line.expected("`{`, the start of an object"));
        }
        let in_column = |problem: Problem, index: usize| if top { problem.in_column(index) } else { problem };
        let mut cursor = *line;
        let mut filled = 0;
        let mut expected = 0;
        loop {
            let found = match self.keys.guess(&mut cursor, expected) {
                Some(found) => found,
                None => match cursor.lent(|cursor| self.keys.look_up(cursor, expected))? {
                    Some(found) => found,
                    None => break,
                },
            };
            expected = found.next;
            cursor.skip_blank();
            let Some(index) = found.column else {
                cursor.lent(Cursor::skip_value)?;
                continue;
            };
            let column = &mut self.columns[index];
            filled += 1;
            if column.len() > row {
                // The same key again: the last one counts.
                column.truncate(row);
                filled -= 1;
            }
            if let Err(problem) = column.read_value(&mut cursor) {
                return Err(in_column(problem, index));
            }
        }
        *line = cursor;
        if filled < self.columns.len() {
            for (index, column) in self.columns.iter_mut().enumerate().filter(|(_, column)| column.len() == row) {
                column.push_null().map_err(|kind| in_column(Problem::new(kind, cursor.at()), index))?;
            }
        }
        Ok(())
    }
}

impl Column {
    /// Appends the value at the cursor. The types that most data is made of are read here, the others elsewhere.
    #[inline(always)]
    fn read_value(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        let start = cursor.at();
        if cursor.accept_null() {
            return self.push_null().map_err(|kind| Problem::new(kind, start));
        }
        match &mut self.values {
            Values::Text(bytes) => {
                if cursor.accept(b'"') {
                    cursor.string_into(&mut bytes.data)?;
                } else {
                    cursor.lent(Cursor::skip_value)?;
                    bytes.data.extend_from_slice(cursor.since(start));
                }
                bytes.end().map_err(|kind| Problem::new(kind, start))?;
            }
            Values::Int64(values) => values.push(integer(cursor)?),
            Values::Float64(values) => values.push(read_f64(cursor)?),
            _ => cursor.lent(|cursor| self.read_other(cursor))?,
        }
        self.nulls.push_valid();
        Ok(())
    }

    #[inline(never)]
    fn read_item(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        self.read_value(cursor)
    }

    #[inline(never)]
    fn read_other(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        let start = cursor.at();
        let fits = |kind: ProblemKind| Problem::new(kind, start);
        match &mut self.values {
            Values::Timestamp(values) => {
                let wanted =
                    "an instant such as \"2015-02-24T10:00:00Z\" (a number is none: declare BIGINT and convert it)";
                values.push(from_string(cursor, wanted, parse_timestamp)?);
            }
            Values::Boolean(values) => values.append(boolean(cursor)?),
            Values::Int8(values) => values.push(integer(cursor)?),
            Values::Int16(values) => values.push(integer(cursor)?),
            Values::Int32(values) => values.push(integer(cursor)?),
            Values::Float32(values) => values.push(read_f32(cursor)?),
            Values::Date(values) => values.push(from_string(cursor, "a date such as \"2015-02-24\"", parse_date)?),
            Values::Decimal { unscaled, precision, scale } => unscaled.push(decimal(cursor, *precision, *scale)?),
            Values::Binary(bytes) => {
                from_string(cursor, "a string of hexadecimal digits", |text| push_hex(bytes, text))?;
                bytes.end().map_err(fits)?;
            }
            Values::List { offsets, item, .. } => {
                if !cursor.accept(b'[') {
                    return Err(wrong_type(cursor, start, "an array"));
                }
                cursor.skip_blank();
                if !cursor.accept(b']') {
                    loop {
                        item.read_item(cursor)?;
                        if !cursor.more(b']')? {
                            break;
                        }
                    }
                }
                offsets.push(i32::try_from(item.len()).map_err(|_| fits(ProblemKind::TooMuchText))?);
            }
            Values::Struct(record) => {
                if cursor.peek() != b'{' {
                    return Err(wrong_type(cursor, start, "an object"));
                }
                record.read_object(cursor, self.nulls.rows(), false)?;
            }
            // These are read where all values are.
            Values::Text(_) | Values::Int64(_) | Values::Float64(_) => return Err(cursor.expected("a value")),
        }
        Ok(())
    }
}

/// A value that stands where one of another type is due: malformed JSON is called that first.
#[cold]
fn wrong_type(cursor: &mut Cursor<'_>, start: usize, wanted: &'static str) -> Problem {
    match cursor.skip_value() {
        Ok(()) => Problem::new(ProblemKind::Type(wanted), start),
        Err(problem) => problem,
    }
}

#[inline(always)]
fn number<'a>(cursor: &mut Cursor<'a>, wanted: &'static str) -> Result<Number<'a>, Problem> {
    if matches!(cursor.peek(), b'-' | b'0'..=b'9') {
        cursor.number()
    } else {
        Err(cursor.lent(|cursor| wrong_type(cursor, cursor.at(), wanted)))
    }
}

#[inline(always)]
fn integer<T: TryFrom<i64> + TryFrom<i128>>(cursor: &mut Cursor<'_>) -> Result<T, Problem> {
    let start = cursor.at();
    let number = number(cursor, "a whole number")?;
    if number.whole && number.digits <= 18 {
        let magnitude = number.mantissa as i64;
        let value = if number.negative { -magnitude } else { magnitude };
        return T::try_from(value).map_err(|_| Problem::new(ProblemKind::Range, start));
    }
    // Too long a number is out of range, whole or not; a fraction is of another type.
    let value = number.to_integer().ok_or_else(|| {
        let kind = if number.whole { ProblemKind::Range } else { ProblemKind::Type("a whole number within its range") };
        Problem::new(kind, start)
    })?;
    T::try_from(value).map_err(|_| Problem::new(ProblemKind::Range, start))
}

#[inline(always)]
fn read_f64(cursor: &mut Cursor<'_>) -> Result<f64, Problem> {
    if cursor.peek() == b'"' {
        return cursor.lent(not_a_finite_number);
    }
    let start = cursor.at();
    let value = number(cursor, "a number")?.to_f64();
    if value.is_finite() { Ok(value) } else { Err(Problem::new(ProblemKind::Range, start)) }
}

fn read_f32(cursor: &mut Cursor<'_>) -> Result<f32, Problem> {
    if cursor.peek() == b'"' {
        return not_a_finite_number(cursor).map(|value| value as f32);
    }
    let start = cursor.at();
    let value = number(cursor, "a number")?.to_f32();
    if value.is_finite() { Ok(value) } else { Err(Problem::new(ProblemKind::Range, start)) }
}

#[cold]
fn not_a_finite_number(cursor: &mut Cursor<'_>) -> Result<f64, Problem> {
    from_string(cursor, "a number", |text| match text {
        b"NaN" => Some(f64::NAN),
        b"Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

fn boolean(cursor: &mut Cursor<'_>) -> Result<bool, Problem> {
    if cursor.accept_all(b"true") {
        return Ok(true);
    }
    if cursor.accept_all(b"false") { Ok(false) } else { Err(wrong_type(cursor, cursor.at(), "`true` or `false`")) }
}

fn decimal(cursor: &mut Cursor<'_>, precision: u8, scale: i8) -> Result<i128, Problem> {
    let wanted = "a number with no more digits than that";
    let parse = |text: &[u8]| parse_decimal(text, precision, scale);
    if cursor.peek() == b'"' {
        return from_string(cursor, wanted, parse);
    }
    let start = cursor.at();
    let number = number(cursor, wanted)?;
    parse(number.text).ok_or_else(|| Problem::new(ProblemKind::Type(wanted), start))
}

/// A decimal's unscaled value; `None` when it has more digits before or behind the point than the type.
pub(crate) fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    parse_scaled(text, i32::from(scale)).filter(|value| value.unsigned_abs() < 10_u128.pow(u32::from(precision)))
}

#[inline]
fn from_string<T>(
    cursor: &mut Cursor<'_>,
    wanted: &'static str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, Problem> {
    let start = cursor.at();
    if !cursor.accept(b'"') {
        return Err(wrong_type(cursor, start, wanted));
    }
    let text = cursor.string()?;
    parse(&text).ok_or_else(|| Problem::new(ProblemKind::Type(wanted), start))
}

/// Appends the bytes that the hexadecimal digits of `text` stand for.
pub(crate) fn push_hex(bytes: &mut Bytes, text: &[u8]) -> Option<()> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for pair in text.chunks(2) {
        let &[high, low] = pair else { return None };
        bytes.data.push((digit(high)? * 16 + digit(low)?) as u8);
    }
    Some(())
}
