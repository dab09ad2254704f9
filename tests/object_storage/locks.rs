//! The lock of a checkpoint in a store of objects: who has it, for how long, and what becomes of one who lost it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use watershed::core::checkpoint::{CheckpointError, CheckpointLock, CheckpointStorage};
use watershed::core::time::TimeSpan;
use watershed::storage::ObjectStorage;
use watershed::storage::object_store::memory::InMemory;
use watershed::storage::object_store::path::Path;
use watershed::storage::object_store::{ObjectStore, ObjectStoreExt};

use super::faulty::Faulty;
use super::{at, holder, new_file};

const SHORT: TimeSpan = TimeSpan::from_micros(150_000);

fn pause(millis: u64) {
    let (_sender, nothing) = channel::<()>();
    assert_eq!(nothing.recv_timeout(Duration::from_millis(millis)), Err(RecvTimeoutError::Timeout));
}

/// Tries again until it is done: for what happens after a time that the test does not set.
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(done) = attempt() {
            return done;
        }
        pause(25);
    }
    panic!("{what} has not happened in ten seconds");
}

fn taken(storage: &ObjectStorage, pid: u32) -> Option<Box<dyn CheckpointLock>> {
    match storage.lock(&holder(pid)) {
        Ok(lock) => Some(lock),
        Err(CheckpointError::Held { .. }) => None,
        Err(error) => panic!("lock what is held: {error}"),
    }
}

#[test]
fn a_lock_is_renewed_for_as_long_as_it_is_held() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (first, second) = (at(&store, "a").with_lease(SHORT), at(&store, "a"));
    let lock = first.lock(&holder(1)).expect("free");
    // Ten leases and more, and the second that a stale lock has to wait in any case.
    for _ in 0..10 {
        pause(170);
        let error = second.lock(&holder(2)).expect_err("held");
        let words = "process 1 on here, which runs `test` since 1970-01-01T00:00:00Z";
        assert_eq!(error.to_string(), format!("checkpoint `the-store` is in use by {words}"));
    }
    first.write(&[new_file("x", "x")]).expect("written");
    drop(lock);
    drop(second.lock(&holder(2)).expect("free again at once"));
}

#[test]
fn a_lease_that_ran_out_is_taken_over_and_its_holder_writes_nothing_more() {
    let memory = Arc::new(InMemory::new());
    let (faulty, store) = Faulty::over(&memory);
    let first = at(&store, "a").with_lease(SHORT);
    let second = at(&(memory as Arc<dyn ObjectStore>), "a");
    let lock = first.lock(&holder(1)).expect("free");
    first.write(&[new_file("x", "first")]).expect("written");
    faulty.cut_off(true);
    assert!(taken(&second, 2).is_none(), "taken over before its time");
    let second_lock = until("a take-over", || taken(&second, 2));
    second.write(&[new_file("x", "second")]).expect("written");

    faulty.cut_off(false);
    let words = "checkpoint `the-store` is in use by process 2 on here, which runs `test` since 1970-01-01T00:00:00Z, \
                 and took the lock over when this run had not renewed it in time";
    for result in [first.write(&[new_file("x", "late")]), first.remove(&["x".to_owned()])] {
        assert_eq!(result.expect_err("lost").to_string(), words);
    }
    // Also after its run is over, and whatever it does to end: the lock is not its own any more.
    drop(lock);
    assert_eq!(first.write(&[new_file("x", "late")]).expect_err("lost").to_string(), words);
    assert!(taken(&first, 1).is_none());
    assert_eq!(second.read("x").expect("read"), Some(b"second".to_vec()));
    drop(second_lock);
    // Whoever takes it anew may write again.
    let lock = taken(&first, 1).expect("free");
    first.write(&[new_file("x", "first")]).expect("written");
    drop(lock);
}

#[test]
fn a_holder_that_was_away_too_long_goes_on_if_nobody_came() {
    let (faulty, store) = Faulty::over(&Arc::new(InMemory::new()));
    let storage = at(&store, "a").with_lease(SHORT);
    let lock = storage.lock(&holder(1)).expect("free");
    faulty.cut_off(true);
    pause(400);
    let error = storage.write(&[new_file("x", "x")]).expect_err("cut off");
    assert_eq!(error.to_string(), "checkpoint `the-store`: replace `lock`: the store does not answer");
    faulty.cut_off(false);
    storage.write(&[new_file("x", "x")]).expect("the lease is renewed");
    drop(lock);
}

#[test]
fn a_change_of_the_lock_whose_answer_was_lost_is_known_again() {
    let (faulty, store) = Faulty::over(&Arc::new(InMemory::new()));
    let storage = at(&store, "a").with_lease(SHORT);
    let lock = storage.lock(&holder(1)).expect("free");
    for _ in 0..3 {
        faulty.lose_answers(2);
        until("a renewal", || (faulty.answers_to_lose() == 0).then_some(()));
        until("a write", || storage.write(&[new_file("x", "x")]).ok());
    }
    drop(lock);
    drop(storage.lock(&holder(2)).expect("given back"));
}

#[test]
fn a_lock_that_somebody_removes_is_lost() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let storage = at(&store, "a").with_lease(SHORT);
    let lock = storage.lock(&holder(1)).expect("free");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.delete(&Path::from("a/lock"))).expect("removed");
    let error = until("a loss", || storage.write(&[new_file("x", "x")]).err());
    assert_eq!(
        error.to_string(),
        "checkpoint `the-store`: keep `lock`: somebody removed it while this run had the checkpoint; nothing more is \
         written"
    );
    drop(lock);
}

#[test]
fn a_store_without_conditions_has_no_lock() {
    let (faulty, store) = Faulty::over(&Arc::new(InMemory::new()));
    faulty.without_conditions();
    let error = at(&store, "a").lock(&holder(1)).expect_err("no lock");
    assert_eq!(
        error.to_string(),
        "checkpoint `the-store`: create `lock`: the store cannot create an object on condition that it is not there, so \
         a second process could not be kept off; use another store, or turn its conditional writes on"
    );
}

#[test]
fn a_lock_that_cannot_be_read_is_nobodys_after_a_lease() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.put(&Path::from("a/lock"), "?".into())).expect("put");
    let storage = at(&store, "a").with_lease(SHORT);
    let error = storage.lock(&holder(1)).expect_err("held");
    assert_eq!(
        error.to_string(),
        "checkpoint `the-store` is in use by a process that has not said who it is in `lock`"
    );
    drop(until("a take-over", || taken(&storage, 1)));
}
