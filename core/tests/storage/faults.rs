//! A local directory on disks that refuse: what it says, and that it goes on when they no longer do.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::Path;

use watershed_core::checkpoint::{CheckpointError, CheckpointStorage, Crash, LocalDirectory, SimulatedDisk};

use super::{ROOT, holder, new_file, on};

#[test]
fn an_error_names_the_checkpoint_the_action_and_the_file() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("file"), "x").expect("a file");
    std::fs::create_dir_all(at("ck/epochs")).expect("a folder");
    std::fs::create_dir_all(at("ck/graphs/00000000.json")).expect("a folder");
    std::fs::write(at("ck/state"), "x").expect("a file where a folder belongs");
    let open = |name: &str| LocalDirectory::new(at(name));
    let write = |storage: LocalDirectory, name: &str| storage.write(&[new_file(name, b"x")]);
    let long = format!("epochs/{}", "x".repeat(300));
    let cases = [
        (open("file").lock(&holder()).map(drop), "create folder", at("file").display().to_string()),
        (open("file/under").lock(&holder()).map(drop), "create folder", at("file/under").display().to_string()),
        (write(open("file"), "a"), "create folder", at("file").display().to_string()),
        (open("file").list().map(drop), "list", at("file").display().to_string()),
        (open("file").read("a").map(drop), "read", "a".to_owned()),
        (write(open("ck"), "state/a/0/t"), "create folder", "state/a".to_owned()),
        (write(open("ck"), "state/t"), "write", "state/t".to_owned()),
        (write(open("ck"), "graphs/00000000.json"), "rename", "graphs/00000000.json".to_owned()),
        (write(open("ck"), &long), "write", long.clone()),
        (write(open("ck"), "../out"), "write", "../out".to_owned()),
    ];
    for (result, expected_action, expected_file) in cases {
        let error = result.expect_err(expected_action);
        let CheckpointError::Storage { location, action, file, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*action, file), (expected_action, &expected_file), "{error}");
        let said = error.to_string();
        assert!(said.starts_with(&format!("checkpoint `{location}`: {action} `{file}`: ")), "{said}");
        assert!(error.source().is_some());
    }
    let left: Vec<_> = std::fs::read_dir(at("ck/epochs")).expect("a folder").collect();
    assert!(left.is_empty(), "a write that failed left {left:?}");
}

#[test]
fn a_directory_that_may_not_be_written_to_can_be_read() {
    let disk = SimulatedDisk::new();
    on(&disk).write(&[new_file("metadata.json", b"x")]).expect("written");
    for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied] {
        disk.fail_from(0, kind);
        let storage = on(&disk);
        assert_eq!(storage.list().expect("a list").len(), 1);
        assert_eq!(storage.read("metadata.json").expect("a file"), Some(b"x".to_vec()));
        for refused in [
            storage.lock(&holder()).map(drop),
            storage.write(&[new_file("metadata.json", b"y")]),
            storage.remove(&["metadata.json".to_owned()]),
        ] {
            let error = refused.expect_err("it is read only");
            let CheckpointError::Storage { source, .. } = &error else { panic!("{error:?}") };
            assert_eq!(source.kind(), kind, "{error}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_directory_without_the_right_to_write_says_so() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("ck");
    std::fs::create_dir(&path).expect("a folder");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o555)).expect("no right to write");
    if std::fs::write(path.join("probe"), "x").is_ok() {
        // The superuser may write everywhere.
        return;
    }
    let storage = LocalDirectory::new(&path);
    assert_eq!(storage.list().expect("an empty list"), []);
    let error = storage.lock(&holder()).expect_err("no right to write").to_string();
    assert!(error.contains("lock `lock`: Permission denied"), "{error}");
}

#[test]
fn a_disk_that_was_full_for_a_while_loses_nothing_and_keeps_no_halves() {
    let files = |epoch: u32| {
        ["epochs/intent", "state/a/0/t", "state/b/0/t"].map(|name| new_file(name, format!("{name} {epoch}").as_bytes()))
    };
    let wanted = |epoch: u32| files(epoch).map(|file| (file.name, file.content.concat()));
    for kind in [ErrorKind::StorageFull, ErrorKind::Interrupted] {
        let mut failures = 0;
        for from in 1.. {
            let disk = SimulatedDisk::new();
            let storage = on(&disk);
            let _lock = storage.lock(&holder()).expect("locked");
            storage.write(&files(1)).expect("written");
            let before = disk.operations();
            disk.fail_from(before + from, kind);
            let Err(error) = storage.write(&files(2)) else { break };
            failures += 1;
            assert!(error.to_string().starts_with(&format!("checkpoint `{ROOT}`: ")), "{error}");
            let halves = disk.files().into_keys().filter(|path| path.extension().is_some_and(|end| end == "tmp"));
            if kind == ErrorKind::StorageFull {
                assert_eq!(halves.count(), 0, "a full disk has room for what may be removed");
            }
            disk.heal();
            for ((name, old), (_, new)) in wanted(1).into_iter().zip(wanted(2)) {
                let found = storage.read(&name).expect("read").expect("a file");
                assert!(found == old || found == new, "operation {from}: {name}");
            }
            storage.write(&files(3)).expect("there is room again");
            let after = on(&disk.crash(Crash::KeepsSynced));
            for (name, content) in wanted(3) {
                assert_eq!(after.read(&name).expect("read"), Some(content), "operation {from}: {name}");
            }
        }
        assert!(failures >= 12, "{failures} operations of a write failed");
    }
}

#[test]
fn a_lock_without_words_is_held_all_the_same() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let (one, other) = (LocalDirectory::new(directory.path()), LocalDirectory::new(directory.path()));
    let lock_file = directory.path().join("lock");
    // What a process left that was killed: nobody holds it.
    std::fs::write(&lock_file, "{\"pid\":1,\"host\":\"h\",\"graph\":\"g\",\"since\":\"2020-01-01T00:00:00Z\"}\n")
        .expect("a file");
    let lock = one.lock(&holder()).expect("a stale lock is free");
    for (words, said) in [
        (None, holder().to_string()),
        (Some(&b"{\"pid\":"[..]), "a process that has not said who it is in `lock`".to_owned()),
        (Some(&[0xff, 0][..]), "a process that has not said who it is in `lock`".to_owned()),
        (Some(&b""[..]), "a process that has not said who it is in `lock`".to_owned()),
    ] {
        if let Some(words) = words {
            std::fs::write(&lock_file, words).expect("overwritten");
        }
        let error = other.lock(&holder()).expect_err("held");
        let expected = format!("checkpoint `{}` is in use by {said}", directory.path().display());
        assert_eq!(error.to_string(), expected);
    }
    drop(lock);
    assert_eq!(std::fs::read(&lock_file).expect("the file stays"), b"", "the words go with the lock");
    let lock = other.lock(&holder()).expect("free");
    let words = std::fs::read(&lock_file).expect("the lock's words");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&words).expect("JSON")["graph"], "test");
    drop(lock);
    assert!(Path::new(&lock_file).exists());
}
