//! A query that is started again on its checkpoint goes on where it stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use watershed::core::checkpoint::{CheckpointStorage, MemoryStorage};
use watershed::core::epoch::Epoch;
use watershed::sinks;
use watershed::sources::MemoryFeed;

use crate::common::{Notes, batch, clicks, counting, counts, listed, passing, push, runtime};

#[test]
fn a_query_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a directory");
    let place = folder.path().join("clicks").display().to_string();
    let runtime = runtime();
    let first = runtime.query(counting()).checkpoint(&place).start().expect("it starts");
    assert!(first.recovery().expect("a checkpoint").is_fresh());
    push(&first, &[("/", 1), ("/docs", 1)]);
    first.process_all_available().expect("it runs");
    let refused = runtime.query(counting()).checkpoint(&place).start().expect_err("it is in use");
    assert!(refused.to_string().contains(&place), "{refused}");
    first.stop().expect("it stops");

    let second = runtime.query(counting()).checkpoint(&place).start().expect("it was given back");
    assert_eq!(second.recovery().and_then(|recovery| recovery.version), Some(Epoch(0)));
    assert_eq!((second.id(), second.id()), (first.id(), &*place));
    assert_ne!(second.run_id(), first.run_id());
    assert_eq!(second.feed("clicks").expect("a feed").next_row(), 2);
    push(&second, &[("/", 2)]);
    second.process_all_available().expect("it runs");
    let snapshot = second.table("table").expect("a table").snapshot().expect("a snapshot");
    assert_eq!((snapshot.epoch, counts(&snapshot)), (Some(Epoch(1)), listed(&[("/", 2)])));
    drop(second);

    let third = runtime.query(counting()).checkpoint(&place).reset("counts").start().expect("it starts");
    push(&third, &[("/", 3)]);
    third.process_all_available().expect("it runs");
    let snapshot = third.table("table").expect("a table").snapshot().expect("a snapshot");
    assert_eq!(counts(&snapshot), listed(&[("/", 1)]), "what was reset begins anew");
}

#[test]
fn an_epoch_that_was_not_committed_is_handed_over_again() {
    let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::new());
    let (notes, fails) = (Notes::default(), Arc::new(AtomicBool::new(true)));
    let start = |feed: Arc<MemoryFeed>| {
        let (written, fails) = (notes.clone(), Arc::clone(&fails));
        let query = runtime().query(passing(sinks::ForeachBatch {}, None)).checkpoint_storage(Arc::clone(&storage));
        let query = query.handle("clicks", feed).foreach_batch("out", move |epoch, rows| {
            let rows: usize = rows.iter().map(watershed::arrow::array::RecordBatch::num_rows).sum();
            written.add(format!("epoch {epoch}: {rows} rows"));
            if epoch == Epoch(1) && fails.load(Ordering::SeqCst) { Err("too early".into()) } else { Ok(()) }
        });
        query.start().expect("it starts")
    };
    let feed = || Arc::new(MemoryFeed::new(clicks(None).schema.schema().expect("columns")));
    let query = start(feed());
    push(&query, &[("/", 1)]);
    query.process_all_available().expect("the first epoch passes");
    push(&query, &[("/", 2), ("/", 3)]);
    assert!(query.process_all_available().is_err());
    drop(query);

    fails.store(false, Ordering::SeqCst);
    let feed = feed();
    feed.push(&batch(&[("/", 1), ("/", 2), ("/", 3), ("/", 4)])).expect("room");
    let query = start(feed);
    assert_eq!(query.recovery().map(|recovery| recovery.replay.clone()), Some(vec![Epoch(1)]));
    query.process_all_available().expect("it runs");
    assert_eq!(notes.all(), ["epoch 0: 1 rows", "epoch 1: 2 rows", "epoch 1: 2 rows", "epoch 2: 1 rows"]);
}

#[test]
fn a_feed_and_a_table_outlive_their_query() {
    let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::new());
    let feed = Arc::new(MemoryFeed::new(clicks(None).schema.schema().expect("columns")));
    let table = Arc::new(sinks::MemoryTable::default());
    for round in 0..3 {
        let query = runtime().query(counting()).checkpoint_storage(Arc::clone(&storage));
        let query = query.handle("clicks", Arc::clone(&feed)).handle("table", Arc::clone(&table));
        let query = query.start().expect("it starts");
        feed.push(&batch(&[("/", round)])).expect("room");
        let snapshot = table.wait_for(Epoch(round as u64), None).expect("the epoch comes");
        assert_eq!(counts(&snapshot), listed(&[("/", round + 1)]));
        query.stop().expect("it stops");
    }
}
