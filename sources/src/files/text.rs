//! Reads a run of records of a Json or Csv file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};
use watershed_core::error::{Error, Result};
use watershed_core::node::{RowOutput, Split};

use super::format::Compression;
use super::listing::FileEntry;
use super::pieces::open;
use super::source::Reading;
use crate::records::{BlockError, Blocks, Origin, RecordFormat, RecordReader};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The records that begin within `bytes` of a file; of a compressed one, all of them.
pub(super) struct TextSplit {
    pub(super) file: Arc<FileEntry>,
    pub(super) bytes: Range<u64>,
    pub(super) compression: Compression,
    pub(super) format: RecordFormat,
    pub(super) reading: Arc<Reading>,
}

impl Split for TextSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let path = &self.file.path;
        let failed = |error| Error::io("read", path, error);
        // A line begins behind a newline, so the byte before the split is read too.
        let mut at = self.bytes.start.saturating_sub(1);
        let end = if self.compression == Compression::None { self.bytes.end } else { u64::MAX };
        let mut line_to_skip = self.bytes.start > 0;

        let mut file = open(&self.file)?;
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let bytes = self.compression.open(file, self.file.size - at).map_err(failed)?;
        let mut blocks = Blocks::new(bytes, self.format.framing());
        let origin = FileOrigin { path, read_from: at };
        let Reading { schema, on_bad_record, batch_rows, .. } = self.reading.as_ref();
        let mut reader = RecordReader::new(&self.format, schema, on_bad_record, *batch_rows, &origin)?;
        while at < end {
            let block = match blocks.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(BlockError::Io(error)) => return Err(failed(error)),
                Err(BlockError::TooLong(most)) => return Err(reader.too_long(most)),
            };
            let mut start = 0;
            if line_to_skip {
                start = memchr(b'\n', block).map_or(block.len(), |newline| newline + 1);
                line_to_skip = false;
                reader.skip_line();
            } else if at == 0 && block.starts_with(BYTE_ORDER_MARK) {
                start = BYTE_ORDER_MARK.len();
            }
            // The line that holds the last byte of the split is the last that begins within it.
            let last = end - 1 - at;
            let stop = match block.get(last as usize..) {
                Some(tail) if !tail.is_empty() => {
                    last as usize + memchr(b'\n', tail).map_or(tail.len(), |newline| newline + 1)
                }
                _ => block.len(),
            };
            if start < stop && at + (start as u64) < end {
                reader.block(&block[start..stop], out)?;
            }
            at += block.len() as u64;
        }
        reader.flush(out)
    }
}

/// A file, for messages, and where in it the reader began.
struct FileOrigin<'a> {
    path: &'a str,
    read_from: u64,
}

impl Origin for FileOrigin<'_> {
    fn name(&self) -> String {
        format!("file `{}`", self.path)
    }

    fn lines_before(&self) -> Result<u64> {
        let failed = |error| Error::io("read", self.path, error);
        let mut before = File::open(self.path).map_err(failed)?.take(self.read_from);
        let mut buffer = vec![0; 64 * 1024];
        let mut lines = 0;
        loop {
            let length = before.read(&mut buffer).map_err(failed)?;
            if length == 0 {
                return Ok(lines);
            }
            lines += memchr_iter(b'\n', &buffer[..length]).count() as u64;
        }
    }

    fn unfinished(&self) -> &'static str {
        " (the file ends within this line: if it was still being written, write it elsewhere and rename it into place)"
    }
}
