//! `generate`: activity rows in files, as many as you like.

use std::path::PathBuf;

use clap::Args;

use crate::activity::{Activity, FileFormat, write_files};

/// What `generate` is to write.
#[derive(Args, Clone, Debug)]
pub struct Generate {
    /// How many rows; a line of JSON is about 200 bytes.
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// The directory; it is made if need be, and files of the same names are replaced.
    #[arg(long)]
    out: PathBuf,
    /// The format.
    #[arg(long, value_enum, default_value_t = FileFormat::Json)]
    format: FileFormat,
    /// How many files; each holds a contiguous share of the rows.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    files: u64,
    /// The event time to cover, in minutes; left out, a minute for every 433 rows, as dense as the real data.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// How many users; up to 26 are named by a letter.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..))]
    users: u64,
    /// Another seed gives other rows; the same one gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Writes the files and says where they are.
pub fn generate(wanted: &Generate) -> std::io::Result<()> {
    let dense = Activity::of_rows(wanted.rows);
    let activity =
        Activity { seed: wanted.seed, minutes: wanted.minutes.unwrap_or(dense.minutes), users: wanted.users, ..dense };
    let paths = write_files(&activity, &wanted.out, wanted.format, wanted.files)?;
    let mut bytes = 0;
    for path in &paths {
        bytes += std::fs::metadata(path)?.len();
    }
    println!(
        "{} rows over {} minutes in {} files, {:.1} MB, in {}",
        activity.rows,
        activity.minutes,
        paths.len(),
        bytes as f64 / 1e6,
        wanted.out.display()
    );
    Ok(())
}
