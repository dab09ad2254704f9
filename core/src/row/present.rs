//! Which rows of a column have to have a value: a null below a null struct or list is nobody's, and a slice of a list column sees
//! some of its elements only.

use std::ops::Range;

use arrow::array::Array;
use arrow::buffer::{BooleanBuffer, NullBuffer};

/// The rows of a column that something above them makes count.
#[derive(Clone, Debug)]
pub struct Present {
    rows: Range<usize>,
    /// One bit for each of `rows`; none where all count.
    counts: Option<BooleanBuffer>,
}

impl Present {
    /// All of so many rows.
    pub fn all(rows: usize) -> Self {
        Self { rows: 0..rows, counts: None }
    }

    /// Those of the rows that are not null, of a column with these nulls.
    pub(super) fn not_null(&self, nulls: Option<&NullBuffer>) -> Self {
        let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return self.clone() };
        let valid = nulls.inner().slice(self.rows.start, self.rows.len());
        let counts = self.counts.as_ref().map_or_else(|| valid.clone(), |counts| counts & &valid);
        Self { rows: self.rows.clone(), counts: Some(counts) }
    }

    /// The elements of the lists in these rows.
    pub(super) fn elements(&self, offsets: &[i32]) -> Self {
        let at = |row: usize| offsets[row] as usize;
        let rows = at(self.rows.start)..at(self.rows.end);
        let of_counted = |counts: &BooleanBuffer| {
            let mut elements = Vec::with_capacity(rows.len());
            for (row, counts) in self.rows.clone().zip(counts) {
                elements.resize(elements.len() + at(row + 1) - at(row), counts);
            }
            BooleanBuffer::from(elements)
        };
        Self { counts: self.counts.as_ref().map(of_counted), rows }
    }

    /// Whether a row that counts is null.
    pub(super) fn has_null(&self, column: &dyn Array) -> bool {
        let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) else { return false };
        let valid = nulls.inner().slice(self.rows.start, self.rows.len());
        match &self.counts {
            None => valid.count_set_bits() < valid.len(),
            Some(counts) => (counts & &!&valid).count_set_bits() > 0,
        }
    }

    /// The rows that count.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let counts = |row: &usize| self.counts.as_ref().is_none_or(|counts| counts.value(row - self.rows.start));
        self.rows.clone().filter(counts)
    }
}
