//! What running test files came to: per file, per case, and for a case that failed, per epoch.

use std::path::PathBuf;
use std::time::Duration;

use crate::core::testing::{Cell, Way};
use crate::core::time::Watermark;
use crate::graphs::Diagnostics;

/// What running some files came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Per file, in the order they were run. Files of which the filter left nothing are not here.
    pub files: Vec<FileReport>,
}

/// What running one file came to.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// The graph's name, where the graph could be read.
    pub graph: Option<String>,
    /// What checking the graph said, where the graph's text could be found: errors, or warnings only.
    pub diagnostics: Option<Diagnostics>,
    /// Why none of its cases could be run.
    pub broken: Option<Broken>,
    /// Per case, in the order of the file. A file with `refused` has one, named `refused`.
    pub cases: Vec<CaseReport>,
    /// How long it took.
    pub time: Duration,
}

/// Why none of a file's cases could be run.
#[derive(Debug)]
pub enum Broken {
    /// The file has faults or does not fit its graph, or the graph has faults: those of the one, those of the other.
    Faulty(Vec<Diagnostics>),
    /// A file could not be opened.
    Unreadable(String),
}

/// What running one case came to.
#[derive(Debug)]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// The line of the file on which it starts, from 1.
    pub line: usize,
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took, in all ways.
    pub time: Duration,
}

/// What a case came to.
#[derive(Debug)]
pub enum Outcome {
    /// Every epoch came out as written, in every way it was run.
    Passed,
    /// An epoch came out otherwise, or did not come.
    Failed(Box<Failure>),
    /// The graph should have been refused and was not, or with other messages; what was said instead.
    NotRefused {
        /// The text that should have been in a message.
        wanted: String,
        /// The errors' messages; none means that the graph was accepted.
        said: Vec<String>,
    },
}

/// Where a case went wrong: the first way and the first epoch.
#[derive(Debug)]
pub struct Failure {
    /// How it was run.
    pub way: Way,
    /// The script, epoch by epoch, up to the one that failed and after it.
    pub epochs: Vec<EpochReport>,
    /// The place in `epochs` of the one that failed; past the end when the engine ran an epoch after the last.
    pub at: usize,
    /// What was wrong with it.
    pub mismatches: Vec<Mismatch>,
}

/// An epoch of a script.
#[derive(Clone, Debug)]
pub struct EpochReport {
    /// The line of the file on which it starts, from 1.
    pub line: usize,
    /// The input's rows by source; `None` for an epoch of the engine's own accord.
    pub input: Option<Vec<(String, usize)>>,
}

/// What was wrong with an epoch.
#[derive(Clone, Debug)]
pub enum Mismatch {
    /// A sink got other rows.
    Rows {
        /// The sink.
        sink: String,
        /// Its columns.
        columns: Vec<String>,
        /// Rows that should have come and did not.
        missing: Vec<Vec<Cell>>,
        /// Rows that came and should not have.
        surplus: Vec<Vec<Cell>>,
    },
    /// A sink got the right rows in the wrong order.
    Order {
        /// The sink.
        sink: String,
        /// Its columns.
        columns: Vec<String>,
        /// The rows in the order in which they should have come.
        wanted: Vec<Vec<Cell>>,
        /// The rows in the order in which they came.
        seen: Vec<Vec<Cell>>,
        /// The first row at which the two part, from 0.
        at: usize,
    },
    /// Another watermark was in force; `None` where the graph has no watermark node.
    Watermark {
        /// What should have been in force.
        wanted: Watermark,
        /// What was.
        seen: Option<Watermark>,
    },
    /// The epoch is in the script, and the engine had nothing to do.
    NotRun,
    /// The engine ran an epoch before this place that is not in the script.
    Unlisted {
        /// What it sent to the sinks.
        output: Vec<SinkRows>,
        /// The watermark in force.
        watermark: Option<Watermark>,
    },
    /// The rows are right, but come in another order, or differ in the last digits, when the case is run another way
    /// that should not show: with other threads or another batch size.
    Unsteady {
        /// The sink.
        sink: String,
        /// The way whose output this one's was compared with.
        other: Way,
        /// The columns.
        columns: Vec<String>,
        /// The first row that differs, in the other way; `None` if there is none.
        there: Option<Vec<Cell>>,
        /// The same row here.
        here: Option<Vec<Cell>>,
    },
    /// The epoch was run again after a crash and sent other rows, or in another order, than the first time.
    Diverged {
        /// The sink.
        sink: String,
        /// The columns.
        columns: Vec<String>,
        /// The first row that differs, the first time; `None` if there is none.
        first: Option<Vec<Cell>>,
        /// The same row the second time.
        again: Option<Vec<Cell>>,
    },
    /// The run ended with an error.
    Error(String),
}

/// Rows that a sink got.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkRows {
    /// The sink.
    pub sink: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Report {
    /// Whether every case of every file passed.
    pub fn passed(&self) -> bool {
        self.files.iter().all(FileReport::passed)
    }

    /// How many cases passed and how many did not; a file that cannot be run counts as one that did not.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { files: self.files.len(), ..Counts::default() };
        for file in &self.files {
            let passed = file.cases.iter().filter(|case| case.passed()).count();
            counts.passed += passed;
            counts.failed += file.cases.len() - passed + usize::from(file.broken.is_some());
        }
        counts
    }
}

/// How many cases passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that were run.
    pub files: usize,
    /// Cases that passed.
    pub passed: usize,
    /// Cases that did not, and files that could not be run.
    pub failed: usize,
}

impl FileReport {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.broken.is_none() && self.cases.iter().all(CaseReport::passed)
    }
}

impl CaseReport {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        matches!(self.outcome, Outcome::Passed)
    }
}
