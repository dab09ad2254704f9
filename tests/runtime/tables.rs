//! Tables that the program pushes, to look rows up in.

use std::sync::Arc;

use watershed::core::schema::Ddl;
use watershed::core::stream::OutputMode;
use watershed::operators::{Join, JoinKind};
use watershed::prelude::Row;
use watershed::sources::{PushError, PushedTable, TableFeed};
use watershed::{Graph, Query, sinks};

use crate::common::{clicks, push, runtime};

#[derive(Row)]
struct Title<'a> {
    path: &'a str,
    title: &'a str,
}

#[derive(Row, Debug, PartialEq)]
struct Titled<'a> {
    user: i64,
    title: Option<&'a str>,
}

fn titles() -> PushedTable {
    PushedTable { schema: Ddl("path STRING, title STRING".to_owned()) }
}

fn titled() -> Graph {
    let join = Join {
        kind: JoinKind::LeftOuter,
        on: "left.page = right.path".to_owned(),
        select: vec!["left.user".to_owned(), "right.title".to_owned()],
        output_mode: OutputMode::Append,
    };
    Graph::builder("titled")
        .source("clicks", clicks(None))
        .source("titles", titles())
        .operator("joined", join)
        .sink("table", sinks::Memory {})
        .flow("clicks -> joined.left")
        .flow("titles -> joined.right")
        .flow("joined -> table")
        .build()
}

fn rows(query: &Query) -> Vec<(i64, String)> {
    query.process_all_available().expect("it runs");
    let snapshot = query.table("table").expect("a table").snapshot().expect("a snapshot");
    let rows = snapshot.rows::<Titled>().expect("the columns of the graph");
    rows.into_iter().map(|row| (row.user, row.title.unwrap_or("-").to_owned())).collect()
}

#[test]
fn a_table_that_is_pushed_is_looked_up_from_then_on() {
    let feed = Arc::new(TableFeed::new(titles().schema.schema().expect("columns")));
    feed.replace_rows::<Title>([Title { path: "/", title: "home" }]).expect("nobody has ended");
    let query = runtime().query(titled()).handle("titles", Arc::clone(&feed)).start().expect("it starts");
    push(&query, &[("/", 1), ("/docs", 2)]);
    let mut seen = rows(&query);
    seen.sort();
    assert_eq!(seen, [(1, "home".to_owned()), (2, "-".to_owned())]);
    let docs = [Title { path: "/docs", title: "documents" }, Title { path: "/docs", title: "reference" }];
    query.table_feed("titles").expect("the feed that was left").replace_rows::<Title>(docs).expect("open");
    query.process_all_available().expect("it runs");
    push(&query, &[("/docs", 3), ("/", 4)]);
    let mut seen = rows(&query).split_off(2);
    seen.sort();
    let due = [(3, "documents"), (3, "reference"), (4, "-")].map(|(user, title)| (user, title.to_owned()));
    assert_eq!(seen, due, "every row that fits, and what came out stays as it was");
    let wrong = query.feed("titles").expect_err("it is no such feed").to_string();
    assert!(wrong.contains("it is no `Memory` source"), "{wrong}");
    assert!(query.table_feed("clicks").is_err());
    query.feed("clicks").expect("a feed").close();
    let summary = query.await_termination(None).expect("no error").expect("the table does not keep it going");
    assert!(!summary.stopped);
    assert!(matches!(feed.replace_rows::<Title>([]), Err(PushError::Ended)));
}
