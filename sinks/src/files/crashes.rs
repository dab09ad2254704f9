//! Whatever a crash leaves in the directory, the epoch's second run ends in the listing of an undisturbed one.
//!
//! Every part of the crashed attempt may be missing, half written, staged, shown, or shown and staged once more; every file
//! that the commit removes may be gone or still there. All combinations are tried: those that lie between two steps, and
//! those that a file system makes by doing unsynced steps in another order.

use std::fs;
use std::path::Path;

use watershed_core::epoch::Epoch;
use watershed_core::node::{OpenContext, Sink, SinkSpec};

use super::{Compression, Existing, FileFormat, Files};
use crate::testing::{context, counts, part, stream};

/// What became of a part of the crashed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Missing,
    HalfWritten,
    Staged,
    Shown,
    ShownAndStaged,
}

const FATES: [Fate; 5] = [Fate::Missing, Fate::HalfWritten, Fate::Staged, Fate::Shown, Fate::ShownAndStaged];

/// An epoch that crashes and is run again.
struct Case {
    name: &'static str,
    existing: Existing,
    compression: Compression,
    epoch: u64,
    /// Parts that are visible before, and stay.
    kept: &'static [&'static str],
    /// Parts that are visible before, and are no part of the answer.
    surplus: &'static [&'static str],
    /// The user of the one row of each part of the epoch.
    rows: &'static [&'static str],
}

const CASES: [Case; 5] = [
    Case {
        name: "the first epoch of an empty directory",
        existing: Existing::Refuse,
        compression: Compression::Auto,
        epoch: 0,
        kept: &["notes.txt"],
        surplus: &[],
        rows: &["a", "b"],
    },
    Case {
        name: "a later epoch",
        existing: Existing::Refuse,
        compression: Compression::Auto,
        epoch: 2,
        kept: &["part-00000000-0000.json", "part-00000001-0000.json", "part-00000003-0000.json"],
        surplus: &[],
        rows: &["a", "b"],
    },
    Case {
        name: "a first epoch that replaces a run with parts of the same names",
        existing: Existing::Replace,
        compression: Compression::Auto,
        epoch: 0,
        kept: &["notes.txt"],
        surplus: &["part-00000000-0001.json", "part-00000007-0000.json"],
        rows: &["a", "b"],
    },
    Case {
        name: "an attempt that was compressed otherwise",
        existing: Existing::Replace,
        compression: Compression::Zstd,
        epoch: 1,
        kept: &["part-00000000-0000.json"],
        surplus: &["part-00000001-0000.json", "part-00000001-0001.json"],
        rows: &["a"],
    },
    Case {
        name: "an epoch without rows",
        existing: Existing::Refuse,
        compression: Compression::Auto,
        epoch: 1,
        kept: &["part-00000000-0000.json"],
        surplus: &["part-00000001-0000.json"],
        rows: &[],
    },
];

impl Case {
    fn open(&self, directory: &Path) -> Box<dyn Sink> {
        let files = Files {
            path: directory.to_str().unwrap().to_owned(),
            format: FileFormat::Json,
            compression: self.compression,
            existing: self.existing,
        };
        files.open(&stream(&counts(&[])), &OpenContext { resumes: true, ..context("files") }).unwrap()
    }

    /// Opens the directory and runs the epoch: what a listing shows before the commit, and after it.
    fn run(&self, directory: &Path) -> Vec<(String, Vec<u8>)> {
        let sink = self.open(directory);
        let stage = |(index, user)| sink.stage(part(self.epoch, index), &[counts(&[(user, 1)])]).unwrap();
        let receipts: Vec<_> = self.rows.iter().copied().enumerate().map(stage).collect();
        sink.commit(Epoch(self.epoch), &receipts).unwrap();
        content(directory)
    }

    fn part_name(&self, index: usize) -> String {
        let extension = if self.compression == Compression::Zstd { "json.zst" } else { "json" };
        format!("part-{:08}-{index:04}.{extension}", self.epoch)
    }

    /// The directory as a crash left it.
    fn leave(&self, directory: &Path, fates: &[Fate], surplus: &[&str], whole: &[(String, Vec<u8>)]) {
        for name in self.kept.iter().chain(surplus) {
            fs::write(directory.join(name), "kept or old\n").unwrap();
        }
        for (index, fate) in fates.iter().enumerate() {
            let name = self.part_name(index);
            let (_, bytes) = whole.iter().find(|(file, _)| *file == name).expect("the undisturbed run shows the part");
            let (shown, staged) = (directory.join(&name), directory.join(format!(".{name}.staged")));
            if matches!(fate, Fate::Shown | Fate::ShownAndStaged) {
                fs::write(shown, bytes).unwrap();
            }
            match fate {
                Fate::HalfWritten => fs::write(staged, &bytes[..bytes.len() / 2]).unwrap(),
                Fate::Staged | Fate::ShownAndStaged => fs::write(staged, bytes).unwrap(),
                Fate::Missing | Fate::Shown => {}
            }
        }
    }
}

/// All files, hidden ones too, in the order of their names.
fn content(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

/// Every choice of one of `options` for each of `places`.
fn choices<T: Copy>(options: &[T], places: usize) -> Vec<Vec<T>> {
    (0..places).fold(vec![Vec::new()], |all, _| {
        let longer = |chosen: Vec<T>| options.iter().map(move |option| [chosen.clone(), vec![*option]].concat());
        all.into_iter().flat_map(longer).collect()
    })
}

#[test]
fn an_epoch_run_again_after_any_crash_ends_in_the_listing_of_an_undisturbed_run() {
    for case in CASES {
        let undisturbed = tempfile::tempdir().unwrap();
        case.leave(undisturbed.path(), &[], case.surplus, &[]);
        let whole = case.run(undisturbed.path());
        let mut names: Vec<String> = (0..case.rows.len()).map(|index| case.part_name(index)).collect();
        names.extend(case.kept.iter().map(|name| (*name).to_owned()));
        names.sort();
        let shown: Vec<&String> = whole.iter().map(|(name, _)| name).collect();
        assert_eq!(shown, names.iter().collect::<Vec<_>>(), "{}", case.name);

        for fates in choices(&FATES, case.rows.len()) {
            for there in choices(&[true, false], case.surplus.len()) {
                let left = case.surplus.iter().zip(&there).filter(|(_, there)| **there).map(|(name, _)| *name);
                let left: Vec<&str> = left.collect();
                let directory = tempfile::tempdir().unwrap();
                case.leave(directory.path(), &fates, &left, &whole);
                assert_eq!(case.run(directory.path()), whole, "{}: {fates:?}, still there: {left:?}", case.name);
            }
        }
    }
}

#[test]
fn a_commit_called_again_after_a_crash_behind_it_changes_nothing() {
    for case in CASES {
        let directory = tempfile::tempdir().unwrap();
        case.leave(directory.path(), &[], case.surplus, &[]);
        let sink = case.open(directory.path());
        let stage = |(index, user)| sink.stage(part(case.epoch, index), &[counts(&[(user, 1)])]).unwrap();
        let receipts: Vec<_> = case.rows.iter().copied().enumerate().map(stage).collect();
        sink.commit(Epoch(case.epoch), &receipts).unwrap();
        let whole = content(directory.path());
        drop(sink);
        case.open(directory.path()).commit(Epoch(case.epoch), &receipts).unwrap();
        assert_eq!(content(directory.path()), whole, "{}", case.name);
    }
}

#[test]
fn the_first_epoch_of_a_replacing_run_clears_the_directory_also_when_it_is_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let old = CASES[1].kept;
    let replacing = Case { kept: &[], surplus: old, ..CASES[2] };
    replacing.leave(directory.path(), &[], old, &[]);
    // Opened once, crashed before the commit, and opened again to go on.
    drop(replacing.open(directory.path()));
    assert_eq!(content(directory.path()).len(), old.len(), "nothing is removed before the commit");
    let shown: Vec<String> = replacing.run(directory.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(shown, ["part-00000000-0000.json", "part-00000000-0001.json"]);
}

/// `/dev/full` says of every write that there is no space left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_with_the_file_and_leaves_nothing_half_written() {
    for (format, compression) in [
        (FileFormat::Json, Compression::Auto),
        (FileFormat::Json, Compression::Gzip),
        (FileFormat::Json, Compression::Zstd),
        (FileFormat::Csv { delimiter: ',', header: true, null: String::new() }, Compression::Auto),
        (FileFormat::Parquet, Compression::Auto),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        let sink = Files { path, format: format.clone(), compression, existing: Existing::Refuse }
            .open(&stream(&counts(&[])), &context("files"))
            .unwrap();
        let extension = match (&format, compression) {
            (FileFormat::Json, Compression::Gzip) => "json.gz",
            (FileFormat::Json, Compression::Zstd) => "json.zst",
            (FileFormat::Json, _) => "json",
            (FileFormat::Csv { .. }, _) => "csv",
            (FileFormat::Parquet, _) => "parquet",
        };
        let staged = directory.path().join(format!(".part-00000004-0000.{extension}.staged"));
        std::os::unix::fs::symlink("/dev/full", &staged).unwrap();
        let told = sink.stage(part(4, 0), &[counts(&[("a", 1)])]).unwrap_err().to_string();
        assert!(
            told.starts_with("write `")
                && told.contains("No space left")
                && told.contains(&format!("0000.{extension}")),
            "{format:?}: {told}"
        );
        assert!(content(directory.path()).is_empty(), "{format:?}");
        // With space again, the part can be staged again.
        sink.stage(part(4, 0), &[counts(&[("a", 1)])]).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_to_is_told_before_the_first_row() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // Permissions do not hold for the administrator, but no one can write among the files of processes.
    let is_bound = fs::write(home.path().join("trial"), "").is_err();
    let directory = if is_bound { home.path().to_owned() } else { "/proc/self".into() };
    for path in [directory.clone(), directory.join("out/late")] {
        let spec = Files {
            path: path.to_str().unwrap().to_owned(),
            format: FileFormat::Json,
            compression: Compression::Auto,
            existing: Existing::Refuse,
        };
        let told = spec.open(&stream(&counts(&[])), &context("files")).err().map(|error| error.to_string());
        let place = directory.display().to_string();
        assert!(told.as_ref().is_some_and(|told| told.contains(&place)), "{told:?}");
        assert!(told.is_some_and(|told| told.starts_with("write into") || told.starts_with("create")));
    }
}
