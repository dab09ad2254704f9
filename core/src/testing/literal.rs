//! Values as a table of text writes them, and what they are for a column of a certain type.

use arrow::datatypes::{DataType, Field, Fields};

use super::cell::Cell;
use super::number::number_of_type;
use crate::schema::type_to_ddl;
use crate::time::Timestamp;

/// What a text is for a column of this type: what [`Cell`] shows, read again.
pub(super) fn cell_of(text: &str, data_type: &DataType) -> Result<Cell, String> {
    let text = text.trim();
    match data_type {
        _ if text == "null" => Ok(Cell::Null),
        _ if text.is_empty() => {
            Err("an empty cell is no value: write `null`, or `\"\"` for an empty string".to_owned())
        }
        DataType::Dictionary(_, value) => cell_of(text, value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => list_of(text, item),
        DataType::Struct(fields) => struct_of(text, fields),
        _ => scalar_of(text, data_type)
            .ok_or_else(|| format!("`{text}` is no value of type {}{}", type_to_ddl(data_type), hint(data_type))),
    }
}

fn hint(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Timestamp(..) => ": write instants as `2015-02-24T10:00:00Z`",
        DataType::Date32 => ": write days as `2015-02-24`",
        data_type if data_type.is_binary() => ": write bytes in hexadecimal, as `00ff`",
        _ => "",
    }
}

fn scalar_of(text: &str, data_type: &DataType) -> Option<Cell> {
    match data_type {
        DataType::Boolean => text.parse().ok().map(Cell::Bool),
        DataType::Timestamp(..) => text.parse().ok().map(Cell::Instant),
        DataType::Date32 => day(text),
        data_type if data_type.is_string() => unquoted(text).map(Cell::Text),
        data_type if data_type.is_binary() => bytes(text).map(Cell::Bytes),
        data_type => number_of_type(text, data_type, true),
    }
}

/// A day as `2015-02-24`.
pub fn day(text: &str) -> Option<Cell> {
    let midnight: Timestamp = format!("{text}T00:00:00Z").parse().ok()?;
    Some(Cell::Date(midnight.micros().div_euclid(86_400_000_000) as i32))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = if text == "\"\"" { "" } else { text };
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Text without its quotes, if it has any; `None` when they do not match.
fn unquoted(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let mut characters = quoted.strip_suffix('"').filter(|_| text.len() > 1)?.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '"' => return None,
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                'u' => {
                    let digits: String = characters.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            },
            other => other,
        });
    }
    Some(plain)
}

fn list_of(text: &str, item: &Field) -> Result<Cell, String> {
    let inner = within(text, '[', ']').ok_or_else(|| format!("`{text}` is no list: write lists as `[1, 2]`"))?;
    let items = pieces(inner, ',').into_iter().map(|piece| cell_of(piece, item.data_type()));
    items.collect::<Result<_, _>>().map(Cell::List)
}

fn struct_of(text: &str, fields: &Fields) -> Result<Cell, String> {
    let inner = within(text, '{', '}').ok_or_else(|| format!("`{text}` is no struct: write structs as `{{a: 1}}`"))?;
    let mut written = Vec::new();
    for piece in pieces(inner, ',') {
        let (name, value) = piece.split_once(':').ok_or_else(|| format!("`{piece}` should be `field: value`"))?;
        let name = name.trim();
        let field = fields.iter().find(|field| field.name() == name);
        let field = field.ok_or_else(|| format!("the struct has no field `{name}`"))?;
        written.push((name, cell_of(value, field.data_type())?));
    }
    let cell = |field: &Field| written.iter().find(|(name, _)| name == field.name()).map(|(_, cell)| cell.clone());
    Ok(Cell::Struct(fields.iter().map(|field| (field.name().clone(), cell(field).unwrap_or(Cell::Null))).collect()))
}

fn within(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// The pieces of a text between separators that stand neither in quotes nor in brackets; none of an empty text.
pub(super) fn pieces(text: &str, separator: char) -> Vec<&str> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            character if character == separator && depth == 0 => {
                pieces.push(text[start..at].trim());
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !(pieces.is_empty() && last.is_empty()) {
        pieces.push(last);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_ddl;

    fn read(text: &str, ddl: &str) -> Result<Cell, String> {
        let schema = parse_ddl(&format!("c {ddl}")).expect("a type");
        cell_of(text, schema.field(0).data_type())
    }

    #[test]
    fn what_a_cell_shows_is_read_as_that_cell() {
        for (text, ddl) in [
            ("null", "STRING"),
            ("\"null\"", "STRING"),
            ("\"\"", "STRING"),
            ("a b: c", "STRING"),
            ("\"a|b\"", "STRING"),
            ("\"say \\\"hi\\\"\\n\"", "STRING"),
            ("-3", "BIGINT"),
            ("3.5", "DOUBLE"),
            ("inf", "DOUBLE"),
            ("true", "BOOLEAN"),
            ("00ff", "BINARY"),
            ("2015-02-24", "DATE"),
            ("2015-02-24T10:00:00.5Z", "TIMESTAMP"),
            ("-1.50", "DECIMAL(10, 2)"),
            ("[1, null, 3]", "ARRAY<BIGINT>"),
            ("[]", "ARRAY<BIGINT>"),
            ("[a, \"b, c\", \"]\"]", "ARRAY<STRING>"),
            ("{a: [1, 2], t: 2015-02-24T10:00:00Z}", "STRUCT<a: ARRAY<INT>, t: TIMESTAMP>"),
        ] {
            assert_eq!(read(text, ddl).map(|cell| cell.to_string()).as_deref(), Ok(text), "{text} as {ddl}");
        }
    }

    #[test]
    fn what_is_no_value_of_the_type_is_refused() {
        for (text, ddl, said) in [
            ("", "STRING", "an empty cell is no value"),
            ("3.5", "INT", "`3.5` is no value of type INT"),
            ("300", "TINYINT", "TINYINT"),
            ("yesterday", "TIMESTAMP", "write instants as"),
            ("\"a", "STRING", "no value of type STRING"),
            ("\"a\"b\"", "STRING", "no value of type STRING"),
            ("1, 2", "ARRAY<INT>", "is no list"),
            ("[1, x]", "ARRAY<INT>", "`x` is no value of type INT"),
            ("{b: 1}", "STRUCT<a: INT>", "no field `b`"),
            ("0g", "BINARY", "hexadecimal"),
        ] {
            let error = read(text, ddl).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
