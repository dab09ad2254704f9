//! What the simulated disk keeps through a crash, and what not.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use watershed_core::checkpoint::{Crash, FileSystem, SimulatedDisk};

fn create(disk: &SimulatedDisk, file: &str, content: &str) {
    disk.create_file(Path::new(file), &[content.as_bytes().to_vec()]).expect("created");
}

fn found(disk: &SimulatedDisk, file: &str) -> Option<String> {
    let content = disk.read(Path::new(file)).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}

type Act = fn(&SimulatedDisk, &Path, &Path, &Path);

/// What `a` and `b` hold.
type Held = [Option<&'static str>; 2];

/// A disk with the durable file `a`.
fn with_a_file() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.replace(Path::new("a"), "old");
    disk
}

#[test]
fn a_crash_keeps_what_was_synced_and_may_keep_the_rest() {
    let (a, b, here) = (Path::new("a"), Path::new("b"), Path::new("."));
    // What is done to a disk with `a` = "old"; then `a` and `b` as the pessimist and the optimist find them.
    let cases: [(&str, Act, Held, Held); 8] = [
        ("nothing", |_, _, _, _| {}, [Some("old"), None], [Some("old"), None]),
        ("overwritten", |disk, _, _, _| create(disk, "a", "new"), [Some("old"), None], [Some("new"), None]),
        (
            "overwritten and synced",
            |disk, a, _, _| {
                create(disk, "a", "new");
                disk.sync_file(a).expect("synced");
            },
            [Some("new"), None],
            [Some("new"), None],
        ),
        (
            "created and synced, not its name",
            |disk, _, b, _| {
                create(disk, "b", "b");
                disk.sync_file(b).expect("synced");
            },
            [Some("old"), None],
            [Some("old"), Some("b")],
        ),
        (
            "created, its name synced, not its content",
            |disk, _, _, here| {
                create(disk, "b", "b");
                disk.sync_directory(here).expect("synced");
            },
            [Some("old"), Some("")],
            [Some("old"), Some("b")],
        ),
        ("renamed", |disk, a, b, _| disk.rename(a, b).expect("renamed"), [Some("old"), None], [None, Some("old")]),
        (
            "renamed and synced",
            |disk, a, b, here| {
                disk.rename(a, b).expect("renamed");
                disk.sync_directory(here).expect("synced");
            },
            [None, Some("old")],
            [None, Some("old")],
        ),
        ("removed", |disk, a, _, _| disk.remove_file(a).expect("removed"), [Some("old"), None], [None, None]),
    ];
    for (name, act, pessimist, optimist) in cases {
        let disk = with_a_file();
        act(&disk, a, b, here);
        for (crash, expected) in [(Crash::KeepsSynced, pessimist), (Crash::KeepsAll, optimist)] {
            let after = disk.crash(crash);
            let files = [found(&after, "a"), found(&after, "b")];
            assert_eq!(files.each_ref().map(Option::as_deref), expected, "{name}, {crash:?}");
        }
        let (seen_a, seen_b): (BTreeSet<_>, BTreeSet<_>) = (0..60)
            .map(|seed| disk.crash(Crash::Torn(seed)))
            .map(|after| (found(&after, "a"), found(&after, "b")))
            .unzip();
        // Sooner or later a torn disk is both; where the two agree there is nothing to tear.
        for (seen, at) in [(seen_a, 0), (seen_b, 1)] {
            let ends: BTreeSet<_> = [pessimist[at], optimist[at]].map(|end| end.map(str::to_owned)).into();
            assert!(seen.is_superset(&ends), "{name}: {seen:?} lacks some of {ends:?}");
            assert!(ends.len() > 1 || seen == ends, "{name}: {seen:?} is more than {ends:?}");
        }
    }
}

#[test]
fn a_torn_file_is_cut_off_or_goes_on_with_something_else() {
    let disk = with_a_file();
    create(&disk, "a", "new content");
    let seen: BTreeSet<Vec<u8>> =
        (0..200).map(|seed| disk.crash(Crash::Torn(seed)).read(Path::new("a")).expect("a file")).collect();
    let new = b"new content";
    assert!(seen.contains(&b"old"[..]) && seen.contains(&new[..]));
    assert!(seen.iter().any(|content| content.len() < new.len() && new.starts_with(content) && !content.is_empty()));
    assert!(seen.iter().any(|content| content.len() == new.len() && content.ends_with(b"\0")));
    assert!(seen.iter().any(|content| content.len() == new.len() && content[..] != new[..] && !content.contains(&0)));
    let again = |seed| [(); 2].map(|()| disk.crash(Crash::Torn(seed)).files());
    for seed in 0..20 {
        let [one, other] = again(seed);
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn what_lies_in_a_lost_directory_is_lost() {
    let disk = SimulatedDisk::new();
    disk.create_directory(Path::new("d")).expect("created");
    create(&disk, "d/f", "x");
    disk.sync_file(Path::new("d/f")).expect("synced");
    disk.sync_directory(Path::new("d")).expect("synced");
    assert!(disk.crash(Crash::KeepsSynced).files().is_empty());
    disk.sync_directory(Path::new("")).expect("synced");
    assert_eq!(found(&disk.crash(Crash::KeepsSynced), "d/f").as_deref(), Some("x"));
}

#[test]
fn the_power_is_cut_at_the_operation_that_was_named() {
    let disk = with_a_file();
    disk.stop_at(2);
    create(&disk, "b", "one");
    assert!(!disk.is_stopped());
    let error = disk.create_file(Path::new("c"), &[b"two!".to_vec()]).expect_err("no power");
    assert_eq!(error.to_string(), "the simulated disk has lost its power");
    assert!(disk.is_stopped());
    assert!(disk.read(Path::new("a")).is_err() && disk.entries(Path::new("")).is_err());
    assert!(disk.remove_file(Path::new("a")).is_err());
    let after = disk.crash(Crash::KeepsAll);
    assert_eq!(found(&after, "b").as_deref(), Some("one"));
    assert_eq!(found(&after, "c").as_deref(), Some("tw"), "half of a write is done");
    assert_eq!(found(&after, "a").as_deref(), Some("old"));
    create(&after, "c", "the next life");
    assert_eq!(after.operations(), 1);
}

#[test]
fn a_full_disk_takes_half_a_file_and_still_removes() {
    let disk = with_a_file();
    disk.fail_from(1, ErrorKind::StorageFull);
    let error = disk.create_file(Path::new("b"), &[b"12".to_vec(), b"34".to_vec()]).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(found(&disk, "b").as_deref(), Some("12"));
    disk.remove_file(Path::new("b")).expect("removed");
    disk.heal();
    create(&disk, "b", "1234");
    disk.fail_from(1, ErrorKind::ReadOnlyFilesystem);
    let error = disk.remove_file(Path::new("b")).expect_err("read only");
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(found(&disk, "b").as_deref(), Some("1234"));
}
