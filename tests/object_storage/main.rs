//! Checkpoints in stores of objects: the suite of all storages, the lock and its lease, and runs that break off anywhere.

mod faulty;
mod locks;
mod processes;
mod runs;

use std::sync::Arc;

use faulty::Faulty;
use watershed::core::checkpoint::{CheckpointStorage, Holder, NewFile, check_storage};
use watershed::core::time::Timestamp;
use watershed::storage::ObjectStorage;
use watershed::storage::object_store::local::LocalFileSystem;
use watershed::storage::object_store::memory::InMemory;
use watershed::storage::object_store::path::Path;
use watershed::storage::object_store::{ObjectStore, ObjectStoreExt};

fn at(store: &Arc<dyn ObjectStore>, prefix: &str) -> ObjectStorage {
    let prefix = Path::parse(prefix).expect("a path");
    ObjectStorage::new(Arc::clone(store), &prefix, "the-store").expect("a thread")
}

fn holder(pid: u32) -> Holder {
    Holder { pid, host: "here".to_owned(), graph: "test".to_owned(), since: Timestamp::from_micros(0) }
}

fn new_file(name: &str, content: &str) -> NewFile {
    NewFile { name: name.to_owned(), content: vec![content.as_bytes().to_vec()] }
}

#[test]
fn a_store_of_objects_is_a_storage() {
    for prefix in ["", "a", "a/b c/é%"] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        check_storage(&|| Arc::new(at(&store, prefix)));
    }
}

#[test]
fn a_store_that_compares_no_versions_is_a_storage() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let store: Arc<dyn ObjectStore> =
        Arc::new(LocalFileSystem::new_with_prefix(directory.path()).expect("a directory"));
    check_storage(&|| Arc::new(at(&store, "a/b")));
}

#[test]
fn checkpoints_beside_each_other_do_not_meet() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let storages = ["a", "ab", "b/a"].map(|prefix| at(&store, prefix));
    let locks = storages.each_ref().map(|storage| storage.lock(&holder(1)).expect("each has a lock of its own"));
    for (storage, content) in storages.iter().zip(["1", "22", "333"]) {
        storage.write(&[new_file("x", content)]).expect("written");
    }
    let listed = |storage: &ObjectStorage| storage.list().expect("a list").into_iter().map(|file| file.bytes).collect();
    let listed: [Vec<u64>; 3] = storages.each_ref().map(listed);
    assert_eq!(listed, [[1], [2], [3]]);
    storages[0].remove(&["x".to_owned()]).expect("removed");
    assert_eq!(storages[1].read("x").expect("read"), Some(b"22".to_vec()));
    drop(locks);
}

#[test]
fn what_is_not_a_file_of_a_checkpoint_is_not_listed() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let storage = at(&store, "a");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for name in ["a/lock", "a/.clock.7.0", "a/b/.hidden", "a/back\\slash", "b", "a"] {
        let path = Path::parse(name).expect("a path");
        runtime.block_on(store.put(&path, "x".into())).expect("put");
    }
    assert_eq!(storage.list().expect("a list"), []);
}

#[test]
fn errors_name_the_place_the_action_and_the_file() {
    let (faulty, store) = Faulty::over(&Arc::new(InMemory::new()));
    let storage = at(&store, "a");
    storage.write(&[new_file("metadata.json", "x")]).expect("written");
    faulty.cut_off(true);
    let told = |error: Option<watershed::core::checkpoint::CheckpointError>| error.expect("cut off").to_string();
    let cause = "the store does not answer";
    for (words, error) in [
        ("read `metadata.json`", storage.read("metadata.json").err()),
        ("write `b/c`", storage.write(&[new_file("b/c", "x")]).err()),
        ("list `the-store`", storage.list().err()),
        ("remove `the-store`", storage.remove(&["b/c".to_owned()]).err()),
        ("read `lock`", storage.lock(&holder(1)).err()),
    ] {
        assert_eq!(told(error), format!("checkpoint `the-store`: {words}: {cause}"));
    }
    assert!(told(storage.read("../x").err()).starts_with("checkpoint `the-store`: read `../x`: not a name"));
    faulty.cut_off(false);
    assert_eq!(storage.read("metadata.json").expect("read"), Some(b"x".to_vec()));
}

#[test]
fn a_write_that_fails_has_nothing_under_way_any_more() {
    let (faulty, store) = Faulty::over(&Arc::new(InMemory::new()));
    let storage = at(&store, "");
    faulty.break_off_after(5);
    let files: Vec<NewFile> = (0..40).map(|number| new_file(&format!("{number:02}"), "x")).collect();
    assert!(storage.write(&files).is_err());
    let listed = storage.list().expect("a list");
    assert_eq!(listed.len(), 5);
    faulty.cut_off(false);
    assert_eq!(storage.list().expect("a list"), listed);
}
