//! A panic in node code: an error of that node, and nothing is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use watershed_core::checkpoint::MemoryStorage;
use watershed_core::engine::{Engine, EngineError, Step};
use watershed_core::epoch::Epoch;
use watershed_core::error::Error;
use watershed_core::node::{SinkSpec, SourceSpec};
use watershed_core::plan::{AtEnd, Plan, Role, Trigger};
use watershed_core::stream::Stream;
use watershed_core::time::TimeSpan;

use crate::nodes::{self, Collected, Keep, Row};
use crate::trouble::{Opened, Shut, Trouble, Troubled, note_places};
use crate::{Plans, options};

/// in → map → keyed → out
fn plan(trouble: &Trouble, trigger: Trigger) -> Plan {
    let mut plans = Plans::new(trigger, AtEnd::Hold, 2);
    let above = plans.source("in");
    let map = plans.operator("map", Troubled { keyed: false, trouble: trouble.clone() }, &[(above, 0)]);
    let keyed = plans.operator("keyed", Troubled { keyed: true, trouble: trouble.clone() }, &[(map, 0)]);
    plans.sink("out", (keyed, 0));
    plans.0
}

fn epochs() -> Vec<Vec<Row>> {
    (0..4).map(|epoch| (0..70).map(|row| (row % 7, epoch, row)).collect()).collect()
}

/// No epoch is read ahead, so that a call belongs to the epoch in hand.
const ONE_BY_ONE: Trigger = Trigger::Every(TimeSpan::from_micros(1));

fn open(trouble: &Trouble, storage: &MemoryStorage, collected: &Collected) -> Result<Engine, EngineError> {
    let (mut options, _) = options(&[], &[], 2);
    options.connectors.sources.insert("in".to_owned(), trouble.source(epochs()));
    options.connectors.sinks.insert("out".to_owned(), trouble.sink(collected.sink("out")));
    options.checkpoint = Some(Arc::new(storage.clone()));
    Engine::open(&plan(trouble, ONE_BY_ONE), options)
}

fn first_error(engine: &mut Engine) -> EngineError {
    loop {
        match engine.step() {
            Ok(Step::Ran(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => return error,
        }
    }
}

#[test]
fn a_panic_is_an_error_of_the_node_and_another_engine_runs_the_epoch_again() {
    note_places();
    let undisturbed = Collected::default();
    let mut engine = open(&Trouble::default(), &MemoryStorage::new(), &undisturbed).expect("the plan opens");
    assert_eq!(engine.run(&mut |_| {}).expect("no trouble").epochs, 4);
    for (call, node, place) in [
        ("available", "in", ""),
        ("splits", "in", ""),
        ("read", "in", ""),
        ("remember", "in", ""),
        ("release", "in", ""),
        ("process", "map", ""),
        ("before_exchange", "keyed", ""),
        ("process before the exchange", "keyed", ""),
        ("finish", "keyed", ""),
        ("run", "keyed", ", partition 0"),
        ("wake_at", "keyed", ", partition 0"),
        ("stage", "out", ""),
        ("commit", "out", ""),
    ] {
        let (trouble, storage, collected) = (Trouble::default(), MemoryStorage::new(), Collected::default());
        let mut engine = open(&trouble, &storage, &collected).expect("the plan opens");
        engine.step().expect("an epoch without trouble");
        trouble.set(Some(call));
        let error = first_error(&mut engine);
        let told = error.to_string();
        assert!(told.starts_with(&format!("node `{node}` failed in epoch 1{place}: panicked at ")), "{call}: {told}");
        assert!(told.contains("trouble.rs:") && told.ends_with(&format!(": trouble in {call}")), "{call}: {told}");
        assert!(matches!(engine.step(), Err(EngineError::Failed { .. })), "{call}");
        assert!(matches!(engine.run(&mut |_| {}), Err(EngineError::Failed { .. })), "{call}");
        // What was released is committed by then, and what a sink shows it has shown.
        let shown: Vec<u64> = collected.of("out").iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(shown, if call == "release" { vec![0, 1] } else { vec![0] }, "{call}");
        drop(engine);
        trouble.set(None);
        let mut engine = open(&trouble, &storage, &collected).expect("it goes on");
        engine.run(&mut |_| {}).expect("the trouble is over");
        assert_eq!(collected.of("out"), undisturbed.of("out"), "{call}");
    }
}

#[test]
fn a_panic_while_reading_ahead_is_told_by_the_epoch_that_is_read() {
    note_places();
    for call in ["available", "splits", "read"] {
        let (trouble, collected) = (Trouble::default(), Collected::default());
        let (mut options, _) = options(&[], &[], 2);
        options.connectors.sources.insert("in".to_owned(), trouble.source(epochs()));
        options.connectors.sinks.insert("out".to_owned(), Box::new(collected.sink("out")));
        let mut engine = Engine::open(&plan(&trouble, Trigger::AvailableNow), options).expect("the plan opens");
        let failed = engine.run(&mut |progress| {
            if progress.epoch == Epoch(0) {
                trouble.set(Some(call));
            }
        });
        let error = failed.expect_err("trouble");
        let EngineError::Node { node, epoch, source: Error::Panicked { .. }, .. } = &error else { panic!("{error}") };
        assert_eq!(&**node, "in");
        let shown = collected.of("out");
        assert_eq!(shown.last().map(|(epoch, _)| epoch + 1), Some(epoch.0), "{call}: all epochs before stand");
    }
}

#[test]
fn a_panic_while_a_graph_is_opened_is_told_by_its_node() {
    note_places();
    let storage = MemoryStorage::new();
    let mut engine = open(&Trouble::default(), &storage, &Collected::default()).expect("the plan opens");
    engine.step().expect("an epoch");
    drop(engine);
    for (call, node) in [("build", "map"), ("tables", "in"), ("resume", "in")] {
        let trouble = Trouble::default();
        trouble.set(Some(call));
        let error = open(&trouble, &storage, &Collected::default()).err().expect("trouble").to_string();
        assert!(error.starts_with(&format!("node `{node}` cannot be opened: panicked at ")), "{call}: {error}");
    }
    let (source, sink): (Arc<dyn SourceSpec>, Arc<dyn SinkSpec>) = (Arc::new(Opened {}), Arc::new(Shut {}));
    let stream = Stream::of(nodes::schema());
    for (source, sink, node) in [
        (Arc::clone(&source), Arc::new(Keep {}) as Arc<dyn SinkSpec>, "in"),
        (Arc::new(nodes::Scripted {}) as Arc<dyn SourceSpec>, Arc::clone(&sink), "out"),
    ] {
        let mut plans = Plans::new(Trigger::Once, AtEnd::Hold, 1);
        let above = plans.node("in", Role::Source(source, stream.clone()), &[]);
        plans.node("out", Role::Sink(sink, stream.clone()), &[(above, 0)]);
        let (mut options, _) = options(&[], &[], 1);
        if node == "out" {
            options.connectors.sources.insert("in".to_owned(), Trouble::default().source(epochs()));
        }
        let error = Engine::open(&plans.0, options).err().expect("trouble").to_string();
        assert!(error.starts_with(&format!("node `{node}` cannot be opened: panicked at ")), "{error}");
    }
    let trouble = Trouble::default();
    trouble.set(Some("freeze"));
    let (mut options, _) = options(&[], &["out"], 1);
    options.connectors.sources.insert("in".to_owned(), trouble.source(epochs()));
    let error = Engine::open(&plan(&trouble, Trigger::AvailableNow), options).err().expect("trouble").to_string();
    assert!(error.starts_with("node `in` failed in epoch 0: panicked at "), "{error}");
}

#[test]
fn a_listener_that_panics_takes_nothing_with_it() {
    let undisturbed = Collected::default();
    let mut engine = open(&Trouble::default(), &MemoryStorage::new(), &undisturbed).expect("the plan opens");
    engine.run(&mut |_| {}).expect("no trouble");
    let (storage, collected) = (MemoryStorage::new(), Collected::default());
    let mut engine = open(&Trouble::default(), &storage, &collected).expect("the plan opens");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        engine.run(&mut |progress| assert!(progress.epoch < Epoch(1), "the listener has enough"))
    }));
    assert!(ran.is_err());
    assert!(matches!(engine.step(), Err(EngineError::Failed { .. })), "nobody knows what it left half done");
    drop(engine);
    let mut engine = open(&Trouble::default(), &storage, &collected).expect("it goes on");
    engine.run(&mut |_| {}).expect("no trouble");
    assert_eq!(collected.of("out"), undisturbed.of("out"));
}
