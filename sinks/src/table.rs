//! Rows as a table for people: what `Console` prints, and the command wherever it shows rows.
//!
//! Instants read `2015-02-24T10:00:00Z`, a null reads `null`, lists `[a, b]` and structs `{name: a, n: 1}`. Control
//! characters are shown escaped, so a value can neither break the table nor speak to the terminal.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
//! use watershed_sinks::table::{TableStyle, render};
//!
//! let users: ArrayRef = Arc::new(StringArray::from(vec!["ann", "bob", "cem"]));
//! let counts: ArrayRef = Arc::new(Int64Array::from(vec![3, 10, 1]));
//! let rows = RecordBatch::try_from_iter([("user", users), ("count", counts)])?;
//! let text = render(&rows.schema(), &[rows], &TableStyle { rows: 2, ..TableStyle::default() })?;
//! assert_eq!(text, "\
//! ┌──────┬───────┐
//! │ user │ count │
//! ╞══════╪═══════╡
//! │ ann  │     3 │
//! │ bob  │    10 │
//! └──────┴───────┘
//! … 1 more row
//! ");
//! # Ok::<_, watershed_core::error::Error>(())
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use watershed_core::error::Result;
use watershed_core::schema::TIMESTAMP;

use crate::text::TimeText;

/// How much of the rows is shown, and for what kind of reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableStyle {
    /// The most rows shown; the rest is counted in a line below.
    pub rows: usize,
    /// The most characters of a cell shown; `None` shows cells whole.
    pub cell_characters: Option<usize>,
    /// What the table is written to.
    pub look: Look,
}

impl Default for TableStyle {
    /// Everything, as plain text.
    fn default() -> Self {
        Self { rows: usize::MAX, cell_characters: None, look: Look::Plain }
    }
}

/// What a table is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A file, a pipe, a test: no colours, columns as wide as they need.
    Plain,
    /// A terminal: fitted to its width.
    Terminal {
        /// Whether headings are bold and nulls dim.
        colours: bool,
    },
}

impl Look {
    /// What suits standard output at present. Colours are off when `NO_COLOR` is set.
    pub fn of_standard_output() -> Self {
        if io::stdout().is_terminal() {
            let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            Self::Terminal { colours }
        } else {
            Self::Plain
        }
    }

    /// Whether text may be coloured.
    pub const fn has_colours(self) -> bool {
        matches!(self, Self::Terminal { colours: true })
    }
}

/// Draws rows as a table with the columns of `schema` as its heading, and a line end after the last line.
pub fn render(schema: &Schema, batches: &[RecordBatch], style: &TableStyle) -> Result<String> {
    let mut table = empty_table(schema, style.look);
    let mut room = style.rows;
    for batch in batches {
        for row in 0..batch.num_rows().min(room) {
            let cells = batch.columns().iter().map(|column| cell(column.as_ref(), row, style));
            table.add_row(cells.collect::<Result<Vec<Cell>, ArrowError>>()?);
            room -= 1;
        }
    }
    let mut text = if style.rows == 0 { String::new() } else { format!("{table}\n") };
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if let hidden @ 1.. = total.saturating_sub(style.rows) {
        let more = if style.rows == 0 { "" } else { "more " };
        writeln!(text, "… {hidden} {more}{}", if hidden == 1 { "row" } else { "rows" })
            .expect("writing to a string cannot fail");
    }
    Ok(text)
}

/// One value as a table shows it: on one line, whole.
pub fn value_text(column: &dyn Array, row: usize) -> Result<String> {
    let mut text = String::new();
    write_value(column, row, &mut text)?;
    Ok(text)
}

fn empty_table(schema: &Schema, look: Look) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_style(comfy_table::TableComponent::VerticalLines, '│');
    match look {
        Look::Plain => table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled),
        Look::Terminal { colours: true } => {
            table.enforce_styling().set_content_arrangement(ContentArrangement::Dynamic)
        }
        Look::Terminal { colours: false } => table.set_content_arrangement(ContentArrangement::Dynamic),
    };
    let heading = |field: &Field| {
        let name = Cell::new(without_control(field.name())).set_alignment(alignment(field.data_type()));
        if look.has_colours() { name.add_attribute(Attribute::Bold) } else { name }
    };
    table.set_header(schema.fields().iter().map(|field| heading(field)).collect::<Vec<_>>());
    table
}

fn cell(column: &dyn Array, row: usize, style: &TableStyle) -> Result<Cell, ArrowError> {
    let mut text = String::new();
    write_value(column, row, &mut text)?;
    let text = shortened(text, style.cell_characters);
    let cell = Cell::new_owned(text).set_alignment(alignment(column.data_type()));
    Ok(if style.look.has_colours() && column.is_null(row) { cell.add_attribute(Attribute::Dim) } else { cell })
}

fn alignment(data_type: &DataType) -> CellAlignment {
    if data_type.is_numeric() { CellAlignment::Right } else { CellAlignment::Left }
}

fn shortened(text: String, most: Option<usize>) -> String {
    let Some(most) = most else { return text };
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn without_control(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return text.into();
    }
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect::<String>().into()
}

fn write_value(column: &dyn Array, row: usize, out: &mut String) -> Result<(), ArrowError> {
    if column.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match column.data_type() {
        data_type if *data_type == TIMESTAMP => {
            out.push_str(TimeText::of_instant(column.as_primitive::<TimestampMicrosecondType>().value(row)).as_str());
        }
        DataType::Date32 => out.push_str(TimeText::of_date(column.as_primitive::<Date32Type>().value(row)).as_str()),
        DataType::Utf8 => out.push_str(&without_control(column.as_string::<i32>().value(row))),
        DataType::List(_) => write_list(column.as_list::<i32>().value(row).as_ref(), out)?,
        DataType::LargeList(_) => write_list(column.as_list::<i64>().value(row).as_ref(), out)?,
        DataType::FixedSizeList(..) => write_list(column.as_fixed_size_list().value(row).as_ref(), out)?,
        DataType::Struct(fields) => {
            out.push('{');
            for (index, (field, values)) in fields.iter().zip(column.as_struct().columns()).enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                out.push_str(&without_control(field.name()));
                out.push_str(": ");
                write_value(values.as_ref(), row, out)?;
            }
            out.push('}');
        }
        _ => {
            let options = FormatOptions::default().with_null("null");
            let text = ArrayFormatter::try_new(column, &options)?.value(row).try_to_string()?;
            out.push_str(&without_control(&text));
        }
    }
    Ok(())
}

fn write_list(items: &dyn Array, out: &mut String) -> Result<(), ArrowError> {
    out.push('[');
    for row in 0..items.len() {
        out.push_str(if row == 0 { "" } else { ", " });
        write_value(items, row, out)?;
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;
    use crate::testing::{counts, every_type};

    fn strings(values: &[Option<&str>]) -> RecordBatch {
        let column: StringArray = values.iter().copied().collect();
        RecordBatch::try_from_iter([("text", Arc::new(column) as ArrayRef)]).unwrap()
    }

    fn rendered(batches: &[RecordBatch], style: &TableStyle) -> String {
        render(&batches[0].schema(), batches, style).unwrap()
    }

    #[test]
    fn every_type_reads_as_people_write_it() {
        let rows = every_type();
        let texts = rows.columns().iter().map(|column| value_text(column, 0).unwrap());
        let nulls = rows.columns().iter().map(|column| value_text(column, 1).unwrap());
        assert_eq!(
            texts.collect::<Vec<_>>(),
            [
                "a \"b\",c",
                "-3",
                "1.5",
                "true",
                "2015-02-24",
                "2015-02-24T10:00:00Z",
                "12.34",
                "00ff",
                "[p, null]",
                "[2015-02-24T10:00:00.5Z]",
                "{since: 1970-01-01T00:00:00Z, n: 7}",
            ]
        );
        assert!(nulls.into_iter().all(|text| text == "null"));
    }

    #[test]
    fn the_limit_counts_over_all_batches_and_the_rest_is_told() {
        let batches = [counts(&[("a", 1), ("b", 22)]), counts(&[]), counts(&[("c", 3), ("d", 4), ("e", 5)])];
        let text = rendered(&batches, &TableStyle { rows: 3, ..TableStyle::default() });
        let expected = "\
┌──────┬───────┐
│ user │ count │
╞══════╪═══════╡
│ a    │     1 │
│ b    │    22 │
│ c    │     3 │
└──────┴───────┘
… 2 more rows
";
        assert_eq!(text, expected);
        assert_eq!(rendered(&batches, &TableStyle { rows: 0, ..TableStyle::default() }), "… 5 rows\n");
        assert!(!rendered(&batches, &TableStyle { rows: 5, ..TableStyle::default() }).contains('…'));
    }

    #[test]
    fn without_rows_the_heading_stands_alone() {
        let text = rendered(&[counts(&[])], &TableStyle::default());
        assert_eq!(text.lines().nth(1), Some("│ user │ count │"));
    }

    #[test]
    fn a_long_cell_is_cut_by_characters_and_says_so() {
        let rows = strings(&[Some("äöüß"), Some("äöüßx")]);
        let text = rendered(&[rows], &TableStyle { cell_characters: Some(4), ..TableStyle::default() });
        assert!(text.contains("│ äöüß │") && text.contains("│ äöü… │"), "{text}");
    }

    #[test]
    fn a_value_cannot_break_the_table_or_speak_to_the_terminal() {
        let rows = strings(&[Some("one\ntwo\u{1b}[31m"), None]);
        let text = rendered(&[rows], &TableStyle::default());
        assert!(text.contains(r"one\ntwo\u{1b}[31m") && text.contains("│ null"), "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }

    #[test]
    fn colours_are_for_terminals_only() {
        let rows = [strings(&[None])];
        let style = |look| TableStyle { look, ..TableStyle::default() };
        assert!(rendered(&rows, &style(Look::Terminal { colours: true })).contains('\u{1b}'));
        assert!(!rendered(&rows, &style(Look::Terminal { colours: false })).contains('\u{1b}'));
        assert!(!rendered(&rows, &style(Look::Plain)).contains('\u{1b}'));
    }
}
