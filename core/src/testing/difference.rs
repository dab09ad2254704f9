//! How two runs that should give the same answer differ.

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};

use super::compare::CellRow;
use super::text::{Marked, write_rows};
use super::way::Way;
use crate::epoch::Epoch;
use crate::stream::column_names;

/// The first place at which the output of an epoch that was run again is not what it was.
#[derive(Clone, Debug)]
pub struct Diverged {
    /// The epoch.
    pub epoch: Epoch,
    /// The sink, or the operator's output port.
    pub output: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The row as it was the first time; `None` if there was none.
    pub first: Option<CellRow>,
    /// The row as it was the second time.
    pub again: Option<CellRow>,
}

impl Diverged {
    /// Both rows: `-` as it was, `+` as it is.
    pub(super) fn table(&self) -> String {
        let mut table = "from one row on\n".to_owned();
        let field = |name: &String| Field::new(name, DataType::Utf8, true);
        let schema = Schema::new(self.columns.iter().map(field).collect::<Vec<_>>());
        let marked = |mark, row: &Option<CellRow>| row.clone().map(|row| Marked { mark, row });
        let rows: Vec<Marked> = [marked("-", &self.first), marked("+", &self.again)].into_iter().flatten().collect();
        write_rows(&mut table, &schema, &rows, rows.len());
        table
    }
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, output, .. } = self;
        let said = format!("epoch {epoch} was run again after a crash, and `{output}` is not what it was");
        write!(f, "{said}: {}", self.table())
    }
}

/// The first row at which two outputs part, the columns with it: to the bit and in order.
pub(super) fn diverged(
    epoch: Epoch,
    output: &str,
    schema: &Schema,
    there: &[CellRow],
    here: &[CellRow],
) -> Option<Diverged> {
    let at = first_difference(there, here)?;
    let columns = column_names(schema).map(str::to_owned).collect();
    let (first, again) = (there.get(at).cloned(), here.get(at).cloned());
    Some(Diverged { epoch, output: output.to_owned(), columns, first, again })
}

/// The first place at which rows are not the same to the bit.
pub fn first_difference(there: &[CellRow], here: &[CellRow]) -> Option<usize> {
    (0..here.len().max(there.len())).find(|&row| !is_same(here.get(row), there.get(row)))
}

fn is_same(here: Option<&CellRow>, there: Option<&CellRow>) -> bool {
    // `NaN` is not equal to itself, but it looks the same.
    here == there || format!("{here:?}") == format!("{there:?}")
}

/// How an answer differs from that of another way of running the same.
#[derive(Clone, Debug)]
pub struct NotTheSame {
    /// Which of the feeds it was, from 0.
    pub feed: usize,
    /// The way whose answer it should be.
    pub reference: Way,
    /// The way that gave another one.
    pub way: Way,
    /// How the feed was cut into epochs, where that is not as it was given.
    pub cut: Option<&'static str>,
    /// What is not the same: an output in an epoch, a table of state, a count.
    pub what: String,
    /// How: `-` as it should be, `+` as it is.
    pub difference: String,
}

impl fmt::Display for NotTheSame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { feed, reference, way, cut, what, difference } = self;
        match cut {
            None => write!(f, "{what} is not the same with {way} as with {reference}")?,
            Some(cut) => write!(f, "{what} is not the same with {cut}")?,
        }
        write!(f, " (feed {feed}): {difference}")
    }
}
