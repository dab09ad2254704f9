//! A graph that counts clicks, and what the tests do with it.

use std::sync::{Arc, Mutex, PoisonError};

use watershed::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use watershed::core::row::Row;
use watershed::core::schema::Ddl;
use watershed::core::stream::OutputMode;
use watershed::operators::Aggregate;
use watershed::sinks::MemorySnapshot;
use watershed::{Graph, Query, Runtime, sinks, sources};

#[derive(Row, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Click<'a> {
    pub(crate) page: &'a str,
    pub(crate) user: i64,
}

#[derive(Row, Debug, PartialEq)]
pub(crate) struct ByPage<'a> {
    pub(crate) page: &'a str,
}

#[derive(Row, Debug, PartialEq)]
pub(crate) struct Count<'a> {
    pub(crate) page: &'a str,
    pub(crate) clicks: i64,
}

pub(crate) fn clicks(capacity: Option<u64>) -> sources::Memory {
    let schema = Ddl("page STRING NOT NULL, user BIGINT NOT NULL".to_owned());
    sources::Memory { schema, max_rows_per_epoch: None, capacity }
}

/// Clicks per page, kept in a table.
pub(crate) fn counting() -> Graph {
    let counts = Aggregate {
        keys: vec!["page".to_owned()],
        aggregates: vec!["count(*) AS clicks".to_owned()],
        output_mode: OutputMode::Update,
    };
    Graph::builder("clicks-per-page")
        .source("clicks", clicks(None))
        .operator("counts", counts)
        .sink("table", sinks::Memory {})
        .flow("clicks -> counts -> table")
        .build()
}

/// Clicks that go into `sink` as they are.
pub(crate) fn passing(sink: impl watershed::core::node::SinkSpec + 'static, capacity: Option<u64>) -> Graph {
    Graph::builder("clicks").source("clicks", clicks(capacity)).sink("out", sink).flow("clicks -> out").build()
}

pub(crate) fn runtime() -> Runtime {
    Runtime::builder().threads(2).build().expect("two threads")
}

pub(crate) fn push(query: &Query, rows: &[(&str, i64)]) {
    let rows = rows.iter().map(|&(page, user)| Click { page, user });
    query.feed("clicks").expect("a feed").push_rows::<Click>(rows).expect("room");
}

pub(crate) fn batch(rows: &[(&str, i64)]) -> RecordBatch {
    let pages: StringArray = rows.iter().map(|(page, _)| Some(*page)).collect();
    let users = Int64Array::from_iter_values(rows.iter().map(|(_, user)| *user));
    RecordBatch::try_from_iter([("page", Arc::new(pages) as ArrayRef), ("user", Arc::new(users))]).expect("a batch")
}

pub(crate) fn counts(snapshot: &MemorySnapshot) -> Vec<(String, i64)> {
    let rows = snapshot.rows::<Count>().expect("the columns of the graph");
    rows.into_iter().map(|row| (row.page.to_owned(), row.clicks)).collect()
}

pub(crate) fn listed(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(page, count)| ((*page).to_owned(), *count)).collect()
}

/// What closures and listeners wrote down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
