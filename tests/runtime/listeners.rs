//! Listeners are told everything in order, and cannot hurt.

use watershed::core::engine::{Progress, Summary};
use watershed::runtime::{QueryInfo, QueryListener, RuntimeError};
use watershed::{Runtime, sinks};

use crate::common::{Notes, counting, passing, push, runtime};

/// Writes down what it is told.
struct Writes(Notes);

impl QueryListener for Writes {
    fn on_started(&self, query: &QueryInfo) {
        self.0.add(format!("{} started", query.name));
    }

    fn on_progress(&self, query: &QueryInfo, progress: &Progress) {
        self.0.add(format!("{} epoch {}: {} rows", query.name, progress.epoch, progress.input_rows));
    }

    fn on_idle(&self, query: &QueryInfo) {
        self.0.add(format!("{} idle", query.name));
    }

    fn on_terminated(&self, query: &QueryInfo, end: &Result<Summary, RuntimeError>) {
        let end = end.as_ref().map_or_else(ToString::to_string, |summary| format!("{} epochs", summary.epochs));
        self.0.add(format!("{} ended: {end}", query.name));
    }
}

#[test]
fn a_listener_is_told_everything_in_order() {
    let notes = Notes::default();
    let query = runtime().query(counting()).name("counts").listener(Writes(notes.clone())).start().expect("it starts");
    assert_eq!(notes.all()[0], "counts started");
    query.process_all_available().expect("nothing is there");
    for user in 0..2 {
        push(&query, &[("/", user)]);
        query.process_all_available().expect("it runs");
    }
    query.process_all_available().expect("it rests already");
    query.stop().expect("it stops");
    let expected = [
        "counts started",
        "counts idle",
        "counts epoch 0: 1 rows",
        "counts idle",
        "counts epoch 1: 1 rows",
        "counts idle",
        "counts ended: 2 epochs",
    ];
    assert_eq!(notes.all(), expected);
}

#[test]
fn a_listener_of_the_runtime_is_told_of_every_query() {
    let notes = Notes::default();
    let runtime = Runtime::builder().threads(1).listener(Writes(notes.clone())).build().expect("a thread");
    for name in ["one", "two"] {
        let failing = runtime.query(passing(sinks::ForeachBatch {}, None)).name(name);
        let failing = failing.foreach_batch("out", |_, _| Err("no more".into())).start().expect("it starts");
        push(&failing, &[("/", 1)]);
        assert!(failing.await_termination(None).is_err());
    }
    let mut all = notes.all();
    all.retain(|note| !note.ends_with("idle"));
    let expected = ["one", "two"]
        .map(|name| [format!("{name} started"), format!("{name} ended: node `out` failed in epoch 0: no more")]);
    assert_eq!(all, expected.concat());
}

/// Panics whenever it is told something, having written it down.
struct Panics(Notes);

impl QueryListener for Panics {
    fn on_idle(&self, _: &QueryInfo) {
        self.0.add("idle");
        panic!("a listener's own trouble");
    }

    fn on_progress(&self, _: &QueryInfo, _: &Progress) {
        self.0.add("progress");
        panic!("a listener's own trouble");
    }
}

#[test]
fn a_listener_that_panics_hurts_nobody_and_is_not_called_again() {
    let (panics, writes) = (Notes::default(), Notes::default());
    let query = runtime().query(counting()).listener(Panics(panics.clone())).listener(Writes(writes.clone()));
    let query = query.start().expect("it starts");
    query.process_all_available().expect("it runs");
    for user in 0..2 {
        push(&query, &[("/", user)]);
        query.process_all_available().expect("it runs");
    }
    query.stop().expect("it stops");
    assert_eq!(panics.all(), ["idle"]);
    assert_eq!(writes.all().len(), 7);
}
