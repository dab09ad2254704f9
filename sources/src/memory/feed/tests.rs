//! Who waits for room is let in, in turn, or turned away; nobody is forgotten.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::thread;

use arrow::array::{AsArray, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use watershed_core::schema::Ddl;

use super::*;

fn feed_of(capacity: u64) -> MemoryFeed {
    let feed = MemoryFeed::new(Ddl("v BIGINT NOT NULL".to_owned()).schema().expect("columns"));
    feed.change(|rows| {
        rows.capacity = Some(capacity);
        rows.readers.open();
    });
    feed
}

fn numbers(values: std::ops::Range<i64>) -> RecordBatch {
    let column = Int64Array::from_iter_values(values);
    RecordBatch::try_from_iter([("v", Arc::new(column) as _)]).expect("a batch")
}

/// The values that are held, in order.
fn held(feed: &MemoryFeed) -> Vec<i64> {
    let rows = feed.rows();
    let values = |(_, batch): &(u64, RecordBatch)| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    rows.batches.iter().flat_map(values).collect()
}

fn until_somebody_waits(feed: &MemoryFeed, waiting: usize) {
    while feed.rows().line.len() < waiting {
        thread::yield_now();
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_push_waits_until_there_is_room() {
    let feed = feed_of(3);
    feed.push(&numbers(0..3)).expect("room");
    thread::scope(|scope| {
        let pushing = scope.spawn(|| feed.push(&numbers(3..5)));
        until_somebody_waits(&feed, 1);
        feed.change(|rows| rows.release(1));
        assert_eq!(held(&feed), [0, 1, 2], "room for one is not enough for two");
        feed.change(|rows| rows.release(3));
        pushing.join().expect("no panic").expect("room");
    });
    assert_eq!(held(&feed), [3, 4]);
}

#[test]
fn whoever_came_first_is_let_in_first_also_with_a_larger_batch() {
    let feed = feed_of(4);
    feed.push(&numbers(0..3)).expect("room");
    thread::scope(|scope| {
        let large = scope.spawn(|| feed.push(&numbers(3..7)));
        until_somebody_waits(&feed, 1);
        let refused = feed.try_push(&numbers(7..8)).expect_err("others wait");
        assert!(matches!(refused, PushError::Full { rows: 1, held: 3, capacity: 4 }), "{refused}");
        let small = scope.spawn(|| feed.push(&numbers(7..8)));
        until_somebody_waits(&feed, 2);
        feed.change(|rows| rows.release(3));
        large.join().expect("no panic").expect("room");
        feed.change(|rows| rows.release(4));
        small.join().expect("no panic").expect("room");
    });
    assert_eq!(held(&feed), [3, 4, 5, 6, 7]);
}

#[test]
fn patience_has_an_end() {
    let feed = feed_of(1);
    feed.push(&numbers(0..1)).expect("room");
    let refused = feed.push_timeout(&numbers(1..2), Duration::from_millis(1)).expect_err("nobody makes room");
    assert!(matches!(refused, PushError::Full { .. }), "{refused}");
    feed.change(|rows| rows.release(1));
    feed.try_push(&numbers(1..2)).expect("who has left does not stand in the way");
}

#[test]
fn closing_and_the_end_of_the_query_turn_away_who_waits() {
    type End = fn(&MemoryFeed);
    let ends: [(End, &str); 2] = [
        (MemoryFeed::close, "push rows: the feed is closed"),
        (|feed| feed.change(|rows| rows.readers.close()), "push rows: the query that read them has ended"),
    ];
    for (end, words) in ends {
        let feed = feed_of(1);
        feed.push(&numbers(0..1)).expect("room");
        let batch = numbers(1..2);
        let mut task = pin!(feed.push_async(&batch));
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        thread::scope(|scope| {
            let waiting = [scope.spawn(|| feed.push(&batch)), scope.spawn(|| feed.push(&batch))];
            until_somebody_waits(&feed, 2);
            assert!(task.as_mut().poll(&mut cx).is_pending());
            end(&feed);
            for waiting in waiting {
                let refused = waiting.join().expect("no panic").expect_err("it is over");
                assert_eq!(refused.to_string(), words);
            }
        });
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "the task is told, though it is last in line");
        let Poll::Ready(Err(refused)) = task.as_mut().poll(&mut cx) else { panic!("it is over") };
        assert_eq!(refused.to_string(), words);
        assert_eq!(feed.try_push(&numbers(1..2)).expect_err("over").to_string(), words);
    }
}

#[test]
fn a_feed_that_another_query_reads_takes_rows_again() {
    let feed = feed_of(1);
    feed.change(|rows| rows.readers.close());
    assert!(matches!(feed.push(&numbers(0..1)), Err(PushError::Ended)));
    feed.change(|rows| rows.readers.open());
    feed.push(&numbers(0..1)).expect("room");
}

#[test]
fn a_task_is_woken_when_its_turn_has_come() {
    let feed = feed_of(1);
    feed.push(&numbers(0..1)).expect("room");
    let (first, second) = (numbers(1..2), numbers(2..3));
    let wakes = [Arc::new(Wakes::default()), Arc::new(Wakes::default())];
    let wakers = wakes.each_ref().map(|wakes| Waker::from(Arc::clone(wakes)));
    let count = || wakes.each_ref().map(|wakes| wakes.0.load(Ordering::SeqCst));
    let mut tasks = [Box::pin(feed.push_async(&first)), Box::pin(feed.push_async(&second))];
    for (task, waker) in tasks.iter_mut().zip(&wakers) {
        assert!(task.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    feed.change(|rows| rows.release(1));
    assert_eq!(count(), [1, 0]);
    assert!(tasks[1].as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending(), "it is not its turn");
    assert!(matches!(tasks[0].as_mut().poll(&mut Context::from_waker(&wakers[0])), Poll::Ready(Ok(()))));
    assert_eq!(count(), [1, 1], "it is the first now");
    assert!(tasks[1].as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending(), "there is no room");
    feed.change(|rows| rows.release(2));
    assert_eq!(count(), [1, 2]);
    assert!(matches!(tasks[1].as_mut().poll(&mut Context::from_waker(&wakers[1])), Poll::Ready(Ok(()))));
    drop(tasks);
    assert_eq!(held(&feed), [2]);
}

#[test]
fn a_task_that_gives_up_lets_the_next_one_in() {
    let feed = feed_of(1);
    feed.push(&numbers(0..1)).expect("room");
    let (first, second) = (numbers(1..2), numbers(2..3));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut given_up = Box::pin(feed.push_async(&first));
    assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let mut task = Box::pin(feed.push_async(&second));
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    feed.change(|rows| rows.release(1));
    drop(given_up);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert!(matches!(task.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(()))));
    drop(task);
    assert_eq!(held(&feed), [2]);
}

#[test]
fn columns_are_found_by_name() {
    let feed = MemoryFeed::new(Ddl("user STRING NOT NULL, n BIGINT".to_owned()).schema().expect("columns"));
    let users = || Arc::new(StringArray::from(vec!["ann", "bob"])) as ArrayRef;
    let counts = || Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef;
    let batch = |columns: &[(&str, ArrayRef)]| RecordBatch::try_from_iter(columns.iter().cloned()).expect("a batch");
    feed.push(&batch(&[("n", counts()), ("user", users())])).expect("the same columns");
    assert_eq!(
        feed.rows().batches[0].1,
        batch(&[("user", users()), ("n", counts())]).with_schema(Arc::clone(feed.schema())).expect("it fits")
    );
    for wrong in [&[("user", users())][..], &[("n", counts()), ("user", users()), ("m", counts())]] {
        let refused = feed.push(&batch(wrong)).expect_err("other columns").to_string();
        assert!(refused.ends_with("and should be `user STRING NOT NULL, n BIGINT`"), "{refused}");
    }
}

proptest! {
    #[test]
    fn rows_of_many_pushers_all_arrive_each_pushers_in_order(
        sizes in proptest::collection::vec(proptest::collection::vec(1_i64..5, 1..8), 1..4),
        capacity in 1_u64..6,
    ) {
        let feed = feed_of(capacity);
        let total: i64 = sizes.iter().flatten().sum();
        let mut seen = Vec::new();
        thread::scope(|scope| {
            for (pusher, sizes) in sizes.iter().enumerate() {
                let feed = &feed;
                scope.spawn(move || {
                    let mut next = pusher as i64 * 1000;
                    for size in sizes {
                        feed.push(&numbers(next..next + size)).expect("room, in the end");
                        next += size;
                    }
                });
            }
            while (seen.len() as i64) < total {
                let values = held(&feed);
                let next = seen.len() as u64 + values.len() as u64;
                seen.extend(values);
                feed.change(|rows| rows.release(next));
                thread::yield_now();
            }
        });
        for pusher in 0..sizes.len() as i64 {
            let own: Vec<i64> = seen.iter().copied().filter(|value| value / 1000 == pusher).collect();
            let count: i64 = sizes[pusher as usize].iter().sum();
            prop_assert_eq!(own, (pusher * 1000..pusher * 1000 + count).collect::<Vec<_>>());
        }
    }
}
