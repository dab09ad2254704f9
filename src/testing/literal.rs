//! Values as a test file writes them, and what they are for a column of a certain type.

use arrow::datatypes::{DataType, Field, Fields};

use crate::core::schema::type_to_ddl;
use crate::core::testing::{Cell, day, is_writable, number_of_type};
use crate::core::time::Timestamp;
use crate::graphs::Finding;
use crate::graphs::syntax::{Body, Tree, Value};

use super::reader::Reader;

/// What a value is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It becomes a value of the column, so it must fit the type.
    Input,
    /// It is compared with one, so a number may be any number.
    Output,
}

impl<'a> Reader<'a> {
    /// What a value is for `column`; one that is none of it is a fault, and null.
    pub(super) fn cell(&mut self, tree: &'a Tree, column: &str, field: &Field, purpose: Purpose) -> Cell {
        match &tree.value {
            Value::Struct(Some(some), Body::Values(values)) if some.text == "Some" && values.len() == 1 => {
                self.cell(&values[0], column, field, purpose)
            }
            Value::Name(none) if none == "None" => {
                if !field.is_nullable() && purpose == Purpose::Input {
                    self.fault("null_value", format!("column `{column}` is NOT NULL"), &tree.span, "needs a value");
                }
                Cell::Null
            }
            // What could not be read has been reported.
            Value::Broken => Cell::Null,
            Value::Text(text) if text.broken => Cell::Null,
            _ => self.cell_of_type(tree, column, field.data_type(), purpose),
        }
    }

    fn cell_of_type(&mut self, tree: &'a Tree, column: &str, data_type: &DataType, purpose: Purpose) -> Cell {
        let exact = purpose == Purpose::Input;
        let cell = match (&tree.value, data_type) {
            (_, DataType::Dictionary(_, value)) => return self.cell_of_type(tree, column, value, purpose),
            (
                Value::List(items),
                DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
            ) => {
                return Cell::List(items.iter().map(|value| self.cell(value, column, item, purpose)).collect());
            }
            (Value::Map(_), DataType::Struct(fields)) => return self.structure(tree, column, fields, purpose),
            (Value::Text(text), data_type) if data_type.is_string() => Some(Cell::Text(text.value.clone())),
            (Value::Text(text), data_type) if data_type.is_binary() => {
                Some(Cell::Bytes(text.value.clone().into_bytes()))
            }
            (Value::Other, data_type) if data_type.is_binary() => tree.bytes(self.text).map(Cell::Bytes),
            (Value::Text(text), DataType::Timestamp(..)) => match text.value.parse::<Timestamp>() {
                Ok(instant) => Some(Cell::Instant(instant)),
                Err(said) => {
                    self.fault("bad_value", format!("column `{column}`: {said}"), &tree.span, "not an instant");
                    return Cell::Null;
                }
            },
            (Value::Text(text), DataType::Date32) => day(&text.value),
            (Value::Text(text), data_type) if !exact && !is_writable(data_type) => {
                Some(Cell::Other(text.value.clone()))
            }
            (Value::Name(name), DataType::Boolean) => name.parse().ok().map(Cell::Bool),
            (Value::Number, data_type) => {
                number_of_type(&self.text[tree.span.clone()].replace('_', ""), data_type, exact)
            }
            (Value::Name(name), data_type) if matches!(name.as_str(), "inf" | "NaN") => {
                number_of_type(name, data_type, exact)
            }
            _ => None,
        };
        cell.unwrap_or_else(|| {
            let value = tree.describe(self.text);
            let message = format!("column `{column}` is {}, and {value} is no value of it", type_to_ddl(data_type));
            let fault = Finding::error("bad_value", message).span(tree.head());
            self.faults.push(match data_type {
                DataType::Timestamp(..) => fault.help("write instants as `\"2015-02-24T10:00:00Z\"`"),
                DataType::Date32 => fault.help("write days as `\"2015-02-24\"`"),
                DataType::List(_) => fault.help("write lists as `[1, 2]`"),
                DataType::Struct(_) => fault.help("write structs as `{\"field\": 1}`"),
                DataType::Utf8 => fault.help("write strings in quotes, and no value as `None`"),
                DataType::Boolean => fault.help("write `true` or `false`"),
                _ => fault,
            });
            Cell::Null
        })
    }

    fn structure(&mut self, tree: &'a Tree, column: &str, fields: &Fields, purpose: Purpose) -> Cell {
        let entries = self.map(tree, "this value", "`{\"field\": value}`").unwrap_or_default();
        for entry in entries.iter().filter(|entry| fields.find(entry.name).is_none()) {
            let fault = Finding::error("unknown_column", format!("column `{column}` has no field `{}`", entry.name));
            let known = fields.iter().map(|field| field.name().as_str());
            self.faults.push(fault.span(entry.span.clone()).known("field", entry.name, known));
        }
        let mut cell = |field: &Field| {
            let path = format!("{column}.{}", field.name());
            let entry = entries.iter().find(|entry| entry.name == field.name());
            if entry.is_none() && !field.is_nullable() && purpose == Purpose::Input {
                self.fault("null_value", format!("column `{path}` is NOT NULL"), &tree.span, "needs a value");
            }
            entry.map_or(Cell::Null, |entry| self.cell(entry.value, &path, field, purpose))
        };
        Cell::Struct(fields.iter().map(|field| (field.name().clone(), cell(field))).collect())
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;
    use crate::graphs::syntax::parse;

    fn cell(text: &str, data_type: DataType, purpose: Purpose) -> Result<String, String> {
        let (tree, faults) = parse(text, 0..text.len(), None);
        let mut reader = Reader { text, faults: faults.into_iter().map(Finding::from).collect() };
        let tree = tree.expect("a value");
        let cell = reader.cell(&tree, "c", &Field::new("c", data_type, true), purpose);
        if reader.faults.is_empty() { Ok(format!("{cell:?}")) } else { Err(reader.shown().join("; ")) }
    }

    #[test]
    fn a_value_becomes_what_its_column_is() {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        let list = DataType::new_list(DataType::Int64, true);
        let structure = DataType::Struct(Fields::from(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Utf8, true),
        ]));
        for (text, data_type, seen) in [
            ("3", DataType::Int64, "Int(3)"),
            ("3.0", DataType::Int64, "Int(3)"),
            ("-1_000", DataType::Int64, "Int(-1000)"),
            ("0x10", DataType::Int64, "Int(16)"),
            ("3", DataType::Float64, "Float(3.0)"),
            ("inf", DataType::Float64, "Float(inf)"),
            ("1e3", DataType::Float64, "Float(1000.0)"),
            ("\"a\\u{e9}\"", DataType::Utf8, "Text(\"aé\")"),
            ("r#\"a\"b\"#", DataType::Utf8, "Text(\"a\\\"b\")"),
            ("b\"ab\"", DataType::Binary, "Bytes([97, 98])"),
            ("None", DataType::Utf8, "Null"),
            ("Some(3)", DataType::Int32, "Int(3)"),
            ("true", DataType::Boolean, "Bool(true)"),
            ("\"1970-01-01T00:00:01.5Z\"", timestamp.clone(), "Instant(Timestamp(1500000))"),
            ("\"1970-01-01T01:00:00+01:00\"", timestamp, "Instant(Timestamp(0))"),
            ("\"1970-01-03\"", DataType::Date32, "Date(2)"),
            ("-1.5", DataType::Decimal128(10, 2), "Decimal { units: -150, scale: 2 }"),
            ("[1, None]", list, "List([Int(1), Null])"),
            ("{\"b\": \"x\"}", structure, "Struct([(\"a\", Null), (\"b\", Text(\"x\"))])"),
        ] {
            assert_eq!(cell(text, data_type.clone(), Purpose::Input), Ok(seen.to_owned()), "{text} for {data_type}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_its_column_is_refused() {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (text, data_type, said) in [
            ("3.5", DataType::Int64, "`3.5`"),
            ("300", DataType::Int8, "TINYINT"),
            ("\"3\"", DataType::Int64, "the string \"3\""),
            ("3", DataType::Utf8, "STRING"),
            ("5", timestamp.clone(), "TIMESTAMP"),
            ("\"yesterday\"", timestamp, "bad instant `yesterday`"),
            ("\"2015-02-30\"", DataType::Date32, "DATE"),
            ("1.005", DataType::Decimal128(10, 2), "DECIMAL(10, 2)"),
            ("Abc", DataType::Utf8, "STRING, and `Abc` is no value"),
        ] {
            let said_is = cell(text, data_type.clone(), Purpose::Input).expect_err(text);
            assert!(said_is.contains(said), "{text} for {data_type}: {said_is}");
        }
    }

    #[test]
    fn an_expected_number_may_be_any_number() {
        assert_eq!(cell("3.5", DataType::Int64, Purpose::Output), Ok("Float(3.5)".to_owned()));
        assert_eq!(cell("300", DataType::Int8, Purpose::Output), Ok("Int(300)".to_owned()));
        assert_eq!(cell("1.005", DataType::Decimal128(10, 2), Purpose::Output), Ok("Float(1.005)".to_owned()));
    }
}
