//! Rows a second with and without a checkpoint.

use std::path::Path;

use super::rows::{BATCH_ROWS, KeyType, Users, batches};
use super::runs::{Input, Question, Run, plan};
use super::{Durability, directory_in};
use crate::Failure;
use crate::measure::{Costs, measured, median};

/// Users: few, and many.
const CARDINALITIES: [u64; 2] = [1_000, 1_000_000];

/// What one graph lost on some threads.
#[derive(Debug)]
pub(super) struct Throughput {
    question: Question,
    users: u64,
    threads: usize,
    without: Costs,
    durable: Costs,
    /// Bytes that the last epochs wrote each.
    delta_bytes: u64,
}

pub(super) fn measure(wanted: &Durability, place: &Path, each: &mut dyn FnMut(&Throughput)) -> Result<(), Failure> {
    for users in CARDINALITIES {
        let rows = batches(0..wanted.rows, Users::Spread(users), KeyType::Text, BATCH_ROWS);
        let input = Input::new(rows, BATCH_ROWS, wanted.epoch_rows);
        for &question in wanted.questions() {
            for &threads in &wanted.threads {
                let plan = plan(question, KeyType::Text, threads, 10)?;
                let (mut without, mut durable) = (Costs::default(), Costs::default());
                let mut delta_bytes = 0;
                // Once before the clock runs: the first run of a process pays for its memory.
                for run in 0..=wanted.runs {
                    let (done, plain) = measured(|| Run { threads, ..Run::default() }.run(&plan, &input));
                    let epochs = done?.len() as u64;
                    let directory = directory_in(place)?;
                    let (done, cost) = measured(|| Run::durable(threads, directory.path()).run(&plan, &input));
                    if done?.len() as u64 != epochs {
                        return Err(Failure::Differs(format!("{} in epochs", question.name())));
                    }
                    delta_bytes = super::sizes::written(directory.path())?.deltas.median_bytes();
                    if run > 0 {
                        without.0.push(plain);
                        durable.0.push(cost);
                    }
                }
                each(&Throughput { question, users, threads, without, durable, delta_bytes });
            }
        }
    }
    Ok(())
}

pub(super) const HEAD: &str = "graph       users  threads   without M/s  spread   durable M/s  spread     lost   CPU s/M   durable  more CPU  delta MB";

impl Throughput {
    pub(super) fn line(&self, rows: u64) -> String {
        let millions = rows as f64 / 1e6;
        let Self { question, users, threads, without, durable, delta_bytes } = self;
        let processor = |costs: &Costs| {
            let of_runs: Vec<f64> = costs.0.iter().filter_map(|cost| cost.processor).collect();
            median(&of_runs) / millions
        };
        format!(
            "{:<9} {users:>7} {threads:>8} {:>13.2} {:>5.0} % {:>13.2} {:>5.0} % {:>6.1} % {:>9.3} {:>9.3} {:>7.1} % {:>9.2}",
            question.name(),
            millions / without.median(),
            100.0 * without.spread(),
            millions / durable.median(),
            100.0 * durable.spread(),
            100.0 * (1.0 - without.median() / durable.median()),
            processor(without),
            processor(durable),
            100.0 * (processor(durable) / processor(without) - 1.0),
            *delta_bytes as f64 / 1e6,
        )
    }
}
