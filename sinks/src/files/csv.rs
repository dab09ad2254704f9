//! Rows as CSV: values in quotes where they need them, instants and dates as in JSON, nulls as the graph file says.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder, new_empty_array};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_csv::WriterBuilder;
use watershed_core::schema::TIMESTAMP;

use crate::text::TimeText;

/// How values become lines.
#[derive(Clone, Debug)]
pub(crate) struct CsvWriter {
    builder: WriterBuilder,
    header: bool,
}

impl CsvWriter {
    /// `delimiter` is an ASCII character, as the check makes sure.
    pub(crate) fn new(delimiter: char, header: bool, null: &str) -> Self {
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let builder = WriterBuilder::new().with_delimiter(delimiter).with_null(null.to_owned());
        Self { builder, header }
    }

    /// Appends the rows of `batch` to `out`, after the heading if they are the first of a file.
    pub(crate) fn encode(&self, batch: &RecordBatch, first: bool, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        let builder = self.builder.clone().with_header(self.header && first);
        builder.build(out).write(&with_time_as_text(batch)?)
    }

    /// Why a column cannot be written, if it cannot.
    pub(crate) fn refusal(field: &Field) -> Option<String> {
        if field.data_type().is_nested() {
            return Some("CSV has no lists and no structs".to_owned());
        }
        let empty = new_empty_array(field.data_type());
        ArrayFormatter::try_new(&empty, &FormatOptions::default()).err().map(|error| error.to_string())
    }
}

fn with_time_as_text(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(time_as_text).collect();
    let schema = batch.schema();
    let fields = schema
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

fn time_as_text(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        data_type if *data_type == TIMESTAMP => {
            let instants = column.as_primitive::<TimestampMicrosecondType>();
            text_column(instants.iter().map(|value| value.map(TimeText::of_instant)))
        }
        DataType::Date32 => {
            text_column(column.as_primitive::<Date32Type>().iter().map(|value| value.map(TimeText::of_date)))
        }
        _ => Arc::clone(column),
    }
}

fn text_column(texts: impl ExactSizeIterator<Item = Option<TimeText>>) -> ArrayRef {
    const TYPICAL: usize = "2015-02-24T10:00:00.123456Z".len();
    let mut column = StringBuilder::with_capacity(texts.len(), texts.len() * TYPICAL);
    for text in texts {
        column.append_option(text.as_ref().map(TimeText::as_str));
    }
    Arc::new(column.finish())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;
    use crate::testing::every_type;

    fn text(writer: &CsvWriter, batch: &RecordBatch) -> String {
        let mut out = Vec::new();
        writer.encode(batch, true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_flat_type_has_its_text() {
        let rows = every_type().project(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        let expected = "\
user,n,x,ok,day,at,price,raw
\"a \"\"b\"\",c\",-3,1.5,true,2015-02-24,2015-02-24T10:00:00Z,12.34,00ff
,,,,,,,
";
        assert_eq!(text(&CsvWriter::new(',', true, ""), &rows), expected);
    }

    #[test]
    fn delimiter_heading_and_null_are_as_asked() {
        let column: StringArray = [Some("a;b"), None, Some("")].into_iter().collect();
        let rows = RecordBatch::try_from_iter([
            ("x", Arc::new(column) as ArrayRef),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ]);
        assert_eq!(text(&CsvWriter::new(';', false, "NULL"), &rows.unwrap()), "\"a;b\";1\nNULL;2\n;3\n");
    }

    #[test]
    fn a_lone_null_is_still_a_line() {
        let column: StringArray = [Some("a"), None].into_iter().collect();
        let rows = RecordBatch::try_from_iter([("x", Arc::new(column) as ArrayRef)]).unwrap();
        assert_eq!(text(&CsvWriter::new(',', true, ""), &rows), "x\na\n\"\"\n");
    }
}
