//! Sinks that are code of the program.

use std::sync::Arc;

use watershed::core::node::Part;
use watershed::core::row::Serde;
use watershed::runtime::RuntimeError;
use watershed::sinks;
use watershed::sinks::{ForeachError, ForeachWriter};

use crate::common::{Click, Count, Notes, counting, passing, push, runtime};

#[test]
fn a_closure_gets_every_epoch_with_its_number() {
    let notes = Notes::default();
    let written = notes.clone();
    let query = runtime().query(passing(sinks::ForeachBatch {}, None));
    let query = query.foreach_batch("out", move |epoch, rows| {
        let rows: usize = rows.iter().map(watershed::arrow::array::RecordBatch::num_rows).sum();
        written.add(format!("epoch {epoch}: {rows} rows"));
        Ok(())
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1), ("/docs", 2)]);
    query.process_all_available().expect("it runs");
    push(&query, &[("/", 3)]);
    query.process_all_available().expect("it runs");
    assert_eq!(notes.all(), ["epoch 0: 2 rows", "epoch 1: 1 rows"]);
}

#[test]
fn a_closure_gets_every_row_as_a_struct() {
    let notes = Notes::default();
    let written = notes.clone();
    let query = runtime().query(passing(sinks::Foreach {}, None));
    let query = query.foreach::<Click>("out", move |epoch, Click { page, user }| {
        written.add(format!("{epoch} {page} {user}"));
        Ok(())
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1), ("/docs", 2)]);
    query.process_all_available().expect("it runs");
    assert_eq!(notes.all(), ["0 / 1", "0 /docs 2"]);
}

#[derive(serde::Deserialize)]
struct Owned {
    page: String,
}

#[test]
fn a_closure_gets_every_row_as_serde_reads_it() {
    let notes = Notes::default();
    let written = notes.clone();
    let query = runtime().query(passing(sinks::Foreach {}, None));
    let query = query.foreach::<Serde<Owned>>("out", move |epoch, row| {
        written.add(format!("{epoch} {}", row?.page));
        Ok(())
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1)]);
    query.process_all_available().expect("it runs");
    assert_eq!(notes.all(), ["0 /"]);
}

struct Writer(Notes);

impl ForeachWriter for Writer {
    type Row = Click<'static>;

    fn open(&mut self, part: Part) -> Result<bool, ForeachError> {
        self.0.add(format!("open {}.{}", part.epoch, part.index));
        Ok(part.epoch.0 != 1)
    }

    fn process(&mut self, row: Click) -> Result<(), ForeachError> {
        self.0.add(row.page);
        if row.user < 0 { Err(format!("user {}", row.user).into()) } else { Ok(()) }
    }

    fn close(&mut self, failure: Option<&ForeachError>) -> Result<(), ForeachError> {
        self.0.add(failure.map_or_else(|| "close".to_owned(), |failure| format!("close after {failure}")));
        Ok(())
    }
}

#[test]
fn a_writer_opens_and_closes_around_the_rows_of_a_part() {
    let notes = Notes::default();
    let query = runtime().query(passing(sinks::Foreach {}, None)).foreach_writer("out", Writer(notes.clone()));
    let query = query.start().expect("it starts");
    for user in [1, 2, -3] {
        push(&query, &[("/", user), ("/docs", 4)]);
        let outcome = query.process_all_available();
        assert_eq!(outcome.is_ok(), user > 0);
    }
    let expected = ["open 0.0", "/", "/docs", "close", "open 1.0", "close", "open 2.0", "/", "close after user -3"];
    assert_eq!(notes.all(), expected, "a part that is not wanted is left out, an error ends the run");
    let error = query.exception().expect("it failed");
    assert_eq!(error.to_string(), "node `out` failed in epoch 2: user -3");
}

#[test]
fn without_the_closure_the_graph_does_not_start() {
    let start = |graph| runtime().query(graph).start().expect_err("nobody takes the rows").to_string();
    assert_eq!(
        start(passing(sinks::ForeachBatch {}, None)),
        "node `out` cannot be opened: `ForeachBatch` has no code to hand rows to: the program that starts the query gives it \
         with `foreach_batch(\"out\", …)`"
    );
    assert_eq!(
        start(passing(sinks::Foreach {}, None)),
        "node `out` cannot be opened: `Foreach` has no code to hand rows to: the program that starts the query gives it with \
         `foreach(\"out\", …)`"
    );
}

#[test]
fn rows_that_the_closure_cannot_read_are_refused_before_the_start() {
    let query = runtime().query(passing(sinks::Foreach {}, None)).foreach::<Count>("out", |_, _| Ok(()));
    let error = query.start().expect_err("there is no such column").to_string();
    assert!(error.starts_with("node `out` cannot be opened: the rows are not those that `foreach` takes: "), "{error}");
    assert!(error.contains("`clicks`"), "{error}");
}

#[test]
fn code_that_the_query_waits_for_cannot_wait_for_the_query() {
    let notes = Notes::default();
    let own: Arc<std::sync::OnceLock<Arc<watershed::Query>>> = Arc::default();
    let (written, known) = (notes.clone(), Arc::clone(&own));
    let query = runtime().query(passing(sinks::ForeachBatch {}, None));
    let query = query.foreach_batch("out", move |_, _| {
        let query = known.get().ok_or("the query is not known yet")?;
        for error in [
            query.stop().expect_err("it would wait for itself"),
            query.process_all_available().expect_err("it would wait for itself"),
        ] {
            assert!(matches!(error, RuntimeError::OwnThread { .. }));
            written.add(error.to_string());
        }
        query.ask_to_stop();
        Ok(())
    });
    let query = Arc::new(query.start().expect("it starts"));
    own.set(Arc::clone(&query)).expect("set once");
    push(&query, &[("/", 1)]);
    let summary = query.await_termination(None).expect("no error").expect("no timeout");
    assert_eq!((summary.epochs, summary.stopped), (1, true));
    let words =
        "waits for query `clicks` and was called by its own code, which it would wait for; `ask_to_stop` does not wait";
    assert_eq!(notes.all(), [format!("`stop` {words}"), format!("`process_all_available` {words}")]);
}

#[test]
fn a_query_may_feed_another() {
    let runtime = runtime();
    let counts = Arc::new(runtime.query(counting()).start().expect("it starts"));
    let next = Arc::clone(&counts);
    let query = runtime.query(passing(sinks::ForeachBatch {}, None));
    let query = query.foreach_batch("out", move |_, rows| {
        let feed = next.feed("clicks")?;
        rows.iter().try_for_each(|batch| feed.push(batch))?;
        Ok(next.process_all_available()?)
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1)]);
    query.process_all_available().expect("it runs");
    assert_eq!(counts.table("table").expect("a table").snapshot().expect("a snapshot").row_count(), 1);
}
