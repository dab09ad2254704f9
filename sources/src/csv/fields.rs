//! The fields of one CSV record.

use memchr::memchr;

use super::Dialect;

/// A field, its quotes taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) quoted: bool,
    /// Where in the record it begins.
    pub(crate) at: usize,
}

/// A record that cannot be cut into fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldError {
    /// The quote at this byte is never closed.
    Unclosed(usize),
    /// Text goes on behind a closing quote, at this byte.
    AfterQuote(usize),
}

/// Cuts a record without its newline into fields. Not an iterator: a field with doubled quotes lies in `scratch`.
pub(crate) struct Fields<'a> {
    record: &'a [u8],
    /// Where the next field begins; beyond the record when there is none.
    at: usize,
    delimiter: u8,
    quote: u8,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(record: &'a [u8], dialect: &Dialect) -> Self {
        Self { record, at: 0, delimiter: dialect.delimiter, quote: dialect.quote }
    }

    /// The next field; `None` when there is none.
    #[inline]
    pub(crate) fn next<'b>(&mut self, scratch: &'b mut Vec<u8>) -> Result<Option<Field<'b>>, FieldError>
    where
        'a: 'b,
    {
        let at = self.at;
        let Some(rest) = self.record.get(at..) else { return Ok(None) };
        if rest.first() == Some(&self.quote) {
            return self.quoted(scratch).map(Some);
        }
        let length = memchr(self.delimiter, rest).unwrap_or(rest.len());
        self.at += length + 1;
        Ok(Some(Field { text: &rest[..length], quoted: false, at }))
    }

    fn quoted<'b>(&mut self, scratch: &'b mut Vec<u8>) -> Result<Field<'b>, FieldError>
    where
        'a: 'b,
    {
        let at = self.at;
        let start = at + 1;
        let mut from = start;
        let mut copied = false;
        scratch.clear();
        loop {
            let Some(length) = memchr(self.quote, &self.record[from..]) else { return Err(FieldError::Unclosed(at)) };
            let quote = from + length;
            match self.record.get(quote + 1) {
                Some(next) if *next == self.quote => {
                    scratch.extend_from_slice(&self.record[from..=quote]);
                    copied = true;
                    from = quote + 2;
                }
                Some(next) if *next != self.delimiter => return Err(FieldError::AfterQuote(quote + 1)),
                _ => {
                    self.at = quote + 2;
                    if !copied {
                        return Ok(Field { text: &self.record[start..quote], quoted: true, at });
                    }
                    scratch.extend_from_slice(&self.record[from..quote]);
                    return Ok(Field { text: scratch, quoted: true, at });
                }
            }
        }
    }
}
