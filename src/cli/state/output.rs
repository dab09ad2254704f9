//! Where rows go, and in which form.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use parquet::arrow::ArrowWriter;
use watershed_core::error::Result;
use watershed_sinks::table::{Look, TableStyle, render, value_text};

use super::changes::{AFTER, BEFORE, CHANGE};
use super::rows::Shown;
use super::view::batch;
use super::{StateArguments, StateFormat, unreadable};
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::numbers;
use crate::cli::terminal::Terminal;

/// The most rows of a table unless the author says otherwise.
const MOST_IN_TABLE: usize = 100;
/// Instants as everywhere in Watershed.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// The form of the output, and its place.
pub(super) struct Output<'a> {
    format: StateFormat,
    path: Option<&'a Path>,
    limit: Option<usize>,
    terminal: Terminal,
}

impl<'a> Output<'a> {
    pub(super) fn new(arguments: &'a StateArguments, terminal: Terminal) -> Result<Self, Failure> {
        let path = arguments.output.as_deref();
        let format = arguments.format.or_else(|| path.and_then(of_file)).unwrap_or(StateFormat::Table);
        let usage = |message: &str| Failure::new(Exit::Usage, message);
        if format == StateFormat::Parquet && path.is_none() {
            return Err(usage("Parquet is not for standard output").help("name a file: `--output rows.parquet`"));
        }
        if format == StateFormat::Parquet && arguments.node.is_none() {
            return Err(
                usage("the list of nodes is not written as Parquet").help("name a node, or use `--format json`")
            );
        }
        Ok(Self { format, path, limit: arguments.limit, terminal })
    }

    pub(super) fn is_table(&self) -> bool {
        self.format == StateFormat::Table
    }

    /// The most rows to be shown.
    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(if self.is_table() { MOST_IN_TABLE } else { usize::MAX })
    }

    /// Writes a text as it is.
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        match self.path {
            None => self.terminal.print(text),
            Some(path) => fs::write(path, text).map_err(|error| Failure::io("write", path.display(), &error)),
        }
    }

    /// Rows as a table for people.
    pub(super) fn table(&self, shown: &Shown) -> Result<String, Failure> {
        let look = match (self.path, Look::of_standard_output()) {
            (None, Look::Terminal { .. }) => Look::Terminal { colours: self.terminal.out_colour },
            _ => Look::Plain,
        };
        let more = match shown.more {
            0 => String::new(),
            1 => "… 1 more row\n".to_owned(),
            more => format!("… {} more rows; `--limit` shows more, `--key` picks some\n", numbers::count(more as u64)),
        };
        if shown.batches.is_empty() {
            return Ok(if shown.more == 0 { "no rows\n".to_owned() } else { more });
        }
        let style = TableStyle { look, ..TableStyle::default() };
        let table = for_people(shown).and_then(|rows| render(&rows[0].schema(), &rows, &style));
        Ok(format!("{}{more}", table.map_err(unreadable)?))
    }

    /// Writes rows for programs.
    pub(super) fn rows(&self, shown: &Shown) -> Result<(), Failure> {
        match (self.format, self.path) {
            (StateFormat::Parquet, Some(path)) => parquet(path, shown),
            (_, None) => shown.batches.iter().try_for_each(|rows| self.terminal.print(&json(rows)?)),
            (_, Some(path)) => {
                let failed = |error: std::io::Error| Failure::io("write", path.display(), &error);
                let mut file = BufWriter::new(File::create(path).map_err(failed)?);
                for rows in &shown.batches {
                    file.write_all(json(rows)?.as_bytes()).map_err(failed)?;
                }
                file.flush().map_err(failed)
            }
        }
    }
}

/// What a file of this name should hold.
fn of_file(path: &Path) -> Option<StateFormat> {
    match PathBuf::from(path).extension()?.to_str()? {
        "parquet" => Some(StateFormat::Parquet),
        "json" | "jsonl" | "ndjson" => Some(StateFormat::Json),
        _ => None,
    }
}

fn json(rows: &RecordBatch) -> Result<String, Failure> {
    let mut text = Vec::new();
    let builder = WriterBuilder::new().with_explicit_nulls(true).with_timestamp_format(INSTANT.to_owned());
    let mut writer = builder.build::<_, LineDelimited>(&mut text);
    writer.write(rows).and_then(|()| writer.finish()).map_err(unreadable)?;
    drop(writer);
    String::from_utf8(text).map_err(unreadable)
}

fn parquet(path: &Path, shown: &Shown) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| Failure::io("write", path.display(), &error))?;
    let failed = |error: parquet::errors::ParquetError| {
        Failure::new(Exit::InputOutput, format!("cannot write `{}`: {error}", path.display()))
    };
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&shown.schema), None).map_err(failed)?;
    for rows in &shown.batches {
        writer.write(rows).map_err(failed)?;
    }
    writer.close().map(drop).map_err(failed)
}

/// Rows as people read them: no column that is `slot` and says nothing, values before and after in one cell.
fn for_people(shown: &Shown) -> Result<Vec<RecordBatch>> {
    let is_slot = |place: usize| {
        let name = shown.schema.field(place).name();
        name == "slot" && shown.batches.iter().all(|rows| rows.column(place).null_count() == rows.num_rows())
    };
    let leading = usize::from(shown.schema.fields().first().is_some_and(|field| field.name() == CHANGE));
    let left_out = (shown.schema.fields().len() > leading && is_slot(leading)).then_some(leading);
    let show = |rows: &RecordBatch| -> Result<RecordBatch> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (place, (field, column)) in rows.schema().fields().iter().zip(rows.columns()).enumerate() {
            if Some(place) == left_out || (leading == 1 && field.name() == BEFORE) {
                continue;
            }
            if let (1, AFTER, DataType::Struct(values)) = (leading, field.name().as_str(), field.data_type()) {
                for (value, named) in values.iter().enumerate() {
                    fields.push(Arc::new(Field::new(named.name(), DataType::Utf8, true)));
                    columns.push(before_and_after(rows.column(place - 1), column, value)?);
                }
                continue;
            }
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
        batch(fields, columns, rows.num_rows())
    };
    shown.batches.iter().map(show).collect()
}

/// One value of two columns of structs: `1 → 2` where it changed.
fn before_and_after(before: &ArrayRef, after: &ArrayRef, value: usize) -> Result<ArrayRef> {
    let text = |structs: &ArrayRef, row: usize| -> Result<Option<String>> {
        if structs.is_null(row) {
            return Ok(None);
        }
        value_text(structs.as_struct().column(value), row).map(Some)
    };
    let cell = |row: usize| -> Result<String> {
        Ok(match (text(before, row)?, text(after, row)?) {
            (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
            (before, after) => after.or(before).unwrap_or_default(),
        })
    };
    let cells = (0..after.len()).map(cell).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StringArray::from(cells)))
}
