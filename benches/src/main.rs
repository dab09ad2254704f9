//! The command of the benches: makes data, and runs Watershed beside a plain loop.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use watershed_benches::Failure;
use watershed_benches::compare::{self, Compare};
use watershed_benches::durability::{self, Durability};
use watershed_benches::generate::{Generate, generate};
use watershed_benches::nexmark;

/// Data for Watershed's benchmarks, and side-by-side runs.
#[derive(Parser)]
#[command(name = "watershed-benches")]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Writes activity rows to files: the same seed gives the same bytes.
    Generate(Generate),
    /// Runs graphs beside hand-written loops over the same rows, and prints the ratios.
    Compare(Compare),
    /// Runs graphs with and without a checkpoint, and prints what durability costs.
    Durability(Durability),
    /// Runs the queries of Nexmark over generated events, each held against a plain loop.
    Nexmark(nexmark::Wanted),
}

fn main() -> ExitCode {
    let done = match Command::parse().action {
        Action::Generate(wanted) => generate(&wanted).map_err(Failure::Io),
        Action::Compare(wanted) => compare::print(&wanted),
        Action::Durability(wanted) => durability::print(&wanted),
        Action::Nexmark(wanted) => nexmark::print(&wanted),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(if matches!(failure, Failure::Io(_)) { 74 } else { 70 })
        }
    }
}
