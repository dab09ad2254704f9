//! What every storage of checkpoints must do, as one suite: for the tests of storages, ours and others'.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::CheckpointError;
use super::storage::{CheckpointLock, CheckpointStorage, Holder, NewFile, StoredFile};
use crate::time::Timestamp;

/// Larger than the buffers and parts in which storages like to write.
const BIG_FILE_BYTES: usize = 9 * 1024 * 1024 + 1;

/// Enough for a reader to meet a writer in the act; few enough for a store behind a network.
const REPLACEMENTS: usize = 40;

/// Holds a storage to its promises, short of a crash. Each call of `open` gives another handle on one and the same place,
/// which is empty at first and is empty again at the end.
///
/// It panics, with what was expected and what was found, when the storage breaks a promise: it is for tests alone.
pub fn check_storage(open: &dyn Fn() -> Arc<dyn CheckpointStorage>) {
    let checks: [(&str, Check); 13] = [
        ("an empty place", an_empty_place),
        ("a file that was written", a_file_that_was_written),
        ("a file that is replaced", a_file_that_is_replaced),
        ("several files at once", several_files_at_once),
        ("names", names),
        ("names that are refused", names_that_are_refused),
        ("contents", contents),
        ("removal", removal),
        ("a lock", a_lock),
        ("a lock that two want at once", a_lock_that_two_want_at_once),
        ("writers on several threads", writers_on_several_threads),
        ("writers of one file", writers_of_one_file),
        ("a reader beside a writer", a_reader_beside_a_writer),
    ];
    for (check, run) in checks {
        let case = Case { check, open };
        run(&case);
        let storage = open();
        let names: Vec<String> = case.list(&storage).into_iter().map(|file| file.name).collect();
        case.ok("remove all", storage.remove(&names));
        case.equal("the list after all was removed", &case.list(&open()), &Vec::new());
    }
}

type Storage = Arc<dyn CheckpointStorage>;

type Check = fn(&Case<'_>);

/// One check of the suite: what it opens, and what it says when it fails.
struct Case<'a> {
    check: &'a str,
    open: &'a dyn Fn() -> Storage,
}

impl Case<'_> {
    fn open(&self) -> Storage {
        (self.open)()
    }

    fn fail(&self, what: &str) -> ! {
        panic!("storage `{}`, {}: {what}", self.open().location(), self.check)
    }

    fn ok<T>(&self, action: &str, result: Result<T, CheckpointError>) -> T {
        result.unwrap_or_else(|error| self.fail(&format!("{action}: {error}")))
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&self, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.fail(&format!("{what} is {found:?}, not {expected:?}"));
        }
    }

    fn write(&self, storage: &Storage, name: &str, content: &[u8]) {
        self.ok(&format!("write `{name}`"), storage.write(&[new_file(name, content)]));
    }

    fn list(&self, storage: &Storage) -> Vec<StoredFile> {
        self.ok("list", storage.list())
    }

    fn listed(&self, storage: &Storage, expected: &[(&str, usize)]) {
        let expected: Vec<StoredFile> =
            expected.iter().map(|&(name, bytes)| StoredFile { name: name.to_owned(), bytes: bytes as u64 }).collect();
        self.equal("the list", &self.list(storage), &expected);
    }

    fn holds(&self, storage: &Storage, name: &str, content: &[u8]) {
        match self.ok(&format!("read `{name}`"), storage.read(name)) {
            None => self.fail(&format!("`{name}` is not there")),
            Some(found) if found == content => {}
            Some(found) => {
                let differs = found.iter().zip(content).position(|(found, expected)| found != expected);
                let (is, should) = (found.len(), content.len());
                self.fail(&format!(
                    "`{name}` has {is} bytes, should have {should}; the first that differs is {differs:?}"
                ))
            }
        }
    }

    fn lacks(&self, storage: &Storage, name: &str) {
        if self.ok(&format!("read `{name}`"), storage.read(name)).is_some() {
            self.fail(&format!("`{name}` is there"));
        }
    }

    fn lock(&self, storage: &Storage, pid: u32) -> Box<dyn CheckpointLock> {
        self.ok("lock", storage.lock(&holder(pid)))
    }

    fn is_held(&self, storage: &Storage, by: u32) {
        match storage.lock(&holder(by + 1)) {
            Err(CheckpointError::Held { holder: told, location }) => {
                self.equal("the holder", &told, &holder(by).to_string());
                self.equal("the location", &location, &storage.location());
            }
            Err(error) => self.fail(&format!("lock what is held: {error}")),
            Ok(_) => self.fail("the lock was given out twice"),
        }
    }
}

fn new_file(name: &str, content: &[u8]) -> NewFile {
    NewFile { name: name.to_owned(), content: vec![content.to_vec()] }
}

fn holder(pid: u32) -> Holder {
    Holder { pid, host: "a-host".to_owned(), graph: "a graph".to_owned(), since: Timestamp::from_micros(1_500_000) }
}

/// Bytes that are the same nowhere, so that a piece out of place is noticed.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn an_empty_place(case: &Case<'_>) {
    let storage = case.open();
    case.listed(&storage, &[]);
    case.lacks(&storage, "metadata.json");
    case.lacks(&storage, "state/a/0/b");
    case.ok("remove what is not there", storage.remove(&["state/a/0/b".to_owned()]));
    case.ok("write no file", storage.write(&[]));
    case.ok("remove no file", storage.remove(&[]));
}

fn a_file_that_was_written(case: &Case<'_>) {
    let storage = case.open();
    case.write(&storage, "epochs/00000001.intent", b"one");
    for storage in [storage, case.open()] {
        case.holds(&storage, "epochs/00000001.intent", b"one");
        case.listed(&storage, &[("epochs/00000001.intent", 3)]);
        case.lacks(&storage, "epochs");
        case.lacks(&storage, "epochs/00000001");
        case.lacks(&storage, "00000001.intent");
    }
}

fn a_file_that_is_replaced(case: &Case<'_>) {
    let storage = case.open();
    for content in [b"a long content".as_slice(), b"short", b"", b"again"] {
        case.write(&storage, "graphs/00000000.json", content);
        case.holds(&storage, "graphs/00000000.json", content);
        case.holds(&case.open(), "graphs/00000000.json", content);
        case.listed(&case.open(), &[("graphs/00000000.json", content.len())]);
    }
}

fn several_files_at_once(case: &Case<'_>) {
    let storage = case.open();
    let names: Vec<String> = (0..40).map(|number| format!("state/node/{}/t.{number:08}", number % 4)).collect();
    let files: Vec<NewFile> = names.iter().map(|name| new_file(name, name.as_bytes())).collect();
    case.ok("write 40 files", storage.write(&files));
    let mut sorted: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), name.len())).collect();
    sorted.sort_unstable();
    case.listed(&case.open(), &sorted);
    for name in &names {
        case.holds(&storage, name, name.as_bytes());
    }
}

fn names(case: &Case<'_>) {
    // In the order of their bytes: `-` before `.` before `/` before digits.
    let names = [
        "a",
        "b-c/d",
        "b.c",
        "b/c",
        "b/c0",
        "deep/1/2/3/4/5/6",
        "deep/1/20",
        "lock.json",
        "locks/lock",
        "metadata.json",
        "state/%2e%2e/0/groups.00000001.delta",
        "state/UPPER_lower-0/0/groups.00000001.snapshot",
        "state/per%20user%2f%c3%a9/3/groups.00000012.delta",
        "x.0.tmp",
    ];
    let storage = case.open();
    for name in names.iter().rev() {
        case.write(&storage, name, name.as_bytes());
    }
    let storage = case.open();
    case.listed(&storage, &names.map(|name| (name, name.len())));
    for name in names {
        case.holds(&storage, name, name.as_bytes());
    }
}

fn names_that_are_refused(case: &Case<'_>) {
    let storage = case.open();
    for name in
        ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "a/.b", "a\\b", "a\nb", "lock"]
    {
        for (action, refused) in [
            ("write", storage.write(&[new_file("good", b""), new_file(name, b"x")]).is_err()),
            ("read", storage.read(name).is_err()),
            ("remove", storage.remove(&[name.to_owned()]).is_err()),
        ] {
            if !refused {
                case.fail(&format!("{action} `{name}` is not refused"));
            }
        }
    }
    case.listed(&storage, &[]);
}

fn contents(case: &Case<'_>) {
    let storage = case.open();
    let big = pattern(BIG_FILE_BYTES);
    let files = [
        NewFile { name: "no-pieces".to_owned(), content: Vec::new() },
        NewFile { name: "empty-pieces".to_owned(), content: vec![Vec::new(), Vec::new()] },
        NewFile { name: "big".to_owned(), content: vec![big.clone()] },
        NewFile { name: "small-pieces".to_owned(), content: big[..70_000].chunks(7).map(<[u8]>::to_vec).collect() },
        NewFile {
            name: "mixed-pieces".to_owned(),
            content: vec![
                big[..1].to_vec(),
                Vec::new(),
                big[1..4_000_000].to_vec(),
                big[4_000_000..5_000_000].to_vec(),
            ],
        },
        NewFile { name: "all-bytes".to_owned(), content: (0..=u8::MAX).map(|byte| vec![byte]).collect() },
    ];
    case.ok("write", storage.write(&files));
    let storage = case.open();
    for file in &files {
        case.holds(&storage, &file.name, &file.content.concat());
    }
    let mut expected: Vec<(&str, usize)> =
        files.iter().map(|file| (file.name.as_str(), file.bytes() as usize)).collect();
    expected.sort_unstable();
    case.listed(&storage, &expected);
}

fn removal(case: &Case<'_>) {
    let storage = case.open();
    // Other names than above: what was a folder's need not be free for a file.
    for name in ["a/1", "a/2", "bb", "a/12"] {
        case.write(&storage, name, b"x");
    }
    let gone = ["a/1", "never/there", "bb"].map(str::to_owned);
    case.ok("remove", storage.remove(&gone));
    for storage in [&storage, &case.open()] {
        case.listed(storage, &[("a/12", 1), ("a/2", 1)]);
        case.lacks(storage, "a/1");
        case.lacks(storage, "bb");
        case.ok("remove again", storage.remove(&gone));
    }
    case.write(&storage, "a/1", b"new");
    case.holds(&case.open(), "a/1", b"new");
}

fn a_lock(case: &Case<'_>) {
    let (first, second) = (case.open(), case.open());
    let lock = case.lock(&first, 7);
    case.is_held(&second, 7);
    case.is_held(&first, 7);
    case.listed(&second, &[]);
    case.write(&first, "epochs/00000000.intent", b"x");
    case.holds(&second, "epochs/00000000.intent", b"x");
    drop(lock);
    let lock = case.lock(&second, 9);
    case.is_held(&first, 9);
    drop(second);
    case.is_held(&first, 9);
    drop(lock);
    drop(case.lock(&case.open(), 11));
    case.listed(&first, &[("epochs/00000000.intent", 1)]);
}

fn a_lock_that_two_want_at_once(case: &Case<'_>) {
    let storages: Vec<Storage> = (0..4).map(|_| case.open()).collect();
    for round in 0..5 {
        let attempts: Vec<Result<Box<dyn CheckpointLock>, CheckpointError>> = std::thread::scope(|scope| {
            let start = |(pid, storage): (usize, &Storage)| {
                let storage = Arc::clone(storage);
                scope.spawn(move || storage.lock(&holder(pid as u32)))
            };
            let threads: Vec<_> = storages.iter().enumerate().map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| case.fail("a thread panicked"))).collect()
        });
        case.equal(&format!("the number of holders in round {round}"), &attempts.iter().flatten().count(), &1);
        for attempt in &attempts {
            if let Err(error) = attempt
                && !matches!(error, CheckpointError::Held { .. })
            {
                case.fail(&format!("lock what is held: {error}"));
            }
        }
    }
}

fn writers_on_several_threads(case: &Case<'_>) {
    let storage = case.open();
    let name = |thread: usize, number: usize| format!("state/node/{}/t.{thread}.{number:08}", number % 3);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let storage = &storage;
            scope.spawn(move || {
                for number in 0..8 {
                    let name = name(thread, number);
                    let files = [new_file(&name, name.as_bytes()), new_file(&format!("{name}.too"), b"x")];
                    storage.write(&files).unwrap_or_else(|error| panic!("write beside other writers: {error}"));
                }
            });
        }
    });
    case.equal("the number of files", &case.list(&case.open()).len(), &64);
    for (thread, number) in (0..4).flat_map(|thread| (0..8).map(move |number| (thread, number))) {
        let name = name(thread, number);
        case.holds(&storage, &name, name.as_bytes());
    }
}

fn writers_of_one_file(case: &Case<'_>) {
    let storages: Vec<Storage> = (0..4).map(|_| case.open()).collect();
    std::thread::scope(|scope| {
        for (thread, storage) in (0_u8..).zip(&storages) {
            scope.spawn(move || {
                for _ in 0..8 {
                    let file = new_file("epochs/00000003.commit", &vec![thread; 10_000 * usize::from(thread + 1)]);
                    storage.write(&[file]).unwrap_or_else(|error| panic!("write beside other writers: {error}"));
                }
            });
        }
    });
    let found = case.ok("read", case.open().read("epochs/00000003.commit")).unwrap_or_default();
    let thread = found.first().copied().unwrap_or_else(|| case.fail("nothing is there"));
    if found != vec![thread; 10_000 * usize::from(thread + 1)] {
        case.fail("the file is a mixture of what two writers wrote");
    }
}

fn a_reader_beside_a_writer(case: &Case<'_>) {
    let (written, read) = (case.open(), case.open());
    let (name, sizes) = ("state/node/0/t.00000001.snapshot", [300_000, 700_000]);
    case.write(&written, name, &vec![0; sizes[0]]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=REPLACEMENTS {
                let file = new_file(name, &vec![number as u8; sizes[number % 2]]);
                if let Err(error) = written.write(&[file]) {
                    done.store(true, Ordering::Release);
                    panic!("write beside a reader: {error}");
                }
            }
            done.store(true, Ordering::Release);
        });
        let mut newest = 0;
        while !done.load(Ordering::Acquire) {
            let Some(found) = case.ok("read beside a writer", read.read(name)) else {
                case.fail("a file that is being replaced is not there");
            };
            let number = found.first().copied().unwrap_or_else(|| case.fail("a file is empty while it is replaced"));
            if found != vec![number; sizes[usize::from(number % 2)]] {
                case.fail("a file was seen half written");
            }
            if number < newest {
                case.fail("a file was seen with an old content after a newer one");
            }
            newest = number;
            for file in case.list(&read) {
                if file.name != name {
                    case.fail(&format!("`{}` is listed, which nobody has written", file.name));
                }
            }
        }
    });
    case.holds(&read, name, &vec![REPLACEMENTS as u8; sizes[REPLACEMENTS % 2]]);
}
