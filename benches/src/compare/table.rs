//! The table that `compare` prints, a line as soon as it is known.

use clap::ValueEnum;

use super::{Compare, Costs, Measured, compare};
use crate::Failure;

/// Runs the comparison and prints it.
pub fn print(wanted: &Compare) -> Result<(), Failure> {
    println!(
        "{} rows, {} users, {} minutes of event time; {} thread(s); medians of {} runs",
        wanted.rows, wanted.users, wanted.minutes, wanted.threads, wanted.runs
    );
    println!(
        "M/s: million rows a second; s/M: processor seconds of the process for a million rows; ratio: graph to loop"
    );
    println!(
        "{:<8} {:<15} {:>8} {:>9} {:>7} {:>7} {:>10} {:>7} {:>7} {:>7} {:>9}",
        "rows in",
        "question",
        "answer",
        "loop M/s",
        "spread",
        "s/M",
        "graph M/s",
        "spread",
        "s/M",
        "ratio",
        "CPU ratio"
    );
    compare(wanted, &mut |measured| println!("{}", line(measured, wanted.rows)))
}

fn line(measured: &Measured, rows: u64) -> String {
    let Measured { medium, workload, answer_rows, by_hand, by_graph } = measured;
    let medium = medium.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let millions = rows as f64 / 1e6;
    let speed = |costs: &Costs| format!("{:.2}", millions / costs.median());
    let spread = |costs: &Costs| format!("{:.0} %", 100.0 * costs.spread());
    let processor = |costs: &Costs| costs.processor().map(|seconds| seconds / millions);
    let seconds = |costs: &Costs| processor(costs).map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3}"));
    let processor_ratio = match (processor(by_graph), processor(by_hand)) {
        (Some(graph), Some(by_hand)) if by_hand > 0.0 => format!("{:.2}×", graph / by_hand),
        _ => "-".to_owned(),
    };
    format!(
        "{medium:<8} {:<15} {answer_rows:>8} {:>9} {:>7} {:>7} {:>10} {:>7} {:>7} {:>6.2}× {processor_ratio:>9}",
        workload.name(),
        speed(by_hand),
        spread(by_hand),
        seconds(by_hand),
        speed(by_graph),
        spread(by_graph),
        seconds(by_graph),
        by_graph.median() / by_hand.median(),
    )
}
