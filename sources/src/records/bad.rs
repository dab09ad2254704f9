//! Records that cannot be read: why, and what is done about it.

use std::borrow::Cow;
use std::fmt;

use arrow::datatypes::{FieldRef, Fields, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::Fault;
use watershed_core::schema::type_to_ddl;

/// What is done with a record that cannot be read as the schema says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnBadRecord {
    /// The run stops and names file and line.
    #[default]
    Fail,
    /// The record is left out and counted.
    Drop,
    /// The record becomes a row that holds its text in this added STRING column, and null in all others; it is counted. In
    /// rows of good records the column is null.
    Keep(String),
}

impl OnBadRecord {
    /// The columns with the one that this adds: the last. A declared NOT NULL cannot hold for the row of a bad record.
    pub(crate) fn widen(&self, schema: &SchemaRef) -> Result<SchemaRef, Fault> {
        let Self::Keep(column) = self else { return Ok(SchemaRef::clone(schema)) };
        if column.is_empty() {
            return Err(Fault::new("bad_option", "`Keep` needs a column's name").at("on_bad_record"));
        }
        if schema.column_with_name(column).is_some() {
            let message = format!("`Keep(\"{column}\")` adds a column, and the schema has one of that name already");
            return Err(Fault::new("duplicate_column", message)
                .at("on_bad_record")
                .help("take another name, or declare the column no more"));
        }
        let relaxed = schema.fields().iter().map(|field| FieldRef::new(field.as_ref().clone().with_nullable(true)));
        let text = FieldRef::new(arrow::datatypes::Field::new(column, arrow::datatypes::DataType::Utf8, true));
        let fields: Fields = relaxed.chain([text]).collect();
        Ok(SchemaRef::new(arrow::datatypes::Schema::new(fields)))
    }
}

/// Why a record could not be read, in words that fit behind its file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord(pub(crate) String);

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRecord {}

/// The same before it is put into words. In a box, so that what readers return fits into registers.
#[derive(Debug)]
pub(crate) struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    kind: ProblemKind,
    /// The byte of the record at which the reader stopped.
    at: usize,
    /// The top-level column that was being read.
    column: Option<usize>,
}

/// What a reader stumbled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// The text is not what the format asks for here.
    Expected(&'static str),
    /// The value is well formed, but not one of the column's type. The words say what such a value is.
    Type(&'static str),
    /// The value is a number of the right kind that the type cannot hold.
    Range,
    /// A NOT NULL column has no value.
    Missing,
    /// The bytes are not UTF-8.
    Encoding,
    /// The batch cannot hold that much text.
    TooMuchText,
    /// The record has this many fields, where that many are due.
    FieldCount(usize, usize),
}

impl Problem {
    /// Cold, so that the readers stay small.
    #[cold]
    pub(crate) fn new(kind: ProblemKind, at: usize) -> Self {
        Self(Box::new(Details { kind, at, column: None }))
    }

    /// The same, in this column.
    #[cold]
    pub(crate) fn in_column(mut self, column: usize) -> Self {
        self.0.column = Some(column);
        self
    }

    /// Puts the problem into words.
    pub(crate) fn describe(&self, record: &[u8], fields: &Fields) -> BadRecord {
        let Details { kind, at, column } = *self.0;
        let found = match record.get(at..) {
            None | Some([]) => "the end of the record".to_owned(),
            Some(rest) => format!("`{}`", shown(rest, 24)),
        };
        let column = column.and_then(|index| fields.get(index));
        let (name, type_name) =
            column.map_or_else(Default::default, |field| (field.name().as_str(), type_to_ddl(field.data_type())));
        BadRecord(match kind {
            ProblemKind::Expected(wanted) => format!("expected {wanted} at byte {at}, found {found}"),
            ProblemKind::Type(wanted) => format!("column `{name}` is {type_name}: expected {wanted}, found {found}"),
            ProblemKind::Range => format!("column `{name}` is {type_name}, which cannot hold {found}"),
            ProblemKind::Missing => format!("column `{name}` is NOT NULL and has no value"),
            ProblemKind::Encoding => format!("not UTF-8 from byte {at} on"),
            ProblemKind::TooMuchText => format!("column `{name}` holds more than 2 GiB of text in one batch"),
            ProblemKind::FieldCount(seen, due) => format!("{seen} fields, where there should be {due}"),
        })
    }
}

/// The beginning of some text as a message can show it: `most` characters, no line breaks.
pub(crate) fn shown(text: &[u8], most: usize) -> String {
    // A character has at most four bytes, so no more of a long record need be looked at.
    let text: Cow<'_, str> = String::from_utf8_lossy(&text[..text.len().min(4 * most + 4)]);
    let mut shown: String = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}
