//! Watershed inside a program: rows are pushed into a memory source, and the answer is read from a memory sink.
//!
//! `cargo run --release --example embed`

use std::error::Error;
use std::fmt::Write;

use watershed::core::row::Row;
use watershed::core::schema::Ddl;
use watershed::core::stream::OutputMode;
use watershed::operators::Aggregate;
use watershed::{Graph, Runtime, sinks, sources};

#[derive(Row)]
struct Click<'a> {
    page: &'a str,
    user: i64,
}

#[derive(Row)]
struct Visits<'a> {
    page: &'a str,
    clicks: i64,
    users: i64,
}

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", count_clicks()?);
    Ok(())
}

fn count_clicks() -> Result<String, Box<dyn Error>> {
    let graph = Graph::builder("clicks-per-page")
        .source(
            "clicks",
            sources::Memory {
                schema: Ddl("page STRING NOT NULL, user BIGINT".to_owned()),
                max_rows_per_epoch: None,
                capacity: Some(100_000),
            },
        )
        .operator(
            "counts",
            Aggregate {
                keys: vec!["page".to_owned()],
                aggregates: vec!["count(*) AS clicks".to_owned(), "count(DISTINCT user) AS users".to_owned()],
                output_mode: OutputMode::Update,
            },
        )
        .sink("table", sinks::Memory {})
        .flow("clicks -> counts -> table")
        .build();

    // All that is wrong with a graph comes back as one error that shows it.
    let query = Runtime::new()?.query(graph).start()?;
    let clicks = [("/", 1), ("/docs", 1), ("/", 2)].map(|(page, user)| Click { page, user });
    query.feed("clicks")?.push_rows::<Click>(clicks)?;
    query.process_all_available()?;

    let mut report = String::new();
    let snapshot = query.table("table")?.snapshot()?;
    for Visits { page, clicks, users } in snapshot.rows::<Visits>()? {
        writeln!(report, "{page}: {clicks} clicks, {users} users")?;
    }
    let summary = query.stop()?;
    writeln!(report, "{} rows in {} epochs", summary.input_rows, summary.epochs)?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_is_read_from_the_table() -> Result<(), Box<dyn std::error::Error>> {
        let report = super::count_clicks()?;
        assert_eq!(report, "/: 2 clicks, 2 users\n/docs: 1 clicks, 1 users\n3 rows in 1 epochs\n");
        Ok(())
    }
}
