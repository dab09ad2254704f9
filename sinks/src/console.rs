//! The sink for eyes: a headed table per epoch on standard output, or a line of JSON per row.
//!
//! Nothing is printed before its epoch is committed, and an epoch without rows prints nothing. What was printed cannot
//! be taken back, so an epoch that runs again after a crash is printed again: at least once.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Epoch;
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{Delivery, OpenContext, Part, Receipt, Sink, SinkSpec};
use watershed_core::register_sink;
use watershed_core::stream::{Mode, Stream};

use crate::json_lines;
use crate::staging::Staging;
use crate::table::{self, Look, TableStyle};

/// Prints rows on standard output when their epoch is committed: a table per epoch, headed with its number, mode and
/// count of rows. Takes all modes. An epoch without rows prints nothing.
///
/// An epoch that is run again after a crash is printed again: at least once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// The most rows of an epoch shown in a table; the rest is counted below it. `0` shows the heading lines only.
    /// Lines of JSON are never left out.
    pub rows: usize,
    /// The most characters of a table's cell shown; a longer one is cut and ends in `…`. `None` shows cells whole.
    pub truncate: Option<usize>,
    /// `Table`, or `Json` for one object a line and no heading lines.
    pub format: ConsoleFormat,
}

/// How `Console` writes rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConsoleFormat {
    /// A table per epoch.
    #[default]
    Table,
    /// One JSON object a line.
    Json,
}

impl Default for Console {
    fn default() -> Self {
        Self { rows: 20, truncate: Some(40), format: ConsoleFormat::Table }
    }
}

register_sink!(Console, example: "Console(rows: 50, truncate: 80)");

#[typetag::serde]
impl SinkSpec for Console {
    fn check(&self, input: &Stream) -> Result<(), Faults> {
        let mut faults = Faults::new();
        if self.truncate == Some(0) {
            let fault = Fault::new("bad_value", "`truncate` is 0, which leaves nothing of any cell");
            faults.push(
                fault.at("truncate").help("give the number of characters to show, or `None` to show cells whole"),
            );
        }
        if self.format == ConsoleFormat::Json {
            faults.extend(input.schema.fields().iter().filter_map(|field| {
                let cause = json_lines::refusal(field)?;
                let message = format!("column `{}` cannot be written as JSON: {cause}", field.name());
                Some(
                    Fault::new("column_type", message)
                        .at("format")
                        .help("cast or leave out the column in a `Select` before"),
                )
            }));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>> {
        let output = cx.handles.get::<ConsoleOutput>(&cx.node).unwrap_or_else(|| Arc::new(ConsoleOutput::standard()));
        let style = TableStyle { rows: self.rows, cell_characters: self.truncate, look: output.look };
        Ok(Box::new(ConsoleSink {
            format: self.format,
            style,
            schema: Arc::clone(&input.schema),
            mode: input.mode.clone(),
            output,
            staging: Staging::default(),
        }))
    }
}

/// Where a `Console` writes: standard output, unless the embedding program publishes another under the node's name
/// before the start.
pub struct ConsoleOutput {
    writer: Mutex<Box<dyn Write + Send>>,
    look: Look,
}

impl ConsoleOutput {
    /// Standard output, with colours if it is a terminal.
    pub fn standard() -> Self {
        Self::new(Box::new(io::stdout()), Look::of_standard_output())
    }

    /// Another writer.
    pub fn new(writer: Box<dyn Write + Send>, look: Look) -> Self {
        Self { writer: Mutex::new(writer), look }
    }

    /// Writes all at once, so that two consoles in a graph do not mix their lines.
    fn write(&self, text: &[u8]) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writer.write_all(text).and_then(|()| writer.flush());
        written.map_err(|source| Error::io("write to", "standard output", source))
    }
}

impl fmt::Debug for ConsoleOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleOutput").field("look", &self.look).finish_non_exhaustive()
    }
}

struct ConsoleSink {
    format: ConsoleFormat,
    style: TableStyle,
    schema: SchemaRef,
    mode: Mode,
    output: Arc<ConsoleOutput>,
    staging: Staging<StagedRows>,
}

/// A part as it waits for its commit.
enum StagedRows {
    Batches(Vec<RecordBatch>),
    Lines(Vec<u8>),
}

impl ConsoleSink {
    fn table(&self, epoch: Epoch, batches: &[RecordBatch]) -> Result<String> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows == 0 {
            return Ok(String::new());
        }
        let mode = self.mode.to_string().to_lowercase();
        let heading = format!("epoch {epoch} · {mode} · {rows} {}", if rows == 1 { "row" } else { "rows" });
        let table =
            if self.style.rows == 0 { String::new() } else { table::render(&self.schema, batches, &self.style)? };
        Ok(if self.style.look.has_colours() {
            format!("\u{1b}[1m{heading}\u{1b}[0m\n{table}\n")
        } else {
            format!("{heading}\n{table}\n")
        })
    }
}

impl Sink for ConsoleSink {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        let staged = match self.format {
            ConsoleFormat::Table => StagedRows::Batches(rows.to_vec()),
            ConsoleFormat::Json => {
                let mut lines = Vec::new();
                for batch in rows {
                    json_lines::encode(batch, &mut lines)?;
                }
                StagedRows::Lines(lines)
            }
        };
        Ok(self.staging.stage(part, staged))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        let mut batches = Vec::new();
        let mut text = Vec::new();
        for staged in self.staging.take(epoch, receipts).unwrap_or_default() {
            match staged {
                StagedRows::Batches(rows) => batches.extend(rows),
                StagedRows::Lines(lines) => text.extend(lines),
            }
        }
        text.extend_from_slice(self.table(epoch, &batches)?.as_bytes());
        if text.is_empty() { Ok(()) } else { self.output.write(&text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{briefly, context, counts, run_epoch, stream, stream_in};

    /// A writer that a test can look into.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A reader that went away.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn opened(console: &Console, input: &Stream, look: Look) -> (Box<dyn Sink>, Page) {
        let page = Page::default();
        let cx = context("console");
        cx.handles.publish("console", Arc::new(ConsoleOutput::new(Box::new(page.clone()), look)));
        assert_eq!(console.check(input), Ok(()));
        (console.open(input, &cx).unwrap(), page)
    }

    #[test]
    fn an_epoch_is_a_headed_table_of_its_parts_in_order() {
        let (first, second) = (counts(&[("ann", 3), ("bob", 10)]), counts(&[("cem", 1)]));
        let input = stream_in(Mode::Update(vec!["user".to_owned()]), &first);
        let (sink, page) = opened(&Console { rows: 2, ..Console::default() }, &input, Look::Plain);
        run_epoch(&*sink, 3, &[&[first], &[second]]);
        let expected = "\
epoch 3 · update · 3 rows
┌──────┬───────┐
│ user │ count │
╞══════╪═══════╡
│ ann  │     3 │
│ bob  │    10 │
└──────┴───────┘
… 1 more row

";
        assert_eq!(page.text(), expected);
    }

    #[test]
    fn nothing_shows_before_the_commit_and_a_second_commit_prints_nothing() {
        let rows = counts(&[("ann", 3)]);
        let (sink, page) = opened(&Console::default(), &stream(&rows), Look::Plain);
        let receipt = sink.stage(crate::testing::part(0, 0), &[rows]).unwrap();
        assert_eq!(page.text(), "");
        sink.commit(Epoch(0), std::slice::from_ref(&receipt)).unwrap();
        let once = page.text();
        assert!(once.starts_with("epoch 0 · append · 1 row\n"), "{once}");
        sink.commit(Epoch(0), &[receipt]).unwrap();
        assert_eq!(page.text(), once);
    }

    #[test]
    fn an_epoch_without_rows_prints_nothing() {
        let rows = counts(&[]);
        let (sink, page) = opened(&Console::default(), &stream(&rows), Look::Plain);
        run_epoch(&*sink, 0, &[]);
        run_epoch(&*sink, 1, &[&[rows]]);
        assert_eq!(page.text(), "");
    }

    #[test]
    fn json_is_a_line_per_row_and_knows_no_limit() {
        let rows = counts(&[("ann", 3), ("bob", 10)]);
        let console = Console { rows: 1, format: ConsoleFormat::Json, ..Console::default() };
        let (sink, page) = opened(&console, &stream_in(Mode::Complete(Vec::new()), &rows), Look::Plain);
        run_epoch(&*sink, 0, &[&[rows]]);
        assert_eq!(page.text(), "{\"user\":\"ann\",\"count\":3}\n{\"user\":\"bob\",\"count\":10}\n");
    }

    #[test]
    fn without_table_rows_the_heading_line_counts() {
        let rows = counts(&[("ann", 3)]);
        let (sink, page) = opened(&Console { rows: 0, ..Console::default() }, &stream(&rows), Look::Plain);
        run_epoch(&*sink, 0, &[&[rows]]);
        assert_eq!(page.text(), "epoch 0 · append · 1 row\n\n");
    }

    #[test]
    fn on_a_terminal_the_heading_is_bold() {
        let rows = counts(&[("ann", 3)]);
        let (sink, page) = opened(&Console::default(), &stream(&rows), Look::Terminal { colours: true });
        run_epoch(&*sink, 0, &[&[rows]]);
        assert!(page.text().starts_with("\u{1b}[1mepoch 0"), "{}", page.text());
    }

    #[test]
    fn a_closed_pipe_is_an_error_and_no_panic() {
        let rows = counts(&[("ann", 3)]);
        let cx = context("console");
        cx.handles.publish("console", Arc::new(ConsoleOutput::new(Box::new(Closed), Look::Plain)));
        let sink = Console::default().open(&stream(&rows), &cx).unwrap();
        let receipt = sink.stage(crate::testing::part(0, 0), &[rows]).unwrap();
        match sink.commit(Epoch(0), &[receipt]).expect_err("nobody reads") {
            Error::Io { source, .. } => assert_eq!(source.kind(), io::ErrorKind::BrokenPipe),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn cells_of_no_characters_are_refused() {
        let faults = briefly(Console { truncate: Some(0), ..Console::default() }.check(&stream(&counts(&[]))));
        assert_eq!(faults[0].0, "bad_value");
        assert!(faults[0].1.contains("`None`"), "{}", faults[0].1);
    }

    #[test]
    fn fields_left_out_have_their_defaults() {
        let read: Console = ron::from_str("(rows: 5)").unwrap();
        assert_eq!(read, Console { rows: 5, ..Console::default() });
    }
}
