//! Rows as newline-delimited JSON: one object a line, columns in their order, nulls written out.
//!
//! Instants and dates are RFC 3339 strings, decimals and numbers are numbers, binary is hexadecimal; a number that JSON
//! has no word for (NaN, infinity) is null. Lists and structs nest. The text of a row depends on the row alone.

use std::sync::Arc;

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, new_empty_array};
use arrow::datatypes::{DataType, Date32Type, FieldRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow_json::writer::{
    Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, WriterBuilder, make_encoder,
};
use watershed_core::schema::TIMESTAMP;

use crate::text::TimeText;

/// Appends the rows of `batch` to `out`.
pub(crate) fn encode(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let builder = WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(TimeEncoders));
    builder.build::<_, LineDelimited>(out).write(batch)
}

/// Why a column cannot be written, if it cannot.
pub(crate) fn refusal(field: &FieldRef) -> Option<ArrowError> {
    let options = EncoderOptions::default().with_encoder_factory(Arc::new(TimeEncoders));
    make_encoder(field, new_empty_array(field.data_type()).as_ref(), &options).err()
}

/// Puts our own text of instants and dates in place of Arrow's, at any depth.
#[derive(Debug)]
struct TimeEncoders;

impl EncoderFactory for TimeEncoders {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            data_type if *data_type == TIMESTAMP => Box::new(Instants(array.as_primitive())),
            DataType::Date32 => Box::new(Dates(array.as_primitive())),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

struct Instants<'a>(&'a PrimitiveArray<TimestampMicrosecondType>);

impl Encoder for Instants<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        push_quoted(&TimeText::of_instant(self.0.value(row)), out);
    }
}

struct Dates<'a>(&'a PrimitiveArray<Date32Type>);

impl Encoder for Dates<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        push_quoted(&TimeText::of_date(self.0.value(row)), out);
    }
}

fn push_quoted(text: &TimeText, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{counts, every_type};

    #[test]
    fn every_type_has_its_text_and_nulls_are_written_out() {
        let mut text = Vec::new();
        encode(&every_type(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            concat!(
                r#"{"user":"a \"b\",c","n":-3,"x":1.5,"ok":true,"day":"2015-02-24","at":"2015-02-24T10:00:00Z","price":12.34,"#,
                r#""raw":"00ff","tags":["p",null],"times":["2015-02-24T10:00:00.5Z"],"inner":{"since":"1970-01-01T00:00:00Z","n":7}}"#
            )
        );
        assert_eq!(
            lines[1],
            concat!(
                r#"{"user":null,"n":null,"x":null,"ok":null,"day":null,"at":null,"price":null,"raw":null,"tags":null,"#,
                r#""times":null,"inner":null}"#
            )
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn batches_leave_no_trace() {
        let whole = counts(&[("a", 1), ("b", 2), ("c", 3)]);
        let (mut once, mut bit_by_bit) = (Vec::new(), Vec::new());
        encode(&whole, &mut once).unwrap();
        for row in 0..3 {
            encode(&whole.slice(row, 1), &mut bit_by_bit).unwrap();
        }
        encode(&whole.slice(0, 0), &mut bit_by_bit).unwrap();
        assert_eq!(once, bit_by_bit);
    }
}
