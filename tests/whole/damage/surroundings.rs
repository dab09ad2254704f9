//! What is around a run fails it: a disk that is full or may only be read, an input file that is gone. The error says which, and
//! once the cause is gone the next run goes on as if nothing had been.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use watershed::core::checkpoint::{CheckpointError, CheckpointStorage, FileName, MemoryStorage};
use watershed::core::engine::{Engine, EngineError, EngineOptions, Step};
use watershed::core::plan::Plan;
use watershed::graphs::{SchemaMode, load};

use crate::durable::graphs;
use crate::durable::run::{Setup, difference, outcome};
use crate::durable::world::{CHECKPOINT, OUTPUT, World};

/// Runs on a disk that begins to fail at every so many operations; then heals it and runs again.
fn fail_everywhere(kind: ErrorKind, every: usize) {
    let mut setup = Setup::new(&graphs::WINDOWS);
    for (_, inputs) in &mut setup.inputs {
        *inputs = Arc::new(inputs[..2].to_vec());
    }
    let (due, operations) = setup.undisturbed();
    let (mut of_checkpoint, mut of_sinks) = (0, 0);
    for operation in (1..=operations).step_by(every) {
        let world = World::default();
        world.disk.fail_from(operation, kind);
        let error = match setup.finish(&world) {
            Err(error) => error,
            // Room is not needed to remove what is old.
            Ok(()) if kind == ErrorKind::StorageFull && operation + 10 > operations => continue,
            Ok(()) => panic!("operation {operation} fails, and nobody says so"),
        };
        let says = error.to_string();
        match &error {
            EngineError::Checkpoint { source: CheckpointError::Storage { location, file, source, .. }, .. } => {
                of_checkpoint += 1;
                assert_eq!((location.as_str(), source.kind()), (CHECKPOINT, kind), "operation {operation}: {says}");
                let names = says.contains(&format!("checkpoint `{CHECKPOINT}`")) && says.contains(&format!("`{file}`"));
                assert!(names && says.contains(&source.to_string()), "operation {operation}: {says}");
                let is_known =
                    file.is_empty() || file == "lock" || FileName::parse(file).is_some() || !file.contains('.');
                assert!(is_known, "operation {operation}: {says}");
            }
            EngineError::Node { .. } | EngineError::Open { .. } => {
                of_sinks += 1;
                assert!(says.contains(OUTPUT) || says.contains("_out"), "operation {operation}: {says}");
            }
            _ => panic!("operation {operation}: {says}"),
        }
        world.disk.heal();
        setup.finish(&world).unwrap_or_else(|error| panic!("operation {operation}, healed: {error}"));
        let seen = outcome(&world).expect("a whole checkpoint");
        if let Some(difference) = difference(&due, &seen) {
            panic!("operation {operation}: {difference}");
        }
        let leftover = world.disk.files().into_keys().find(|path| path.extension().is_some_and(|end| end == "tmp"));
        assert_eq!(leftover, None, "operation {operation}");
    }
    assert!(of_checkpoint > 20 && of_sinks > 5, "{of_checkpoint} errors of the checkpoint, {of_sinks} of sinks");
}

#[test]
fn a_full_disk_is_told_and_a_run_with_room_goes_on() {
    fail_everywhere(ErrorKind::StorageFull, 1);
}

#[test]
fn a_disk_that_may_only_be_read_is_told_and_a_run_that_may_write_goes_on() {
    fail_everywhere(ErrorKind::ReadOnlyFilesystem, 5);
    fail_everywhere(ErrorKind::PermissionDenied, 7);
}

#[test]
fn a_checkpoint_that_may_only_be_read_is_not_begun_with() {
    let setup = Setup::new(&graphs::WINDOWS);
    for (kind, begun) in [(ErrorKind::ReadOnlyFilesystem, true), (ErrorKind::ReadOnlyFilesystem, false)] {
        let world = World::default();
        if begun {
            setup.finish(&world).expect("nothing disturbs the run");
        }
        let before = world.disk.files();
        world.disk.fail_from(world.disk.operations() + 1, kind);
        let clock = Arc::new(watershed::core::time::ManualClock::at(watershed::core::time::Timestamp::from_micros(0)));
        // Sinks are opened by the test before the checkpoint is: a disk of their own for them.
        let error =
            setup.open_on(&World::default(), Arc::new(world.checkpoint()), &clock).err().expect("it is refused");
        let says = error.to_string();
        assert!(says.contains("checkpoint `checkpoint`") && says.contains("read-only"), "{says}");
        assert_eq!(world.disk.files(), before);
    }
}

/// Two epochs of a file each, into files of JSON.
fn files_graph(directory: &Path) -> Plan {
    let directory = directory.display();
    let text = format!(
        r#"Graph(
            name: "files",
            sources: {{"in": Files(path: "{directory}/in", format: Json, schema: "k STRING, v BIGINT", max_files_per_epoch: 1)}},
            operators: {{"unique": Dedup(keys: ["v"])}},
            sinks: {{"out": Files(path: "{directory}/out", format: Json)}},
            flow: ["in -> unique -> out"],
            run: (trigger: AvailableNow, partitions: 1),
        )"#
    );
    let checked = load(&text, "files.ron", &|_| None).check(SchemaMode::Offline);
    checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics))
}

fn open(plan: &Plan, storage: &MemoryStorage) -> Engine {
    let checkpoint: Arc<dyn CheckpointStorage> = Arc::new(storage.clone());
    let options = EngineOptions { threads: 2, checkpoint: Some(checkpoint), ..EngineOptions::default() };
    Engine::open(plan, options).expect("the graph opens")
}

fn listing(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let file = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).expect("a file");
        (entry.file_name().to_string_lossy().into_owned(), text)
    };
    let mut files: Vec<_> = entries.map(|entry| file(entry.expect("an entry"))).collect();
    files.sort();
    files
}

#[test]
fn an_input_file_that_is_gone_is_told_and_put_back_it_is_read_as_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let (input, out) = (directory.path().join("in"), directory.path().join("out"));
    fs::create_dir(&input).expect("a directory");
    let rows = |numbers: [i64; 2]| numbers.map(|v| format!("{{\"k\": \"a\", \"v\": {v}}}\n")).concat();
    fs::write(input.join("1.json"), rows([1, 2])).expect("a file");
    fs::write(input.join("2.json"), rows([2, 3])).expect("a file");
    let (plan, storage) = (files_graph(directory.path()), MemoryStorage::new());
    let mut engine = open(&plan, &storage);
    engine.run(&mut |_| ()).expect("the run succeeds");
    drop(engine);
    let due = listing(&out);
    assert_eq!(due.len(), 2);
    // A crash came before the last commit, and the epoch is to be run again.
    storage.remove(&[FileName::Commit(watershed::core::epoch::Epoch(1)).to_string()]).expect("memory forgets");
    fs::rename(input.join("2.json"), directory.path().join("elsewhere")).expect("a file");
    let mut engine = open(&plan, &storage);
    let error = engine.step().expect_err("the file is gone");
    let says = error.to_string();
    assert!(says.contains("2.json") && says.contains("node `in`") && says.contains("epoch 1"), "{says}");
    drop(engine);
    assert_eq!(listing(&out), due, "what was shown stays");
    fs::rename(directory.path().join("elsewhere"), input.join("2.json")).expect("a file");
    let mut engine = open(&plan, &storage);
    assert!(matches!(engine.step(), Ok(Step::Ran(_))));
    assert!(matches!(engine.step(), Ok(Step::Finished)));
    assert_eq!(listing(&out), due);
}
