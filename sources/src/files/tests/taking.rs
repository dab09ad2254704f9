//! Which files an epoch takes, and what becomes of those that change.

use std::fs;
use std::sync::Arc;

use watershed_core::node::{Available, Handles, Limit, Offset, OpenContext, SourceSpec};
use watershed_core::time::SystemClock;

use super::{epochs, files_of, line, opened, put, range, rows, schema_of};
use crate::files::{Files, Format};

#[test]
fn files_come_oldest_first_and_then_by_path() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, age, value) in [("b.json", 5, 1), ("a.json", 9, 3), ("c.json", 5, 2), ("d.json", 1, 0)] {
        put(&directory, name, age, line(value));
    }
    let files = files_of(directory.path());
    assert_eq!(epochs(&files).expect("rows"), ["0 1 2 3"]);
    let one_each = Files { max_files_per_epoch: Some(1), ..files };
    assert_eq!(epochs(&one_each).expect("rows"), ["0", "1", "2", "3"]);
}

#[test]
fn an_epoch_takes_as_many_files_or_bytes_as_it_may_and_one_at_least() {
    let directory = tempfile::tempdir().expect("a directory");
    for value in 0..5 {
        put(&directory, &format!("{value}.json"), 1, line(value));
    }
    let size = line(0).len() as u64;
    for (most_files, most_bytes, expected) in [
        (Some(2), None, vec!["0 1", "2 3", "4"]),
        (None, Some(2 * size), vec!["0 1", "2 3", "4"]),
        (None, Some(2 * size - 1), vec!["0", "1", "2", "3", "4"]),
        (None, Some(1), vec!["0", "1", "2", "3", "4"]),
        (Some(2), Some(3 * size), vec!["0 1", "2 3", "4"]),
        (Some(3), Some(2 * size), vec!["0 1", "2 3", "4"]),
        (None, None, vec!["0 1 2 3 4"]),
    ] {
        let files =
            Files { max_files_per_epoch: most_files, max_bytes_per_epoch: most_bytes, ..files_of(directory.path()) };
        assert_eq!(epochs(&files).expect("rows"), expected, "{most_files:?} files, {most_bytes:?} bytes");
        let mut source = opened(&files);
        let all = range(source.as_mut(), &Offset::default(), Limit::Everything);
        assert_eq!((all.size, all.end), (5 * size, Offset(5.into())));
    }
}

#[test]
fn what_is_left_is_counted_in_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    for value in 0..3 {
        put(&directory, &format!("{value}.json"), 1, line(value));
    }
    let mut source = opened(&Files { max_files_per_epoch: Some(1), ..files_of(directory.path()) });
    let size = line(0).len() as u64;
    assert_eq!(source.remaining(&Offset::default()), Some(3 * size));
    let first = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    assert_eq!(
        (first.size, source.remaining(&Offset::default()), source.remaining(&first.end)),
        (size, Some(3 * size), Some(2 * size))
    );
}

#[test]
fn hidden_files_are_skipped_and_directories_searched_on_demand() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, value) in [
        ("a.json", 0),
        (".b.json", 1),
        ("_c.json", 2),
        ("in/d.json", 3),
        ("_in/e.json", 4),
        (".in/f.json", 5),
        ("in/deep/g.json", 6),
    ] {
        put(&directory, name, 1, line(value));
    }
    let at = |pattern: &str| directory.path().join(pattern);
    for (path, recursive, expected) in [
        (at(""), false, vec!["0"]),
        (at(""), true, vec!["0 3 6"]),
        (at("*.json"), false, vec!["0"]),
        (at("*"), false, vec!["0"]),
        (at("*"), true, vec!["0 3 6"]),
        (at("in/*.json"), false, vec!["3"]),
        (at("**/*.json"), false, vec!["0 3 6"]),
        (at("**/*.json"), true, vec!["0 3 6"]),
        (at("_in/*.json"), false, vec!["4"]),
        (at("_c.json"), false, vec!["2"]),
        (at("[ab].json"), false, vec!["0"]),
        (at("*.csv"), false, vec![]),
    ] {
        let files = Files { recursive, ..files_of(&path) };
        assert_eq!(epochs(&files).expect("rows"), expected, "{} recursive: {recursive}", path.display());
    }
}

#[test]
fn a_path_that_leads_nowhere_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    for path in ["none", "none/*.json"] {
        let files = files_of(&directory.path().join(path));
        let cx = OpenContext {
            resumes: false,
            node: "files".into(),
            batch_rows: 3,
            clock: Arc::new(SystemClock),
            handles: Handles::default(),
        };
        let error = files.open(schema_of(&files).expect("declared"), &cx).err().expect("no such place").to_string();
        assert!(error.contains("none`: No such file"), "{error}");
    }
}

#[test]
fn a_name_with_pattern_characters_is_meant_as_it_stands_where_it_exists() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "in[1]/a.json", 1, line(7));
    assert_eq!(epochs(&files_of(&directory.path().join("in[1]"))).expect("rows"), ["7"]);
}

#[test]
fn new_files_are_found_and_changed_ones_are_not_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 5, line(1));
    let mut source = opened(&files_of(directory.path()));
    let first = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    assert_eq!(source.available(&first.end, Limit::Epoch).expect("an answer"), Available::Nothing);
    put(&directory, "a.json", 6, line(1) + &line(2));
    assert_eq!(source.available(&first.end, Limit::Epoch).expect("an answer"), Available::Nothing);
    assert_eq!(rows(source.as_mut(), &first).expect("rows").lines(), ["1"], "what was appended later is not read");
    put(&directory, "b.json", 1, line(3));
    let second = range(source.as_mut(), &first.end, Limit::Epoch);
    assert_eq!(
        rows(source.as_mut(), &second).expect("rows").lines(),
        ["3"],
        "also when it is older than what was taken"
    );
}

#[test]
fn a_frozen_source_offers_what_was_there() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 5, line(1));
    let mut source = opened(&files_of(directory.path()));
    source.freeze().expect("a directory");
    put(&directory, "a.json", 6, line(1) + &line(2));
    put(&directory, "b.json", 1, line(3));
    let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    assert_eq!(rows(source.as_mut(), &all).expect("rows").lines(), ["1"]);
    assert_eq!(source.available(&all.end, Limit::Epoch).expect("an answer"), Available::Finished);
}

#[test]
fn one_file_by_name_comes_to_its_end() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 5, line(1));
    let mut source = opened(&files_of(&directory.path().join("a.json")));
    let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    assert_eq!(source.available(&all.end, Limit::Epoch).expect("an answer"), Available::Finished);
}

#[test]
fn a_range_asked_for_again_is_the_same_also_in_another_process() {
    let directory = tempfile::tempdir().expect("a directory");
    for value in 0..4 {
        put(&directory, &format!("{value}.json"), 1, line(value));
    }
    let files = Files { max_files_per_epoch: Some(2), ..files_of(directory.path()) };
    let mut source = opened(&files);
    let first = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    assert_eq!(range(source.as_mut(), &Offset::default(), Limit::Epoch), first);
    put(&directory, "00.json", 0, line(9));

    let mut other = opened(&files);
    let text = serde_json::to_string(&first).expect("a range is plain data");
    assert!(text.contains("\"modified\":\"1970-01-01T00:00:01Z\""), "{text}");
    let first = serde_json::from_str(&text).expect("a range is plain data");
    assert_eq!(rows(other.as_mut(), &first).expect("rows").lines(), ["0", "1"]);
    let second = range(other.as_mut(), &first.end, Limit::Epoch);
    assert_eq!(
        rows(other.as_mut(), &second).expect("rows").lines(),
        ["9", "2"],
        "what the range holds is not taken again"
    );
    assert_eq!(second.end, Offset(4.into()));
}

#[test]
fn a_file_that_is_gone_before_its_turn_is_not_there() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 1, line(1));
    put(&directory, "b.json", 2, line(2));
    let mut source = opened(&files_of(directory.path()));
    source.freeze().expect("a directory");
    fs::remove_file(directory.path().join("a.json")).expect("a file");
    let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    assert_eq!(rows(source.as_mut(), &all).expect("rows").lines(), ["2"]);
}

#[test]
fn a_file_that_is_gone_or_shorter_when_it_is_read_is_an_error() {
    for format in [Format::Json, Format::Parquet, Format::Arrow] {
        let directory = tempfile::tempdir().expect("a directory");
        put(&directory, "a", 1, line(1) + &line(2));
        let mut source = opened(&Files { format: Some(format), ..files_of(directory.path()) });
        let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
        put(&directory, "a", 1, line(1));
        let error = rows(source.as_mut(), &all).err().expect("a shorter file").to_string();
        assert!(
            error.contains(
                "/a`: it had 16 bytes when it was listed, and now has 8; a file must not be written to in place"
            ),
            "{error}"
        );
        fs::remove_file(directory.path().join("a")).expect("a file");
        let error = rows(source.as_mut(), &all).err().expect("no file").to_string();
        assert!(error.contains("/a`: it was there when it was listed, and is gone"), "{error}");
    }
}
