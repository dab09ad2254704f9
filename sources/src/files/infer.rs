//! Finds a schema that nobody declared, by looking at the beginning of the first files.
//!
//! From Json and Csv: columns in the order of their first appearance; `true` and `false` are BOOLEAN, whole numbers BIGINT,
//! other numbers DOUBLE, instants with date and time TIMESTAMP, the rest STRING, and so is a column with values that do not go
//! together, or with none. From Parquet and Arrow: what the first file says. All columns are nullable. Records that cannot be
//! read are passed over: they will be met again.

use std::fmt;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use watershed_core::error::{Error, Result};
use watershed_core::schema::TIMESTAMP;

use super::Files;
use super::adapt::plain_schema;
use super::columnar::schema_of;
use super::format::{Compression, Format, Kind};
use super::listing::FileEntry;
use super::pieces::open;
use crate::csv::{self, Dialect, header_names, parse_boolean};
use crate::instant::is_date_and_time;
use crate::records::{Blocks, RecordFormat};

/// How many records are looked at, over all files.
const RECORDS: usize = 10_000;

/// How many files are looked at.
const FILES: usize = 16;

/// What is known of a column's values.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    /// There were none but null.
    Null,
    Boolean,
    Whole,
    Number,
    Instant,
    Text,
    List(Box<Shape>),
    Object(Vec<(String, Shape)>),
}

/// The columns of `files`, the oldest first.
pub(super) fn infer(files: &[FileEntry], format: Option<&Format>) -> Result<SchemaRef> {
    let first = &files[0];
    let mut seen = Vec::new();
    let mut records = 0;
    match Files::kind_of(format, &first.path)? {
        kind @ (Kind::Parquet | Kind::Arrow) => {
            return Ok(plain_schema(schema_of(first, kind == Kind::Parquet)?.as_ref()));
        }
        Kind::Records(_) => {
            for file in files.iter().take(FILES) {
                if let Kind::Records(format) = Files::kind_of(format, &file.path)? {
                    look_at(file, &format, &mut seen, &mut records)?;
                }
                if records >= RECORDS {
                    break;
                }
            }
        }
    }
    if seen.is_empty() {
        let path = &first.path;
        return Err(Error::BadInput(format!(
            "find the columns: `{path}` holds no record that could be read; declare them with `schema`"
        )));
    }
    Ok(SchemaRef::new(Schema::new(fields_of(&seen))))
}

fn look_at(
    file: &FileEntry,
    format: &RecordFormat,
    seen: &mut Vec<(String, Shape)>,
    records: &mut usize,
) -> Result<()> {
    let failed = |error| Error::io("read", &file.path, error);
    let framing = format.framing();
    let text = Compression::of_name(&file.path).open(open(file)?, file.size).map_err(failed)?;
    let mut blocks = Blocks::new(text, framing);
    let mut names: Option<Vec<String>> = None;
    // A record that is too long will be met again.
    while let Ok(Some(block)) = blocks.next_block() {
        let mut rest = block.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(block);
        while !rest.is_empty() {
            let (record, after) = rest.split_at(framing.record(rest));
            rest = after;
            let record = record.trim_ascii_end();
            if record.is_empty() {
                continue;
            }
            match format {
                RecordFormat::Csv(dialect) if dialect.header && names.is_none() => {
                    let header = header_names(record, dialect);
                    names = Some(header.map_err(|error| Error::BadInput(format!("file `{}`: {error}", file.path)))?);
                    for name in names.iter().flatten() {
                        merge_member(seen, name.clone(), Shape::Null);
                    }
                    continue;
                }
                RecordFormat::Csv(dialect) => merge_fields(seen, record, dialect, names.as_deref()),
                RecordFormat::Json | RecordFormat::Text => {
                    if let Ok(Shape::Object(members)) = serde_json::from_slice(record) {
                        merge_members(seen, members);
                    }
                }
            }
            *records += 1;
            if *records >= RECORDS {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn merge_fields(seen: &mut Vec<(String, Shape)>, record: &[u8], dialect: &Dialect, names: Option<&[String]>) {
    let mut fields = csv::Fields::new(record, dialect);
    let mut scratch = Vec::new();
    let mut index = 0;
    while let Ok(Some(field)) = fields.next(&mut scratch) {
        let name = match names {
            Some(names) => names.get(index).cloned(),
            None => Some(format!("_c{index}")),
        };
        let is_null = !field.quoted && field.text == dialect.null.as_bytes();
        let Some(name) = name else { return };
        merge_member(seen, name, if is_null { Shape::Null } else { Shape::of_field(field.text) });
        index += 1;
    }
}

fn merge_members(members: &mut Vec<(String, Shape)>, others: Vec<(String, Shape)>) {
    for (name, shape) in others {
        merge_member(members, name, shape);
    }
}

fn merge_member(members: &mut Vec<(String, Shape)>, name: String, shape: Shape) {
    match members.iter_mut().find(|(other, _)| *other == name) {
        Some((_, known)) => known.merge(shape),
        None => members.push((name, shape)),
    }
}

fn fields_of(members: &[(String, Shape)]) -> Fields {
    members.iter().map(|(name, shape)| Field::new(name, shape.data_type(), true)).collect()
}

impl Shape {
    fn of_field(text: &[u8]) -> Self {
        let bare = text.trim_ascii();
        let text = std::str::from_utf8(bare).unwrap_or_default();
        match () {
            () if parse_boolean(bare).is_some() => Self::Boolean,
            () if text.parse::<i64>().is_ok() => Self::Whole,
            // Not `inf` and `nan`: those are more likely words.
            () if text.parse::<f64>().is_ok() && text.contains(|c: char| c.is_ascii_digit()) => Self::Number,
            () => Self::of_text(bare),
        }
    }

    fn of_text(text: &[u8]) -> Self {
        if is_date_and_time(text) { Self::Instant } else { Self::Text }
    }

    fn merge(&mut self, other: Self) {
        let merged = match (std::mem::replace(self, Self::Null), other) {
            (Self::Null, shape) | (shape, Self::Null) => shape,
            (Self::Whole, Self::Number) | (Self::Number, Self::Whole) => Self::Number,
            (Self::List(mut items), Self::List(others)) => {
                items.merge(*others);
                Self::List(items)
            }
            (Self::Object(mut members), Self::Object(others)) => {
                merge_members(&mut members, others);
                Self::Object(members)
            }
            (one, other) if one == other => one,
            _ => Self::Text,
        };
        *self = merged;
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Whole => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Instant => TIMESTAMP,
            Self::List(items) => DataType::new_list(items.data_type(), true),
            // An object without members has no columns to be a struct of.
            Self::Object(members) if !members.is_empty() => DataType::Struct(fields_of(members)),
            Self::Object(_) | Self::Null | Self::Text => DataType::Utf8,
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ShapeVisitor;
        impl<'de> Visitor<'de> for ShapeVisitor {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Boolean)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Whole)
            }

            fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
                Ok(if i64::try_from(value).is_ok() { Shape::Whole } else { Shape::Number })
            }

            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }

            fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
                Ok(Shape::of_text(text.as_bytes()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
                let mut shape = Shape::Null;
                while let Some(item) = items.next_element()? {
                    shape.merge(item);
                }
                Ok(Shape::List(Box::new(shape)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    merge_member(&mut members, name, map.next_value()?);
                }
                Ok(Shape::Object(members))
            }
        }
        deserializer.deserialize_any(ShapeVisitor)
    }
}
