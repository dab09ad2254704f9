//! The formats that are text, under one face.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use watershed_core::error::Result;

use super::{BadRecord, Column, Framing, Values};
use crate::csv::{self, Dialect};
use crate::json;

/// A format whose records are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordFormat {
    /// An object per line.
    Json,
    /// Fields with a delimiter between.
    Csv(Dialect),
    /// A string per line.
    Text,
}

impl RecordFormat {
    /// How such text is cut into records.
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Json | Self::Text => Framing::Lines,
            Self::Csv(dialect) => Framing::Quoted { delimiter: dialect.delimiter, quote: dialect.quote },
        }
    }

    /// Whether the first record names the columns.
    pub(crate) fn has_header(&self) -> bool {
        matches!(self, Self::Csv(Dialect { header: true, .. }))
    }
}

/// A decoder of one of the formats.
pub(crate) enum RecordDecoder {
    Json(json::Decoder),
    Csv(csv::Decoder),
    Text(Column),
}

impl RecordDecoder {
    pub(crate) fn new(format: &RecordFormat, schema: &SchemaRef) -> Result<Self> {
        Ok(match format {
            RecordFormat::Json => Self::Json(json::Decoder::new(SchemaRef::clone(schema))?),
            RecordFormat::Csv(dialect) => Self::Csv(csv::Decoder::new(schema, dialect)?),
            RecordFormat::Text => Self::Text(Column::new(&schema.fields()[0])?),
        })
    }

    /// Takes the record that names the columns.
    pub(crate) fn header(&mut self, record: &[u8]) -> Result<()> {
        match self {
            Self::Csv(decoder) => decoder.header(record),
            Self::Json(_) | Self::Text(_) => Ok(()),
        }
    }

    /// Appends a record, or leaves everything as it was.
    pub(crate) fn decode(&mut self, record: &[u8]) -> Result<(), BadRecord> {
        match self {
            Self::Json(decoder) => decoder.decode(record),
            Self::Csv(decoder) => decoder.decode(record),
            Self::Text(column) => {
                std::str::from_utf8(record)
                    .map_err(|error| BadRecord(format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
                push_text(column, record);
                Ok(())
            }
        }
    }

    /// Appends a row of nulls.
    pub(crate) fn push_nulls(&mut self) {
        match self {
            Self::Json(decoder) => decoder.push_nulls(),
            Self::Csv(decoder) => decoder.push_nulls(),
            Self::Text(column) => column.push_filler(),
        }
    }

    /// Whether an empty record is a row. In the other formats it is nothing.
    pub(crate) fn takes_blank(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// The columns of the rows so far; begins anew.
    pub(crate) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Json(decoder) => decoder.finish_columns(),
            Self::Csv(decoder) => decoder.finish_columns(),
            Self::Text(column) => Ok(vec![column.finish()?]),
        }
    }
}

/// Appends a string to a STRING column. The reader ends a batch long before 2 GiB.
pub(super) fn push_text(column: &mut Column, text: &[u8]) {
    if let Values::Text(bytes) = &mut column.values {
        bytes.data.extend_from_slice(text);
        if bytes.end().is_ok() {
            column.nulls.push_valid();
            return;
        }
        let rows = column.len();
        column.truncate(rows);
    }
    column.push_filler();
}

/// The one column of lines without format.
pub(crate) fn text_schema() -> SchemaRef {
    SchemaRef::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new("value", DataType::Utf8, true)]))
}
