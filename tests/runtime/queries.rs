//! A query that runs: fed, waited for, looked at, and stopped.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use watershed::core::epoch::Epoch;
use watershed::core::error::Result;
use watershed::core::node::{Part, Receipt, Sink};
use watershed::core::plan::Trigger;
use watershed::core::row::Serde;
use watershed::runtime::{QueryBuilder, QueryInfo, QueryListener, QueryStatus, RuntimeBuilder, RuntimeError};
use watershed::sinks::{MemoryTable, WaitError};
use watershed::sources::{MemoryFeed, PushError};
use watershed::{Query, Runtime, sinks};

use crate::common::{ByPage, Count, Notes, batch, clicks, counting, counts, listed, passing, push, runtime};

#[test]
fn what_one_shares_between_threads_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    fn sent_value<T: Send>(_: &T) {}
    shared::<Runtime>();
    shared::<Query>();
    shared::<RuntimeError>();
    shared::<QueryInfo>();
    shared::<QueryStatus>();
    shared::<MemoryFeed>();
    shared::<MemoryTable>();
    sent::<RuntimeBuilder>();
    sent::<QueryBuilder>();
    let feed = MemoryFeed::new(clicks(None).schema.schema().expect("columns"));
    let row = batch(&[("/", 1)]);
    sent_value(&feed.push_async(&row));
    sent_value(&MemoryTable::default().wait_for_async(Epoch(0)));
}

#[test]
fn rows_go_in_and_the_answer_is_read_as_of_an_epoch() {
    let query = runtime().query(counting()).start().expect("it starts");
    let table = query.table("table").expect("a table");
    push(&query, &[("/", 1), ("/docs", 1), ("/", 2)]);
    query.process_all_available().expect("it runs");
    assert_eq!(counts(&table.snapshot().expect("a snapshot")), listed(&[("/", 2), ("/docs", 1)]));

    push(&query, &[("/", 3)]);
    let snapshot = table.wait_for(Epoch(1), None).expect("the epoch comes");
    assert_eq!((snapshot.epoch, counts(&snapshot)), (Some(Epoch(1)), listed(&[("/", 3), ("/docs", 1)])));
    let one = table.get::<ByPage>(ByPage { page: "/docs" }).expect("a key of the table");
    assert_eq!(one.rows::<Count>().expect("a row"), [Count { page: "/docs", clicks: 1 }]);
    let rows = one.rows::<Serde<serde_json::Value>>().expect("a row");
    assert_eq!(rows[0].as_ref().expect("any row"), &serde_json::json!({"page": "/docs", "clicks": 1}));
    assert_eq!(table.get::<ByPage>(ByPage { page: "/none" }).expect("a key of the table").row_count(), 0);

    let summary = query.stop().expect("it stops");
    assert!(summary.stopped);
    assert_eq!((summary.epochs, summary.input_rows), (2, 4));
    assert!(!query.is_active() && query.exception().is_none());
}

#[test]
fn everything_that_was_pushed_before_is_processed_afterwards_whoever_asks() {
    let query = runtime().query(counting()).start().expect("it starts");
    let table = query.table("table").expect("a table");
    thread::scope(|scope| {
        for user in 0..4 {
            let (query, table) = (&query, &table);
            scope.spawn(move || {
                let page = format!("/{user}");
                for clicks in 1..20 {
                    push(query, &[(&page, user)]);
                    query.process_all_available().expect("it runs");
                    let row = table.get::<ByPage>(ByPage { page: &page }).expect("a key of the table");
                    assert_eq!(row.rows::<Count>().expect("a row"), [Count { page: &page, clicks }]);
                }
            });
        }
    });
    query.process_all_available().expect("nothing is left to do");
}

#[test]
fn the_epochs_that_a_watermark_calls_for_are_waited_for_too() {
    let text = r#"Graph(
        name: "per minute",
        sources: { "events": Memory(schema: "at TIMESTAMP") },
        operators: {
            "timed": Watermark(column: "at", delay: "0s"),
            "counts": Window(window: Tumbling(size: "1 minute"), aggregates: ["count(*) AS n"], output_mode: Append),
        },
        sinks: { "table": Memory() },
        flow: ["events -> timed -> counts -> table"],
    )"#;
    let query = runtime().query_text(text).start().expect("it starts");
    let feed = query.feed("events").expect("a feed");
    let times = [0, 30, 60].map(|second| second * 1_000_000);
    let times = watershed::arrow::array::TimestampMicrosecondArray::from(times.to_vec());
    let rows = watershed::arrow::array::RecordBatch::try_from_iter([("at", std::sync::Arc::new(times) as _)]);
    feed.push(&rows.expect("a batch")).expect("room");
    query.process_all_available().expect("it runs");
    let snapshot = query.table("table").expect("a table").snapshot().expect("a snapshot");
    assert_eq!(snapshot.row_count(), 1, "the first window is closed by an epoch without input");
    assert_eq!(query.last_progress().expect("epochs").input_rows, 0);
    let status = query.status();
    let [waiting] = &status.waiting[..] else { panic!("{status:?}") };
    assert_eq!((&*waiting.node, &*waiting.held_by, &*waiting.sources), ("counts", "timed", &["events".to_owned()][..]));
    assert_eq!(
        waiting.needs.map(watershed::core::time::Timestamp::micros),
        Some(120_000_000),
        "what closes the second window"
    );
}

/// Says on which threads it was staged.
struct Where(Notes);

impl Sink for Where {
    fn stage(&self, part: Part, _: &[watershed::arrow::array::RecordBatch]) -> Result<Receipt> {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.0.add(format!("{} {}", part.epoch, name.split('-').next().unwrap_or_default()));
        Ok(Receipt::default())
    }

    fn commit(&self, _: Epoch, _: &[Receipt]) -> Result<()> {
        Ok(())
    }
}

#[test]
fn queries_of_a_runtime_share_its_threads_and_nothing_else() {
    let runtime = runtime();
    let notes = [Notes::default(), Notes::default()];
    let start = |notes: &Notes, name: &str| {
        let query = runtime.query(passing(sinks::Discard {}, None)).name(name).sink("out", Where(notes.clone()));
        query.start().expect("it starts")
    };
    let [one, two] = [start(&notes[0], "one"), start(&notes[1], "two")];
    assert_eq!((one.name(), two.name()), ("one", "two"));
    assert_eq!((&*one.info().graph, &*two.info().graph), ("clicks", "clicks"));
    assert_ne!(one.run_id(), two.run_id());
    push(&one, &[("/", 1)]);
    push(&two, &[("/", 1)]);
    two.process_all_available().expect("it runs");
    one.stop().expect("it stops");
    push(&two, &[("/", 2)]);
    two.process_all_available().expect("it goes on");
    drop(runtime);
    push(&two, &[("/", 3)]);
    two.process_all_available().expect("the threads live as long as a query");
    assert_eq!(notes[1].all(), ["0 watershed", "1 watershed", "2 watershed"]);
    assert!(notes[0].all().iter().all(|note| note == "0 watershed"));
}

#[test]
fn a_query_ends_with_its_input_and_says_what_it_did() {
    let query = runtime().query(counting()).start().expect("it starts");
    assert!(query.await_termination(Some(Duration::from_millis(1))).expect("no error").is_none());
    push(&query, &[("/", 1)]);
    query.feed("clicks").expect("a feed").close();
    let summary = query.await_termination(None).expect("no error").expect("no timeout");
    assert_eq!((summary.epochs, summary.input_rows, summary.stopped), (1, 1, false));
    query.process_all_available().expect("it has processed all it ever will");
    assert_eq!(query.status().message, "ended");
    assert!(matches!(query.feed("clicks").expect("a feed").push(&batch(&[("/", 1)])), Err(PushError::Closed)));
    let table = query.table("table").expect("a table");
    assert_eq!(counts(&table.snapshot().expect("a snapshot")), listed(&[("/", 1)]));
    let waited = table.wait_for(Epoch(1), None).expect_err("there is no such epoch");
    assert_eq!(waited.to_string(), "wait for epoch 1: the query has ended, epoch 0 was the last");
}

#[test]
fn what_is_there_at_the_start_may_be_all() {
    let feed = std::sync::Arc::new(MemoryFeed::new(clicks(None).schema.schema().expect("columns")));
    feed.push(&batch(&[("/", 1), ("/", 2)])).expect("room");
    let query = runtime().query(counting()).trigger(Trigger::AvailableNow).handle("clicks", feed);
    let query = query.start().expect("it starts");
    let summary = query.await_termination(None).expect("no error").expect("no timeout");
    assert_eq!((summary.input_rows, summary.stopped), (2, false));
    let status = query.status();
    assert!(!status.is_trigger_active && !status.is_data_available);
}

#[test]
fn stopping_turns_away_who_waits_for_room() {
    let (entered, at_work) = channel();
    let (go, gone) = channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let query = runtime().query(passing(sinks::ForeachBatch {}, Some(1)));
    let query = query.foreach_batch("out", move |_, _| {
        entered.send(())?;
        // Until the test lets go.
        let _ = gone.lock().map_err(|_| "poisoned")?.recv();
        Ok(())
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1)]);
    at_work.recv().expect("the epoch is being committed");
    thread::scope(|scope| {
        let feed = query.feed("clicks").expect("a feed");
        let blocked = scope.spawn(move || feed.push(&batch(&[("/", 2)])));
        query.ask_to_stop();
        drop(go);
        let summary = query.stop().expect("the epoch in hand is finished");
        assert_eq!((summary.epochs, summary.input_rows), (1, 1));
        // It may have found room at the last moment; then nobody has read the row.
        let outcome = blocked.join().expect("no panic");
        assert!(matches!(outcome, Ok(()) | Err(PushError::Ended)), "{outcome:?}");
    });
    assert!(matches!(query.feed("clicks").expect("a feed").push(&batch(&[("/", 3)])), Err(PushError::Ended)));
    assert_eq!(query.status().message, "stopped");
    let error = query.process_all_available().expect_err("it was stopped");
    assert_eq!(error.to_string(), "query `clicks` was stopped");
}

#[test]
fn rows_wait_for_room_and_all_arrive() {
    let query = runtime().query(passing(sinks::Memory {}, Some(3))).start().expect("it starts");
    thread::scope(|scope| {
        for pusher in 0..3 {
            let feed = query.feed("clicks").expect("a feed");
            scope
                .spawn(move || (0..50).for_each(|user| feed.push(&batch(&[("/", 50 * pusher + user)])).expect("room")));
        }
    });
    query.process_all_available().expect("it runs");
    assert_eq!(query.table("out").expect("a table").snapshot().expect("a snapshot").row_count(), 150);
    assert_eq!(query.feed("clicks").expect("a feed").held_rows(), 0);
}

#[test]
fn a_table_is_waited_for_no_longer_than_asked() {
    let query = runtime().query(counting()).start().expect("it starts");
    let table = query.table("table").expect("a table");
    let late = table.wait_for(Epoch(0), Some(Duration::from_millis(1))).expect_err("no rows");
    assert!(matches!(late, WaitError::TimedOut { newest: None, .. }));
    assert_eq!(late.to_string(), "wait for epoch 0: none was committed when the time was up");
}

#[test]
fn what_a_query_does_can_be_seen_from_outside() {
    let (entered, at_work) = channel();
    let (go, gone) = channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let query = runtime().query(passing(sinks::ForeachBatch {}, None));
    let query = query.foreach_batch("out", move |_, _| {
        entered.send(())?;
        let _ = gone.lock().map_err(|_| "poisoned")?.recv();
        Ok(())
    });
    let query = query.start().expect("it starts");
    query.process_all_available().expect("there is nothing");
    assert_eq!(query.status().message, "waiting for input");
    push(&query, &[("/", 1)]);
    at_work.recv().expect("the epoch is being committed");
    let status = query.status();
    assert_eq!(status.message, "running epoch 0");
    assert!(status.is_data_available && status.is_trigger_active);
    let seen: Vec<_> = status.at_work.iter().map(|at_work| (&*at_work.node, at_work.epoch)).collect();
    assert_eq!(seen, [("out", Epoch(0))]);
    drop(go);
    query.process_all_available().expect("it goes on");
    let status = query.status();
    assert_eq!((&*status.message, status.is_trigger_active, status.at_work.len()), ("waiting for input", false, 0));
}

#[test]
fn the_last_epochs_are_remembered_and_no_more() {
    let query = runtime().query(counting()).recent_progress(3).start().expect("it starts");
    assert!(query.last_progress().is_none() && query.recent_progress().is_empty());
    for user in 0..5 {
        push(&query, &[("/", user)]);
        query.process_all_available().expect("it runs");
    }
    let epochs: Vec<Epoch> = query.recent_progress().iter().map(|progress| progress.epoch).collect();
    assert_eq!(epochs, [Epoch(2), Epoch(3), Epoch(4)]);
    assert_eq!(query.last_progress().map(|progress| (progress.epoch, progress.input_rows)), Some((Epoch(4), 1)));
}

#[test]
fn a_query_says_what_it_runs() {
    let query = runtime().query(counting()).start().expect("it starts");
    assert_eq!(
        query.explain(),
        "clicks-per-page\n  \
           clicks: source Memory\n    \
             .out -> counts: Append; page STRING, user BIGINT\n  \
           counts: operator Aggregate, keeps state that nothing bounds\n    \
             .out -> table: Update by page; page STRING, clicks BIGINT\n  \
           table: sink Memory\n"
    );
    assert!(query.recovery().is_none());
    assert_eq!(query.id(), query.run_id());
    assert!(format!("{query:?}").contains("clicks-per-page"));
}

struct Ends(Notes);

impl QueryListener for Ends {
    fn on_terminated(&self, query: &QueryInfo, _: &Result<watershed::core::engine::Summary, RuntimeError>) {
        self.0.add(query.name.clone());
    }
}

#[test]
fn dropping_a_query_stops_it() {
    let notes = Notes::default();
    let query = runtime().query(counting()).listener(Ends(notes.clone())).start().expect("it starts");
    let feed = query.feed("clicks").expect("a feed");
    drop(query);
    assert_eq!(notes.all(), ["clicks-per-page"]);
    assert!(matches!(feed.push(&batch(&[("/", 1)])), Err(PushError::Ended)));
}
