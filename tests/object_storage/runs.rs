//! Whole runs with their checkpoint in a store of objects: broken off after every change of it, recovered, compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use watershed::core::checkpoint::{CheckpointError, CheckpointStorage};
use watershed::core::engine::{Engine, EngineError, EngineOptions};
use watershed::core::plan::Plan;
use watershed::graphs::{SchemaMode, load};
use watershed::storage::object_store::ObjectStore;
use watershed::storage::object_store::memory::InMemory;

use super::at;
use super::faulty::Faulty;

const EPOCHS: i64 = 5;

/// Sums per user and ten minutes of a file an epoch.
fn plan(directory: &Path, checkpoint: &str) -> Plan {
    let text = r#"
Graph(
    name: "objects",
    sources: {
        "in": Files(path: "DIRECTORY/in/*.json", schema: "user STRING, at TIMESTAMP, x BIGINT", max_files_per_epoch: 1),
    },
    operators: {
        "marked": Watermark(column: "at", delay: "5 minutes"),
        "once": Dedup(keys: ["user", "at"]),
        "sums": Window(
            window: Tumbling(size: "10 minutes"), keys: ["user"], aggregates: ["sum(x) AS sum"], output_mode: Append,
        ),
    },
    sinks: { "out": Files(path: "DIRECTORY/out", format: Json) },
    flow: ["in -> marked -> once -> sums -> out"],
    run: (trigger: AvailableNow, at_end: Flush, partitions: 2, retain: 2CHECKPOINT),
)"#;
    let text = text.replace("DIRECTORY", &directory.display().to_string().replace('\\', "/"));
    let checked = load(&text.replace("CHECKPOINT", checkpoint), "objects.ron", &|_| None).check(SchemaMode::Infer);
    checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics.render(false)))
}

fn input(directory: &Path) {
    fs::create_dir(directory.join("in")).expect("a folder");
    for file in 0..EPOCHS {
        let row = |number: i64| {
            let minute = file * 9 + number % 11;
            format!("{{\"user\": \"{}\", \"at\": \"2024-01-01T00:{minute:02}:00Z\", \"x\": {number}}}\n", number % 5)
        };
        let rows: String = (0..60).map(row).collect();
        fs::write(directory.join(format!("in/{file}.json")), rows).expect("written");
    }
}

fn run(plan: &Plan, storage: Arc<dyn CheckpointStorage>) -> Result<(), EngineError> {
    let options = EngineOptions { threads: 2, checkpoint: Some(storage), ..EngineOptions::default() };
    Engine::open(plan, options)?.run(&mut |_| {}).map(drop)
}

/// What a plain listing of the output shows.
fn output(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory.join("out")).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let named = files.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path));
    let seen = named.filter(|(name, _)| !name.starts_with('.'));
    seen.map(|(name, path)| (name, fs::read_to_string(path).expect("a text"))).collect()
}

#[test]
fn a_run_that_breaks_off_after_any_change_of_the_store_goes_on_to_the_same_output() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    input(directory.path());
    let plan = plan(directory.path(), "");
    let (faulty, store) = Faulty::over(&Arc::new(InMemory::new()));
    run(&plan, Arc::new(at(&store, "checkpoints/objects"))).expect("runs to its end");
    let (changes, expected) = (faulty.changes(), output(directory.path()));
    let left: Vec<String> =
        at(&store, "checkpoints/objects").list().expect("a list").into_iter().map(|file| file.name).collect();
    assert!(changes > 10 * EPOCHS, "{changes}");
    assert!(expected.values().any(|content| content.contains("\"sum\"")), "{expected:?}");

    for broken_off_after in 0..changes {
        fs::remove_dir_all(directory.path().join("out")).expect("removed");
        let memory = Arc::new(InMemory::new());
        let (faulty, store) = Faulty::over(&memory);
        faulty.break_off_after(broken_off_after);
        let broken = run(&plan, Arc::new(at(&store, "checkpoints/objects")));
        // Another process: with nothing of the first but what is in the store.
        let store: Arc<dyn ObjectStore> = memory;
        let storage = Arc::new(at(&store, "checkpoints/objects"));
        if let Err(error) = run(&plan, Arc::clone(&storage) as _) {
            panic!("recover what broke off after {broken_off_after} of {changes} changes: {error}");
        }
        assert_eq!(output(directory.path()), expected, "after {broken_off_after} of {changes} changes: {broken:?}");
        let now: Vec<String> = storage.list().expect("a list").into_iter().map(|file| file.name).collect();
        let commits = |names: &[String]| names.iter().filter(|name| name.ends_with(".commit")).count();
        // The last epoch may have gone no further than to its commit: what the next one would remove is still there.
        assert!(commits(&now) <= commits(&left) + 1, "{now:?}");
    }
}

#[test]
fn a_location_that_the_engine_cannot_open_is_no_folder() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    input(directory.path());
    let plan = plan(directory.path(), ", checkpoint: \"s3://bucket/visits\"");
    let error = Engine::open(&plan, EngineOptions::default()).map(drop).expect_err("no storage");
    let EngineError::Checkpoint { source: source @ CheckpointError::NotADirectory { .. }, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        source.to_string(),
        "checkpoint `s3://bucket/visits` is no directory: the program has to open it and give it to the engine \
         (`EngineOptions::checkpoint`)"
    );
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    run(&plan, Arc::new(at(&store, "visits"))).expect("runs with the storage that it was given");
}
