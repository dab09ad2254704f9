//! `watershed state`: the rows that a checkpoint keeps, at any epoch, and what changed between two.

mod changes;
mod keys;
mod nodes;
mod output;
mod rows;
mod version;
mod view;

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use watershed_core::checkpoint::CheckpointStorage;

use self::output::Output;
use self::version::Version;
use self::view::View;
use super::checkpoint::holdings;
use super::exit::{Exit, Failure, Outcome};
use super::storage;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed state checkpoints/visits                                 which nodes keep what
  watershed state checkpoints/visits per_page                        the rows of one, after the newest epoch
  watershed state checkpoints/visits per_page --key /docs            the rows with this key
  watershed state checkpoints/visits per_page --key page=/docs --epoch 7
  watershed state checkpoints/visits per_page --changes              what the newest epoch changed
  watershed state checkpoints/visits per_page --changes --since 3    what changed since epoch 3
  watershed state checkpoints/visits per_page --format json | jq .visits
  watershed state checkpoints/visits per_page --output rows.parquet

`watershed checkpoint list` shows the epochs that are kept.";

/// How often state is read again that a run removed in the meantime.
const LOOKS: usize = 3;

/// Show the state that a checkpoint keeps, as typed rows
///
/// Without NODE: every node that keeps something, with its tables, columns and sizes. With NODE: its rows after an epoch, in the order of
/// time and key. A row's slot comes first: of a window its bounds, elsewhere `slot`, the event time at which the watermark drops the row.
/// Then the key, then what is kept for it. Running sums are shown as the results they stand for, under the names that the graph gives
/// them; `--raw` shows the columns as they are in the files.
///
/// Takes no lock and changes nothing, so it may look at a checkpoint that a run is using.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct StateArguments {
    /// The checkpoint
    #[arg(value_name = "DIR")]
    checkpoint: String,
    /// The node whose rows are shown
    #[arg(value_name = "NODE")]
    node: Option<String>,
    /// The table, of a node that keeps several
    #[arg(long, value_name = "T", requires = "node")]
    table: Option<String>,
    /// The epoch after which the state was so; left out, the newest that is committed
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
    /// Only rows with this text in a key column; `COLUMN=TEXT` names the column. Given several times, a row matches if each column
    /// named has one of its texts
    #[arg(long = "key", value_name = "TEXT", requires = "node")]
    keys: Vec<String>,
    /// What the epoch changed, in place of the rows after it
    #[arg(long, requires = "node")]
    changes: bool,
    /// What changed between this epoch and the other
    #[arg(long, value_name = "M", requires = "changes")]
    since: Option<u64>,
    /// Only this partition
    #[arg(long, value_name = "P", requires = "node")]
    partition: Option<usize>,
    /// The most rows; left out, 100 in a table and all of them elsewhere
    #[arg(long, value_name = "N", requires = "node")]
    limit: Option<usize>,
    /// Columns as they are in the files
    #[arg(long, requires = "node")]
    raw: bool,
    /// How to write the rows; left out, what the output file's ending says, or a table. JSON is an object per row, in a line
    #[arg(long, value_enum)]
    format: Option<StateFormat>,
    /// Where to write them; left out, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StateFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// For tools that analyse data
    Parquet,
}

pub(super) fn run(arguments: &StateArguments, terminal: Terminal) -> Outcome {
    let output = Output::new(arguments, terminal)?;
    let storage = storage::open(&arguments.checkpoint)?;
    for _ in 1..LOOKS {
        match show(arguments, &*storage, &output, terminal) {
            // What a run in hand has removed since it was listed is not damaged: there is a newer version to show.
            Err(Failure { exit: Exit::InputOutput, message: Some(_), .. })
                if matches!(storage.holder(), Ok(Some(_))) => {}
            outcome => return outcome,
        }
    }
    show(arguments, &*storage, &output, terminal)
}

fn show(
    arguments: &StateArguments,
    storage: &dyn CheckpointStorage,
    output: &Output<'_>,
    terminal: Terminal,
) -> Outcome {
    let holdings = holdings(storage)?;
    let version = Version::find(storage, &holdings, arguments.epoch)?;
    let Some(node) = &arguments.node else {
        output.text(&nodes::list(&version, output, terminal)?)?;
        return Ok(Exit::Ok);
    };
    let tables = version.tables(node, arguments.table.as_deref())?;
    if tables.len() > 1 && !output.is_table() {
        let failure = Failure::new(Exit::Usage, format!("node `{node}` keeps several tables: {}", tables.join(", ")));
        return Err(failure.help(format!("name one: `--table {}`", tables[0])));
    }
    let mut shown = Vec::new();
    for table in &tables {
        let view = View::new(&version, node, table, arguments, terminal);
        let rows = if arguments.changes {
            changes::read(&version, &view, arguments.since, output.limit())?
        } else {
            rows::read(&version, &view, output.limit())?
        };
        shown.push((table, rows));
    }
    if let ([(_, rows)], false) = (shown.as_slice(), output.is_table()) {
        output.rows(rows)?;
        return Ok(Exit::Ok);
    }
    let mut text = String::new();
    for (table, rows) in &shown {
        if shown.len() > 1 {
            let gap = if text.is_empty() { "" } else { "\n" };
            writeln!(text, "{gap}{}", terminal.paint_out(table, "1")).expect("writing to a string cannot fail");
        }
        text.push_str(&output.table(rows)?);
    }
    output.text(&text)?;
    Ok(Exit::Ok)
}

/// State that cannot be turned into rows.
fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::InputOutput, format!("cannot show the state: {error}"))
}
