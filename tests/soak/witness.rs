//! What a process left: the files that a plain listing shows, and how far the epoch in hand had come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watershed::core::checkpoint::{Decision, Holdings, LocalDirectory, decide};

use crate::feed::Row;
use crate::graph::SINKS;

/// The visible files of all sinks with what they hold, by `sink/name`.
pub(crate) type Parts = BTreeMap<String, Vec<u8>>;

/// How far an epoch had come that was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    /// The checkpoint is empty: the process had not come to plan anything.
    Nothing,
    /// All that was planned is committed.
    Clean,
    /// An epoch is planned.
    Planned,
    /// Some of its output is staged.
    Staged,
    /// Some of its state is written.
    StateWritten,
    /// Some of its output is visible.
    Shown,
}

/// The visible files of the sinks in `folder/out`.
pub(crate) fn parts(folder: &Path) -> Parts {
    let mut parts = Parts::new();
    for sink in SINKS {
        for path in listing(&folder.join("out").join(sink)) {
            let name = file_name(&path);
            if !name.starts_with('.') {
                parts.insert(format!("{sink}/{name}"), fs::read(&path).expect("a visible file can be read"));
            }
        }
    }
    parts
}

/// Hidden files of sinks, and temporary files of the checkpoint.
pub(crate) fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let hidden = |path: &PathBuf| file_name(path).starts_with('.');
    ["out", "checkpoint"].iter().flat_map(|top| listing(&folder.join(top))).filter(hidden).collect()
}

/// What the checkpoint in `folder` says after a process ended. A kill damages nothing, whenever it comes.
pub(crate) fn left(folder: &Path, parts: &Parts) -> Left {
    let storage = LocalDirectory::new(folder.join("checkpoint"));
    let holdings = Holdings::read(&storage).expect("the checkpoint can be read");
    match decide(&holdings, &BTreeMap::new()) {
        Decision::Fresh => return Left::Nothing,
        Decision::GoOn { version, replay, damages } => {
            assert_eq!(damages, [], "files are whole or not there");
            assert!(replay.len() <= 2, "one epoch computes while another is committed, but {replay:?} wait");
            let newest = version.map_or(-1, |epoch| epoch.0 as i64);
            if replay.is_empty() {
                return Left::Clean;
            }
            if parts.keys().any(|name| epoch_of(name) > newest) {
                return Left::Shown;
            }
            if holdings.state.keys().any(|file| file.epoch.0 as i64 > newest) {
                return Left::StateWritten;
            }
        }
        damaged @ Decision::Damaged { .. } => panic!("a kill is no damage: {damaged:?}"),
    }
    if leftovers(folder).iter().any(|path| file_name(path).ends_with(".staged")) { Left::Staged } else { Left::Planned }
}

/// The epoch of `sink/part-<epoch>-…`.
fn epoch_of(part: &str) -> i64 {
    let digits = part.split_once("/part-").and_then(|(_, rest)| rest.split('-').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("`{part}` is no part file"))
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() { files.extend(listing(&path)) } else { files.push(path) }
    }
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a file has a name").to_string_lossy().into_owned()
}

/// The rows of a sink that writes JSON. A line that is cut off is a failure.
fn json_rows(parts: &Parts, sink: &str) -> Vec<Value> {
    let lines = lines(parts, sink);
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{sink}: {error}: {line}")))
        .collect()
}

fn lines(parts: &Parts, sink: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, content) in parts.iter().filter(|(name, _)| name.split('/').next() == Some(sink)) {
        let text = std::str::from_utf8(content).expect("text");
        assert!(text.ends_with('\n'), "`{name}` ends within a line");
        let header = usize::from(name.rsplit('.').next() == Some("csv"));
        lines.extend(text.lines().skip(header).map(str::to_owned));
    }
    lines
}

fn number(row: &Value, column: &str) -> u64 {
    row[column].as_u64().unwrap_or_else(|| panic!("`{column}` of {row}"))
}

/// Each number, of which none may come twice.
fn all_different(what: &str, numbers: impl Iterator<Item = u64>) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    for number in numbers {
        assert!(seen.insert(number), "{what} {number} is there twice");
    }
    seen
}

/// What is visible at any moment is whole, and no row is there twice. Gives the deliveries and the ids let through.
pub(crate) fn no_row_is_there_twice(parts: &Parts) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let delivered = json_rows(parts, "delivered");
    let delivered = all_different("delivery", delivered.iter().map(|row| number(row, "delivery")));
    let once: Vec<String> = lines(parts, "once");
    let id = |line: &String| line.split(',').nth(1).and_then(|id| id.parse().ok());
    let once = all_different("id", once.iter().map(|line| id(line).unwrap_or_else(|| panic!("an id in `{line}`"))));
    (delivered, once)
}

/// The output of a whole run over `rows`, however they were cut into epochs.
pub(crate) fn is_the_answer(parts: &Parts, rows: &[Row]) {
    let (delivered, once) = no_row_is_there_twice(parts);
    assert_eq!(delivered.len(), rows.len(), "every row is delivered");
    let late = json_rows(parts, "late");
    let late = all_different("late delivery", late.iter().map(|row| number(row, "delivery")));
    assert!(late.len() > 10, "some rows are late, not only {}", late.len());
    let mut windows: BTreeMap<(String, String), BTreeSet<u64>> = BTreeMap::new();
    for row in rows {
        assert!(once.contains(&row.id) || late.contains(&row.delivery), "row {} is gone", row.delivery);
        if once.contains(&row.id) {
            windows.entry((row.minute(), format!("user {}", row.user))).or_default().insert(row.id);
        }
    }
    let mut shown = BTreeMap::new();
    for row in json_rows(parts, "per_user") {
        let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let ids = row["ids"].as_array().expect("a list of ids").iter().filter_map(Value::as_u64);
        let ids = all_different("id in a window", ids);
        assert_eq!(number(&row, "n"), ids.len() as u64);
        let before = shown.insert((text("window_start"), text("user")), ids);
        assert!(before.is_none(), "a window came out twice: {row}");
    }
    assert_eq!(shown, windows);
}
