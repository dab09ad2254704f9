//! Graphs with a checkpoint as their authors meet them: runs that are ended in every way and go on, graphs that change
//! between two runs, and what is to be seen in a checkpoint.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

mod changes;
mod inside;
mod runs;
#[cfg(unix)]
mod signals;

/// Windows over files, one file an epoch.
const VISITS: &str = r#"Graph(
    name: "visits",
    sources: { "in": Files(path: "in/*.json", schema: "user STRING, page STRING, at TIMESTAMP", max_files_per_epoch: 1) },
    operators: {
        "marked": Watermark(column: "at", delay: "1 minute"),
        "counts": Window(
            window: Tumbling(size: "2 minutes"),
            keys: ["user"],
            aggregates: ["count(*) AS n"],
            output_mode: Append,
        ),
    },
    sinks: { "out": Files(path: "out", format: Json) },
    flow: ["in -> marked -> counts -> out"],
    run: (trigger: AvailableNow, checkpoint: "state", partitions: 2),
)
"#;

/// A directory with that graph and ten minutes of input, a file a minute.
fn visits() -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    fs::create_dir(folder.path().join("in")).expect("a directory");
    for minute in 0..10 {
        let row = |user: &str| {
            format!("{{\"user\": \"{user}\", \"page\": \"/{minute}\", \"at\": \"2026-01-01T10:{minute:02}:00Z\"}}\n")
        };
        let rows: String = ["a", "b", "c"].iter().map(|user| row(user)).collect();
        fs::write(folder.path().join(format!("in/{minute}.json")), rows).expect("a file");
    }
    write(&folder, "visits.ron", VISITS);
    folder
}

/// The same after its first three epochs.
fn visits_begun() -> TempDir {
    let folder = visits();
    assert_exit(&watershed(&folder, &["run", "visits.ron", "--max-epochs", "3"]), 0);
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("a file");
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    command.current_dir(folder.path()).args(arguments).stdin(Stdio::null());
    command
}

fn watershed(folder: &TempDir, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("the command starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", out(output), errors(output));
}

#[track_caller]
fn assert_tells(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

/// Every file below a directory, but for those a reader of the output is told to pass over.
fn listing(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the output") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(listing(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else if !name.starts_with(['_', '.']) {
            files.insert(name, fs::read_to_string(&path).expect("a text"));
        }
    }
    files
}

/// Every file of a directory with its content, whatever it is.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(content(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    files
}

/// What an undisturbed run of the graph makes.
fn visits_output() -> BTreeMap<String, String> {
    let folder = visits();
    assert_exit(&watershed(&folder, &["run", "visits.ron"]), 0);
    listing(&folder.path().join("out"))
}
