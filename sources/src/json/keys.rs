//! Finds the column of a key, mostly by a guess: lines of one file tend to have the same keys in the same order, written in
//! the same way. So what stands between two values, `,"key":`, is compared as a whole with that of the line before.
#![expect(
    clippy::inline_always,
    reason = "one loop over the line, whose place stays in a register: half as fast otherwise"
)]

use std::borrow::Cow;

use arrow::datatypes::Fields;

use super::cursor::Cursor;
use crate::records::Problem;

/// How far ahead of the expected key others are tried: as many keys may be left out of a line without a look-up.
const LOOK_AHEAD: usize = 4;

/// Remembers no longer lines than this, so that hostile input cannot fill the memory.
const MOST_GUESSES: usize = 4096;

/// The columns by name, and the keys of the line before.
#[derive(Debug)]
pub(crate) struct Keys {
    by_name: Vec<(Box<str>, usize)>,
    guesses: Vec<Guess>,
}

/// The text before a value of the line before: from the bracket or comma to the value.
#[derive(Debug)]
struct Guess {
    text: Box<[u8]>,
    /// The same, eight bytes at a time, with the bits of each that count.
    words: Box<[(u64, u64)]>,
    column: Option<usize>,
}

impl Guess {
    fn new(text: &[u8], column: Option<usize>) -> Self {
        let word = |chunk: &[u8]| {
            let mut bytes = [0; 8];
            let mut mask = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            mask[..chunk.len()].fill(0xFF);
            (u64::from_le_bytes(bytes), u64::from_le_bytes(mask))
        };
        Self { text: text.into(), words: text.chunks(8).map(word).collect(), column }
    }

    /// Whether `rest` begins with the text.
    #[inline(always)]
    fn fits(&self, rest: &[u8]) -> bool {
        let (chunks, _) = rest.as_chunks::<8>();
        let Some(chunks) = chunks.get(..self.words.len()) else { return rest.starts_with(&self.text) };
        self.words.iter().zip(chunks).all(|((word, mask), chunk)| (u64::from_le_bytes(*chunk) ^ word) & mask == 0)
    }
}

/// A key that was read.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// Its column; `None` when the schema has no such column.
    pub(crate) column: Option<usize>,
    /// Where in the remembered order the next key is expected.
    pub(crate) next: usize,
}

impl Keys {
    pub(crate) fn new(fields: &Fields) -> Self {
        let mut by_name: Vec<_> =
            fields.iter().enumerate().map(|(index, field)| (field.name().as_str().into(), index)).collect();
        by_name.sort();
        Self { by_name, guesses: Vec::new() }
    }

    /// Moves to the next value if the text up to it is as it was in the line before. `expected` is the `next` of the key
    /// before; 0 at the object's opening bracket.
    #[inline(always)]
    pub(crate) fn guess(&self, cursor: &mut Cursor<'_>, expected: usize) -> Option<Found> {
        let guess = self.guesses.get(expected).filter(|guess| guess.fits(cursor.rest()))?;
        cursor.step(guess.text.len());
        Some(Found { column: guess.column, next: expected + 1 })
    }

    /// Moves to the next value the slow way; `None` at the end of the object.
    #[inline(never)]
    pub(crate) fn look_up(&mut self, cursor: &mut Cursor<'_>, expected: usize) -> Result<Option<Found>, Problem> {
        for ahead in expected + 1..=expected + LOOK_AHEAD {
            if expected > 0
                && let Some(found) = self.guess(cursor, ahead)
            {
                return Ok(Some(found));
            }
        }
        let start = cursor.at();
        if expected == 0 {
            cursor.step(1);
            cursor.skip_blank();
            if cursor.accept(b'}') {
                return Ok(None);
            }
        } else if !cursor.more(b'}')? {
            return Ok(None);
        }
        if !cursor.accept(b'"') {
            return Err(cursor.expected("a key in double quotes"));
        }
        let key = cursor.string()?;
        cursor.colon()?;
        let place = self.by_name.binary_search_by(|(name, _)| name.as_bytes().cmp(&key));
        let column = place.ok().map(|place| self.by_name[place].1);
        // A key written with escapes may be written otherwise in the next line.
        if matches!(key, Cow::Borrowed(_)) && expected < MOST_GUESSES {
            let guess = Guess::new(cursor.since(start), column);
            match self.guesses.get_mut(expected) {
                Some(old) => *old = guess,
                None => self.guesses.push(guess),
            }
        }
        Ok(Some(Found { column, next: expected + 1 }))
    }
}
