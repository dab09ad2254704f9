//! What durability costs: graphs run with and without a checkpoint in a directory on disk.
//!
//! Four tables: rows a second at large epochs; the cost of an epoch that has next to nothing to do; bytes for each key; and how
//! long it takes to go on from many keys. Before anything is timed, runs with a checkpoint answer as one without does.

mod answers;
mod counted;
mod restore;
mod rows;
mod runs;
mod sizes;
mod small_epochs;
mod throughput;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::Failure;
use runs::Question;

/// What `durability` is to measure.
#[derive(Args, Clone, Debug)]
pub struct Durability {
    /// How many rows a run takes in.
    #[arg(long, default_value_t = 12_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rows: u64,
    /// Rows of an epoch.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub epoch_rows: u64,
    /// How many small epochs there are.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub small_epochs: u64,
    /// How many keys a checkpoint holds that is gone on from; a tenth of it where sizes are measured.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub keys: u64,
    /// Threads that compute, with as many partitions.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    pub threads: Vec<usize>,
    /// How often each is run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,
    /// Only these tables.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Table>,
    /// Throughput of this graph only.
    #[arg(long, value_enum)]
    pub graph: Option<Graph>,
    /// Where checkpoints are made, and removed again: a directory on the disk that is to be measured.
    #[arg(long)]
    pub directory: Option<PathBuf>,
    /// Few rows, few keys, one run: seconds, and no figure worth anything. The answers are checked all the same.
    #[arg(long)]
    pub quick: bool,
}

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// Rows a second with and without a checkpoint.
    Throughput,
    /// The cost of small epochs.
    SmallEpochs,
    /// Bytes for each key.
    Sizes,
    /// The time to go on.
    Restore,
}

/// The graphs whose throughput is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Graph {
    /// Windows by user.
    Window,
    /// Sums by user.
    Aggregate,
    /// Each user and time once.
    Dedup,
}

impl Durability {
    /// The same, but small where `quick` is asked for.
    fn sized(&self) -> Self {
        if !self.quick {
            return self.clone();
        }
        Self { rows: 60_000, epoch_rows: 10_000, small_epochs: 30, keys: 40_000, runs: 1, ..self.clone() }
    }

    fn has(&self, table: Table) -> bool {
        self.only.is_empty() || self.only.contains(&table)
    }

    fn questions(&self) -> &'static [Question] {
        match self.graph {
            None => &Question::KEEPING,
            Some(Graph::Window) => &[Question::Window],
            Some(Graph::Aggregate) => &[Question::Aggregate],
            Some(Graph::Dedup) => &[Question::Dedup],
        }
    }
}

/// Measures, and prints each line as soon as it is known.
pub fn print(wanted: &Durability) -> Result<(), Failure> {
    let wanted = &wanted.sized();
    let place = wanted.directory.clone().unwrap_or_else(std::env::temp_dir);
    for &threads in &wanted.threads {
        let checked = answers::check(threads)?;
        println!("{checked} small runs on {threads} thread(s) answer as without a checkpoint");
    }
    println!("medians of {} runs; checkpoints in {}", wanted.runs, place.display());
    if wanted.has(Table::Throughput) {
        println!("\nRows a second: {} rows in epochs of {}\n{}", wanted.rows, wanted.epoch_rows, throughput::HEAD);
        throughput::measure(wanted, &place, &mut |line| println!("{}", line.line(wanted.rows)))?;
    }
    if wanted.has(Table::SmallEpochs) {
        println!("\nSmall epochs: {} of ten rows, in milliseconds\n{}", wanted.small_epochs, small_epochs::HEAD);
        small_epochs::measure(wanted, &place, &mut |line| println!("{}", line.line()))?;
    }
    if wanted.has(Table::Sizes) {
        println!("\nBytes for each key, {} keys\n{}", wanted.keys / 10, sizes::HEAD);
        sizes::measure(wanted, &place, &mut |line| println!("{}", line.line()))?;
    }
    if wanted.has(Table::Restore) {
        println!(
            "\nGoing on from a checkpoint, two threads; parts on one; bytes of memory for each key\n{}",
            restore::HEAD
        );
        restore::measure(wanted, &place, &mut |line| println!("{}", line.line()))?;
    }
    Ok(())
}

/// A new directory in `place`.
fn directory_in(place: &Path) -> Result<TempDir, Failure> {
    Ok(tempfile::Builder::new().prefix("watershed-durability-").tempdir_in(place)?)
}
