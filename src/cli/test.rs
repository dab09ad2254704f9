//! `watershed test`: runs test files and says what differs.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::arguments::Format;
use super::exit::{Exit, Failure, Outcome};
use super::terminal::Terminal;
use crate::testing::{self, Options};

const EXAMPLES: &str = "\
Examples:
  watershed test tests/windows.test.ron
  watershed test tests/                           every *.test.ron below
  watershed test tests/ --filter late             only cases whose name holds `late`
  watershed test tests/ --junit report.xml        for a build server

A test file scripts what sources bring and what must reach the sinks:

  Tests(
      graph: \"../pipeline.ron\",
      cases: [(
          name: \"a row older than the watermark is ignored\",
          epochs: [
              (input: {\"activity\": [{\"User\": \"a\", \"event_time\": \"2015-02-24T10:00:00Z\"}]}, output: {\"console\": []}),
              (watermark: \"2015-02-24T09:30:00Z\", output: {\"console\": []}),
          ],
      )],
  )";

/// Run test files: rows in, rows out, epoch by epoch
///
/// A test file names a graph and scripts the rows that its sources bring and those that must reach its sinks. The graph runs on the
/// engine that runs it in earnest, but no connector is opened. A failure shows the script, the epoch that failed, and the rows that
/// are missing or too many.
///
/// Every case is run three times and must come out the same: sequentially, in parallel, and with a crash after every epoch, from
/// which it recovers. The checkpoint for that is in memory; the one that the graph names is left alone.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct TestArguments {
    /// Test files, or directories to search for `*.test.ron`
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Only cases whose name holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Also write the results as `JUnit` XML to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How to write the results
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &TestArguments, terminal: Terminal) -> Outcome {
    let options = Options { filter: arguments.filter.clone(), ..Options::default() };
    let report = testing::run_paths(&arguments.paths, &options)
        .map_err(|error| Failure::new(Exit::InputOutput, error.to_string()))?;
    if let Some(path) = &arguments.junit {
        fs::write(path, report.to_junit()).map_err(|error| Failure::io("write", path.display(), &error))?;
    }
    match arguments.format {
        Format::Json => terminal.print(&format!("{:#}\n", report.to_json()))?,
        Format::Text => terminal.print(&report.render(terminal.out_colour))?,
    }
    Ok(if report.passed() { Exit::Ok } else { Exit::TestsFailed })
}
