//! The table that `nexmark` prints, a line as soon as it is known.

use super::{Measured, Wanted, nexmark};
use crate::Failure;
use crate::measure::Costs;

/// Runs the queries and prints what they cost.
pub fn print(wanted: &Wanted) -> Result<(), Failure> {
    println!(
        "{} events, {} a second of event time, {} an epoch; {} thread(s); medians of {} runs",
        wanted.events, wanted.events_per_second, wanted.epoch_events, wanted.threads, wanted.runs
    );
    println!(
        "every answer is that of a plain loop on one thread; M/s: million rows read a second; ratio: graph to loop"
    );
    println!(
        "{:<5} {:<36} {:>9} {:>9} {:>8} {:>7} {:>9} {:>7}",
        "query", "asks for", "rows in", "rows out", "seconds", "M/s", "loop M/s", "ratio"
    );
    nexmark(wanted, &mut |measured| println!("{}", line(measured)))
}

fn line(measured: &Measured) -> String {
    let Measured { query, rows_in, rows_out, plain, graph } = measured;
    let (name, asks) = (query.name(), query.asks());
    if graph.0.is_empty() {
        return format!("{name:<5} {asks:<36} {:>9} {rows_out:>9}", "");
    }
    let speed = |costs: &Costs| *rows_in as f64 / 1e6 / costs.median();
    format!(
        "{name:<5} {asks:<36} {rows_in:>9} {rows_out:>9} {:>8.3} {:>7.2} {:>9.2} {:>6.2}×",
        graph.median(),
        speed(graph),
        speed(plain),
        graph.median() / plain.median(),
    )
}
