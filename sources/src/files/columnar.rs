//! Reads Parquet and Arrow IPC files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::reader::{FileReader, StreamReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use watershed_core::error::{Error, Result};
use watershed_core::node::{RowOutput, Split};

use super::adapt::Adapter;
use super::listing::FileEntry;
use super::pieces::open;
use super::source::Reading;
use crate::rebatch::Rebatcher;

/// What an Arrow IPC file begins with; a stream does not.
const FILE_MAGIC: &[u8] = b"ARROW1";

fn unreadable(format: &str, file: &FileEntry) -> impl Fn(String) -> Error {
    move |cause| Error::BadInput(format!("read `{}` as {format}: {cause}", file.path))
}

/// A run of row groups of a Parquet file.
pub(super) struct ParquetSplit {
    pub(super) file: Arc<FileEntry>,
    pub(super) metadata: ArrowReaderMetadata,
    pub(super) row_groups: Range<usize>,
    pub(super) reading: Arc<Reading>,
}

/// What the end of a Parquet file says of it.
pub(super) fn row_groups_of(entry: &FileEntry) -> Result<ArrowReaderMetadata> {
    let failed = unreadable("Parquet", entry);
    ArrowReaderMetadata::load(&open(entry)?, ArrowReaderOptions::new()).map_err(|error| failed(error.to_string()))
}

impl Split for ParquetSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let failed = unreadable("Parquet", &self.file);
        let adapter = Adapter::new(&self.file.path, self.metadata.schema(), &self.reading.schema.output)?;
        let wanted = ProjectionMask::roots(self.metadata.parquet_schema(), adapter.columns_read());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(open(&self.file)?, self.metadata.clone());
        let batches = builder
            .with_projection(wanted)
            .with_row_groups(self.row_groups.clone().collect())
            .with_batch_size(self.reading.batch_rows.max(1))
            .build()
            .map_err(|error| failed(error.to_string()))?;
        for batch in batches {
            let batch = batch.map_err(|error| failed(error.to_string()))?;
            out.push(adapter.adapt_projected(&batch)?)?;
        }
        Ok(())
    }
}

/// A run of batches of an Arrow IPC file, or a whole stream.
pub(super) struct ArrowSplit {
    pub(super) file: Arc<FileEntry>,
    pub(super) batches: Option<Range<usize>>,
    pub(super) reading: Arc<Reading>,
}

/// How many batches an Arrow IPC file has; `None` for a stream, which does not say.
pub(super) fn batches_of(entry: &FileEntry) -> Result<Option<usize>> {
    let file = open(entry)?;
    if !is_file_form(&file, entry)? {
        return Ok(None);
    }
    let reader =
        FileReader::try_new_buffered(file, None).map_err(|error| unreadable("Arrow IPC", entry)(error.to_string()))?;
    Ok(Some(reader.num_batches()))
}

/// Whether this is the form with a footer. Leaves the file at its start.
fn is_file_form(mut file: &File, entry: &FileEntry) -> Result<bool> {
    let mut magic = Vec::new();
    let read = file.take(FILE_MAGIC.len() as u64).read_to_end(&mut magic).and_then(|_| file.seek(SeekFrom::Start(0)));
    read.map_err(|error| Error::io("read", &entry.path, error))?;
    Ok(magic == FILE_MAGIC)
}

impl Split for ArrowSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let failed = unreadable("Arrow IPC", &self.file);
        let failed = |error: arrow::error::ArrowError| failed(error.to_string());
        let file = open(&self.file)?;
        let Some(range) = self.batches.clone() else {
            let bytes = BufReader::new(file).take(self.file.size);
            let reader = StreamReader::try_new(bytes, None).map_err(failed)?;
            let schema = reader.schema();
            return self.hand_on(&schema, reader.map(|batch| batch.map_err(failed)), out);
        };
        let mut reader = FileReader::try_new_buffered(file, None).map_err(failed)?;
        reader.set_index(range.start).map_err(failed)?;
        let schema = reader.schema();
        self.hand_on(&schema, reader.take(range.len()).map(|batch| batch.map_err(failed)), out)
    }
}

impl ArrowSplit {
    fn hand_on(
        &self,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        out: &mut dyn RowOutput,
    ) -> Result<()> {
        let output = &self.reading.schema.output;
        let adapter = Adapter::new(&self.file.path, schema, output)?;
        let mut rebatcher = Rebatcher::new(SchemaRef::clone(output), self.reading.batch_rows);
        for batch in batches {
            rebatcher.push(&adapter.adapt(&batch?)?, out)?;
        }
        rebatcher.flush(out)
    }
}

/// The columns of a Parquet or Arrow file.
pub(super) fn schema_of(entry: &FileEntry, parquet: bool) -> Result<SchemaRef> {
    if parquet {
        return Ok(SchemaRef::clone(row_groups_of(entry)?.schema()));
    }
    let failed = unreadable("Arrow IPC", entry);
    let failed = |error: arrow::error::ArrowError| failed(error.to_string());
    let file = open(entry)?;
    if is_file_form(&file, entry)? {
        Ok(FileReader::try_new_buffered(file, None).map_err(failed)?.schema())
    } else {
        Ok(StreamReader::try_new(BufReader::new(file), None).map_err(failed)?.schema())
    }
}
