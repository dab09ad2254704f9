//! Rows from a thread that is faster than the graph: it waits for room, so memory stays bounded, and it hears when the query ends.
//!
//! The graph is read from RON and ends in a closure. `cargo run --release --example feeding`

use std::error::Error;
use std::thread;

use watershed::Runtime;
use watershed::core::engine::Summary;
use watershed::core::row::{Row, rows_of};
use watershed::core::time::{TimeSpan, Timestamp};
use watershed::sources::PushError;

/// Averages per device and minute, each when its minute is over.
const GRAPH: &str = r#"Graph(
    name: "averages",
    sources: {
        "readings": Memory(schema: "device STRING NOT NULL, at TIMESTAMP NOT NULL, x DOUBLE NOT NULL", capacity: 5000),
    },
    operators: {
        "timed": Watermark(column: "at", delay: "5s"),
        "averages": Window(window: Tumbling(size: "1 minute"), keys: ["device"], aggregates: ["avg(x) AS mean"], output_mode: Append),
    },
    sinks: { "averages-out": ForeachBatch() },
    flow: ["readings -> timed -> averages -> averages-out"],
    run: (at_end: Flush),
)"#;

const DEVICES: [&str; 3] = ["boiler", "pump", "valve"];

#[derive(Row)]
struct Reading<'a> {
    device: &'a str,
    at: Timestamp,
    x: f64,
}

#[derive(Row)]
struct Average<'a> {
    window_end: Timestamp,
    device: &'a str,
    mean: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let summary = average(|line| println!("{line}"))?;
    println!("{} rows in {} epochs", summary.input_rows, summary.epochs);
    Ok(())
}

/// Feeds the readings of ten minutes and hands each average to `tell`.
fn average(mut tell: impl FnMut(String) + Send + 'static) -> Result<Summary, Box<dyn Error>> {
    let query = Runtime::new()?
        .query_text(GRAPH)
        .foreach_batch("averages-out", move |epoch, batches| {
            for batch in batches {
                for Average { window_end, device, mean } in rows_of::<Average>(batch)? {
                    tell(format!("epoch {epoch}: {device} until {window_end}: {mean:.1}"));
                }
            }
            Ok(())
        })
        .start()?;

    let feed = query.feed("readings")?;
    let feeding = thread::spawn(move || -> Result<(), PushError> {
        let start = Timestamp::from_micros(1_424_772_000_000_000);
        for second in 0..600 {
            let reading =
                |device| Reading { device, at: start.plus(TimeSpan::from_seconds(second)), x: (second % 60) as f64 };
            // Waits while 5000 rows are on their way. Had the query failed, this would say so.
            feed.push_rows::<Reading>(DEVICES.map(reading))?;
        }
        feed.close();
        Ok(())
    });

    // The source is at its end, so the query is; an error of the query is returned here.
    let summary = query.await_termination(None)?.ok_or("there is no timeout")?;
    feeding.join().map_err(|_| "the feeding thread panicked")??;
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    #[test]
    fn every_device_has_an_average_for_every_minute() -> Result<(), Box<dyn std::error::Error>> {
        let (tell, told) = channel();
        let summary = super::average(move |line| tell.send(line).expect("the test listens"))?;
        assert_eq!(summary.input_rows, 3 * 600);
        let mut averages: Vec<String> = told.iter().collect();
        assert_eq!(averages.len(), 3 * 10);
        // How the rows fell into epochs is up to the machine.
        for line in &mut averages {
            *line = line.split_once(": ").expect("an epoch").1.to_owned();
        }
        averages.sort();
        assert_eq!(averages[0], "boiler until 2015-02-24T10:01:00Z: 29.5");
        assert_eq!(averages[29], "valve until 2015-02-24T10:10:00Z: 29.5");
        Ok(())
    }
}
