//! CSV after RFC 4180, decoded straight into Arrow columns.
//!
//! A field may be enclosed in quotes, and then holds delimiters, line breaks and doubled quotes. With a header, columns are
//! found by their names: those that the schema does not have are skipped, those that the file does not have are null. Without
//! one they go by position. Every record must have as many fields as the header, or the schema, has.
//!
//! An unquoted field equal to the dialect's null text (the empty one, unless said otherwise) is null; a quoted empty field is
//! an empty string. Blanks around numbers, instants and booleans are ignored, those around strings belong to them. Values fit
//! columns as in [`json`](crate::json), numbers may also have a leading `+`, leading zeros, `1.` and `.5`, and booleans any case.

mod decoder;
mod fields;
mod values;

pub(crate) use decoder::{Decoder, header_names};
pub(crate) use fields::{FieldError, Fields};
pub(crate) use values::parse_boolean;

/// How a CSV file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What stands between fields.
    pub(crate) delimiter: u8,
    /// What encloses a field that holds delimiters, quotes or line breaks.
    pub(crate) quote: u8,
    /// Whether the first record names the columns.
    pub(crate) header: bool,
    /// The unquoted text that means null.
    pub(crate) null: String,
}
