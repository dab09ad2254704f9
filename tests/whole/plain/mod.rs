//! Whole graphs as they should come out, computed by loops over lists: a node takes the rows of an epoch and the two watermarks
//! that reach it, and gives rows. Nothing here is shared with the engine; the rules are those of `docs/semantics.md`.
//!
//! A graph is described once. From the description come the file that the engine runs and the answer that it is held against, with
//! every epoch, every watermark, and every row of every port.

mod graph;
mod held;
mod join;
mod nodes;
mod text;

use tempfile::NamedTempFile;
use watershed::testing::{Options, Restarts, Way, run_file};

pub(crate) use graph::{Does, Fed, Graph, Row, SECOND};
pub(crate) use join::{Bound, Join, Key, Kind, Range, Side};

/// One, two and eight threads, one and three partitions, one split and two, batches from one row to all, crashes and
/// restarts into other partitions.
pub(crate) const WAYS: [Way; 5] = [
    Way { batch_rows: 65_536, ..Way::SEQUENTIAL },
    Way { threads: 8, partitions: 3, batch_rows: 1, ..Way::SEQUENTIAL },
    Way { threads: 2, partitions: 3, batch_rows: 4, restarts: Restarts::CommitLost, ..Way::SEQUENTIAL },
    Way { threads: 2, batch_rows: 3, splits: 2, ..Way::SEQUENTIAL },
    Way::SHARED_OUT_ANEW,
];

/// Runs the graph in every way; an epoch that comes out otherwise than it should is told together with the whole file.
pub(crate) fn check(fed: &Fed) -> Result<(), String> {
    run_text(&text::file(fed, &graph::epochs(fed)))
}

/// Runs a test file in every way.
pub(crate) fn run_text(text: &str) -> Result<(), String> {
    let file = NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(file.path(), text).map_err(|error| error.to_string())?;
    let report = run_file(file.path(), &Options { ways: WAYS.to_vec(), filter: None });
    if report.passed() { Ok(()) } else { Err(format!("{}\n{text}", report.render(false))) }
}

/// The rows of every epoch that a sink should get.
pub(crate) fn rows_of(fed: &Fed, sink: &str) -> Vec<Vec<Row>> {
    graph::epochs(fed).into_iter().map(|mut epoch| epoch.sinks.remove(sink).unwrap_or_default()).collect()
}
