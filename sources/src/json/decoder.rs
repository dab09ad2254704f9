//! The decoder of one stream of lines.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use memchr::memchr;
use watershed_core::error::Result;

use super::cursor::Cursor;
use crate::records::{BadRecord, Column, Problem, ProblemKind, Record};

/// Decodes lines of JSON objects into the columns of a schema.
#[derive(Debug)]
pub struct Decoder {
    schema: SchemaRef,
    record: Record,
    rows: usize,
}

impl Decoder {
    /// A decoder for `schema`, with the types that DDL has words for; another type is an error.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        Ok(Self { record: Record::new(schema.fields())?, schema, rows: 0 })
    }

    /// Appends the object on `line`, which needs no newline. On an error everything is as it was before.
    pub fn decode(&mut self, line: &[u8]) -> Result<(), BadRecord> {
        match self.try_decode(line) {
            Ok(()) => {
                self.rows += 1;
                Ok(())
            }
            Err(problem) => {
                self.record.truncate(self.rows);
                Err(problem.describe(line, self.schema.fields()))
            }
        }
    }

    /// Appends the objects on the lines of `text` until `most` rows wait, skipping blank lines and counting bad ones.
    /// Returns how many bytes were used and how many lines were bad. For callers that need no more than that.
    pub fn decode_lines(&mut self, text: &[u8], most: usize) -> (usize, u64) {
        let (mut at, mut bad) = (0, 0);
        while at < text.len() && self.rows < most {
            let rest = &text[at..];
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            at += (end + 1).min(rest.len());
            bad += u64::from(!line.trim_ascii().is_empty() && self.decode(line).is_err());
        }
        (at, bad)
    }

    fn try_decode(&mut self, line: &[u8]) -> Result<(), Problem> {
        if !is_ascii(line)
            && let Err(error) = std::str::from_utf8(line)
        {
            return Err(Problem::new(ProblemKind::Encoding, error.valid_up_to()));
        }
        let mut cursor = Cursor::new(line);
        cursor.skip_blank();
        self.record.read_object(&mut cursor, self.rows, true)?;
        cursor.skip_blank();
        if cursor.is_at_end() { Ok(()) } else { Err(cursor.expected("the end of the line after the object")) }
    }

    /// The rows since the last [`finish`](Self::finish).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows as a batch. The decoder begins anew and keeps what it learned of the order of the keys.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        let columns = self.finish_columns()?;
        Ok(RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options)?)
    }

    /// The same, column by column: there may be rows of nulls in columns that are NOT NULL.
    pub(crate) fn finish_columns(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        self.record.finish()
    }

    /// Appends a row of nulls, whatever the schema says.
    pub(crate) fn push_nulls(&mut self) {
        self.record.columns.iter_mut().for_each(Column::push_filler);
        self.rows += 1;
    }
}

/// Whether there is no byte above 127. Short lines are the rule here, for which the standard library's is slow.
#[inline]
fn is_ascii(line: &[u8]) -> bool {
    let (words, rest) = line.as_chunks::<8>();
    let words = words.iter().fold(0, |all, word| all | u64::from_le_bytes(*word));
    let rest = rest.iter().fold(0, |all, byte| all | byte);
    (words | u64::from(rest)) & 0x8080_8080_8080_8080 == 0
}
