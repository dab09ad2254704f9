//! Every storage of checkpoints keeps its promises: the same suite for all, crashes and faults for the local directory.

mod crash;
mod disk;
mod faults;
mod processes;

use std::path::Path;
use std::sync::Arc;

use watershed_core::checkpoint::{
    CheckpointStorage, Holder, LocalDirectory, MemoryStorage, NewFile, SimulatedDisk, check_storage,
};
use watershed_core::time::Timestamp;

/// Where the checkpoint lies on simulated disks.
const ROOT: &str = "checkpoints/test";

fn on(disk: &SimulatedDisk) -> LocalDirectory {
    LocalDirectory::on(Arc::new(disk.clone()), ROOT)
}

fn holder() -> Holder {
    let since = Timestamp::from_micros(0);
    Holder { pid: std::process::id(), host: "here".to_owned(), graph: "test".to_owned(), since }
}

fn new_file(name: &str, content: &[u8]) -> NewFile {
    NewFile { name: name.to_owned(), content: vec![content.to_vec()] }
}

#[test]
fn memory_is_a_storage() {
    let memory = MemoryStorage::new();
    check_storage(&|| Arc::new(memory.clone()));
}

#[test]
fn a_directory_is_a_storage() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    for path in ["a", "missing/parents/above", "./b/."].map(|path| directory.path().join(path)) {
        check_storage(&|| Arc::new(LocalDirectory::new(&path)));
    }
}

#[test]
fn a_directory_on_a_simulated_disk_is_a_storage() {
    for path in ["here", "a/b/c", "./x/./y", "/from/the/top"] {
        let disk = SimulatedDisk::new();
        check_storage(&|| Arc::new(LocalDirectory::on(Arc::new(disk.clone()), path)));
        assert!(disk.files().keys().all(|file| file.ends_with("lock")), "{:?}", disk.files());
    }
}

#[test]
fn the_suite_finds_a_storage_that_keeps_nothing() {
    // Each handle has a memory of its own: what one writes, the next does not have.
    let check = || check_storage(&|| Arc::new(MemoryStorage::new()) as Arc<dyn CheckpointStorage>);
    let panic = std::panic::catch_unwind(check).expect_err("the suite passes a storage that forgets");
    let words = panic.downcast_ref::<String>().expect("a message");
    assert_eq!(words, "storage `memory`, a file that was written: `epochs/00000001.intent` is not there");
}

#[test]
fn reading_makes_nothing() {
    let above = tempfile::tempdir().expect("a directory for the test");
    let path = above.path().join("checkpoint");
    let storage = LocalDirectory::new(&path);
    assert_eq!(storage.path(), path);
    assert_eq!(storage.list().expect("an empty list"), []);
    assert_eq!(storage.read("metadata.json").expect("no file"), None);
    storage.remove(&["metadata.json".to_owned()]).expect("nothing to remove");
    assert!(!path.exists());
    drop(storage.lock(&holder()).expect("locked"));
    assert!(path.is_dir());

    let disk = SimulatedDisk::new();
    disk.replace(&Path::new(ROOT).join("metadata.json"), "kept");
    let storage = on(&disk);
    assert_eq!(storage.list().expect("a list").len(), 1);
    assert_eq!(storage.read("metadata.json").expect("a file"), Some(b"kept".to_vec()));
    assert_eq!(disk.operations(), 0);
}

#[test]
fn leftovers_of_a_crash_are_not_listed_and_removed_by_the_next_lock() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let folder = directory.path().join("epochs");
    std::fs::create_dir(&folder).expect("a folder");
    let leftovers = [directory.path().join(".metadata.json.0.tmp"), folder.join(".00000012.commit.31.tmp")];
    let others = [folder.join(".gitignore"), folder.join("a.0.tmp"), directory.path().join(".x.tmp")];
    for path in leftovers.iter().chain(&others) {
        std::fs::write(path, "x").expect("a file");
    }
    let storage = LocalDirectory::new(directory.path());
    let names = || storage.list().expect("a list").into_iter().map(|file| file.name).collect::<Vec<_>>();
    assert_eq!(names(), ["epochs/a.0.tmp"]);
    assert!(leftovers.iter().all(|path| path.exists()), "reading removed a file");
    let lock = storage.lock(&holder()).expect("locked");
    assert!(!leftovers.iter().any(|path| path.exists()), "a leftover is still there");
    assert!(others.iter().all(|path| path.exists()), "a file that is not ours is gone");
    drop(lock);
    assert_eq!(names(), ["epochs/a.0.tmp"]);
}

#[test]
fn a_known_folder_costs_no_operation_again() {
    let disk = SimulatedDisk::new();
    let storage = on(&disk);
    let mut before = 0;
    let costs = [1, 2, 3, 4].map(|epoch| {
        let names = ["epochs/", "state/a/0/", "state/a/1/"].map(|folder| format!("{folder}{epoch}"));
        storage.write(&names.map(|name| new_file(&name, b"x"))).expect("written");
        let cost = disk.operations() - before;
        before = disk.operations();
        cost
    });
    // Three files: written, synced, renamed; three folders synced.
    assert_eq!(costs[1..], [12, 12, 12]);
    assert!(costs[0] > 12);
}
