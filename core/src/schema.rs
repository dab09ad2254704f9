//! Schemas as text, `"user STRING NOT NULL, ts TIMESTAMP, x DOUBLE"`, in the words of Spark's DDL.
//!
//! Column names are taken exactly as written; a name that is not a plain word stands in backticks. Reading what
//! [`to_ddl`] writes gives the same schema.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The type of all timestamps inside a graph: UTC microseconds.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// A schema as the graph file writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ddl(pub String);

impl Ddl {
    /// Reads the text; the fault names the bytes within it.
    pub fn schema(&self) -> Result<SchemaRef, Fault> {
        parse_ddl(&self.0)
    }
}

impl JsonSchema for Ddl {
    fn schema_name() -> Cow<'static, str> {
        "Schema".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "description": "Columns and types, such as \"user STRING NOT NULL, ts TIMESTAMP, x DOUBLE\"." })
    }
}

/// The names of the types without parameters.
const SIMPLE: &[(&str, DataType)] = &[
    ("BOOLEAN", DataType::Boolean),
    ("TINYINT", DataType::Int8),
    ("SMALLINT", DataType::Int16),
    ("INT", DataType::Int32),
    ("BIGINT", DataType::Int64),
    ("FLOAT", DataType::Float32),
    ("DOUBLE", DataType::Float64),
    ("STRING", DataType::Utf8),
    ("BINARY", DataType::Binary),
    ("DATE", DataType::Date32),
    ("TIMESTAMP", TIMESTAMP),
];

/// How deep types may be nested.
const DEEPEST: usize = 32;

/// Other names for the same types.
const ALIASES: &[(&str, &str)] = &[
    ("BOOL", "BOOLEAN"),
    ("BYTE", "TINYINT"),
    ("SHORT", "SMALLINT"),
    ("INTEGER", "INT"),
    ("LONG", "BIGINT"),
    ("REAL", "FLOAT"),
    ("TEXT", "STRING"),
    ("VARCHAR", "STRING"),
];

/// Reads a schema.
pub fn parse_ddl(text: &str) -> Result<SchemaRef, Fault> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let mut fields: Vec<Field> = Vec::new();
    loop {
        let start = parser.skip_blank();
        let field = parser.field(&[])?;
        if fields.iter().any(|other| other.name() == field.name()) {
            let message = format!("column `{}` is declared twice", field.name());
            return Err(Fault::new("bad_schema", message).within(start..parser.at).label("declared before"));
        }
        fields.push(field);
        if parser.skip_blank() == text.len() {
            return Ok(Arc::new(Schema::new(fields)));
        }
        parser.expect(',')?;
    }
}

/// Writes a schema as [`parse_ddl`] reads it. Types that DDL has no word for are written as Arrow names them.
pub fn to_ddl(schema: &Schema) -> String {
    fields_to_ddl(schema.fields(), " ")
}

fn fields_to_ddl(fields: &Fields, separator: &str) -> String {
    let field_to_ddl = |field: &Arc<Field>| {
        let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
        format!("{}{separator}{}{not_null}", quoted(field.name()), type_to_ddl(field.data_type()))
    };
    fields.iter().map(field_to_ddl).collect::<Vec<_>>().join(", ")
}

/// A type's name in DDL.
pub fn type_to_ddl(data_type: &DataType) -> String {
    if let Some((name, _)) = SIMPLE.iter().find(|(_, simple)| simple == data_type) {
        return (*name).to_owned();
    }
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => "STRING".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::List(item) => format!("ARRAY<{}>", type_to_ddl(item.data_type())),
        DataType::Struct(fields) => format!("STRUCT<{}>", fields_to_ddl(fields, ": ")),
        other => {
            let mut name = String::new();
            write!(name, "{other}").expect("writing to a string cannot fail");
            name
        }
    }
}

fn quoted(name: &str) -> Cow<'_, str> {
    let plain = !name.is_empty() && name.chars().all(is_word);
    if plain { name.into() } else { format!("`{}`", name.replace('`', "``")).into() }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blank(&mut self) -> usize {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    fn fault(bytes: Range<usize>, message: String, help: &str) -> Fault {
        let fault = Fault::new("bad_schema", message).within(bytes);
        if help.is_empty() { fault } else { fault.help(help) }
    }

    /// The next thing in the text, for a message.
    fn seen(&mut self) -> (Range<usize>, String) {
        let start = self.skip_blank();
        let rest = self.rest();
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let length = if word == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { word };
        let shown = if length == 0 { "the end".to_owned() } else { format!("`{}`", &rest[..length]) };
        (start..start + length, shown)
    }

    fn expect(&mut self, wanted: char) -> Result<(), Fault> {
        let (bytes, seen) = self.seen();
        if !self.rest().starts_with(wanted) {
            return Err(Self::fault(
                bytes,
                format!("bad schema: expected `{wanted}` but found {seen}"),
                "columns are written as `name TYPE, name TYPE`",
            ));
        }
        self.at += wanted.len_utf8();
        Ok(())
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip_blank();
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn word(&mut self) -> &'a str {
        self.skip_blank();
        let rest = self.rest();
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn name(&mut self) -> Result<String, Fault> {
        let (bytes, seen) = self.seen();
        if self.accept('`') {
            let mut name = String::new();
            loop {
                let rest = self.rest();
                let Some(length) = rest.find('`') else {
                    return Err(Self::fault(
                        bytes.start..self.text.len(),
                        "bad schema: the backtick is never closed".to_owned(),
                        "",
                    ));
                };
                name.push_str(&rest[..length]);
                self.at += length + 1;
                if !self.rest().starts_with('`') {
                    return Ok(name);
                }
                name.push('`');
                self.at += 1;
            }
        }
        let name = self.word();
        if name.is_empty() {
            return Err(Self::fault(
                bytes,
                format!("bad schema: expected a column's name but found {seen}"),
                "columns are written as `name TYPE, name TYPE`; a name that is not a plain word stands in backticks",
            ));
        }
        Ok(name.to_owned())
    }

    fn field(&mut self, before_type: &[char]) -> Result<Field, Fault> {
        let name = self.name()?;
        for &separator in before_type {
            self.accept(separator);
        }
        let data_type = self.data_type()?;
        let start = self.at;
        let nullable = !self.word().eq_ignore_ascii_case("NOT");
        if nullable {
            self.at = start;
        } else if !self.word().eq_ignore_ascii_case("NULL") {
            return Err(Self::fault(start..self.at, "bad schema: `NOT` without `NULL`".to_owned(), ""));
        }
        Ok(Field::new(name, data_type, nullable))
    }

    fn data_type(&mut self) -> Result<DataType, Fault> {
        let (bytes, seen) = self.seen();
        let word = self.word().to_ascii_uppercase();
        let word = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word.as_str(), |(_, name)| name);
        if let Some((_, simple)) = SIMPLE.iter().find(|(name, _)| *name == word) {
            return Ok(simple.clone());
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Self::fault(bytes, format!("bad schema: types are nested more than {DEEPEST} deep"), ""));
        }
        let data_type = match word {
            "DECIMAL" => self.decimal(),
            "ARRAY" => {
                self.expect('<')?;
                let item = self.data_type()?;
                self.expect('>')?;
                Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
            }
            "STRUCT" => {
                self.expect('<')?;
                let mut fields = vec![self.field(&[':'])?];
                while self.accept(',') {
                    fields.push(self.field(&[':'])?);
                }
                self.expect('>')?;
                Ok(DataType::Struct(fields.into()))
            }
            _ => {
                let known: Vec<&str> = SIMPLE.iter().map(|(name, _)| *name).collect();
                let help = format!(
                    "types are {}, DECIMAL(precision, scale), ARRAY<type> and STRUCT<name: type, …>",
                    known.join(", ")
                );
                Err(Self::fault(bytes, format!("bad schema: {seen} is not a type"), &help))
            }
        };
        self.depth -= 1;
        data_type
    }

    fn decimal(&mut self) -> Result<DataType, Fault> {
        if !self.accept('(') {
            return Ok(DataType::Decimal128(10, 0));
        }
        let start = self.skip_blank();
        let precision: Option<u8> = self.word().parse().ok().filter(|digits| (1..=38).contains(digits));
        let scale: Option<i8> = if self.accept(',') { self.word().parse().ok() } else { Some(0) };
        let end = self.at;
        self.expect(')')?;
        match (precision, scale) {
            (Some(precision), Some(scale)) if scale.unsigned_abs() <= precision => {
                Ok(DataType::Decimal128(precision, scale))
            }
            _ => Err(Self::fault(
                start..end,
                "bad schema: a decimal has 1 to 38 digits, and a scale of no more".to_owned(),
                "",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_survives_being_written_and_read() {
        let text = "user STRING NOT NULL, ts TIMESTAMP, x DOUBLE, tags ARRAY<STRING>, p STRUCT<a: INT, `b c`: DECIMAL(10, 2)>, `odd name` DATE";
        let schema = parse_ddl(text).expect("a schema");
        assert_eq!(to_ddl(&schema), text);
        assert_eq!(schema.field(1).data_type(), &TIMESTAMP);
        assert!(!schema.field(0).is_nullable());
    }

    #[test]
    fn a_bad_schema_is_placed() {
        for (text, place, words) in [
            ("a STRIN", 2..7, "`STRIN` is not a type"),
            ("a INT b INT", 6..7, "expected `,` but found `b`"),
            ("a INT, a INT", 7..12, "declared twice"),
            ("a INT,", 6..6, "expected a column's name but found the end"),
            ("", 0..0, "expected a column's name"),
            ("a DECIMAL(99)", 10..12, "1 to 38 digits"),
            (&format!("a {}", "ARRAY<".repeat(50_000)), 194..199, "nested more than 32 deep"),
        ] {
            let fault = parse_ddl(text).expect_err(text);
            assert_eq!(fault.within, Some(place), "{text}");
            assert!(fault.message.contains(words), "{}", fault.message);
        }
    }
}
