//! A report for people: what failed, with the script, an arrow at the epoch, and the rows that are missing or surplus.

use std::fmt::Write as _;

use comfy_table::{Table, presets};

use crate::core::testing::Cell;
use crate::core::time::Watermark;

use super::report::{Broken, CaseReport, Failure, FileReport, Mismatch, Outcome, Report};

/// The most rows of a table; the rest is counted.
const MOST_ROWS: usize = 50;

/// The most characters of a cell.
const MOST_CHARACTERS: usize = 80;

/// So many epochs are shown before the one that failed, and so many after it.
const EPOCHS_BEFORE: usize = 10;
const EPOCHS_AFTER: usize = 3;

/// Escape sequences, or nothing.
struct Colours {
    good: &'static str,
    bad: &'static str,
    strong: &'static str,
    end: &'static str,
}

impl Colours {
    const fn new(colour: bool) -> Self {
        if colour {
            Self { good: "\u{1b}[32m", bad: "\u{1b}[1;31m", strong: "\u{1b}[1m", end: "\u{1b}[0m" }
        } else {
            Self { good: "", bad: "", strong: "", end: "" }
        }
    }
}

/// Writing to a string cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($text:tt)*) => { writeln!($out, $($text)*).expect("writing to a string cannot fail") };
}

impl Report {
    /// For people: a line per file, everything about those that failed, and the counts.
    pub fn render(&self, colour: bool) -> String {
        let mut out: String = self.files.iter().map(|file| file.render(colour)).collect();
        line!(out, "{}", self.summary(colour));
        out
    }

    /// The closing line: `12 cases passed in 3 files`, or `1 case failed, 11 passed in 3 files`.
    pub fn summary(&self, colour: bool) -> String {
        let Colours { good, bad, end, .. } = Colours::new(colour);
        let counts = self.counts();
        let within = format!("in {}", counted(counts.files, "file"));
        match (counts.passed, counts.failed) {
            (0, 0) => "no case was run".to_owned(),
            (passed, 0) => format!("{good}{} passed{end} {within}", counted(passed, "case")),
            (passed, failed) => format!("{bad}{} failed{end}, {passed} passed {within}", counted(failed, "case")),
        }
    }
}

impl FileReport {
    /// For people: one line when all went well, otherwise all there is to say.
    pub fn render(&self, colour: bool) -> String {
        let Colours { good, bad, end, .. } = Colours::new(colour);
        let (path, mut out) = (self.path.display(), String::new());
        if self.passed() {
            line!(out, "{good}ok{end}      {path} ({})", counted(self.cases.len(), "case"));
            return out;
        }
        line!(out, "{bad}FAILED{end}  {path}");
        match &self.broken {
            None => {}
            Some(Broken::Faulty(faults)) => out.extend(faults.iter().map(|faults| faults.render(colour))),
            Some(Broken::Unreadable(message)) => line!(out, "  {message}"),
        }
        for case in self.cases.iter().filter(|case| !case.passed()) {
            case.write(&mut out, &format!("{path}:{}", case.line), colour);
        }
        out
    }
}

impl CaseReport {
    /// For people, without its file: why it failed, or nothing.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        if !self.passed() {
            self.write(&mut out, &format!("line {}", self.line), colour);
        }
        out
    }

    fn write(&self, out: &mut String, place: &str, colour: bool) {
        let colours = Colours::new(colour);
        line!(out);
        line!(out, "  {}{}{} ({place})", colours.strong, self.name, colours.end);
        match &self.outcome {
            Outcome::Passed => {}
            Outcome::NotRefused { wanted, said } if said.is_empty() => {
                line!(out, "  the graph should be refused{}, but it is accepted", with_text(wanted));
            }
            Outcome::NotRefused { wanted, said } => {
                line!(out, "  the graph should be refused{}, but it is for another reason:", with_text(wanted));
                for message in said {
                    line!(out, "    {message}");
                }
            }
            Outcome::Failed(failure) => failure.write(out, &colours),
        }
        line!(out);
    }
}

fn with_text(wanted: &str) -> String {
    if wanted.is_empty() { String::new() } else { format!(" with a message that contains {wanted:?}") }
}

impl Failure {
    fn write(&self, out: &mut String, colours: &Colours) {
        line!(out, "  run with {}", self.way);
        line!(out);
        self.write_script(out, colours);
        for mismatch in &self.mismatches {
            line!(out);
            mismatch.write(out);
        }
    }

    /// The epochs around the one that failed, with an arrow at it.
    fn write_script(&self, out: &mut String, colours: &Colours) {
        let width = self.epochs.len().saturating_sub(1).to_string().len();
        let is_unlisted = self.mismatches.iter().any(|mismatch| matches!(mismatch, Mismatch::Unlisted { .. }));
        let Colours { bad, end, .. } = colours;
        let shown = self.at.saturating_sub(EPOCHS_BEFORE)..(self.at + 1 + EPOCHS_AFTER).min(self.epochs.len());
        if shown.start > 0 {
            line!(out, "     … {} before", counted(shown.start, "epoch"));
        }
        for (number, epoch) in self.epochs.iter().enumerate().take(shown.end).skip(shown.start) {
            if number == self.at && is_unlisted {
                line!(out, "  {bad}->{end} {:width$}  an epoch that is not in the script", "");
            }
            let input = match &epoch.input {
                None => "no input".to_owned(),
                Some(sources) => {
                    let rows = sources.iter().map(|(source, rows)| format!("{source}: {}", counted(*rows, "row")));
                    rows.collect::<Vec<_>>().join(", ")
                }
            };
            let failed = number == self.at && !is_unlisted;
            let arrow = if failed { format!("{bad}->{end}") } else { "  ".to_owned() };
            let note = if number >= self.at && !failed { " (not reached)" } else { "" };
            line!(out, "  {arrow} {number:width$}  line {}, {input}{note}", epoch.line);
        }
        if shown.end < self.epochs.len() {
            line!(out, "     … {} after (not reached)", counted(self.epochs.len() - shown.end, "epoch"));
        }
        if self.at == self.epochs.len() {
            let what = if is_unlisted { "an epoch that is not in the script" } else { "the end" };
            line!(out, "  {bad}->{end} {:width$}  {what}", "");
        }
    }
}

impl Mismatch {
    /// One line for what is wrong.
    pub fn headline(&self) -> String {
        match self {
            Self::Rows { sink, missing, surplus, .. } => {
                let counts = [(missing.len(), "missing"), (surplus.len(), "surplus")];
                let counts = counts.iter().filter(|(count, _)| *count > 0);
                let counts: Vec<String> =
                    counts.map(|(count, word)| format!("{} {word}", counted(*count, "row"))).collect();
                format!("sink `{sink}`: {}", counts.join(", "))
            }
            Self::Order { sink, at, .. } => {
                format!("sink `{sink}`: the right rows in the wrong order, from row {} on", at + 1)
            }
            Self::Watermark { wanted, seen: Some(seen) } => {
                format!("the watermark should be {wanted}, but it is {seen}")
            }
            Self::Watermark { wanted, seen: None } => {
                format!("the watermark should be {wanted}, but the graph has no watermark node")
            }
            Self::NotRun => "the engine had nothing to do, so this epoch was not run".to_owned(),
            Self::Unlisted { watermark, .. } => {
                let watermark = watermark.map(|watermark| format!(", with watermark {watermark}")).unwrap_or_default();
                format!("the engine ran an epoch of its own accord{watermark}")
            }
            Self::Unsteady { sink, other, .. } => {
                format!("sink `{sink}`: not the same rows in the same order as with {other}")
            }
            Self::Diverged { sink, .. } => {
                format!("sink `{sink}`: not the same rows in the same order when the epoch is run again after a crash")
            }
            Self::Error(message) => message.clone(),
        }
    }

    fn write(&self, out: &mut String) {
        line!(out, "  {}", self.headline());
        let marked = |word: &'static str, rows: &[Vec<Cell>]| -> Vec<(String, Vec<Cell>)> {
            rows.iter().map(|row| (word.to_owned(), row.clone())).collect()
        };
        match self {
            Self::Rows { columns, missing, surplus, .. } => {
                let rows = marked("missing", missing).into_iter().chain(marked("surplus", surplus)).collect();
                write_table(out, columns, rows);
            }
            Self::Order { columns, wanted, seen, at, .. } => {
                let rows = marked("wanted", &wanted[*at..]).into_iter().chain(marked("came", &seen[*at..])).collect();
                write_table(out, columns, rows);
            }
            Self::Unlisted { output, .. } => {
                for sink in output.iter().filter(|sink| !sink.rows.is_empty()) {
                    line!(out, "  sink `{}` got", sink.sink);
                    write_table(out, &sink.columns, marked("", &sink.rows));
                }
            }
            Self::Unsteady { columns, there, here, .. } => {
                let rows =
                    marked("there", there.as_slice()).into_iter().chain(marked("here", here.as_slice())).collect();
                write_table(out, columns, rows);
            }
            Self::Diverged { columns, first, again, .. } => {
                let rows = marked("first", first.as_slice()).into_iter().chain(marked("again", again.as_slice()));
                write_table(out, columns, rows.collect());
            }
            Self::Watermark { .. } | Self::NotRun | Self::Error(_) => {}
        }
    }
}

/// The watermark as a test file writes it.
pub(super) fn watermark_text(watermark: Watermark) -> Option<String> {
    watermark.0.map(|instant| instant.to_string())
}

fn write_table(out: &mut String, columns: &[String], rows: Vec<(String, Vec<Cell>)>) {
    let more = rows.len().saturating_sub(MOST_ROWS);
    let marks = rows.iter().any(|(mark, _)| !mark.is_empty());
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    let heading = marks.then_some("").into_iter().chain(columns.iter().map(String::as_str));
    table.set_header(heading.map(str::to_owned));
    for (mark, row) in rows.into_iter().take(MOST_ROWS) {
        let cells = row.iter().map(|cell| shortened(&cell.to_string()));
        table.add_row(marks.then_some(mark).into_iter().chain(cells));
    }
    for row in table.lines() {
        line!(out, "  {}", row.trim_end());
    }
    if more > 0 {
        line!(out, "  … {} more", counted(more, "row"));
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= MOST_CHARACTERS {
        return text.to_owned();
    }
    let start: String = text.chars().take(MOST_CHARACTERS - 1).collect();
    format!("{start}…")
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
