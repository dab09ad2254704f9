//! Tables in files that change while a graph runs, stops, crashes and goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use tempfile::TempDir;
use watershed::core::checkpoint::{CheckpointStorage, FileName, MemoryStorage};
use watershed::core::engine::{Connectors, Engine, EngineOptions, Progress, Step};
use watershed::core::epoch::Epoch;
use watershed::core::error::Result;
use watershed::core::node::{Part, Receipt, Sink};
use watershed::core::time::{ManualClock, Timestamp};
use watershed::graphs::{SchemaMode, load};

/// Rows by epoch, sorted, as text.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<BTreeMap<Epoch, Vec<String>>>>);

impl Shown {
    fn of(&self, epoch: u64) -> String {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get(&Epoch(epoch)).map(|rows| rows.join(" ")).unwrap_or_default()
    }
}

impl Sink for Shown {
    fn stage(&self, _: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        let row = |batch: &RecordBatch, row: usize| -> String {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).expect("shows"));
            cells.collect::<Vec<_>>().join("|")
        };
        let mut shown: Vec<String> =
            rows.iter().flat_map(|batch| (0..batch.num_rows()).map(|number| row(batch, number))).collect();
        shown.sort();
        Ok(Receipt(shown.into()))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        let rows = receipts.iter().flat_map(|receipt| receipt.0.as_array().into_iter().flatten());
        let rows = rows.filter_map(|row| row.as_str().map(str::to_owned)).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(epoch, rows);
        Ok(())
    }
}

/// A directory of events, one file for each epoch, and a table of users.
struct World {
    directory: TempDir,
    clock: Arc<ManualClock>,
    storage: Arc<MemoryStorage>,
    /// What replaces `on_error: Keep`.
    on_error: &'static str,
}

const EVENTS: [&str; 4] = ["ann 1", "bob 2", "ann 3", "bob 4"];

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("events")).expect("a writable directory");
        let world = Self { directory, clock: Arc::default(), storage: Arc::default(), on_error: "Keep" };
        for (number, event) in EVENTS.iter().enumerate() {
            let (user, id) = event.split_once(' ').expect("a user and a number");
            let path = world.directory.path().join(format!("events/{number}.csv"));
            fs::write(path, format!("user,id\n{user},{id}\n")).expect("a writable directory");
        }
        world
    }

    fn users(&self) -> PathBuf {
        self.directory.path().join("users.csv")
    }

    /// Writes the table. Each has another size, so that no change hides behind the clock of the file system.
    fn put_users(&self, rows: &str) {
        fs::write(self.users(), format!("user,team\n{rows}\n")).expect("a writable directory");
    }

    fn at_second(&self, second: i64) {
        self.clock.set(Timestamp::from_micros(second * 1_000_000));
    }

    fn open(&self, trigger: &str, shown: &Shown) -> Engine {
        let events = self.directory.path().join("events");
        let text = format!(
            r#"Graph(
                name: "tables",
                sources: {{
                    "events": Files(path: "{events}", max_files_per_epoch: 1),
                    "users": Table(path: "{users}", reload: Every("1 minute"), on_error: {on_error}),
                }},
                operators: {{
                    "teams": Select(["user", "upper(team) AS team"]),
                    "enriched": Join(kind: LeftOuter, on: "left.user = right.user", select: ["left.id", "right.team"]),
                }},
                sinks: {{"out": Memory()}},
                flow: ["events -> enriched.left", "users -> teams -> enriched.right", "enriched -> out"],
                run: (trigger: {trigger}, partitions: 2),
            )"#,
            events = events.display(),
            users = self.users().display(),
            on_error = self.on_error,
        );
        let checked = load(&text, "tables", &|_| None).check(SchemaMode::Infer);
        let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics));
        let mut connectors = Connectors::default();
        connectors.sinks.insert("out".to_owned(), Box::new(shown.clone()));
        let options = EngineOptions {
            clock: Arc::<ManualClock>::clone(&self.clock),
            checkpoint: Some(Arc::<MemoryStorage>::clone(&self.storage)),
            connectors,
            ..EngineOptions::default()
        };
        Engine::open(&plan, options).expect("the graph opens")
    }

    /// Removes the proof that the last epoch is done.
    fn lose_last_commit(&self) {
        let names = self.storage.list().expect("a list").into_iter().map(|file| file.name);
        let last = names.filter(|name| matches!(FileName::parse(name), Some(FileName::Commit(_)))).max();
        self.storage.remove(&[last.expect("a commit")]).expect("removed");
    }
}

/// Epoch by epoch, so that nothing is read ahead of what the test does to the file.
const STEPWISE: &str = r#"Every("1 second")"#;

fn step(engine: &mut Engine) -> Progress {
    match engine.step().expect("the epoch runs") {
        Step::Ran(progress) => *progress,
        other => panic!("{other:?}, and there should be an epoch"),
    }
}

fn trouble(progress: &Progress) -> Option<&str> {
    progress.sources.iter().find(|source| source.node == "users")?.trouble.as_deref()
}

#[test]
fn a_table_that_changes_holds_from_the_epoch_that_reads_it() {
    let (world, shown) = (World::new(), Shown::default());
    world.put_users("ann,a");
    let mut engine = world.open(STEPWISE, &shown);
    step(&mut engine);
    world.put_users("ann,a2\nbob,b2");
    step(&mut engine);
    world.at_second(60);
    step(&mut engine);
    step(&mut engine);
    assert_eq!([0, 1, 2, 3].map(|epoch| shown.of(epoch)), ["1|A", "2|", "3|A2", "4|B2"]);
    world.at_second(120);
    assert!(matches!(engine.step(), Ok(Step::Idle)), "the same table makes no epoch");
    world.put_users("zoe,z33");
    world.at_second(180);
    let progress = step(&mut engine);
    assert_eq!((progress.epoch, progress.input_rows), (Epoch(4), 1), "a new one makes one by itself");
    assert_eq!(progress.operators.iter().find(|node| node.node == "enriched").map(|node| node.state_rows), Some(1));
}

#[test]
fn an_epoch_that_a_crash_left_open_has_the_table_that_it_had() {
    for crashed in 0..3 {
        for is_gone in [false, true] {
            let (world, shown) = (World::new(), Shown::default());
            world.put_users("ann,a");
            let mut engine = world.open(STEPWISE, &shown);
            for epoch in 0..=crashed {
                if epoch == 1 {
                    world.put_users("ann,a2\nbob,b2");
                    world.at_second(60);
                }
                step(&mut engine);
            }
            drop(engine);
            let due = shown.of(crashed);
            assert_eq!(due, ["1|A", "2|B2", "3|A2"][crashed as usize]);
            world.lose_last_commit();
            if is_gone {
                // The columns were found by looking, so something must be there to look at when the graph is checked.
                world.put_users("ann,after the crash");
            } else {
                world.put_users("ann,c3\nbob,c3\ncem,c3");
            }
            let again = Shown::default();
            let mut engine = world.open(STEPWISE, &again);
            if is_gone {
                fs::remove_file(world.users()).expect("removed");
            }
            assert_eq!(engine.epochs_to_replay(), 1);
            let progress = step(&mut engine);
            assert_eq!(again.of(crashed), due, "epoch {crashed}, gone: {is_gone}");
            assert_eq!(trouble(&progress), None, "nobody has looked");
            let progress = step(&mut engine);
            let (user, kept) = [("", ""), ("2|", "2|"), ("3|", "3|A2"), ("4|", "4|B2")][crashed as usize + 1];
            if is_gone {
                assert_eq!(again.of(crashed + 1), kept, "the table of the epochs before");
                assert!(trouble(&progress).is_some_and(|words| words.contains("stays as it was")));
            } else {
                assert_eq!(again.of(crashed + 1), format!("{user}C3"), "each run looks at its start");
                assert_eq!(trouble(&progress), None);
            }
        }
    }
}

#[test]
fn a_run_goes_on_with_a_bad_table_only_if_it_is_to() {
    for on_error in ["Keep", "Fail"] {
        let (mut world, shown) = (World::new(), Shown::default());
        world.on_error = on_error;
        world.put_users("ann,a");
        let mut engine = world.open(STEPWISE, &shown);
        step(&mut engine);
        fs::write(world.users(), "team,user\n\"torn").expect("a writable directory");
        world.at_second(60);
        if on_error == "Keep" {
            let words = trouble(&step(&mut engine)).expect("not silent").to_owned();
            assert!(words.starts_with("the table stays as it was: ") && words.contains("users.csv"), "{words}");
            world.put_users("bob,bbb");
            world.at_second(120);
            assert_eq!(trouble(&step(&mut engine)), None);
            assert_eq!([1, 2].map(|epoch| shown.of(epoch)), ["2|", "3|"]);
            step(&mut engine);
            assert_eq!(shown.of(3), "4|BBB");
        } else {
            let error = engine.step().expect_err("the run stops").to_string();
            assert!(error.contains("users"), "{error}");
        }
    }
}

#[test]
fn a_run_ends_with_its_events_and_does_not_wait_for_the_table() {
    for trigger in ["AvailableNow", "Once"] {
        let (world, shown) = (World::new(), Shown::default());
        world.put_users("ann,a\nbob,b");
        let mut engine = world.open(trigger, &shown);
        let summary = engine.run(&mut |_| {}).expect("the run succeeds");
        let rows: Vec<String> = (0..summary.epochs).map(|epoch| shown.of(epoch)).collect();
        assert_eq!(rows.join(" "), "1|A 2|B 3|A 4|B", "{trigger}");
    }
}
