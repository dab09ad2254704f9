//! Watershed inside a program: rows are pushed into a memory source, and the answer is read from a memory sink.
//!
//! `cargo run --release --example embed`

use std::error::Error;
use std::sync::Arc;

use watershed::arrow::array::{Int64Array, RecordBatch, StringArray};
use watershed::core::engine::{Engine, EngineOptions, Step};
use watershed::core::schema::Ddl;
use watershed::core::stream::OutputMode;
use watershed::graphs::{Graph, SchemaMode};
use watershed::operators::Aggregate;
use watershed::{sinks, sources};

fn main() -> Result<(), Box<dyn Error>> {
    let graph = Graph::builder("clicks-per-page")
        .source(
            "clicks",
            sources::Memory {
                schema: Ddl("page STRING, user BIGINT".to_owned()),
                max_rows_per_epoch: None,
                capacity: None,
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
    let checked = graph.check(SchemaMode::Offline);
    eprint!("{}", checked.diagnostics.render(false));
    let plan = checked.plan.ok_or("the graph is wrong")?;

    let options = EngineOptions::default();
    let handles = options.handles.clone();
    let mut engine = Engine::open(&plan, options)?;
    let feed = handles.get::<sources::MemoryFeed>("clicks").ok_or("the source is open")?;
    let table = handles.get::<sinks::MemoryTable>("table").ok_or("the sink is open")?;

    let pages = StringArray::from(vec!["/", "/docs", "/"]);
    let users = Int64Array::from(vec![1, 1, 2]);
    feed.push(&RecordBatch::try_from_iter([("page", Arc::new(pages) as _), ("user", Arc::new(users) as _)])?)?;
    while let Step::Ran(_) = engine.step()? {}

    let snapshot = table.snapshot()?;
    println!("{}", sinks::table::render(&snapshot.schema, &snapshot.batches, &sinks::table::TableStyle::default())?);
    Ok(())
}
