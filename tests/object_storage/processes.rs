//! Two processes and one checkpoint in a store of objects.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use watershed::core::checkpoint::{CheckpointError, CheckpointStorage};
use watershed::storage::ObjectStorage;
use watershed::storage::object_store::ObjectStore;
use watershed::storage::object_store::local::LocalFileSystem;

use super::{at, holder, new_file};

const CHECKPOINT: &str = "WATERSHED_TEST_LOCKED_OBJECTS";
const LOCKED: &str = "locked";

fn storage(directory: &Path) -> ObjectStorage {
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(directory).expect("a directory"));
    at(&store, "checkpoint")
}

// Not a test of its own, but the other process of the one below: locks the checkpoint that the environment names, says
// so, and holds it until its input ends.
#[test]
fn the_other_process() {
    let Some(path) = std::env::var_os(CHECKPOINT) else { return };
    let storage = storage(Path::new(&path));
    let _lock = storage.lock(&holder(std::process::id())).expect("free for the other process");
    storage.write(&[new_file("written", "by the other process")]).expect("written");
    println!("\n{LOCKED}");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("the test's end of the pipe");
}

/// Starts the other process and waits until it has the lock. Its output is to be kept: it writes on.
fn start(checkpoint: &Path) -> (Child, impl BufRead) {
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "processes::the_other_process", "--nocapture"])
        .env(CHECKPOINT, checkpoint)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut output = BufReader::new(other.stdout.take().expect("its output"));
    let locked = output.by_ref().lines().any(|line| line.is_ok_and(|line| line == LOCKED));
    assert!(locked, "the other process did not get the lock");
    (other, output)
}

#[test]
fn a_second_process_is_kept_off_and_a_killed_one_leaves_a_stale_lock() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let storage = storage(directory.path());
    for killed in [true, false] {
        let (mut other, _output) = start(directory.path());
        let error = storage.lock(&holder(1)).expect_err("the other process has it");
        let CheckpointError::Held { holder: told, .. } = &error else { panic!("{error}") };
        let words = format!("process {} on here, which runs `test` since 1970-01-01T00:00:00Z", other.id());
        assert_eq!(*told, words);
        assert_eq!(storage.read("written").expect("reading is free"), Some(b"by the other process".to_vec()));
        if killed {
            other.kill().expect("killed");
        } else {
            drop(other.stdin.take());
        }
        other.wait().expect("gone");
        match storage.lock(&holder(1)) {
            Ok(lock) => drop(lock),
            // Where the system does not tell who lives, only the lease can.
            Err(CheckpointError::Held { .. }) if killed && cfg!(not(target_os = "linux")) => return,
            Err(error) => panic!("the dead hold no lock: {error}"),
        }
    }
}
