//! The benchmark Nexmark: the events of an auction house, and queries over them.
//!
//! The queries are those of <https://github.com/nexmark/nexmark>, as graphs in `graphs/nexmark`. Each is answered a second time by a
//! plain loop, and the answers must be the same rows before anything is timed.

mod answer;
mod columns;
mod generator;
mod plain;
mod query;
mod rows;
mod run;
mod side;
mod source;
mod table;

pub use columns::schema;
pub use generator::{Generator, kind_of};
pub use query::Query;
pub use rows::{Auction, Bid, EventKind, Person};
pub use source::Nexmark;
pub use table::print;

use clap::{Args, ValueEnum};

use crate::Failure;
use crate::measure::{Costs, measured};
use columns::Events;
use run::Settings;
use side::SideInput;

/// What `nexmark` is to run.
#[derive(Args, Clone, Debug)]
pub struct Wanted {
    /// How many events, of all kinds.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub events: u64,
    /// How many events happen in a second of event time. With fewer than 334, an auction may be open for longer than the ten seconds
    /// that queries 4 and 9 wait for.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(334..))]
    pub events_per_second: u64,
    /// Events of an epoch.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub epoch_events: u64,
    /// Another seed gives other events.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only these queries.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Query>,
    /// Threads that compute in the engine, which reads on as many besides; the plain loop has one.
    #[arg(long, default_value_t = 1, value_parser = threads)]
    pub threads: usize,
    /// How often each side runs; with 0 the answers are compared and nothing is timed.
    #[arg(long, default_value_t = 3)]
    pub runs: u64,
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|threads| *threads > 0).ok_or_else(|| "must be a number from 1 on".to_owned())
}

/// What a query cost.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The query.
    pub query: Query,
    /// The rows that the graph read.
    pub rows_in: u64,
    /// The rows of the answer.
    pub rows_out: usize,
    /// What the plain loop cost.
    pub plain: Costs,
    /// What the graph cost.
    pub graph: Costs,
}

/// Compares the answers to each query, then times both sides in turn, telling `each` as soon as a query is through.
pub fn nexmark(wanted: &Wanted, each: &mut dyn FnMut(&Measured)) -> Result<(), Failure> {
    let generator = Generator { seed: wanted.seed, events_per_second: wanted.events_per_second };
    let side = SideInput::write()?;
    let settings = Settings { threads: wanted.threads, epoch_events: wanted.epoch_events };
    let events = &Events::generate(generator, wanted.events, settings.batch_events());
    let queries = if wanted.only.is_empty() { Query::value_variants() } else { &wanted.only };
    for &query in queries {
        let plan = run::plan(query, &side, settings)?;
        let expected = query.plain(events);
        answer::agree(&query.name(), expected.lines(), run::lines(&plan, events, settings)?)?;
        let mut measures =
            Measured { query, rows_in: 0, rows_out: expected.rows(), plain: Costs::default(), graph: Costs::default() };
        drop(expected);
        for _ in 0..wanted.runs {
            measures.plain.0.push(measured(|| drop(query.plain(events))).1);
            let (rows, cost) = measured(|| run::run(&plan, events, settings));
            measures.rows_in = rows?;
            measures.graph.0.push(cost);
        }
        each(&measures);
    }
    Ok(())
}
