//! Looking into checkpoints: `watershed checkpoint` and `watershed state`.

mod files;
mod state;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{assert_exit, errors, out, watershed};

const GRAPH: &str = r#"Graph(
    name: "visits",
    sources: { "visits": Files(path: "in/*.json", schema: "user STRING, page STRING, at TIMESTAMP, seconds DOUBLE", max_files_per_epoch: 1) },
    operators: {
        "marked": Watermark(column: "at", delay: "10 minutes"),
        "once": Dedup(keys: ["user", "page"], within_watermark: true),
        "per_page": Window(
            window: Tumbling(size: "5 minutes"),
            keys: ["page"],
            aggregates: ["count(*) AS visits", "avg(seconds) AS mean_seconds"],
            output_mode: Append,
        ),
        "per_user": Aggregate(keys: ["user"], aggregates: ["count(*) AS visits", "sum(seconds) / count(*) AS mean"], output_mode: Update),
        "few": Limit(4),
    },
    sinks: { "pages": Files(path: "out", format: Json), "users": Discard(), "sample": Discard() },
    flow: ["visits -> marked -> per_page -> pages", "marked -> per_user -> users", "marked -> once -> few -> sample"],
    run: (trigger: AvailableNow, checkpoint: "cp", partitions: 2),
)
"#;

const DAYS: [&str; 3] = [
    r#"{"user":"ann","page":"/","at":"2026-01-01T10:01:00Z","seconds":2.0}
{"user":"bob","page":"/docs","at":"2026-01-01T10:02:00Z","seconds":4.0}
{"user":"ann","page":"/docs","at":"2026-01-01T10:06:00Z","seconds":6.5}
"#,
    r#"{"user":"ann","page":"/","at":"2026-01-01T10:03:00Z","seconds":3.0}
{"user":"cem","page":"/","at":"2026-01-01T10:12:00Z","seconds":1.0}
"#,
    r#"{"user":"bob","page":"/docs","at":"2026-01-01T10:25:00Z","seconds":8.0}
"#,
];

/// A directory with a graph and the checkpoint of a run over three files.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    fs::create_dir(folder.path().join("in")).expect("a directory");
    fs::write(folder.path().join("graph.ron"), GRAPH).expect("a file");
    for (number, rows) in DAYS.iter().enumerate() {
        fs::write(folder.path().join(format!("in/{number}.json")), rows).expect("a file");
    }
    good(&folder, &["run", "-q", "graph.ron"]);
    folder
}

/// What the command prints when all is well.
#[track_caller]
fn good(folder: &TempDir, arguments: &[&str]) -> String {
    let output = watershed(folder, arguments);
    assert_exit(&output, 0);
    out(&output)
}

/// What the command complains of, which ends with `code`.
#[track_caller]
fn bad(folder: &TempDir, arguments: &[&str], code: i32) -> String {
    let output = watershed(folder, arguments);
    assert_exit(&output, code);
    errors(&output)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Text without what differs from run to run: instants of the clock, sizes, and how columns are filled up.
fn masked(text: &str) -> String {
    let is_instant = |word: &str| word.ends_with('Z') && word.contains('T') && !word.starts_with("2026-01-01");
    let line = |line: &str| {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            if matches!(word.trim_end_matches([',', ';', ':']), "B" | "kB") {
                words.pop();
                words.push(word.replace("kB", "SIZE").replace('B', "SIZE"));
            } else {
                words.push(if is_instant(word) { "CLOCK".to_owned() } else { word.to_owned() });
            }
        }
        words.join(" ") + "\n"
    };
    // As wide as the columns are, which instants make by as many digits as they happen to have.
    let is_border = |line: &&str| line.starts_with(['┌', '╞', '└']);
    text.lines().filter(|line| !is_border(line)).map(line).collect()
}
