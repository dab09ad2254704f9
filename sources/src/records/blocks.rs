//! Reads a byte stream in blocks that hold whole records.

use std::io::{self, ErrorKind, Read};

use super::Framing;

/// How much is read at once: large enough for the system, small enough to stay in the cache until it is decoded.
const BLOCK: usize = 256 * 1024;

/// The longest record. More than that without an end is not the format it is said to be.
const LONGEST_RECORD: usize = 64 * 1024 * 1024;

/// What may go wrong between the system and the decoder.
#[derive(Debug)]
pub(crate) enum BlockError {
    /// The bytes could not be read.
    Io(io::Error),
    /// No record ends within so many bytes.
    TooLong(usize),
}

/// A reader of whole records.
pub(crate) struct Blocks<R> {
    reader: R,
    framing: Framing,
    buffer: Vec<u8>,
    filled: usize,
    handed_out: usize,
    at_end: bool,
    longest: usize,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(reader: R, framing: Framing) -> Self {
        Self::with_sizes(reader, framing, BLOCK, LONGEST_RECORD)
    }

    fn with_sizes(reader: R, framing: Framing, block: usize, longest: usize) -> Self {
        Self { reader, framing, buffer: vec![0; block], filled: 0, handed_out: 0, at_end: false, longest }
    }

    /// The next records; `None` at the end. Only the last record of the last block may lack its newline.
    pub(crate) fn next_block(&mut self) -> Result<Option<&[u8]>, BlockError> {
        self.buffer.copy_within(self.handed_out..self.filled, 0);
        self.filled -= self.handed_out;
        self.handed_out = 0;
        // What is left over from the last block holds no whole record, unless a record was cut short (see below).
        let mut new_from = 0;
        while self.handed_out == 0 {
            if self.at_end && self.filled == 0 {
                return Ok(None);
            }
            if self.filled == self.buffer.len() {
                if self.filled >= self.longest {
                    // A quote that is never closed, most likely: its line is handed out alone, and what follows has a chance.
                    let line =
                        Framing::first_line(&self.buffer[..self.filled]).filter(|_| self.framing != Framing::Lines);
                    self.handed_out = line.ok_or(BlockError::TooLong(self.longest))?;
                    break;
                }
                self.buffer.resize((2 * self.filled).min(self.longest), 0);
            }
            if !self.at_end {
                let read = match self.reader.read(&mut self.buffer[self.filled..]) {
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(BlockError::Io(error)),
                };
                self.at_end = read == 0;
                self.filled += read;
            }
            self.handed_out = self.framing.whole(&self.buffer[..self.filled], new_from, self.at_end);
            new_from = self.filled;
        }
        Ok(Some(&self.buffer[..self.handed_out]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives out a few bytes at a time, as a pipe does.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(self.1).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    const CSV: Framing = Framing::Quoted { delimiter: b',', quote: b'"' };

    fn records_of(text: &[u8], framing: Framing, step: usize, block: usize) -> Vec<Vec<u8>> {
        let mut blocks = Blocks::with_sizes(Trickle(text, step), framing, block, 1 << 20);
        let mut records = Vec::new();
        while let Some(mut rest) = blocks.next_block().expect("short records") {
            while !rest.is_empty() {
                let (record, after) = rest.split_at(framing.record(rest));
                records.push(record.to_vec());
                rest = after;
            }
        }
        records
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_how_the_bytes_arrive(
            text in proptest::collection::vec(proptest::sample::select(b"ab,\"\n".to_vec()), 0..80),
            step in 1_usize..20,
            block in 1_usize..16,
            quoted in any::<bool>(),
        ) {
            let framing = if quoted { CSV } else { Framing::Lines };
            let whole = records_of(&text, framing, 1 << 20, 1 << 20);
            prop_assert_eq!(whole.concat(), text.clone());
            prop_assert_eq!(records_of(&text, framing, step, block), whole);
        }
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        let mut blocks = Blocks::with_sizes(Trickle(&[b'x'; 100], 7), Framing::Lines, 4, 64);
        assert!(matches!(blocks.next_block(), Err(BlockError::TooLong(64))));
    }

    #[test]
    fn an_unclosed_quote_in_a_long_file_does_not_swallow_the_rest() {
        let text = format!("a,\"b\n{}", "c,d\n".repeat(50));
        let mut blocks = Blocks::with_sizes(Trickle(text.as_bytes(), 7), CSV, 4, 64);
        assert_eq!(blocks.next_block().expect("a block"), Some(b"a,\"b\n".as_slice()));
        let mut lines = 0;
        while let Some(block) = blocks.next_block().expect("a block") {
            lines += memchr::memchr_iter(b'\n', block).count();
        }
        assert_eq!(lines, 50);
    }
}
