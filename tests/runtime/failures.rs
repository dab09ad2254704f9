//! A query that fails says why, lets go of everybody who waits for it, and takes nothing else along.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use watershed::core::epoch::Epoch;
use watershed::core::time::{Clock, Timestamp};
use watershed::runtime::RuntimeError;
use watershed::sinks;
use watershed::sources::PushError;

use crate::common::{batch, counting, passing, push, runtime};

#[test]
fn an_error_and_a_panic_of_a_closure_end_the_query_and_no_other() {
    let runtime = runtime();
    let other = runtime.query(counting()).start().expect("it starts");
    for (panics, words) in [
        (false, "node `out` failed in epoch 1: the disk is full"),
        (true, "node `out` failed in epoch 1: panicked: the disk is full"),
    ] {
        let query = runtime.query(passing(sinks::ForeachBatch {}, None));
        let query = query.foreach_batch("out", move |epoch, _| {
            assert!(!panics || epoch == Epoch(0), "the disk is full");
            if epoch == Epoch(0) { Ok(()) } else { Err("the disk is full".into()) }
        });
        let query = query.start().expect("it starts");
        push(&query, &[("/", 1)]);
        query.process_all_available().expect("the first epoch passes");
        push(&query, &[("/", 2)]);
        let errors = [
            query.process_all_available().expect_err("it fails"),
            query.await_termination(None).expect_err("it failed"),
            query.stop().expect_err("it failed"),
            query.exception().expect("it failed"),
        ];
        for error in errors {
            assert_eq!(error.to_string(), words);
        }
        assert!(!query.is_active());
        assert_eq!(query.status().message, format!("failed: {words}"));
        assert_eq!(query.recent_progress().len(), 1, "the epoch that failed was not committed");
        assert!(matches!(query.feed("clicks").expect("a feed").push(&batch(&[("/", 3)])), Err(PushError::Ended)));
    }
    push(&other, &[("/", 1)]);
    other.process_all_available().expect("the other goes on");
}

#[test]
fn who_waits_for_a_query_that_fails_is_let_go() {
    let (entered, at_work) = channel();
    let (go, gone) = channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let query = runtime().query(passing(sinks::ForeachBatch {}, Some(1)));
    let query = query.foreach_batch("out", move |_, _| {
        entered.send(())?;
        let _ = gone.lock().map_err(|_| "poisoned")?.recv();
        Err("no more".into())
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1)]);
    at_work.recv().expect("the epoch is being committed");
    thread::scope(|scope| {
        let feed = query.feed("clicks").expect("a feed");
        let pushing = scope.spawn(move || feed.push(&batch(&[("/", 2)])));
        let processing = scope.spawn(|| query.process_all_available());
        let ending = scope.spawn(|| query.await_termination(None));
        drop(go);
        assert!(matches!(pushing.join().expect("no panic"), Err(PushError::Ended)));
        assert!(processing.join().expect("no panic").is_err());
        assert!(ending.join().expect("no panic").is_err());
    });
}

#[test]
fn a_call_that_takes_too_long_ends_the_query() {
    let query = runtime().query(passing(sinks::ForeachBatch {}, None)).call_limit(Duration::from_millis(30));
    let (_open, waits) = channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    let query = query.foreach_batch("out", move |_, _| {
        let _ = waits.lock().map_err(|_| "poisoned")?.recv_timeout(Duration::from_millis(100));
        Ok(())
    });
    let query = query.start().expect("it starts");
    push(&query, &[("/", 1)]);
    let error = query.process_all_available().expect_err("it fails").to_string();
    assert!(error.starts_with("node `out` failed in epoch 0: took "), "{error}");
}

#[derive(Debug)]
struct BrokenClock;

impl Clock for BrokenClock {
    fn now(&self) -> Timestamp {
        assert!(!thread::current().name().is_some_and(|name| name.starts_with("query-")), "no time");
        Timestamp::from_micros(0)
    }
}

#[test]
fn a_panic_of_the_engine_is_the_querys_exception() {
    let query = runtime().query(counting()).clock(std::sync::Arc::new(BrokenClock)).start().expect("it starts");
    let error = query.await_termination(None).expect_err("it failed");
    assert!(matches!(error, RuntimeError::Thread(_)));
    assert_eq!(error.to_string(), "the query's thread panicked: no time");
    assert_eq!(query.exception().map(|error| error.to_string()), Some(error.to_string()));
}
