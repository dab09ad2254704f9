//! What the modes make of epochs, and what a program sees of it.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use arrow::compute::concat_batches;
use watershed_core::row::{Row, Serde};

use super::*;
use crate::testing::{briefly, context, counts, in_batches_of, part, run_epoch, stream_in};

fn opened(mode: Mode) -> (Box<dyn Sink>, Arc<MemoryTable>) {
    let input = stream_in(mode, &counts(&[]));
    let cx = context("table");
    assert_eq!(Memory {}.check(&input), Ok(()));
    let sink = Memory {}.open(&input, &cx).unwrap();
    (sink, cx.handles.get::<MemoryTable>("table").expect("the sink publishes its table"))
}

fn by_user() -> Mode {
    Mode::Update(vec!["user".to_owned()])
}

fn rows_of(table: &MemoryTable) -> RecordBatch {
    let snapshot = table.snapshot().unwrap();
    concat_batches(&snapshot.schema, &snapshot.batches).unwrap()
}

#[test]
fn what_an_epoch_does_depends_on_the_mode() {
    for (mode, expected) in [
        (Mode::Append, &[("a", 1), ("b", 1), ("a", 2), ("c", 1)][..]),
        (by_user(), &[("a", 2), ("b", 1), ("c", 1)]),
        (Mode::Complete(vec!["user".to_owned()]), &[("a", 2), ("c", 1)]),
    ] {
        let (sink, table) = opened(mode.clone());
        run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])], &[counts(&[("b", 1)])]]);
        run_epoch(&*sink, 1, &[&[counts(&[("a", 2), ("c", 1)])]]);
        assert_eq!(rows_of(&table), counts(expected), "{mode}");
        assert_eq!(table.snapshot().unwrap().epoch, Some(Epoch(1)));
    }
}

#[test]
fn only_committed_epochs_show_and_a_second_commit_changes_nothing() {
    let (sink, table) = opened(Mode::Append);
    let receipt = sink.stage(part(0, 0), &[counts(&[("a", 1)])]).unwrap();
    assert_eq!(table.snapshot().unwrap().epoch, None);
    assert_eq!(table.snapshot().unwrap().row_count(), 0);
    sink.commit(Epoch(0), std::slice::from_ref(&receipt)).unwrap();
    sink.commit(Epoch(0), &[receipt]).unwrap();
    assert_eq!(rows_of(&table), counts(&[("a", 1)]));
    run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
    assert_eq!(rows_of(&table), counts(&[("a", 1)]), "an epoch that is run again is not taken again");
}

#[test]
fn an_epoch_without_rows_empties_a_complete_result_only() {
    for (mode, left) in [(Mode::Append, 1), (by_user(), 1), (Mode::Complete(Vec::new()), 0)] {
        let (sink, table) = opened(mode.clone());
        run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
        run_epoch(&*sink, 1, &[]);
        let snapshot = table.snapshot().unwrap();
        assert_eq!((snapshot.epoch, snapshot.row_count()), (Some(Epoch(1)), left), "{mode}");
    }
}

#[test]
fn a_complete_result_that_was_not_replaced_is_that_of_the_epoch_too() {
    let (sink, table) = opened(Mode::Complete(Vec::new()));
    run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
    sink.keep(Epoch(1)).unwrap();
    let snapshot = table.wait_for(Epoch(1), Some(Duration::ZERO)).unwrap();
    assert_eq!((snapshot.epoch, snapshot.row_count()), (Some(Epoch(1)), 1));
}

#[test]
fn the_size_of_batches_does_not_show() {
    let rows = counts(&[("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 3)]);
    for mode in [Mode::Append, by_user(), Mode::Complete(Vec::new())] {
        let answers = [1, 2, 5].map(|size| {
            let (sink, table) = opened(mode.clone());
            run_epoch(&*sink, 0, &[&in_batches_of(&rows, size)]);
            rows_of(&table)
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{mode}");
    }
}

#[test]
fn a_table_of_the_program_is_used_and_emptied_when_a_run_starts() {
    let cx = context("table");
    let own = Arc::new(MemoryTable::default());
    cx.handles.publish("table", Arc::clone(&own));
    assert!(own.snapshot().unwrap().schema.fields().is_empty());
    let input = stream_in(Mode::Append, &counts(&[]));
    let sink = Memory {}.open(&input, &cx).unwrap();
    run_epoch(&*sink, 7, &[&[counts(&[("a", 1)])]]);
    assert_eq!(rows_of(&own), counts(&[("a", 1)]));
    let _again = Memory {}.open(&input, &cx).unwrap();
    assert_eq!(own.snapshot().unwrap().row_count(), 0);
}

#[test]
fn a_key_that_is_no_column_is_refused() {
    let mode = Mode::Update(vec!["user".to_owned(), "device".to_owned()]);
    let faults = briefly(Memory {}.check(&stream_in(mode, &counts(&[]))));
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].0, "unknown_column");
    assert!(faults[0].1.contains("`device`") && faults[0].1.contains("`user` and `count`"), "{}", faults[0].1);
}

#[derive(Row, Debug, PartialEq)]
struct ByUser<'a> {
    user: &'a str,
}

#[derive(Row, Debug, PartialEq)]
struct Counted<'a> {
    user: Option<&'a str>,
    count: i64,
}

#[test]
fn a_row_is_found_by_its_key_as_of_the_newest_epoch() {
    for mode in [by_user(), Mode::Complete(vec!["user".to_owned()])] {
        let (sink, table) = opened(mode.clone());
        assert_eq!(table.get::<ByUser>(ByUser { user: "a" }).unwrap().epoch, None);
        run_epoch(&*sink, 0, &[&[counts(&[("a", 1), ("b", 5)])]]);
        for (epoch, count) in [(0, 1), (1, 2)] {
            if epoch > 0 {
                run_epoch(&*sink, epoch, &[&[counts(&[("c", 9)]), counts(&[("a", count)])]]);
            }
            let found = table.get::<ByUser>(ByUser { user: "a" }).unwrap();
            assert_eq!(found.epoch, Some(Epoch(epoch)), "{mode}");
            assert_eq!(found.rows::<Counted>().unwrap(), [Counted { user: Some("a"), count }], "{mode}");
        }
        assert_eq!(table.get::<ByUser>(ByUser { user: "x" }).unwrap().row_count(), 0, "{mode}");
        let left = usize::from(mode == by_user());
        assert_eq!(table.get::<ByUser>(ByUser { user: "b" }).unwrap().row_count(), left, "{mode}");
    }
}

#[derive(Row)]
struct ByCount {
    count: i64,
}

#[test]
fn a_key_that_the_table_does_not_have_is_refused() {
    let (sink, table) = opened(by_user());
    run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
    for refused in [table.get::<ByCount>(ByCount { count: 1 }), table.get::<Counted>(Counted { user: None, count: 1 })]
    {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.ends_with("the key of the table is `user STRING`"), "{refused}");
    }
    let (_sink, table) = opened(Mode::Append);
    let refused = table.get::<ByUser>(ByUser { user: "a" }).unwrap_err().to_string();
    assert!(refused.contains("have no key"), "{refused}");
}

#[test]
fn rows_are_read_as_structs() {
    let (sink, table) = opened(Mode::Append);
    run_epoch(&*sink, 0, &[&[counts(&[("a", 1)]), counts(&[("b", 2)])]]);
    let snapshot = table.snapshot().unwrap();
    let expected = [Counted { user: Some("a"), count: 1 }, Counted { user: Some("b"), count: 2 }];
    assert_eq!(snapshot.rows::<Counted>().unwrap(), expected);
    let typed: Vec<(String, i64)> = snapshot
        .rows::<Serde<Owned>>()
        .unwrap()
        .into_iter()
        .map(|row| row.unwrap())
        .map(|row| (row.user, row.count))
        .collect();
    assert_eq!(typed, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[derive(Deserialize)]
struct Owned {
    user: String,
    count: i64,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_epoch_is_waited_for_by_threads_and_tasks() {
    let (sink, table) = opened(Mode::Append);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(table.wait_for_async(Epoch(1)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| table.wait_for(Epoch(1), None));
        assert!(task.as_mut().poll(&mut cx).is_pending());
        run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        assert!(task.as_mut().poll(&mut cx).is_pending(), "it is an epoch too early");
        run_epoch(&*sink, 2, &[&[counts(&[("b", 1)])]]);
        assert_eq!(waiting.join().unwrap().unwrap().epoch, Some(Epoch(2)));
    });
    assert_eq!(wakes.0.load(Ordering::SeqCst), 2);
    let Poll::Ready(Ok(snapshot)) = task.as_mut().poll(&mut cx) else { panic!("the epoch is there") };
    assert_eq!(snapshot.row_count(), 2);
    assert_eq!(table.wait_for(Epoch(0), None).unwrap().epoch, Some(Epoch(2)), "a later one will do");
    let late = table.wait_for(Epoch(3), Some(Duration::ZERO)).unwrap_err();
    assert_eq!(late.to_string(), "wait for epoch 3: epoch 2 was the newest when the time was up");
}

#[test]
fn nobody_waits_for_a_run_that_has_ended() {
    let (sink, table) = opened(Mode::Append);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(table.wait_for_async(Epoch(0)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| table.wait_for(Epoch(0), None));
        assert!(task.as_mut().poll(&mut cx).is_pending());
        drop(sink);
        assert!(matches!(waiting.join().unwrap(), Err(WaitError::Ended { newest: None, .. })));
    });
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(Err(error)) = task.as_mut().poll(&mut cx) else { panic!("it is over") };
    assert_eq!(error.to_string(), "wait for epoch 0: the query has ended, before the first");
}

#[test]
fn a_run_that_ends_late_does_not_end_the_next_one() {
    let cx = context("table");
    let input = stream_in(Mode::Append, &counts(&[]));
    let first = Memory {}.open(&input, &cx).unwrap();
    let second = Memory {}.open(&input, &cx).unwrap();
    drop(first);
    let table = cx.handles.get::<MemoryTable>("table").unwrap();
    assert!(matches!(table.wait_for(Epoch(0), Some(Duration::ZERO)), Err(WaitError::TimedOut { .. })));
    drop(second);
    assert!(matches!(table.wait_for(Epoch(0), Some(Duration::ZERO)), Err(WaitError::Ended { .. })));
}
