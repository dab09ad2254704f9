//! Tables as text: a line per row, columns between `|`, names in the first line.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};

use super::cell::Cell;
use super::compare::CellRow;
use super::error::{Result, TestError};
use super::literal::{cell_of, pieces};
use super::table::unknown;
use crate::schema::type_to_ddl;
use crate::stream::column_names;

/// A row with a mark before it.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    pub(super) mark: &'static str,
    pub(super) row: CellRow,
}

/// Reads a table for these columns. A column that may be null can be left out; `required`: no other.
pub(super) fn read_rows(text: &str, schema: &Schema, required: bool) -> Result<Vec<CellRow>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_rule(line));
    let Some(head) = lines.next() else { return Ok(Vec::new()) };
    let names = cells(head);
    // By column of the schema, its place in the text.
    let mut places: Vec<Option<usize>> = vec![None; schema.fields().len()];
    for (at, name) in names.iter().enumerate() {
        let name = name.trim_matches('`');
        let Ok(index) = schema.index_of(name) else { return Err(unknown("column", name, column_names(schema))) };
        if places[index].replace(at).is_some() {
            return Err(TestError::Given(format!("column `{name}` stands twice in `{head}`")));
        }
    }
    let left_out =
        |(field, place): &(&Arc<Field>, &Option<usize>)| place.is_none() && (required || !field.is_nullable());
    let left_out: Vec<&str> =
        schema.fields().iter().zip(&places).filter(left_out).map(|(field, _)| field.name().as_str()).collect();
    if !left_out.is_empty() {
        let message = format!("the table has no column {}: its first line is `{head}`", crate::fault::listed(left_out));
        return Err(TestError::Given(message));
    }
    let row = |line: &str| -> Result<CellRow> {
        let texts = cells(line);
        if texts.len() != names.len() {
            let message = format!("cells in `{line}`: {}, and in the head `{head}`: {}", texts.len(), names.len());
            return Err(TestError::Given(message));
        }
        let cell = |(field, place): (&Arc<Field>, &Option<usize>)| {
            let Some(place) = place else { return Ok(Cell::Null) };
            let cell = cell_of(texts[*place], field.data_type());
            let at = |said| TestError::Given(format!("column `{}` in `{line}`: {said}", field.name()));
            let cell = cell.map_err(at)?;
            if cell == Cell::Null && !field.is_nullable() && !required {
                return Err(at(format!("the column is {} NOT NULL", type_to_ddl(field.data_type()))));
            }
            Ok(cell)
        };
        schema.fields().iter().zip(&places).map(cell).collect()
    };
    lines.map(row).collect()
}

fn cells(line: &str) -> Vec<&str> {
    let line = line.strip_prefix('|').unwrap_or(line);
    pieces(line.strip_suffix('|').unwrap_or(line), '|')
}

/// A line as Markdown has it below the names.
fn is_rule(line: &str) -> bool {
    line.starts_with(['|', '-']) && line.contains("--") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// Writes rows below the names of their columns, at most so many; of the rest it says how many there are.
pub(super) fn write_rows(out: &mut String, schema: &Schema, rows: &[Marked], most: usize) {
    let shown: Vec<Vec<String>> =
        rows.iter().take(most).map(|row| row.row.iter().map(ToString::to_string).collect()).collect();
    let widths = schema.fields().iter().enumerate().map(|(column, field)| {
        let cells = shown.iter().map(|row| row[column].chars().count());
        cells.chain([field.name().chars().count()]).max().unwrap_or(0)
    });
    let widths: Vec<usize> = widths.collect();
    let marks = rows.iter().any(|row| !row.mark.is_empty());
    let mut line = |mark: &str, cells: &[String]| {
        if marks {
            write!(out, "{mark:1} ").expect(INFALLIBLE);
        }
        for ((cell, width), field) in cells.iter().zip(&widths).zip(schema.fields()) {
            if field.data_type().is_numeric() {
                write!(out, "| {cell:>width$} ").expect(INFALLIBLE);
            } else {
                write!(out, "| {cell:width$} ").expect(INFALLIBLE);
            }
        }
        out.push_str("|\n");
    };
    line("", &schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
    for (row, cells) in rows.iter().zip(&shown) {
        line(row.mark, cells);
    }
    if rows.len() > most {
        writeln!(out, "… {} more rows", rows.len() - most).expect(INFALLIBLE);
    }
}

/// Why writing to a string does.
const INFALLIBLE: &str = "writing to a string cannot fail";
