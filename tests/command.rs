//! The `watershed` command as its users meet it: what it prints where, and what it ends with.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use watershed::core::node::entries;
use watershed::graphs::describe::describe;
use watershed::graphs::{environment, load};

/// A directory with a graph over two small files, and the graph's sink beside them.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    fs::create_dir(folder.path().join("in")).expect("a directory");
    fs::write(folder.path().join("in/a.json"), "{\"user\": \"a\", \"x\": 1}\n{\"user\": \"b\", \"x\": 2}\n")
        .expect("a file");
    fs::write(folder.path().join("in/b.json"), "{\"user\": \"a\", \"x\": 3}\n").expect("a file");
    fs::write(folder.path().join("good.ron"), GOOD).expect("a file");
    folder
}

const GOOD: &str = r#"Graph(
    name: "good",
    sources: { "in": Files(path: "in", format: Json, schema: "user STRING, x BIGINT", max_files_per_epoch: 1) },
    operators: { "big": Filter("x > 1") },
    sinks: { "out": Files(path: "out", format: Json) },
    flow: ["in -> big -> out"],
    run: (trigger: AvailableNow),
)
"#;

/// What a graph without a checkpoint promises.
const UNPROMISED: &str =
    "delivery: nothing is promised over a restart; with `run.checkpoint` a run goes on where one stopped";

fn watershed(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    command
        .current_dir(folder)
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", out(output), errors(output)))
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", out(output), errors(output));
}

#[test]
fn help_teaches_and_names_the_exit_codes() {
    let folder = workspace();
    let help = watershed(folder.path(), &["--help"]);
    assert_exit(&help, 0);
    for words in ["Examples:", "watershed run pipeline.ron", "Exit codes:", "65  the graph has faults", "Graph("] {
        assert!(out(&help).contains(words), "{words}: {}", out(&help));
    }
    for command in ["run", "check", "test", "graph", "schema", "list", "describe", "new", "completions"] {
        let help = watershed(folder.path(), &[command, "--help"]);
        assert_exit(&help, 0);
        assert!(out(&help).contains("Examples:"), "{command}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let folder = workspace();
    for arguments in [
        &[][..],
        &["runn"],
        &["run"],
        &["check", "--format", "xml", "good.ron"],
        &["run", "good.ron", "--trigger", "soon"],
    ] {
        assert_exit(&watershed(folder.path(), arguments), 2);
    }
}

#[test]
fn check_is_content_with_a_good_graph() {
    let folder = workspace();
    let checked = watershed(folder.path(), &["check", "good.ron", "--deny-warnings"]);
    assert_exit(&checked, 0);
    assert_eq!(out(&checked), format!("no errors in good.ron\n{UNPROMISED}\n"));
    assert_eq!(errors(&checked), "");
}

#[test]
fn check_tells_what_a_graph_promises_after_a_crash() {
    let folder = workspace();
    let durable = GOOD.replace("run: (", "run: (checkpoint: \"state\", ");
    fs::write(folder.path().join("durable.ron"), &durable).expect("a file");
    let checked = watershed(folder.path(), &["check", "durable.ron"]);
    assert_eq!(out(&checked), "no errors in durable.ron\ndelivery: exactly once\n", "{}", errors(&checked));
    let warned = durable.replace("schema: \"user STRING, x BIGINT\", ", "");
    fs::write(folder.path().join("warned.ron"), warned).expect("a file");
    assert!(!errors(&watershed(folder.path(), &["check", "warned.ron"])).contains("delivery"), "not judged");
    assert!(!folder.path().join("state").exists(), "nothing is opened");
}

#[test]
fn check_tells_all_faults_on_standard_error_and_ends_with_65() {
    let folder = workspace();
    let bad =
        GOOD.replace("Filter(\"x > 1\")", "Filtre(\"x > 1\")").replace("max_files_per_epoch", "max_file_per_epoch");
    fs::write(folder.path().join("bad.ron"), bad).expect("a file");
    let checked = watershed(folder.path(), &["check", "bad.ron", "good.ron"]);
    assert_exit(&checked, 65);
    assert!(
        errors(&checked).contains("Filtre") && errors(&checked).contains("max_file_per_epoch"),
        "{}",
        errors(&checked)
    );
    assert_eq!(out(&checked), format!("no errors in good.ron\n{UNPROMISED}\n"));
}

/// A join of two streams with watermarks, of which only left rows are bounded, and windows below it.
const JOINED: &str = r#"Graph(
    name: "joined",
    sources: {
        "shown": Rate(rows_per_second: 1),
        "clicked": Rate(rows_per_second: 1),
    },
    operators: {
        "marked_shown": Watermark(column: "timestamp", delay: "10 seconds"),
        "marked_clicked": Watermark(column: "timestamp", delay: "20 seconds"),
        "pairs": Join(
            kind: Inner,
            on: "left.value = right.value AND right.timestamp < left.timestamp + INTERVAL '1 hour'",
            select: ["left.value AS ad", "left.timestamp AS shown"],
        ),
        "hourly": Window(window: Tumbling(size: "1 hour"), aggregates: ["count(*) AS n"], output_mode: Append),
    },
    sinks: { "out": Console(), "too_late": Console() },
    flow: [
        "shown -> marked_shown -> pairs.left",
        "clicked -> marked_clicked -> pairs.right",
        "pairs -> hourly -> out",
        "pairs.late_left -> too_late",
    ],
)
"#;

#[test]
fn check_explains_what_is_kept_and_until_when() {
    let folder = workspace();
    fs::write(folder.path().join("joined.ron"), JOINED).expect("a file");
    let checked = watershed(folder.path(), &["check", "joined.ron", "--explain"]);
    assert_exit(&checked, 0);
    let warning =
        "operator `pairs`: right rows are kept for ever: `on` does not say how much later than `right.timestamp`";
    assert!(errors(&checked).contains(warning), "{}", errors(&checked));
    for block in [
        "\nmarked_shown  Watermark
  in         from `shown`: Append
  out        to `pairs`: Append, event time `timestamp`
  watermark  its own, 10s behind the newest event time

",
        "\npairs  Join
  in         left from `marked_shown`: Append, event time `timestamp`
  in         right from `marked_clicked`: Append, event time `timestamp`
  out        to `hourly`: Append, event time `shown`
  out        late_left to `too_late`: Append, event time `timestamp`
  watermark  the least of `marked_clicked` and `marked_shown`; 1h earlier for what follows
  state      left rows are kept until the watermark passes `timestamp` + 1h
  state      right rows are kept for ever: ",
        "\nhourly  Window
  in         from `pairs`: Append, event time `shown`
  out        to `out`: Append, ends of windows `window_end`
  watermark  the least of `marked_clicked` - 1h and `marked_shown` - 1h
  state      a window is kept until the watermark passes its end, and comes out then

",
    ] {
        assert!(out(&checked).contains(block), "{}\nlacks\n{block}", out(&checked));
    }
    let found = json(&watershed(folder.path(), &["check", "joined.ron", "good.ron", "--explain", "--format", "json"]));
    assert_eq!((&found[0]["graph"], found[0]["faults"].as_array().map(Vec::len)), (&"joined.ron".into(), Some(1)));
    assert_eq!(found[0]["nodes"][4]["notes"][0], "left rows are kept until the watermark passes `timestamp` + 1h");
    assert_eq!(found[1]["faults"], Value::Array(vec![]));
}

#[test]
fn check_gives_editors_json_with_places() {
    let folder = workspace();
    fs::write(folder.path().join("bad.ron"), GOOD.replace("x > 1", "y > 1")).expect("a file");
    let checked = watershed(folder.path(), &["check", "--format", "json", "bad.ron", "good.ron"]);
    assert_exit(&checked, 65);
    let faults = json(&checked);
    let fault = &faults[0];
    assert_eq!(
        (fault["file"].as_str(), fault["severity"].as_str(), fault["line"].as_u64()),
        (Some("bad.ron"), Some("error"), Some(4))
    );
    assert!(fault["message"].as_str().is_some_and(|message| message.contains('y')), "{fault}");
    assert_eq!(json(&watershed(folder.path(), &["check", "--format", "json", "good.ron"])), Value::Array(vec![]));
}

#[test]
fn check_reads_standard_input() {
    let folder = workspace();
    let mut child = Command::new(env!("CARGO_BIN_EXE_watershed"))
        .current_dir(folder.path())
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(GOOD.as_bytes()).expect("a reader");
    let checked = child.wait_with_output().expect("an end");
    assert_exit(&checked, 0);
    assert_eq!(out(&checked), format!("no errors in standard input\n{UNPROMISED}\n"));
}

#[test]
fn a_warning_is_an_error_when_warnings_are_denied() {
    let folder = workspace();
    fs::write(folder.path().join("warned.ron"), GOOD.replace("schema: \"user STRING, x BIGINT\", ", ""))
        .expect("a file");
    assert_exit(&watershed(folder.path(), &["check", "warned.ron"]), 0);
    assert_exit(&watershed(folder.path(), &["check", "warned.ron", "--deny-warnings"]), 65);
    assert_exit(&watershed(folder.path(), &["check", "warned.ron", "--deny-warnings", "--infer"]), 0);
}

#[test]
fn a_missing_file_ends_with_74_and_a_guess() {
    let folder = workspace();
    for command in ["check", "run", "graph", "schema"] {
        let missing = watershed(folder.path(), &[command, "goood.ron"]);
        assert_exit(&missing, 74);
        assert!(errors(&missing).contains("there is no file `goood.ron`"), "{}", errors(&missing));
        assert!(errors(&missing).contains("did you mean `good.ron`?"), "{}", errors(&missing));
    }
}

#[test]
fn list_shows_every_linked_node() {
    let folder = workspace();
    let listed = json(&watershed(folder.path(), &["list", "--format", "json"]));
    let nodes: Vec<(&str, &str)> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|node| (node["kind"].as_str().expect("a kind"), node["name"].as_str().expect("a name")))
        .collect();
    for node in [
        ("source", "Files"),
        ("source", "Memory"),
        ("source", "Rate"),
        ("source", "Stdin"),
        ("operator", "Aggregate"),
        ("operator", "AssignWindow"),
        ("operator", "Dedup"),
        ("operator", "Distinct"),
        ("operator", "Filter"),
        ("operator", "First"),
        ("operator", "Last"),
        ("operator", "Limit"),
        ("operator", "Route"),
        ("operator", "Select"),
        ("operator", "Sort"),
        ("operator", "TopN"),
        ("operator", "Union"),
        ("operator", "Unnest"),
        ("operator", "Watermark"),
        ("operator", "Window"),
        ("sink", "Console"),
        ("sink", "Discard"),
        ("sink", "Files"),
        ("sink", "Memory"),
    ] {
        assert!(nodes.contains(&node), "{node:?} is not linked: {nodes:?}");
    }
    let operators = out(&watershed(folder.path(), &["list", "--kind", "operator"]));
    assert!(operators.contains("Window") && !operators.contains("Console"), "{operators}");
    assert!(
        listed
            .as_array()
            .expect("a list")
            .iter()
            .all(|node| node["summary"].as_str().is_some_and(|summary| !summary.is_empty())),
        "{listed:#}"
    );
}

#[test]
fn every_example_loads_and_every_field_is_described() {
    for entry in entries() {
        let (section, example) = (entry.kind.section(), entry.example);
        let mut sections = vec!["sources: {}".to_owned(), "operators: {}".to_owned(), "sinks: {}".to_owned()];
        for text in &mut sections {
            if text.starts_with(section) {
                *text = format!("{section}: {{ \"node\": {example} }}");
            }
        }
        let graph = format!("Graph(name: \"example\", {}, flow: [])", sections.join(", "));
        let loaded = load(&graph, entry.name, &environment);
        assert!(loaded.graph.is_some(), "{}", loaded.diagnostics.render(false));
        let description = describe(entry);
        assert!(!description.inputs.is_empty() || !description.outputs.is_empty(), "{} has no ports", entry.name);
        assert!(!description.summary.is_empty(), "{} has no docs", entry.name);
        for field in description.fields.iter().filter(|field| field.name.is_some()) {
            assert!(!field.docs.is_empty(), "{}: field {:?} has no docs", entry.name, field.name);
        }
    }
}

#[test]
fn describe_tells_fields_ports_and_an_example() {
    let folder = workspace();
    let described = watershed(folder.path(), &["describe", "Window"]);
    assert_exit(&described, 0);
    for words in
        ["Window, an operator of watershed-operators", "window: ", "Tumbling", "Fields", "Ports", "late", "Example"]
    {
        assert!(out(&described).contains(words), "{words}: {}", out(&described));
    }
    let described = json(&watershed(folder.path(), &["describe", "Files", "--format", "json"]));
    let kinds: Vec<&str> =
        described.as_array().expect("a list").iter().filter_map(|node| node["kind"].as_str()).collect();
    assert_eq!(kinds, ["source", "sink"]);
    let unknown = watershed(folder.path(), &["describe", "Windw"]);
    assert_exit(&unknown, 2);
    assert!(errors(&unknown).contains("did you mean `Window`?"), "{}", errors(&unknown));
}

#[test]
fn graph_draws_in_three_ways() {
    let folder = workspace();
    let dot = watershed(folder.path(), &["graph", "good.ron"]);
    assert_exit(&dot, 0);
    assert!(out(&dot).starts_with("digraph \"good\""), "{}", out(&dot));
    let mermaid = out(&watershed(folder.path(), &["graph", "good.ron", "--format", "mermaid"]));
    assert!(mermaid.contains("flowchart TB"), "{mermaid}");
    assert_exit(&watershed(folder.path(), &["graph", "good.ron", "-o", "good.svg"]), 0);
    let svg = fs::read_to_string(folder.path().join("good.svg")).expect("the drawing");
    assert!(svg.starts_with("<svg ") && svg.contains(">big</text>") && svg.ends_with("</svg>\n"), "{svg}");
    assert_exit(&watershed(folder.path(), &["graph", "good.ron", "-o", "good.png"]), 2);
    assert_exit(&watershed(folder.path(), &["graph", "good.ron", "-o", "nowhere/good.svg"]), 74);
}

#[test]
fn every_graph_of_the_gallery_can_be_drawn() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(project.join("graphs")).expect("the gallery").map(|file| file.expect("a file").path());
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "ron")) {
        let file = path.to_str().expect("a plain name");
        for (format, start) in [("dot", "digraph"), ("mermaid", "---\ntitle"), ("svg", "<svg ")] {
            let drawn = watershed(project, &["graph", file, "--format", format]);
            assert_exit(&drawn, 0);
            assert!(out(&drawn).starts_with(start), "{file}: {}", out(&drawn));
        }
    }
}

#[test]
fn schema_prints_columns_and_types_of_each_edge() {
    let folder = workspace();
    let text = out(&watershed(folder.path(), &["schema", "good.ron"]));
    assert_eq!(
        text,
        "in -> big  Append\n  user  STRING\n  x     BIGINT\n\nbig -> out  Append\n  user  STRING\n  x     BIGINT\n"
    );
    let edges = json(&watershed(folder.path(), &["schema", "good.ron", "--format", "json", "--edge", "out"]));
    assert_eq!((edges.as_array().map(Vec::len), edges[0]["columns"][1]["type"].as_str()), (Some(1), Some("BIGINT")));
    assert_exit(&watershed(folder.path(), &["schema", "good.ron", "--edge", "nowhere"]), 2);
}

#[test]
fn run_writes_results_a_summary_and_progress() {
    let folder = workspace();
    let ran = watershed(folder.path(), &["run", "good.ron", "--log", "--progress", "progress.json"]);
    assert_exit(&ran, 0);
    assert_eq!(out(&ran), "", "nothing but results belongs on standard output");
    let told = errors(&ran);
    for words in
        ["epoch 0 · 2 in · 1 out", "epoch 1 · 1 in · 1 out", "good: 2 epochs, 3 rows in", "rows in", "big", UNPROMISED]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let progress = fs::read_to_string(folder.path().join("progress.json")).expect("the progress");
    let rows: Vec<u64> = progress
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object")["input_rows"].as_u64().expect("a count"))
        .collect();
    assert_eq!(rows, [2, 1]);
    let mut results: Vec<String> = fs::read_dir(folder.path().join("out"))
        .expect("the output")
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.is_file() && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['_', '.']))
        })
        .map(|path| fs::read_to_string(path).expect("a text"))
        .collect();
    results.sort();
    assert_eq!(results.concat(), "{\"user\":\"a\",\"x\":3}\n{\"user\":\"b\",\"x\":2}\n");
}

#[test]
fn run_gives_programs_its_summary_as_json() {
    let folder = workspace();
    let ran = watershed(folder.path(), &["run", "good.ron", "--format", "json", "--trigger", "once"]);
    assert_exit(&ran, 0);
    let summary = json(&ran);
    assert_eq!(
        (summary["epochs"].as_u64(), summary["input_rows"].as_u64(), summary["sinks"][0]["rows"].as_u64()),
        (Some(1), Some(3), Some(2))
    );
    let anew = workspace();
    let stopped = json(&watershed(anew.path(), &["run", "good.ron", "--format", "json", "--max-epochs", "1"]));
    assert_eq!(stopped["epochs"].as_u64(), Some(1));
}

/// A graph of windows over four files that close none of them, fed by a second source as well where there is one.
fn waiting(folder: &Path, second: &str) {
    for (number, minute) in ["00", "01", "02", "04"].iter().enumerate() {
        let row = format!("{{\"at\": \"2024-03-01T10:{minute}:00Z\"}}\n");
        fs::write(folder.join(format!("in/w{number}.ndjson")), row).expect("a file");
    }
    fs::write(folder.join("none.ndjson"), "").expect("a file");
    let files = |path: &str| format!(r#"Files(path: "{path}", schema: "at TIMESTAMP", max_files_per_epoch: 1)"#);
    let graph = format!(
        r#"Graph(
            name: "waits",
            sources: {{ "activity": {}, "quiet": {} }},
            operators: {{
                "marked": Watermark(column: "at", delay: "10 minutes"),
                "marked_quiet": Watermark(column: "at", delay: "10 minutes"),
                "both": Union(),
                "counts": Window(window: Tumbling(size: "5 minutes"), aggregates: ["count(*) AS n"], output_mode: Append),
            }},
            sinks: {{ "out": Files(path: "out", format: Json) }},
            flow: ["activity -> marked -> both -> counts -> out", "quiet -> marked_quiet{second}"],
            run: (trigger: AvailableNow),
        )"#,
        files("in/*.ndjson"),
        files("none.ndjson"),
    );
    fs::write(folder.join("waits.ron"), graph).expect("a file");
}

#[test]
fn a_run_that_brings_nothing_out_says_why() {
    let folder = workspace();
    waiting(folder.path(), " -> both");
    let told = errors(&watershed(folder.path(), &["run", "waits.ron"]));
    let silent = "note: `counts` holds 1 row until the watermark reaches 2024-03-01T10:05:00Z; it waits for `marked_quiet`, which \
                  has seen no row of `quiet` yet; `at_end: Flush` lets go of what is held at the end of the input\n";
    assert!(told.contains(silent), "{told}");

    let folder = workspace();
    waiting(folder.path(), "\", \"marked_quiet -> nowhere");
    let text = fs::read_to_string(folder.path().join("waits.ron")).expect("the graph");
    let text = text.replace("format: Json) }", "format: Json), \"nowhere\": Discard() }");
    fs::write(folder.path().join("waits.ron"), text).expect("a file");
    let ran = watershed(folder.path(), &["run", "waits.ron", "--log", "--progress", "progress.json"]);
    assert_exit(&ran, 0);
    let told = errors(&ran);
    let behind = "note: `counts` holds 1 row until the watermark reaches 2024-03-01T10:05:00Z, 11m on; it waits for `marked` (source \
                  `activity`), 10m behind the newest row, to see one of 2024-03-01T10:15:00Z or later; `at_end: Flush` lets go of \
                  what is held at the end of the input\n";
    assert!(told.contains(behind), "{told}");
    let epochs: Vec<bool> = told
        .lines()
        .filter(|line| line.starts_with("epoch "))
        .map(|line| line.contains(" · `counts` waits for `marked` · "))
        .collect();
    assert_eq!(epochs[..4], [false, false, true, true], "{told}");
    let progress = fs::read_to_string(folder.path().join("progress.json")).expect("the progress");
    let first: Value = serde_json::from_str(progress.lines().next().expect("an epoch")).expect("an object");
    assert_eq!(first["waiting"][0]["needs"], "2024-03-01T10:15:00Z");

    let summary = json(&watershed(folder.path(), &["run", "waits.ron", "--format", "json"]));
    assert_eq!(
        (&summary["waiting"][0]["node"], &summary["waiting"][0]["held_by"]),
        (&"counts".into(), &"marked".into())
    );
    assert_eq!(errors(&watershed(folder.path(), &["run", "waits.ron", "--quiet"])), "");
    let flushed = errors(&watershed(folder.path(), &["run", "waits.ron", "--at-end", "flush"]));
    assert!(!flushed.contains("holds"), "{flushed}");
}

#[test]
fn a_run_that_fails_names_node_and_epoch_and_ends_with_74() {
    let folder = workspace();
    fs::write(folder.path().join("in/c.json"), "{\"user\": \n").expect("a file");
    let graph = GOOD.replace("max_files_per_epoch: 1", "max_files_per_epoch: 1, on_bad_record: Fail");
    fs::write(folder.path().join("strict.ron"), graph).expect("a file");
    let failed = watershed(folder.path(), &["run", "strict.ron"]);
    assert_exit(&failed, 74);
    assert!(errors(&failed).contains("node `in`") && errors(&failed).contains("c.json"), "{}", errors(&failed));
}

#[test]
fn a_bad_graph_is_not_run() {
    let folder = workspace();
    fs::write(folder.path().join("bad.ron"), GOOD.replace("x > 1", "y > 1")).expect("a file");
    let refused = watershed(folder.path(), &["run", "bad.ron"]);
    assert_exit(&refused, 65);
    assert!(errors(&refused).contains("nothing was started"), "{}", errors(&refused));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn output_is_coloured_only_when_asked_or_on_a_terminal() {
    let folder = workspace();
    let coloured = |arguments: &[&str]| out(&watershed(folder.path(), arguments)).contains('\x1b');
    assert!(!coloured(&["list"]));
    assert!(coloured(&["list", "--color", "always"]));
    assert!(!coloured(&["list", "--color", "never"]));
}

#[test]
fn a_reader_who_leaves_early_is_no_accident() {
    let folder = workspace();
    let mut child = Command::new(env!("CARGO_BIN_EXE_watershed"))
        .current_dir(folder.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("an end");
    assert_exit(&ended, 0);
    assert_eq!(errors(&ended), "");
}

#[test]
fn there_are_completions_for_each_shell() {
    let folder = workspace();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = out(&watershed(folder.path(), &["completions", shell]));
        assert!(script.contains("watershed") && script.contains("describe"), "{shell}");
    }
}

/// Runs a graph that has no end until it has written something, then sends `SIGINT`.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_run_after_the_epoch_in_hand() {
    let folder = workspace();
    let graph = r#"Graph(
        name: "endless",
        sources: { "ticks": Rate(rows_per_second: 100) },
        sinks: { "out": Discard() },
        flow: ["ticks -> out"],
    )"#;
    fs::write(folder.path().join("endless.ron"), graph).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_watershed"))
        .current_dir(folder.path())
        .args(["run", "endless.ron", "--progress", "-", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut first = [0];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("the first epoch's progress");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("a signal");
    assert!(killed.success());
    let ended = child.wait_with_output().expect("an end");
    assert_exit(&ended, 0);
    assert!(errors(&ended).contains("stopping after the epoch in hand"), "{}", errors(&ended));
}

#[test]
fn a_new_crate_has_an_operator_a_graph_and_tests_of_both() {
    let folder = workspace();
    let made = watershed(folder.path(), &["new", "my-operators", "--watershed", "0.1"]);
    assert_exit(&made, 0);
    assert_eq!(errors(&made), "");
    for step in ["cd my-operators\n", "cargo test", "cargo run -- describe RunningTotals", "run graphs/example.ron"] {
        assert!(out(&made).contains(step), "{step}: {}", out(&made));
    }
    let text = |path: &str| fs::read_to_string(folder.path().join("my-operators").join(path)).expect(path);
    assert!(text("Cargo.toml").contains("watershed = \"0.1\""));
    assert!(text("src/main.rs").contains("use my_operators as _;") && text("src/main.rs").lines().count() <= 12);
    assert!(text("src/lib.rs").contains("RunningTotals") && text("tests/operators.rs").contains("RunningTotals"));
    // A program without the operator says what is missing; the crate's own knows it.
    let checked = watershed(folder.path(), &["check", "my-operators/graphs/example.ron"]);
    assert_exit(&checked, 65);
    assert!(errors(&checked).contains("RunningTotals"), "{}", errors(&checked));
}

#[test]
fn a_new_crate_takes_the_sources_that_the_program_was_built_from() {
    let folder = workspace();
    let made = watershed(folder.path(), &["new", "mine", "--path", "deep/down/mine"]);
    assert_exit(&made, 0);
    let read = |path: &str| fs::read_to_string(folder.path().join("deep/down/mine").join(path)).expect(path);
    assert!(read("Cargo.toml").contains(&format!("watershed = {{ path = {:?} }}", env!("CARGO_MANIFEST_DIR"))));
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("the lock file");
    assert_eq!(read("Cargo.lock"), lock);
}

#[test]
fn a_new_crate_takes_the_place_of_nothing() {
    let folder = workspace();
    fs::create_dir(folder.path().join("empty")).expect("a directory");
    assert_exit(&watershed(folder.path(), &["new", "empty", "--watershed", "0.1"]), 0);
    for (arguments, said) in [
        (&["new", "empty"][..], "`empty` is there already"),
        (&["new", "mine", "--path", "good.ron"], "`good.ron` is there already"),
        (&["new", "2fast"], "begins with a letter"),
        (&["new", "crate"], "means something else in a Rust program"),
        (&["new", "mine", "--watershed", "newest"], "no version, no directory"),
    ] {
        let refused = watershed(folder.path(), arguments);
        assert_exit(&refused, 2);
        assert!(errors(&refused).contains(said), "{arguments:?}: {}", errors(&refused));
    }
    assert!(!folder.path().join("mine").exists(), "nothing is made of a wrong command line");
}
