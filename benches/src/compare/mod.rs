//! Watershed beside a hand-written loop, in one process and over the same input.
//!
//! Both answer the same question first and the answers must agree; then they run in turn, and the medians are put beside
//! each other. Only ratios of one table mean anything.

mod answer;
mod by_graph;
mod by_hand;
mod medium;
mod names;
mod table;
mod together;
mod typed;
mod workload;

pub use crate::measure::{Cost, Costs};
pub use medium::Medium;
pub use table::print;
pub use workload::Workload;

use clap::{Args, ValueEnum};

use crate::Failure;
use crate::activity::Activity;
use crate::measure::measured;
use by_graph::Settings;
use medium::Data;

/// What `compare` is to run.
#[derive(Args, Clone, Debug)]
pub struct Compare {
    /// How many rows.
    #[arg(long, default_value_t = 4_000_000)]
    pub rows: u64,
    /// How many users, which are the keys.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub users: u64,
    /// The event time that the rows cover, in minutes.
    #[arg(long, default_value_t = 1_440, value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: u64,
    /// Threads that compute, on both sides; the engine reads on as many besides.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// How often each side runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,
    /// Rows of an epoch, where they are in memory.
    #[arg(long, default_value_t = 1_000_000)]
    pub epoch_rows: usize,
    /// Only these questions.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Workload>,
    /// Only these places for rows.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub from: Vec<Medium>,
    /// Only one side, over and over and unchecked, for a profiler.
    #[arg(long, value_enum)]
    pub side: Option<Side>,
}

/// One of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// The hand-written loop.
    Loop,
    /// The engine.
    Graph,
}

/// Both sides' cost of one question.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Where the rows were.
    pub medium: Medium,
    /// The question.
    pub workload: Workload,
    /// The rows of the answer.
    pub answer_rows: usize,
    /// What the loop cost.
    pub by_hand: Costs,
    /// What the graph cost.
    pub by_graph: Costs,
}

/// Asks every question from everywhere, telling `each` as soon as one is measured.
pub fn compare(wanted: &Compare, each: &mut dyn FnMut(&Measured)) -> Result<(), Failure> {
    let activity = Activity { seed: 1, rows: wanted.rows, minutes: wanted.minutes, users: wanted.users };
    let settings = Settings { threads: wanted.threads.max(1), epoch_rows: wanted.epoch_rows };
    for &medium in chosen(&wanted.from) {
        let data = Data::make(medium, &activity)?;
        for &workload in chosen(&wanted.only) {
            let plan = by_graph::plan(workload, &data, settings)?;
            let mut measures =
                Measured { medium, workload, answer_rows: 0, by_hand: Costs::default(), by_graph: Costs::default() };
            if wanted.side.is_none() {
                let expected = by_hand::run(workload, &data, wanted.threads)?.answer();
                expected.agrees_with(&by_graph::answer(&by_graph::run(&plan, &data, settings)?)?)?;
                measures.answer_rows = expected.rows();
            }
            for _ in 0..wanted.runs {
                if wanted.side != Some(Side::Graph) {
                    let (output, cost) = measured(|| by_hand::run(workload, &data, wanted.threads));
                    output?;
                    measures.by_hand.0.push(cost);
                }
                if wanted.side != Some(Side::Loop) {
                    let (kept, cost) = measured(|| by_graph::run(&plan, &data, settings));
                    kept?;
                    measures.by_graph.0.push(cost);
                }
            }
            each(&measures);
        }
    }
    Ok(())
}

fn chosen<T: ValueEnum>(wanted: &[T]) -> &[T] {
    if wanted.is_empty() { T::value_variants() } else { wanted }
}
