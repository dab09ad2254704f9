//! What keeps a query from being started, and what it is started from.

use std::sync::Arc;

use watershed::runtime::RuntimeError;
use watershed::sinks;
use watershed::sources::MemoryFeed;

use crate::common::{Click, batch, clicks, counting, passing, push, runtime};

const TEXT: &str = r#"Graph(
    name: "known",
    sources: { "clicks": Memory(schema: "page STRING NOT NULL, user BIGINT NOT NULL") },
    operators: { "known": Filter("user > ${LEAST:-10}") },
    sinks: { "out": Memory() },
    flow: ["clicks -> known -> out"],
)"#;

#[test]
fn a_query_is_started_from_a_text_or_a_file() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("known.ron");
    std::fs::write(&path, TEXT).expect("a file");
    let runtime = runtime();
    for (query, expected) in [
        (runtime.query_text(TEXT), 1),
        (runtime.query_text(TEXT).variable("LEAST", "1"), 2),
        (runtime.query_file(&path).variable("LEAST", "100"), 0),
    ] {
        let query = query.start().expect("it starts");
        push(&query, &[("/", 1), ("/", 2), ("/", 20)]);
        query.process_all_available().expect("it runs");
        assert_eq!(query.table("out").expect("a table").snapshot().expect("a snapshot").row_count(), expected);
        assert_eq!(query.name(), "known");
    }
}

#[test]
fn a_wrong_graph_comes_back_with_everything_that_is_wrong() {
    let text = TEXT.replace("user > ", "usr > ").replace("Memory()", "Memroy()");
    let error = runtime().query_text(text).start().expect_err("two faults");
    assert!(matches!(error, RuntimeError::Graph(_)));
    let words = error.to_string();
    for part in ["Memroy", "did you mean", "4 │", "nothing was started"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(!words.contains('\u{1b}'), "{words:?}");

    let missing = runtime().query_file("no/such/graph.ron").start().expect_err("no file");
    assert!(missing.to_string().starts_with("read `no/such/graph.ron`: "), "{missing}");
}

#[test]
fn what_is_handed_over_for_no_node_is_refused() {
    let feed = Arc::new(MemoryFeed::new(clicks(None).schema.schema().expect("columns")));
    for (query, words) in [
        (
            runtime().query(counting()).handle("click", feed),
            "a handle is for node `click`, which graph `clicks-per-page` does not have; did you mean `clicks`?",
        ),
        (
            runtime().query(counting()).foreach::<Click>("alerts", |_, _| Ok(())),
            "`foreach` is for node `alerts`, which graph `clicks-per-page` does not have; it has `clicks`, `counts` and `table`",
        ),
    ] {
        assert_eq!(query.start().expect_err("no such node").to_string(), words);
    }
    let query = runtime().query(counting()).start().expect("it starts");
    let error = query.feed("table").expect_err("a sink");
    assert_eq!(error.to_string(), "node `table` of query `clicks-per-page` has no feed: it is no `Memory` source");
    assert!(query.table("tabel").is_err());
}

#[test]
fn a_checkpoint_that_cannot_be_is_refused() {
    let start = |place: &str| runtime().query(counting()).checkpoint(place).start().expect_err("no place").to_string();
    assert!(start("").contains("the checkpoint has no name"));
    assert!(start("ftp://host/a").contains("`ftp://` is not known"));
    let both = runtime().query(counting()).rename("a", "counts").rename("b", "counts").start();
    assert_eq!(
        both.expect_err("two pasts").to_string(),
        "`rename`: `counts` cannot go on with what both `a` and `b` kept"
    );
}

#[test]
fn a_feed_takes_rows_before_the_start() {
    let feed = Arc::new(MemoryFeed::new(clicks(None).schema.schema().expect("columns")));
    feed.push(&batch(&[("/", 1)])).expect("room");
    let query = runtime().query(passing(sinks::Memory {}, Some(1))).handle("clicks", feed).start().expect("it starts");
    query.process_all_available().expect("it runs");
    let snapshot = query.table("out").expect("a table").snapshot().expect("a snapshot");
    assert_eq!(snapshot.rows::<Click>().expect("the columns"), [Click { page: "/", user: 1 }]);
}
