//! Answers of both sides in one form, to be compared.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};

use crate::Failure;

/// Counts by the end of the window (0 without windows; of pairs, by the time of the left row) and the user (empty without
/// users).
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer(BTreeMap<i64, BTreeMap<String, Cell>>);

/// A row of an answer, less its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) count: i64,
    /// The sum of `x`; 0 where it is not asked for.
    pub(crate) sum: f64,
}

impl Answer {
    /// Adds to what is known of a window and user.
    pub(crate) fn add(&mut self, end: i64, user: &str, cell: Cell) {
        let cells = self.0.entry(end).or_default();
        // A look before the insertion saves making a string of most names.
        if let Some(mine) = cells.get_mut(user) {
            mine.count += cell.count;
            mine.sum += cell.sum;
        } else {
            cells.insert(user.to_owned(), cell);
        }
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Takes rows that came out of a graph; where a key is there already, the row replaces it.
    pub(crate) fn replace(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let column = |name| batch.column_by_name(name);
        if let Some(squares) = column("square").map(AsArray::as_primitive::<Float64Type>) {
            self.add(0, "", Cell { count: squares.len() as i64, sum: squares.values().iter().sum() });
            return Ok(());
        }
        let users = column("User").map(AsArray::as_string::<i32>);
        if let (Some(others), Some(times), Some(users)) = (column("other"), column("at"), users) {
            let times = times.as_primitive::<TimestampMicrosecondType>().values();
            for (row, (&other, &time)) in others.as_primitive::<Float64Type>().values().iter().zip(times).enumerate() {
                self.add(time, users.value(row), Cell { count: 1, sum: other });
            }
            return Ok(());
        }
        let ends = column("window_end").map(AsArray::as_primitive::<TimestampMicrosecondType>);
        let sums = column("sum").map(AsArray::as_primitive::<Float64Type>);
        let means = column("mean").map(AsArray::as_primitive::<Float64Type>);
        let counts = column("count").map(AsArray::as_primitive::<Int64Type>);
        let counts = counts.ok_or_else(|| Failure::Differs("the graph gave no column `count`".to_owned()))?;
        for row in 0..batch.num_rows() {
            let cell = Cell { count: counts.value(row), sum: sums.map_or(0.0, |sums| sums.value(row)) };
            if let Some(means) = means
                && !close(means.value(row), cell.sum / cell.count as f64)
            {
                return Err(Failure::Differs(format!("an average of {} is no {cell:?}", means.value(row))));
            }
            let user = users.map_or("", |users| users.value(row));
            self.0.entry(ends.map_or(0, |ends| ends.value(row))).or_default().insert(user.to_owned(), cell);
        }
        Ok(())
    }

    /// Whether two answers agree; sums may differ by what the order of adding makes of them.
    pub(crate) fn agrees_with(&self, other: &Self) -> Result<(), Failure> {
        let flat = |answer: &Self| -> Vec<(i64, String, Cell)> {
            let rows = answer
                .0
                .iter()
                .flat_map(|(end, cells)| cells.iter().map(move |(user, cell)| (*end, user.clone(), *cell)));
            rows.collect()
        };
        let (mine, theirs) = (flat(self), flat(other));
        if mine.len() != theirs.len() {
            return Err(Failure::Differs(format!("the loop gave {} rows, the graph {}", mine.len(), theirs.len())));
        }
        for (mine, theirs) in mine.iter().zip(&theirs) {
            let same = (mine.0, &mine.1, mine.2.count) == (theirs.0, &theirs.1, theirs.2.count);
            if !same || !close(mine.2.sum, theirs.2.sum) {
                return Err(Failure::Differs(format!("the loop gave {mine:?}, the graph {theirs:?}")));
            }
        }
        Ok(())
    }
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * (1.0 + one.abs().max(other.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_agree_when_keys_and_counts_are_equal_and_sums_nearly_so() {
        let answer = |end, user, count, sum| {
            let mut answer = Answer::default();
            answer.add(end, user, Cell { count, sum });
            answer
        };
        let mine = answer(60, "a", 2, 1e9);
        assert!(mine.agrees_with(&answer(60, "a", 2, 1e9 + 0.1)).is_ok());
        for other in
            [answer(61, "a", 2, 1e9), answer(60, "b", 2, 1e9), answer(60, "a", 3, 1e9), answer(60, "a", 2, 2e9)]
        {
            assert!(mine.agrees_with(&other).is_err(), "{other:?}");
        }
        assert!(mine.agrees_with(&Answer::default()).is_err());
    }
}
