//! Runs that are asked to end, and runs that are killed: the next one completes their output.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use super::*;

/// Many small epochs, each the same in every run.
const SMALL_EPOCHS: &str = r#"Graph(
    name: "ticks",
    sources: { "ticks": Rate(rows_per_epoch: 20, total_rows: 1200) },
    operators: {
        "keyed": Select(["timestamp", "value", "value % 7 AS k"]),
        "marked": Watermark(column: "timestamp", delay: "2 seconds"),
        "counts": Window(
            window: Tumbling(size: "5 seconds"),
            keys: ["k"],
            aggregates: ["count(*) AS n", "sum(value) AS s"],
            output_mode: Append,
        ),
    },
    sinks: { "rows": Files(path: "out/rows", format: Json), "windows": Files(path: "out/windows", format: Json) },
    flow: ["ticks -> keyed -> marked -> counts -> windows", "keyed -> rows"],
    run: (checkpoint: "state", partitions: 2),
)"#;

/// Epochs that take a while.
const LARGE_EPOCHS: &str = r#"Graph(
    name: "ticks",
    sources: { "ticks": Rate(rows_per_epoch: 4000000, total_rows: 8000000, advance: "10 seconds") },
    operators: {
        "keyed": Select(["timestamp", "value", "value % 7 AS k"]),
        "marked": Watermark(column: "timestamp", delay: "1 second"),
        "counts": Window(
            window: Tumbling(size: "5 seconds"),
            keys: ["k"],
            aggregates: ["count(*) AS n", "sum(value) AS s"],
            output_mode: Append,
        ),
    },
    sinks: { "windows": Files(path: "out/windows", format: Json) },
    flow: ["ticks -> keyed -> marked -> counts -> windows"],
    run: (checkpoint: "state", partitions: 2, at_end: Flush),
)"#;

fn folder(graph: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    write(&folder, "ticks.ron", graph);
    folder
}

/// What is there when nothing disturbs the run.
fn undisturbed(graph: &str) -> BTreeMap<String, String> {
    let folder = folder(graph);
    assert_exit(&watershed(&folder, &["run", "ticks.ron"]), 0);
    listing(&folder.path().join("out"))
}

/// A run under way, and what it says.
struct Run {
    child: Child,
    told: BufReader<std::process::ChildStderr>,
}

impl Run {
    fn start(folder: &TempDir) -> Self {
        let mut child = command(folder, &["run", "ticks.ron", "--log"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let told = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, told }
    }

    /// Reads along until a line holds `words`.
    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.told.read_line(&mut line).expect("a line") > 0, "ended before it said {words:?}");
        }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Its exit code, none after a signal that ended it, and all else it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).expect("a text");
        (self.child.wait().expect("an end").code(), rest)
    }
}

#[test]
fn a_signal_ends_a_run_after_the_epoch_in_hand_and_the_next_run_completes_it() {
    let folder = folder(SMALL_EPOCHS);
    for signal in ["-TERM", "-INT", "-HUP"] {
        let mut run = Run::start(&folder);
        run.wait_for("in · ");
        run.signal(signal);
        run.wait_for("stopping after the epoch in hand");
        let (code, told) = run.end();
        assert_eq!(code, Some(0), "{told}");
        assert_tells(&told, &[", stopped"]);
        let planned = watershed(&folder, &["plan", "ticks.ron"]);
        assert!(!out(&planned).contains("run again"), "nothing was left half done: {}", out(&planned));
    }
    let rest = watershed(&folder, &["run", "ticks.ron"]);
    assert_exit(&rest, 0);
    assert!(!errors(&rest).contains(", stopped"), "{}", errors(&rest));
    assert_eq!(listing(&folder.path().join("out")), undisturbed(SMALL_EPOCHS));
}

#[test]
fn a_second_signal_ends_a_run_at_once_and_the_next_run_makes_up_for_it() {
    let folder = folder(LARGE_EPOCHS);
    let mut run = Run::start(&folder);
    run.wait_for("the run starts with epoch 0");
    run.signal("-TERM");
    run.wait_for("stopping after the epoch in hand");
    run.signal("-TERM");
    let (code, told) = run.end();
    assert_eq!(code, Some(130), "{told}");
    assert_exit(&watershed(&folder, &["run", "ticks.ron"]), 0);
    assert_eq!(listing(&folder.path().join("out")), undisturbed(LARGE_EPOCHS));
}

#[test]
fn a_run_that_was_killed_is_made_up_for_by_the_next() {
    let folder = folder(SMALL_EPOCHS);
    for epochs in [1, 4, 2] {
        let mut run = Run::start(&folder);
        for _ in 0..epochs {
            run.wait_for("in · ");
        }
        run.signal("-KILL");
        assert_eq!(run.end().0, None);
    }
    assert_exit(&watershed(&folder, &["run", "ticks.ron"]), 0);
    assert_eq!(listing(&folder.path().join("out")), undisturbed(SMALL_EPOCHS));
}

#[test]
fn a_checkpoint_in_use_is_refused_with_the_process_that_uses_it() {
    let folder = folder(&SMALL_EPOCHS.replace(", total_rows: 1200", ""));
    let mut run = Run::start(&folder);
    run.wait_for("in · ");
    let refused = watershed(&folder, &["run", "ticks.ron"]);
    assert_exit(&refused, 75);
    let holder = format!("error: checkpoint `state` is in use by process {}", run.child.id());
    assert_tells(&errors(&refused), &[&holder, "which runs `ticks` since", "wait until it has ended, or stop it"]);
    // Looking is allowed.
    assert_exit(&watershed(&folder, &["plan", "ticks.ron"]), 0);
    run.signal("-KILL");
    run.end();
    let mut next = Run::start(&folder);
    next.wait_for("goes on after epoch");
    next.signal("-INT");
    assert_eq!(next.end().0, Some(0));
}
