//! From whole records to batches: counts lines, and deals with the records that are bad.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use memchr::memchr_iter;
use watershed_core::error::{Error, Result};
use watershed_core::node::RowOutput;

use super::decoder::push_text;
use super::{BadRecord, Column, Framing, OnBadRecord, RecordDecoder, RecordFormat, shown};

/// A batch ends after so much text, however few rows that is: a STRING column holds at most 2 GiB.
const MOST_TEXT: usize = 256 * 1024 * 1024;

/// How much of a bad record a message shows.
const SHOWN: usize = 120;

/// The columns of a source of records.
#[derive(Clone, Debug)]
pub(crate) struct RecordSchema {
    /// What a good record has: what was declared or inferred.
    pub(crate) record: SchemaRef,
    /// What leaves the source: the same, or with the column for the text of bad records.
    pub(crate) output: SchemaRef,
}

/// Where records come from, for messages.
pub(crate) trait Origin {
    /// What is read, such as ``file `a.json` ``.
    fn name(&self) -> String;

    /// How many lines lie before the first of those handed to the reader. Asked for a message only, so it may be slow.
    fn lines_before(&self) -> Result<u64>;

    /// What may be the matter with a record that ends without a newline.
    fn unfinished(&self) -> &'static str;
}

/// Decodes blocks of whole records and hands on batches.
pub(crate) struct RecordReader<'a> {
    framing: Framing,
    decoder: RecordDecoder,
    header_due: bool,
    kept: Option<Column>,
    on_bad: &'a OnBadRecord,
    output: SchemaRef,
    origin: &'a dyn Origin,
    batch_rows: usize,
    rows: usize,
    text: usize,
    lines: u64,
}

impl<'a> RecordReader<'a> {
    pub(crate) fn new(
        format: &RecordFormat,
        schema: &RecordSchema,
        on_bad: &'a OnBadRecord,
        batch_rows: usize,
        origin: &'a dyn Origin,
    ) -> Result<Self> {
        let kept = match on_bad {
            OnBadRecord::Keep(name) => Some(Column::new(&FieldRef::new(Field::new(name, DataType::Utf8, true)))?),
            OnBadRecord::Fail | OnBadRecord::Drop => None,
        };
        Ok(Self {
            framing: format.framing(),
            decoder: RecordDecoder::new(format, &schema.record)?,
            header_due: format.has_header(),
            kept,
            on_bad,
            output: SchemaRef::clone(&schema.output),
            origin,
            batch_rows: batch_rows.max(1),
            rows: 0,
            text: 0,
            lines: 0,
        })
    }

    /// Takes the record that names the columns, when it does not stand before the others.
    pub(crate) fn header(&mut self, record: &[u8]) -> Result<()> {
        self.header_due = false;
        self.decoder
            .header(without_newline(record))
            .map_err(|error| Error::BadInput(format!("{}: {error}", self.origin.name())))
    }

    /// Counts a line that belongs to somebody else.
    pub(crate) fn skip_line(&mut self) {
        self.lines += 1;
    }

    /// Takes a block of whole records.
    pub(crate) fn block(&mut self, mut block: &[u8], out: &mut dyn RowOutput) -> Result<()> {
        while !block.is_empty() {
            let (record, rest) = block.split_at(self.framing.record(block));
            block = rest;
            let bare = without_newline(record);
            if !bare.trim_ascii().is_empty() || self.decoder.takes_blank() {
                self.record(bare, record.len() > bare.len(), out)?;
            }
            self.lines += match self.framing {
                Framing::Lines => 1,
                Framing::Quoted { .. } => memchr_iter(b'\n', record).count() as u64,
            };
        }
        Ok(())
    }

    fn record(&mut self, record: &[u8], finished: bool, out: &mut dyn RowOutput) -> Result<()> {
        if self.header_due {
            return self.header(record);
        }
        match self.decoder.decode(record) {
            Ok(()) => {
                if let Some(kept) = &mut self.kept {
                    kept.push_filler();
                }
            }
            Err(problem) => {
                if *self.on_bad == OnBadRecord::Fail {
                    return Err(self.failure(&problem, record, finished));
                }
                out.count_bad_records(1);
                let Some(kept) = &mut self.kept else { return Ok(()) };
                push_text(kept, String::from_utf8_lossy(record).as_bytes());
                self.decoder.push_nulls();
            }
        }
        self.rows += 1;
        self.text += record.len();
        if self.rows >= self.batch_rows || self.text >= MOST_TEXT { self.flush(out) } else { Ok(()) }
    }

    /// Hands on the rows that are left.
    pub(crate) fn flush(&mut self, out: &mut dyn RowOutput) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        self.text = 0;
        let mut columns = self.decoder.finish()?;
        if let Some(kept) = &mut self.kept {
            columns.push(kept.finish()?);
        }
        out.push(RecordBatch::try_new(SchemaRef::clone(&self.output), columns)?)
    }

    #[cold]
    fn failure(&self, problem: &BadRecord, record: &[u8], finished: bool) -> Error {
        let line = match self.origin.lines_before() {
            Ok(before) => before + self.lines + 1,
            Err(error) => return error,
        };
        let hint = if finished { "" } else { self.origin.unfinished() };
        let name = self.origin.name();
        let text = shown(record, SHOWN);
        Error::BadInput(format!(
            "{name}, line {line}: {problem}{hint}; the record is: {text} (`on_bad_record: Drop` or `Keep(\"column\")` goes on after it)"
        ))
    }

    /// An error for a line that is too long to be one.
    pub(crate) fn too_long(&self, most: usize) -> Error {
        let line = match self.origin.lines_before() {
            Ok(before) => before + self.lines + 1,
            Err(error) => return error,
        };
        let name = self.origin.name();
        Error::BadInput(format!(
            "{name}, line {line}: longer than {} MiB; a record must be a line of its own",
            most >> 20
        ))
    }
}

fn without_newline(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}
