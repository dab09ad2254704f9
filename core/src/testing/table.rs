//! Rows as tests see them: a table that reads as it is written.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};

use super::cell::Cell;
use super::columns::cells_of;
use super::compare::{CellRow, Difference, compare};
use super::error::{Result, TestError};
use super::given::Given;
use super::text::{Marked, write_rows};
use crate::row::{Of, Row, rows_of};
use crate::stream::column_names;

/// The most rows of a table that a message shows.
const MOST_ROWS: usize = 50;

/// Rows with their columns. Shown, it is the text that a test may write for it:
///
/// ```
/// use watershed_core::testing::Table;
///
/// let text = "\
/// | user |    n | at                   |
/// | ann  |    1 | 2015-02-24T10:00:00Z |
/// | bob  | null | 2015-02-24T10:00:05Z |
/// ";
/// let table = Table::of("user STRING, n BIGINT, at TIMESTAMP", text)?;
/// assert_eq!(table.to_string(), text);
/// # Ok::<_, watershed_core::testing::TestError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Table(RecordBatch);

impl Table {
    /// The rows of batches that have this schema.
    pub fn new(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self> {
        match batches {
            [one] => Ok(Self(one.clone().with_schema(Arc::clone(schema)).map_err(crate::error::Error::from)?)),
            several => Ok(Self(concat_batches(schema, several).map_err(crate::error::Error::from)?)),
        }
    }

    /// Rows with columns in the words of [DDL](crate::schema::parse_ddl).
    pub fn of(ddl: &str, rows: impl Into<Given>) -> Result<Self> {
        let schema = crate::schema::parse_ddl(ddl).map_err(|fault| TestError::Faults(vec![fault]))?;
        rows.into().table(&schema)
    }

    /// The rows as one batch.
    pub fn batch(&self) -> &RecordBatch {
        &self.0
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Only these columns, in this order.
    pub fn select(&self, columns: &[&str]) -> Result<Self> {
        let schema = self.schema();
        let place = |name: &&str| {
            let found = schema.index_of(name).ok();
            found.ok_or_else(|| unknown("column", name, column_names(&schema)))
        };
        let places = columns.iter().map(place).collect::<Result<Vec<_>>>()?;
        Ok(Self(self.0.project(&places).map_err(crate::error::Error::from)?))
    }

    /// The rows as Rust values, which may borrow from the table.
    pub fn rows<R: Row>(&self) -> Result<Vec<Of<'_, R>>> {
        Ok(rows_of::<R>(&self.0)?.collect())
    }

    /// The rows as cells.
    pub fn cells(&self) -> Vec<CellRow> {
        cells_of(std::slice::from_ref(&self.0)).unwrap_or_else(|error| {
            // Only types that Arrow itself cannot show come here.
            vec![vec![Cell::Other(error.to_string()); self.0.num_columns()]; self.len()]
        })
    }

    /// How the rows differ from what they should be, in words and as tables; nothing when they do not. In any order unless
    /// `ordered`.
    pub fn difference(&self, expected: impl Into<Given>, ordered: bool) -> Result<Option<String>> {
        let schema = self.schema();
        let expected = expected.into().expected(&schema)?;
        let seen = self.cells();
        Ok(compare(&schema, &expected, &seen, ordered).map(|difference| told(&schema, &expected, &seen, &difference)))
    }
}

/// The difference for people, with the marks of `diff`: `-` should have come and did not, `+` came and should not have.
pub(super) fn told(schema: &Schema, expected: &[CellRow], seen: &[CellRow], difference: &Difference) -> String {
    let marked = |mark: &'static str, rows: &[CellRow]| -> Vec<Marked> {
        rows.iter().map(|row| Marked { mark, row: row.clone() }).collect()
    };
    let mut text = String::new();
    let head = match difference {
        Difference::Rows { missing, surplus } => {
            let rows = [marked("-", missing), marked("+", surplus)].concat();
            write_rows(&mut text, schema, &rows, MOST_ROWS);
            format!("{} missing (-), {} surplus (+)", counted(missing.len()), counted(surplus.len()))
        }
        Difference::Order { at } => {
            let row = |rows: &[CellRow]| rows.get(*at).cloned().into_iter().collect::<Vec<_>>();
            write_rows(&mut text, schema, &[marked("-", &row(expected)), marked("+", &row(seen))].concat(), MOST_ROWS);
            format!("the right rows in the wrong order, from row {} on", at + 1)
        }
    };
    let mut all = String::new();
    write_rows(&mut all, schema, &marked("", seen), MOST_ROWS);
    format!("{head}\n{text}all {} seen:\n{all}", counted(seen.len()))
}

pub(super) fn counted(rows: usize) -> String {
    format!("{rows} row{}", if rows == 1 { "" } else { "s" })
}

/// What a test names is not there.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> TestError {
    TestError::Given(format!("there is no {what} `{name}`; known: {}", crate::fault::listed(known)))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Marked> = self.cells().into_iter().map(|row| Marked { mark: "", row }).collect();
        let mut text = String::new();
        write_rows(&mut text, &self.schema(), &rows, usize::MAX);
        f.write_str(&text)
    }
}

/// As the table itself, so that a failed assertion can be read.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl From<RecordBatch> for Table {
    fn from(batch: RecordBatch) -> Self {
        Self(batch)
    }
}

/// What [`assert_table!`](crate::assert_table) can look at.
pub trait AsTable {
    /// The rows.
    fn as_table(&self) -> Result<Table>;
}

impl AsTable for Table {
    fn as_table(&self) -> Result<Table> {
        Ok(self.clone())
    }
}

impl AsTable for RecordBatch {
    fn as_table(&self) -> Result<Table> {
        Ok(Table(self.clone()))
    }
}

/// Batches of one schema; of none, nothing is known but that there are no rows.
impl AsTable for [RecordBatch] {
    fn as_table(&self) -> Result<Table> {
        let schema = self.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
        Table::new(&schema, self)
    }
}

impl AsTable for Vec<RecordBatch> {
    fn as_table(&self) -> Result<Table> {
        self.as_slice().as_table()
    }
}

impl<T: AsTable + ?Sized> AsTable for &T {
    fn as_table(&self) -> Result<Table> {
        (**self).as_table()
    }
}
