//! Reads standard input: a thread of its own cuts the text into whole records and sends them over a bounded channel, so
//! that whoever writes waits when the graph is slower.
//!
//! An offset is the number of records before it. Text stays until its epoch is committed.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use memchr::memchr_iter;
use serde_json::Value;
use watershed_core::error::{Error, Result};
use watershed_core::node::{Available, Limit, Offset, OffsetRange, RowOutput, Source, Split};

use crate::records::{BlockError, Blocks, Framing, OnBadRecord, Origin, RecordFormat, RecordReader, RecordSchema};

/// How many pieces of text may wait between the reading thread and the graph; each is at most a few hundred kilobytes.
const CHUNKS_AHEAD: usize = 64;

/// How much text one split decodes.
const SPLIT_BYTES: usize = 16 * 1024 * 1024;

/// Whole records, as they were read.
struct Chunk {
    text: Vec<u8>,
    records: u64,
}

/// The work of the reading thread. Ends with the input, or when the source is gone.
fn read_all(input: Box<dyn Read + Send>, framing: Framing, chunks: &Sender<Result<Chunk, BlockError>>) {
    let mut blocks = Blocks::new(input, framing);
    loop {
        let chunk = match blocks.next_block() {
            Ok(Some(block)) => Ok(Chunk { text: block.to_vec(), records: count_records(framing, block) }),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if chunks.send(chunk).is_err() || failed {
            return;
        }
    }
}

fn count_records(framing: Framing, mut text: &[u8]) -> u64 {
    let mut records = 0;
    while !text.is_empty() {
        text = &text[framing.record(text)..];
        records += 1;
    }
    records
}

fn count_lines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

/// How records are decoded: what all splits share.
pub(super) struct Reading {
    pub(super) format: RecordFormat,
    pub(super) schema: RecordSchema,
    pub(super) on_bad_record: OnBadRecord,
    pub(super) batch_rows: usize,
}

/// Records that are held until they are released.
struct Held {
    text: Arc<[u8]>,
    /// Which records these are, counted from the beginning of the input.
    records: Range<u64>,
    lines_before: u64,
}

/// The open source.
pub(super) struct StdinSource {
    reading: Arc<Reading>,
    incoming: Receiver<Result<Chunk, BlockError>>,
    header_due: bool,
    header: Option<Arc<[u8]>>,
    held: VecDeque<Held>,
    /// How many records and lines were received.
    records: u64,
    lines: u64,
    released: u64,
    max_rows_per_epoch: u64,
    frozen: bool,
    ended: bool,
}

impl StdinSource {
    pub(super) fn open(input: Box<dyn Read + Send>, reading: Reading, max_rows_per_epoch: u64) -> Result<Self> {
        let (sender, incoming) = bounded(CHUNKS_AHEAD);
        let framing = reading.format.framing();
        thread::Builder::new()
            .name("standard input".to_owned())
            .spawn(move || read_all(input, framing, &sender))
            .map_err(|error| Error::io("start a thread to read", "standard input", error))?;
        Ok(Self {
            header_due: reading.format.has_header(),
            reading: Arc::new(reading),
            incoming,
            header: None,
            held: VecDeque::new(),
            records: 0,
            lines: 0,
            released: 0,
            max_rows_per_epoch,
            frozen: false,
            ended: false,
        })
    }

    /// Receives a chunk, if there is one.
    fn receive(&mut self) -> Result<bool> {
        match self.incoming.try_recv() {
            Ok(Ok(chunk)) => {
                self.hold(&chunk);
                Ok(true)
            }
            Ok(Err(BlockError::Io(error))) => Err(Error::io("read", "standard input", error)),
            Ok(Err(BlockError::TooLong(most))) => {
                let (line, most) = (self.lines + 1, most >> 20);
                Err(Error::BadInput(format!("standard input, from line {line} on: a line is longer than {most} MiB")))
            }
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Disconnected) => {
                self.ended = true;
                Ok(false)
            }
        }
    }

    fn hold(&mut self, chunk: &Chunk) {
        let mut text = chunk.text.as_slice();
        let mut records = chunk.records;
        if self.lines == 0 {
            text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        }
        while self.header_due && !text.is_empty() {
            let (record, rest) = text.split_at(self.reading.format.framing().record(text));
            if !record.trim_ascii().is_empty() {
                self.header = Some(record.into());
                self.header_due = false;
            }
            self.lines += count_lines(record);
            records -= 1;
            text = rest;
        }
        if records > 0 {
            self.held.push_back(Held {
                text: text.into(),
                records: self.records..self.records + records,
                lines_before: self.lines,
            });
            self.records += records;
            self.lines += count_lines(text);
        }
    }
}

fn records_before(offset: &Offset) -> Result<u64> {
    match &offset.0 {
        Value::Null => Ok(0),
        value => value
            .as_u64()
            .ok_or_else(|| Error::BadInput(format!("read the offset {value} of standard input: it should be a count"))),
    }
}

impl Source for StdinSource {
    fn freeze(&mut self) -> Result<()> {
        self.frozen = true;
        Ok(())
    }

    /// A pipe cannot tell what is there, so a frozen one has nothing to offer before it has what an epoch may hold, or the end.
    /// Where the epochs lie then depends on the input alone.
    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let start = records_before(after)?;
        let (most, whole) = match limit {
            Limit::Epoch => (self.max_rows_per_epoch, self.frozen),
            Limit::Everything => (u64::MAX, true),
        };
        while !self.ended && self.records.saturating_sub(start) < most && self.receive()? {}
        if whole && !self.ended && self.records.saturating_sub(start) < most {
            return Ok(Available::Later);
        }
        let end = self.records.min(start.saturating_add(most));
        if end > start {
            let end_offset = Offset(Value::from(end));
            return Ok(Available::Range(OffsetRange {
                start: after.clone(),
                end: end_offset,
                detail: Value::Null,
                size: end - start,
            }));
        }
        Ok(if self.ended { Available::Finished } else { Available::Nothing })
    }

    fn remaining(&self, _: &Offset) -> Option<u64> {
        None
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let wanted = records_before(&range.start)?..records_before(&range.end)?;
        if wanted.start < self.released || wanted.end > self.records {
            let (first, last) = (self.released, self.records);
            let Range { start, end } = wanted;
            return Err(Error::BadInput(format!(
                "read the records {start} to {end} of standard input again: only {first} to {last} are held"
            )));
        }
        let framing = self.reading.format.framing();
        let mut splits: Vec<StdinSplit> = Vec::new();
        let mut size = 0;
        for held in &self.held {
            let Held { text, records, lines_before } = held;
            let (from, to) = (wanted.start.max(records.start), wanted.end.min(records.end));
            if from >= to {
                continue;
            }
            let start = length_of(framing, text, from - records.start);
            let bytes = if to == records.end {
                start..text.len()
            } else {
                start..start + length_of(framing, &text[start..], to - from)
            };
            if splits.is_empty() || size + bytes.len() > SPLIT_BYTES {
                size = 0;
                splits.push(StdinSplit {
                    reading: Arc::clone(&self.reading),
                    header: self.header.clone(),
                    lines_before: lines_before + count_lines(&text[..bytes.start]),
                    pieces: Vec::new(),
                });
            }
            size += bytes.len();
            if let Some(split) = splits.last_mut() {
                split.pieces.push((Arc::clone(text), bytes));
            }
        }
        Ok(splits.into_iter().map(|split| Box::new(split) as Box<dyn Split>).collect())
    }

    fn release(&mut self, offset: &Offset) -> Result<()> {
        self.released = self.released.max(records_before(offset)?);
        while self.held.front().is_some_and(|held| held.records.end <= self.released) {
            self.held.pop_front();
        }
        Ok(())
    }
}

/// How many bytes the first `records` records have.
fn length_of(framing: Framing, text: &[u8], records: u64) -> usize {
    (0..records).fold(0, |at, _| at + framing.record(&text[at..]))
}

struct StdinSplit {
    reading: Arc<Reading>,
    header: Option<Arc<[u8]>>,
    lines_before: u64,
    pieces: Vec<(Arc<[u8]>, Range<usize>)>,
}

struct StdinOrigin(u64);

impl Origin for StdinOrigin {
    fn name(&self) -> String {
        "standard input".to_owned()
    }

    fn lines_before(&self) -> Result<u64> {
        Ok(self.0)
    }

    fn unfinished(&self) -> &'static str {
        " (the input ends within this line)"
    }
}

impl Split for StdinSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let Reading { format, schema, on_bad_record, batch_rows } = self.reading.as_ref();
        let origin = StdinOrigin(self.lines_before);
        let mut reader = RecordReader::new(format, schema, on_bad_record, *batch_rows, &origin)?;
        if let Some(header) = &self.header {
            reader.header(header)?;
        }
        for (text, bytes) in &self.pieces {
            reader.block(&text[bytes.clone()], out)?;
        }
        reader.flush(out)
    }
}
