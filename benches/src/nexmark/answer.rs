//! Answers of both sides as lines of text, to be compared.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use watershed::core::stream::{Mode, Stream};

use super::rows::{Auction, Bid};
use crate::Failure;

/// The rows that a plain loop gives.
pub(crate) trait Answer {
    /// How many there are.
    fn rows(&self) -> usize;

    /// Each as a line; their order means nothing.
    fn lines(&self) -> Vec<String>;
}

impl<R: Cells> Answer for Vec<R> {
    fn rows(&self) -> usize {
        self.len()
    }

    fn lines(&self) -> Vec<String> {
        let line = |row: &R| {
            let mut line = String::new();
            row.write(&mut line);
            line
        };
        self.iter().map(line).collect()
    }
}

/// A row, or columns of one.
pub(crate) trait Cells {
    /// Appends the columns to a line.
    fn write(&self, line: &mut String);
}

fn cell(line: &mut String, value: impl Display) {
    write!(line, "{value} | ").expect("writing to memory cannot fail");
}

impl Cells for i64 {
    fn write(&self, line: &mut String) {
        cell(line, self);
    }
}

impl Cells for &str {
    fn write(&self, line: &mut String) {
        cell(line, self);
    }
}

impl Cells for String {
    fn write(&self, line: &mut String) {
        cell(line, self);
    }
}

/// A decimal number with three places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thousandths(pub(crate) i64);

impl Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

impl Cells for Thousandths {
    fn write(&self, line: &mut String) {
        cell(line, self);
    }
}

impl Cells for Bid<&str> {
    fn write(&self, line: &mut String) {
        let Self { auction, bidder, price, channel, url, date_time, extra } = *self;
        (auction, bidder, price, channel, url, date_time, extra).write(line);
    }
}

impl Cells for Auction<&str> {
    fn write(&self, line: &mut String) {
        let Self { id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra } =
            *self;
        ((id, item_name, description, initial_bid, reserve), (date_time, expires, seller, category, extra)).write(line);
    }
}

impl<R: Cells, const N: usize> Cells for [R; N] {
    fn write(&self, line: &mut String) {
        for cells in self {
            cells.write(line);
        }
    }
}

macro_rules! tuples_of_cells {
    ($(($($name:ident)+))+) => {$(
        impl<$($name: Cells),+> Cells for ($($name,)+) {
            #[expect(non_snake_case, reason = "a type and its value share a name")]
            fn write(&self, line: &mut String) {
                let ($($name,)+) = self;
                $($name.write(line);)+
            }
        }
    )+};
}

tuples_of_cells!((A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G));

/// What the batches that came to a sink amount to, in the words of [`Answer::lines`]: where rows replace others, the last of each key,
/// and where epochs replace each other, the last.
pub(crate) fn lines_of(batches: &[RecordBatch], input: &Stream) -> Result<Vec<String>, Failure> {
    match &input.mode {
        Mode::Append => {
            let lines = batches.iter().map(|batch| rows_of(batch, &all_columns(batch)));
            Ok(lines.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Mode::Update(keys) => {
            let mut latest = BTreeMap::new();
            for batch in batches {
                let keys = keys.iter().map(|key| batch.schema().index_of(key)).collect::<Result<Vec<_>, _>>()?;
                latest.extend(rows_of(batch, &keys)?.into_iter().zip(rows_of(batch, &all_columns(batch))?));
            }
            Ok(latest.into_values().collect())
        }
        Mode::Complete(_) => Err(Failure::Differs("a complete result is not compared".to_owned())),
    }
}

fn all_columns(batch: &RecordBatch) -> Vec<usize> {
    (0..batch.num_columns()).collect()
}

fn rows_of(batch: &RecordBatch, columns: &[usize]) -> Result<Vec<String>, Failure> {
    let mut lines = vec![String::new(); batch.num_rows()];
    let options = FormatOptions::new().with_null("null");
    for &column in columns {
        let mut values = Arc::clone(batch.column(column));
        if matches!(values.data_type(), DataType::Timestamp(..)) {
            values = cast(&values, &DataType::Int64)?;
        }
        let values = ArrayFormatter::try_new(&values, &options)?;
        lines.iter_mut().enumerate().for_each(|(row, line)| cell(line, values.value(row)));
    }
    Ok(lines)
}

/// Whether the same lines stand on both sides, each as often.
pub(crate) fn agree(query: &str, mut plain: Vec<String>, mut graph: Vec<String>) -> Result<(), Failure> {
    plain.sort_unstable();
    graph.sort_unstable();
    if plain == graph {
        return Ok(());
    }
    let place = plain.iter().zip(&graph).take_while(|(plain, graph)| plain == graph).count();
    let at = |lines: &[String]| lines.get(place).map_or_else(|| "nothing more".to_owned(), |line| format!("`{line}`"));
    Err(Failure::Differs(format!(
        "{query}: the loop gave {} rows, the graph {}; in order, number {place} is {} and {}",
        plain.len(),
        graph.len(),
        at(&plain),
        at(&graph)
    )))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn batch(rows: &[(i64, Option<&str>)]) -> RecordBatch {
        let numbers = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
        let texts: StringArray = rows.iter().map(|row| row.1).collect();
        RecordBatch::try_from_iter([("number", Arc::new(numbers) as _), ("text", Arc::new(texts) as _)]).unwrap()
    }

    fn lines(batches: &[RecordBatch], mode: Mode) -> Vec<String> {
        let stream = Stream { mode, ..Stream::of(batches[0].schema()) };
        lines_of(batches, &stream).unwrap()
    }

    #[test]
    fn rows_of_both_sides_become_the_same_lines() {
        let batches = [batch(&[(1, Some("a")), (2, None)]), batch(&[(1, Some("b"))])];
        let all = lines(&batches, Mode::Append);
        assert_eq!(all, ["1 | a | ", "2 | null | ", "1 | b | "]);
        assert_eq!(vec![(1_i64, "a"), (2, "null"), (1, "b")].lines(), all);
        assert_eq!(lines(&batches, Mode::Update(vec!["number".to_owned()])), ["1 | b | ", "2 | null | "]);
        assert_eq!(vec![[Thousandths(12_034), Thousandths(5)]].lines(), ["12.034 | 0.005 | "]);
    }

    #[test]
    fn a_row_too_many_or_another_is_no_agreement() {
        let lines = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert!(agree("q0", lines(&["a", "b"]), lines(&["b", "a"])).is_ok());
        for other in [&["a"][..], &["a", "b", "b"], &["a", "c"]] {
            assert!(agree("q0", lines(&["a", "b"]), lines(other)).is_err(), "{other:?}");
        }
    }
}
