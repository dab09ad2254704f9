//! A local directory whose disk loses its power at every operation, in every way: each file is old or new as a whole, and
//! what `write` returned for is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use watershed_core::checkpoint::{
    CheckpointStorage, Crash, DirectoryEntry, FileSystem, LocalDirectory, LockAttempt, SimulatedDisk,
};

use super::{ROOT, holder, new_file};

/// What a run does with its checkpoint.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(String, Vec<u8>)>),
    Remove(Vec<String>),
}

/// What each file may be: `None` for not there.
#[derive(Clone, Debug, Default)]
struct Model(BTreeMap<String, BTreeSet<Option<Vec<u8>>>>);

impl Model {
    fn may_be(&mut self, name: &str) -> &mut BTreeSet<Option<Vec<u8>>> {
        self.0.entry(name.to_owned()).or_insert_with(|| BTreeSet::from([None]))
    }

    fn begin(&mut self, step: &Step) {
        match step {
            Step::Write(files) => {
                for (name, content) in files {
                    self.may_be(name).insert(Some(content.clone()));
                }
            }
            Step::Remove(names) => {
                for name in names {
                    self.may_be(name).insert(None);
                }
            }
        }
    }

    fn end(&mut self, step: &Step) {
        if let Step::Write(files) = step {
            for (name, content) in files {
                *self.may_be(name) = BTreeSet::from([Some(content.clone())]);
            }
        }
        // What was removed may come back.
    }

    /// Compares with what is there, which is all that it may be from now on.
    fn compare(&mut self, storage: &LocalDirectory) -> Result<(), String> {
        let listed = storage.list().map_err(|error| error.to_string())?;
        for file in &listed {
            let content = storage.read(&file.name).map_err(|error| error.to_string())?;
            let bytes = content.as_ref().map_or(0, Vec::len) as u64;
            if content.is_none() || bytes != file.bytes {
                return Err(format!("`{}` is listed with {} bytes, and read with {bytes}", file.name, file.bytes));
            }
            if !self.0.contains_key(&file.name) {
                return Err(format!("`{}` is there, which was never written", file.name));
            }
        }
        for (name, may_be) in &mut self.0 {
            let found = storage.read(name).map_err(|error| error.to_string())?;
            if found.is_some() != listed.iter().any(|file| file.name == *name) {
                return Err(format!("`{name}` is read, but not listed, or the other way round"));
            }
            if !may_be.contains(&found) {
                return Err(format!("`{name}` is {found:?}, which is none of {may_be:?}"));
            }
            *may_be = BTreeSet::from([found]);
        }
        Ok(())
    }
}

/// Locks the checkpoint and does the steps; gives the number of the one that failed.
fn run(storage: &LocalDirectory, steps: &[Step], model: &mut Model) -> Option<usize> {
    let Ok(_lock) = storage.lock(&holder()) else { return Some(0) };
    for (number, step) in steps.iter().enumerate() {
        model.begin(step);
        let done = match step {
            Step::Write(files) => {
                let files: Vec<_> = files.iter().map(|(name, content)| new_file(name, content)).collect();
                storage.write(&files)
            }
            Step::Remove(names) => storage.remove(names),
        };
        if done.is_err() {
            return Some(number);
        }
        model.end(step);
    }
    None
}

/// The disk as the directory sees it.
type Wrap = fn(SimulatedDisk) -> Arc<dyn FileSystem>;

fn plain(disk: SimulatedDisk) -> Arc<dyn FileSystem> {
    Arc::new(disk)
}

fn open(disk: &SimulatedDisk, wrap: Wrap) -> LocalDirectory {
    LocalDirectory::on(wrap(disk.clone()), ROOT)
}

/// Looks at the disk after a crash, takes it over, and goes on with the steps that were not done.
fn recover(disk: &SimulatedDisk, wrap: Wrap, model: &mut Model, rest: &[Step]) -> Result<(), String> {
    let storage = open(disk, wrap);
    model.compare(&storage)?;
    drop(storage.lock(&holder()).map_err(|error| error.to_string())?);
    if let Some(leftover) = disk.files().keys().find(|path| path.extension().is_some_and(|end| end == "tmp")) {
        return Err(format!("{} is left over", leftover.display()));
    }
    model.compare(&storage)?;
    if let Some(step) = run(&storage, rest, model) {
        return Err(format!("step {step} fails after recovery"));
    }
    model.compare(&storage)
}

const WAYS: [Crash; 8] = [
    Crash::KeepsSynced,
    Crash::KeepsAll,
    Crash::Torn(1),
    Crash::Torn(2),
    Crash::Torn(3),
    Crash::Torn(4),
    Crash::Torn(5),
    Crash::Torn(6),
];

/// Stops the disk at every operation of the steps and just after the last, in every way of crashing. Gives the number of
/// crashes and what was wrong after them.
fn crash_everywhere(steps: &[Step], wrap: Wrap) -> (usize, Vec<String>) {
    let (mut crashes, mut faults) = (0, Vec::new());
    for stop in 1.. {
        let (disk, mut model) = (SimulatedDisk::new(), Model::default());
        disk.stop_at(stop);
        let failed = run(&open(&disk, wrap), steps, &mut model);
        for way in WAYS {
            crashes += 1;
            let rest = failed.map_or(&[][..], |step| &steps[step..]);
            if let Err(fault) = recover(&disk.crash(way), wrap, &mut model.clone(), rest) {
                faults.push(format!("power cut at operation {stop}, {way:?}: {fault}"));
            }
        }
        if failed.is_none() {
            break;
        }
    }
    (crashes, faults)
}

/// Some epochs as the engine writes them: files in new folders and old, in place of others, small, empty and larger, and
/// old ones removed.
fn epochs() -> Vec<Step> {
    let file = |name: String, content: String| (name, content.into_bytes());
    let mut steps = vec![
        Step::Write(vec![file("metadata.json".to_owned(), "metadata".to_owned())]),
        Step::Write(vec![file("graphs/00000000.json".to_owned(), "graph".to_owned())]),
    ];
    for epoch in 0..3 {
        let delta = |node: &str, size: usize| {
            file(format!("state/{node}/0/t.{epoch:08}.delta"), format!("{node}, {epoch}: ").repeat(size))
        };
        steps.push(Step::Write(vec![file(format!("epochs/{epoch:08}.intent"), format!("intent {epoch}"))]));
        steps.push(Step::Write(vec![delta("a", 100), delta("b", 0), delta("c", 1)]));
        steps.push(Step::Write(vec![
            file(format!("epochs/{epoch:08}.commit"), format!("commit {epoch}")),
            file("metadata.json".to_owned(), format!("metadata of {epoch}")),
        ]));
        if epoch > 0 {
            let old = epoch - 1;
            steps.push(Step::Remove(vec![format!("epochs/{old:08}.intent"), format!("state/a/0/t.{old:08}.delta")]));
        }
    }
    // Again under a name that was removed.
    steps.push(Step::Write(vec![file("epochs/00000000.intent".to_owned(), "again".to_owned())]));
    steps
}

#[test]
fn every_file_is_old_or_new_and_what_was_written_is_there_after_every_crash() {
    let (crashes, faults) = crash_everywhere(&epochs(), plain);
    assert!(faults.is_empty(), "{} of {crashes} crashes: {}", faults.len(), faults[0]);
    assert!(crashes > 500, "only {crashes} crashes");
}

#[test]
fn a_crash_between_two_files_of_one_write_may_leave_one_of_them() {
    // The promise is for each file alone: this says that the test above does try what lies between.
    let steps = [Step::Write(vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"1".to_vec())])];
    let mut seen = BTreeSet::new();
    for stop in 1..40 {
        let disk = SimulatedDisk::new();
        disk.stop_at(stop);
        run(&open(&disk, plain), &steps, &mut Model::default());
        for way in WAYS {
            let listed = open(&disk.crash(way), plain).list().expect("a list");
            seen.insert(listed.into_iter().map(|file| file.name).collect::<Vec<_>>().concat());
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["", "a", "ab", "b"]);
}

/// A disk with a fault of a kind that real ones have.
#[derive(Debug)]
struct Faulty {
    disk: SimulatedDisk,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// Syncing a file does nothing.
    KeepsFilesInItsCache,
    /// Syncing a directory does nothing.
    KeepsNamesInItsCache,
    /// Syncing this directory does nothing.
    Forgets(&'static str),
    /// A rename writes the file again.
    RenamesByCopy,
}

impl FileSystem for Faulty {
    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        self.disk.is_directory(path)
    }
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.create_directory(path)
    }
    fn entries(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.disk.entries(directory)
    }
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(file)
    }
    fn create_file(&self, file: &Path, content: &[Vec<u8>]) -> io::Result<()> {
        self.disk.create_file(file, content)
    }
    fn sync_file(&self, file: &Path) -> io::Result<()> {
        if matches!(self.fault, Fault::KeepsFilesInItsCache) { Ok(()) } else { self.disk.sync_file(file) }
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if matches!(self.fault, Fault::RenamesByCopy) {
            self.disk.create_file(to, &[self.disk.read(from)?])?;
            self.disk.sync_file(to)?;
            return self.disk.remove_file(from);
        }
        self.disk.rename(from, to)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match self.fault {
            Fault::KeepsNamesInItsCache => Ok(()),
            Fault::Forgets(forgotten) if directory == Path::new(forgotten) => Ok(()),
            _ => self.disk.sync_directory(directory),
        }
    }
    fn remove_file(&self, file: &Path) -> io::Result<()> {
        self.disk.remove_file(file)
    }
    fn try_lock(&self, path: &Path, words: &[u8]) -> io::Result<LockAttempt> {
        self.disk.try_lock(path, words)
    }
}

#[test]
fn a_disk_that_does_not_keep_its_promises_is_found_out() {
    let faulty: [(&str, Wrap); 8] = [
        ("files in its cache", |disk| Arc::new(Faulty { disk, fault: Fault::KeepsFilesInItsCache })),
        ("names in its cache", |disk| Arc::new(Faulty { disk, fault: Fault::KeepsNamesInItsCache })),
        ("renames by copy", |disk| Arc::new(Faulty { disk, fault: Fault::RenamesByCopy })),
        // Each of these is a sync that the directory might forget.
        ("above all", |disk| Arc::new(Faulty { disk, fault: Fault::Forgets(".") })),
        ("above the directory", |disk| Arc::new(Faulty { disk, fault: Fault::Forgets("checkpoints") })),
        ("the directory", |disk| Arc::new(Faulty { disk, fault: Fault::Forgets("checkpoints/test") })),
        ("a folder of folders", |disk| Arc::new(Faulty { disk, fault: Fault::Forgets("checkpoints/test/state/b") })),
        ("a folder of files", |disk| Arc::new(Faulty { disk, fault: Fault::Forgets("checkpoints/test/state/b/0") })),
    ];
    for (fault, wrap) in faulty {
        assert!(!crash_everywhere(&epochs(), wrap).1.is_empty(), "{fault}: nothing was noticed");
    }
}

#[test]
fn folders_that_a_dead_process_made_are_made_durable_by_the_next() {
    // A process dies without a power loss, at every operation: what it made is there, and not durable. The next one finds it
    // there, writes, and then the power fails.
    let steps = epochs();
    for stop in 1.. {
        let (disk, mut model) = (SimulatedDisk::new(), Model::default());
        disk.fail_from(stop, io::ErrorKind::Other);
        let failed = run(&open(&disk, plain), &steps, &mut model);
        disk.heal();
        let next = open(&disk, plain);
        assert_eq!(run(&next, &steps, &mut model), None);
        let crashed = disk.crash(Crash::KeepsSynced);
        model.compare(&open(&crashed, plain)).unwrap_or_else(|fault| panic!("death at operation {stop}: {fault}"));
        if failed.is_none() {
            break;
        }
    }
}

fn some_steps() -> impl Strategy<Value = Vec<Step>> {
    let names = ["a", "epochs/1", "epochs/2", "epochs/c/1", "state/e/f/1", "state/e/g"];
    let name = move || (0..names.len()).prop_map(move |at| names[at].to_owned());
    let content = proptest::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        4 => proptest::collection::vec((name(), content), 0..4).prop_map(|mut files| {
            // One name twice in one write has no promise but that either is there.
            files.sort();
            files.dedup_by(|one, other| one.0 == other.0);
            Step::Write(files)
        }),
        1 => proptest::collection::vec(name(), 0..3).prop_map(Step::Remove),
    ];
    proptest::collection::vec(step, 0..12)
}

fn some_crash() -> impl Strategy<Value = Crash> {
    prop_oneof![Just(Crash::KeepsSynced), Just(Crash::KeepsAll), any::<u64>().prop_map(Crash::Torn)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn crash_after_crash_nothing_is_lost(
        steps in some_steps(),
        crashes in proptest::collection::vec((1_u64..60, some_crash()), 1..6),
    ) {
        let (mut disk, mut model, mut done) = (SimulatedDisk::new(), Model::default(), 0);
        for (stop, crash) in crashes {
            disk.stop_at(stop);
            done += run(&open(&disk, plain), &steps[done..], &mut model).unwrap_or(steps.len() - done);
            disk = disk.crash(crash);
            model.compare(&open(&disk, plain)).map_err(TestCaseError::fail)?;
        }
        recover(&disk, plain, &mut model, &steps[done..]).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn files_can_be_damaged_where_they_lie() {
    let disk = SimulatedDisk::new();
    let storage = open(&disk, plain);
    storage.write(&[new_file("state/a/0/t", b"content"), new_file("b", b"x")]).expect("written");
    let at = |name: &str| PathBuf::from(ROOT).join(name);
    assert_eq!(disk.files(), BTreeMap::from([(at("b"), b"x".to_vec()), (at("state/a/0/t"), b"content".to_vec())]));
    disk.replace(&at("state/a/0/t"), "cont");
    disk.lose(&at("b"));
    let disk = disk.crash(Crash::KeepsSynced);
    let storage = open(&disk, plain);
    assert_eq!(storage.read("state/a/0/t").expect("a file"), Some(b"cont".to_vec()));
    assert_eq!(storage.read("b").expect("no file"), None);
}
