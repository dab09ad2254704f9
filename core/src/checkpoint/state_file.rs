//! Files of state: Arrow IPC streams of rows as they are in memory, with a header that says what they mean.
//!
//! ```text
//! Arrow IPC stream   schema: key columns, value columns; its metadata `watershed` is the header as JSON
//!                    batches: the rows of the header's entries, one after the other
//! trailer            "watershd" and the CRC-32 of all that comes before it (4 bytes, little endian)
//! ```
//!
//! Any reader of Arrow streams reads them; it stops at the stream's own end and does not see the trailer. An entry keeps rows
//! (`upsert`), names removed keys (`remove`; value columns are null), or drops a slot (`drop`; no rows). Entries are in the order in
//! which the changes were made, and a batch may hold the rows of several.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use serde::{Deserialize, Serialize};

use super::FORMAT;
use super::error::DamageCause;
use super::record::{FileName, StateContent, StateFile};
use super::storage::NewFile;
use crate::error::{Error, Result};
use crate::state::{Change, FrozenTable, Slot, TableSchema};
use crate::time::Timestamp;

/// The key of the header in the schema's metadata.
const HEADER: &str = "watershed";
/// What the trailer begins with.
const MAGIC: &[u8; 8] = b"watershd";
const TRAILER: usize = MAGIC.len() + size_of::<u32>();
/// Batches with fewer rows are put together.
const FEW_ROWS: usize = 8 * 1024;
/// The most rows in a batch of a snapshot.
const SNAPSHOT_BATCH: usize = 64 * 1024;

/// What a file of state says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateHeader {
    /// The version of the format.
    pub format: u32,
    /// The node.
    pub node: String,
    /// The table.
    pub table: String,
    /// The partition.
    pub partition: usize,
    /// Of how many.
    pub partitions: usize,
    /// The epoch after which the state was so.
    pub epoch: u64,
    /// All rows, or what changed.
    pub content: StateContent,
    /// How many of the columns are the key.
    pub key_columns: usize,
    /// What the rows mean.
    pub entries: Vec<Entry>,
}

/// A run of rows in a file of state: what was done, to which slot (microseconds since 1970; none for the slot that no watermark
/// evicts), with how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry(pub Action, pub Option<i64>, pub usize);

/// What an entry's rows were written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// They are kept.
    Upsert,
    /// The rows with their keys are gone.
    Remove,
    /// The slot is gone.
    Drop,
}

/// What one table of one partition is to be written as.
#[derive(Debug)]
pub enum TableContent {
    /// What an epoch changed.
    Changes(Vec<Change>),
    /// All rows.
    Rows(FrozenTable),
}

/// The file `name` with this content. Snapshots that nobody waits for are compressed.
pub fn encode(
    name: &StateFile,
    partitions: usize,
    declared: &TableSchema,
    content: &TableContent,
    compressed: bool,
) -> Result<NewFile> {
    let header = StateHeader {
        format: FORMAT,
        node: name.node.clone(),
        table: name.table.clone(),
        partition: name.partition,
        partitions,
        epoch: name.epoch.0,
        content: name.content,
        key_columns: declared.keys.len(),
        entries: entries(content),
    };
    let rows: usize = header.entries.iter().map(|entry| entry.2).sum();
    let text = serde_json::to_string(&header).expect("a header is names and numbers");
    let schema = Schema::new(file_fields(declared)).with_metadata(HashMap::from([(HEADER.to_owned(), text)]));
    let schema = Arc::new(schema);
    let compression = compressed.then_some(CompressionType::LZ4_FRAME);
    let options = IpcWriteOptions::default().try_with_compression(compression)?;
    let row_bytes = 16 * schema.fields().len();
    let buffer = Vec::with_capacity(if compressed { 0 } else { 1024 + rows * row_bytes });
    let mut writer = Packing {
        writer: StreamWriter::try_new_with_options(buffer, &schema, options)?,
        schema,
        few: Vec::new(),
        rows: 0,
    };
    match content {
        TableContent::Changes(changes) => {
            for change in changes {
                match change {
                    Change::Upsert(_, rows) => writer.add(rows.columns().to_vec(), rows.num_rows())?,
                    Change::Remove(_, keys) => {
                        let nulls =
                            declared.values.iter().map(|field| new_null_array(field.data_type(), keys.num_rows()));
                        writer.add(keys.columns().iter().cloned().chain(nulls).collect(), keys.num_rows())?;
                    }
                    Change::Drop(_) => {}
                }
            }
        }
        TableContent::Rows(table) => {
            for rows in table.batches(SNAPSHOT_BATCH) {
                let rows = rows?;
                writer.add(rows.columns().to_vec(), rows.num_rows())?;
            }
        }
    }
    let stream = writer.finish()?;
    let mut trailer = MAGIC.to_vec();
    trailer.extend_from_slice(&crc32fast::hash(&stream).to_le_bytes());
    Ok(NewFile { name: FileName::State(name.clone()).to_string(), content: vec![stream, trailer] })
}

fn entries(content: &TableContent) -> Vec<Entry> {
    let micros = |slot: Slot| slot.time().map(Timestamp::micros);
    match content {
        TableContent::Changes(changes) => {
            let entry = |change: &Change| {
                let action = match change {
                    Change::Upsert(..) => Action::Upsert,
                    Change::Remove(..) => Action::Remove,
                    Change::Drop(_) => Action::Drop,
                };
                Entry(action, micros(change.slot()), change.rows())
            };
            changes.iter().map(entry).collect()
        }
        TableContent::Rows(table) => {
            table.slots().map(|(slot, rows)| Entry(Action::Upsert, micros(slot), rows)).collect()
        }
    }
}

/// The columns in a file: removed keys have no values.
fn file_fields(declared: &TableSchema) -> Vec<Field> {
    let keys = declared.keys.iter().map(|field| field.as_ref().clone());
    keys.chain(declared.values.iter().map(|field| field.as_ref().clone().with_nullable(true))).collect()
}

/// Writes batches, small ones together.
struct Packing {
    writer: StreamWriter<Vec<u8>>,
    schema: SchemaRef,
    few: Vec<RecordBatch>,
    rows: usize,
}

impl Packing {
    fn add(&mut self, columns: Vec<arrow::array::ArrayRef>, rows: usize) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        self.few.push(batch);
        self.rows += rows;
        if self.rows >= FEW_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.rows = 0;
        match std::mem::take(&mut self.few).as_slice() {
            [] => Ok(()),
            [one] => Ok(self.writer.write(one)?),
            several => Ok(self.writer.write(&concat_batches(&self.schema, several)?)?),
        }
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        self.flush()?;
        self.writer.finish()?;
        Ok(self.writer.into_inner()?)
    }
}

/// A file of state that was read and found whole.
#[derive(Debug)]
pub struct StateRows {
    /// What the file says of itself.
    pub header: StateHeader,
    /// The columns: those of the key, then the values.
    pub schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

/// Reads the file `name` and holds it against its checksum and its name.
pub fn decode(name: &StateFile, content: Vec<u8>) -> Result<StateRows, DamageCause> {
    let malformed = |how: String| DamageCause::Malformed(how);
    let stream = content.len().checked_sub(TRAILER).ok_or_else(|| malformed("it ends too early".to_owned()))?;
    let (magic, sum) = content[stream..].split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(malformed("it ends too early, or is no file of state".to_owned()));
    }
    if crc32fast::hash(&content[..stream]).to_le_bytes() != sum {
        return Err(DamageCause::Checksum);
    }
    let mut decoder = StreamDecoder::new();
    let mut buffer = Buffer::from_vec(content).slice_with_length(0, stream);
    let mut batches = Vec::new();
    while !buffer.is_empty() {
        match decoder.decode(&mut buffer) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => {}
            Err(error) => return Err(malformed(error.to_string())),
        }
    }
    let schema = decoder.schema().ok_or_else(|| malformed("it has no schema".to_owned()))?;
    let header = schema.metadata().get(HEADER).ok_or_else(|| malformed("it has no header".to_owned()))?;
    let FormatOnly { format } = serde_json::from_str(header).map_err(|error| malformed(error.to_string()))?;
    if format > FORMAT {
        return Err(DamageCause::Newer { format });
    }
    let header: StateHeader = serde_json::from_str(header).map_err(|error| malformed(error.to_string()))?;
    let says = StateFile {
        node: header.node.clone(),
        partition: header.partition,
        table: header.table.clone(),
        epoch: crate::epoch::Epoch(header.epoch),
        content: header.content,
    };
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let named: usize = header.entries.iter().map(|entry| entry.2).sum();
    if says != *name {
        return Err(malformed(format!("its header is that of `{}`", FileName::State(says))));
    }
    if rows != named || header.key_columns > schema.fields().len() {
        return Err(malformed(format!("it holds {rows} rows, and its header names {named}")));
    }
    Ok(StateRows { header, schema, batches })
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl StateRows {
    /// Hands the rows of each entry on, in pieces; an entry without rows once, with an empty batch.
    pub fn each_entry<E>(&self, mut take: impl FnMut(Action, Slot, RecordBatch) -> Result<(), E>) -> Result<(), E> {
        let mut batches = self.batches.iter();
        let mut rest = RecordBatch::new_empty(Arc::clone(&self.schema));
        for &Entry(action, slot, rows) in &self.header.entries {
            let slot = slot.map_or(Slot::NEVER, |micros| Slot::at(Timestamp::from_micros(micros)));
            if rows == 0 {
                take(action, slot, rest.slice(0, 0))?;
            }
            let mut left = rows;
            while left > 0 {
                if rest.num_rows() == 0 {
                    rest = batches.next().expect("decoding counted the rows").clone();
                    continue;
                }
                let piece = left.min(rest.num_rows());
                take(action, slot, rest.slice(0, piece))?;
                rest = rest.slice(piece, rest.num_rows() - piece);
                left -= piece;
            }
        }
        Ok(())
    }

    /// The changes, in the columns that the operator declares. Columns are told apart by their places.
    pub fn changes(&self, declared: &TableSchema) -> Result<Vec<Change>, DamageCause> {
        let keys = Arc::new(Schema::new(declared.keys.clone()));
        let columns = declared.columns();
        let mut changes = Vec::with_capacity(self.header.entries.len());
        self.each_entry(|action, slot, rows| {
            changes.push(match action {
                Action::Upsert => Change::Upsert(slot, retyped(&columns, &rows)?),
                Action::Remove => Change::Remove(slot, retyped(&keys, &rows)?),
                Action::Drop => Change::Drop(slot),
            });
            Ok::<(), Error>(())
        })
        .map_err(|error| DamageCause::Malformed(error.to_string()))?;
        Ok(changes)
    }
}

/// The first columns of `rows` under the names of `schema`.
fn retyped(schema: &SchemaRef, rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().get(..schema.fields().len()).unwrap_or(rows.columns()).to_vec();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
