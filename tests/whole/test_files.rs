//! Test files themselves: what passes, what fails, and how a failure is told.

use std::path::Path;

use tempfile::TempDir;
use watershed::testing::{Counts, FileReport, Mismatch, Options, Outcome, Report, run_file, run_paths};

/// A source `in` and tumbling windows of ten seconds over it, in mode `mode`, closed at once.
fn windows(mode: &str) -> String {
    format!(
        r#"Graph(
        name: "windows",
        sources: {{"in": Memory(schema: "k STRING, t TIMESTAMP"), "other": Memory(schema: "k STRING, t TIMESTAMP")}},
        operators: {{
            "all": Union(),
            "marked": Watermark(column: "t", delay: "0 seconds"),
            "counts": Window(window: Tumbling(size: "10 seconds"), keys: ["k"], aggregates: ["count(*) AS n"], output_mode: {mode}),
        }},
        sinks: {{"out": Memory(), "late": Memory()}},
        flow: ["in -> all -> marked -> counts -> out", "other -> all", "counts.late -> late"],
    )"#
    )
}

/// A graph without operators.
const PLAIN: &str = r#"Graph(
        name: "plain",
        sources: {"in": Memory(schema: "k STRING, x DOUBLE, n BIGINT")},
        sinks: {"out": Memory()},
        flow: ["in -> out"],
    )"#;

fn tests(graph: &str, cases: &str) -> String {
    format!("Tests(\n    graph: {graph},\n    cases: [\n{cases}\n    ],\n)\n")
}

fn case(epochs: &str) -> String {
    format!("        (name: \"a case\", epochs: [\n{epochs}\n        ]),")
}

/// Writes a file and runs it; the report's text shows it as `t.test.ron`.
fn report(text: &str) -> (FileReport, String) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("t.test.ron");
    std::fs::write(&path, text).expect("the file can be written");
    let report = run_file(&path, &Options::default());
    let shown = report.render(false).replace(&path.display().to_string(), "t.test.ron");
    (report, shown)
}

fn headlines(report: &FileReport) -> (usize, Vec<String>) {
    match report.cases.first().map(|case| &case.outcome) {
        Some(Outcome::Failed(failure)) => (failure.at, failure.mismatches.iter().map(Mismatch::headline).collect()),
        _ => (usize::MAX, Vec::new()),
    }
}

const FIRST: &str = r#"(input: {"in": [{"k": "a", "t": "2015-02-24T10:00:03Z"}]}, output: {"out": [], "late": []}),"#;
const SECOND: &str = r#"(input: {"in": [{"k": "a", "t": "2015-02-24T10:00:30Z"}]}, output: {"out": []}),"#;
const MOVED: &str = r#"(watermark: "2015-02-24T10:00:03Z", output: {"out": []}),"#;
const CLOSING: &str = r#"(watermark: "2015-02-24T10:00:30Z", output: {"out": [
    {"window_start": "2015-02-24T10:00:00Z", "window_end": "2015-02-24T10:00:10+00:00", "k": "a", "n": 1.0},
]}),"#;

#[test]
fn a_script_that_says_what_happens_passes() {
    let late = r#"(input: {"other": [{"k": "b", "t": "2015-02-24T10:00:01Z"}], "in": []}, watermark: "2015-02-24T10:00:30Z",
        output: {"out": [], "late": [{"k": "b", "t": "2015-02-24T10:00:01Z"}]}),"#;
    let queued = format!("(name: \"queued\", feed: Queued, epochs: [{FIRST}{SECOND}{CLOSING}]),");
    for (mode, cases) in [
        ("Append", case(&[FIRST, MOVED, SECOND, CLOSING, late].concat())),
        // An epoch without rows of its own is an epoch, and the watermark moves in between.
        ("Append", case(&[r#"(input: {"in": []}, watermark: None),"#, FIRST, MOVED].concat())),
        ("Append", queued),
        (
            "Update",
            case(r#"(input: {"in": [{"k": None, "t": "2015-02-24T10:00:03Z"}, {"t": None}]}), (output: {"out": []}),"#),
        ),
        ("Append", case("")),
    ] {
        let (report, shown) = report(&tests(&windows(mode), &cases));
        assert!(report.passed() && report.cases.len() == 1, "{mode}: {cases}\n{shown}");
        assert_eq!(shown, "ok      t.test.ron (1 case)\n");
    }
}

#[test]
fn a_script_that_says_otherwise_fails_at_the_epoch() {
    let second = r#"(input: {"in": [{"k": "a", "t": "2015-02-24T10:00:30Z"}]}),"#;
    for (epochs, at, said) in [
        // One that the engine runs, and the script does not list: before an input, and after the last.
        ([FIRST, second].concat(), 1, "the engine ran an epoch of its own accord, with watermark 2015-02-24T10:00:03Z"),
        (FIRST.to_owned(), 1, "the engine ran an epoch of its own accord, with watermark 2015-02-24T10:00:03Z"),
        // One that the script lists, and the engine does not run.
        ([FIRST, MOVED, "(output: {}),"].concat(), 2, "the engine had nothing to do, so this epoch was not run"),
        ("(output: {}),".to_owned(), 0, "the engine had nothing to do, so this epoch was not run"),
        (
            [FIRST, r#"(watermark: "2015-02-24T10:00:04Z"),"#].concat(),
            1,
            "the watermark should be 2015-02-24T10:00:04Z, but it is 2015-02-24T10:00:03Z",
        ),
        (
            r#"(input: {"in": []}, watermark: "2015-02-24T10:00:04Z"),"#.to_owned(),
            0,
            "the watermark should be 2015-02-24T10:00:04Z, but it is none yet",
        ),
        ([FIRST, "(watermark: None),"].concat(), 1, "the watermark should be none yet, but it is 2015-02-24T10:00:03Z"),
        (FIRST.replace("\"out\": []", "\"out\": [{}]"), 0, "sink `out`: 1 row missing"),
        ([FIRST, MOVED, SECOND, &CLOSING.replace("1.0", "2")].concat(), 3, "sink `out`: 1 row missing, 1 row surplus"),
    ] {
        let (report, shown) = report(&tests(&windows("Append"), &case(&epochs)));
        assert_eq!(headlines(&report), (at, vec![said.to_owned()]), "{epochs}\n{shown}");
    }
}

#[test]
fn a_watermark_cannot_be_asked_of_a_graph_without_one() {
    let epochs = r#"(input: {"in": [{"n": 1}]}, watermark: "2015-02-24T10:00:04Z"),"#;
    let (report, _) = report(&tests(PLAIN, &case(epochs)));
    let said = "the watermark should be 2015-02-24T10:00:04Z, but the graph has no watermark node".to_owned();
    assert_eq!(headlines(&report), (0, vec![said]));
}

#[test]
fn rows_come_in_any_order_unless_the_case_says_otherwise() {
    let rows = |order: [u8; 3]| order.map(|n| format!("{{\"n\": {n}}}")).join(", ");
    let epoch = format!("(input: {{\"in\": [{}]}}, output: {{\"out\": [{}]}})", rows([1, 2, 3]), rows([1, 3, 2]));
    assert!(report(&tests(PLAIN, &format!("(name: \"any\", epochs: [{epoch}]),"))).0.passed());
    let (ordered, _) = report(&tests(PLAIN, &format!("(name: \"ordered\", ordered: true, epochs: [{epoch}]),")));
    assert_eq!(headlines(&ordered).1, ["sink `out`: the right rows in the wrong order, from row 2 on"]);
}

#[test]
fn the_clock_moves_when_the_script_says_so() {
    let graph = r#"Graph(name: "clock", sources: {"in": Memory(schema: "n BIGINT")}, sinks: {"out": Memory()},
        operators: {"stamped": Select(["n", "now() AS at"])}, flow: ["in -> stamped -> out"])"#;
    let epochs = r#"
        (input: {"in": [{"n": 1}]}, output: {"out": [{"n": 1, "at": "2000-01-01T00:00:00Z"}]}),
        (clock: "2015-02-24T10:00:00Z", input: {"in": [{"n": 2}]}, output: {"out": [{"n": 2, "at": "2015-02-24T10:00:00Z"}]}),
        (input: {"in": [{"n": 3}]}, output: {"out": [{"n": 3, "at": "2015-02-24T10:00:00Z"}]}),"#;
    let (report, shown) = report(&tests(graph, &case(epochs)));
    assert!(report.passed(), "{shown}");
}

#[test]
fn bounded_input_is_flushed_after_the_last_row() {
    let graph =
        windows("Append").replace("flow:", "run: (trigger: Once, at_end: Flush, partitions: 2),\n        flow:");
    let flushed = CLOSING.replace("watermark: \"2015-02-24T10:00:30Z\", ", "");
    let (report, shown) = report(&tests(&graph, &case(&[FIRST, MOVED, &flushed].concat())));
    assert!(report.passed(), "{shown}");
}

#[test]
fn a_graph_may_stand_in_its_own_file_and_must_be_there() {
    let directory = TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
    std::fs::create_dir(directory.path().join("tests")).expect("a directory");
    write("plain.ron", PLAIN);
    let epoch = r#"(input: {"in": [{"n": 1}]}, output: {"out": [{"n": 1}]})"#;
    write("tests/one.test.ron", &tests("\"../plain.ron\"", &case(epoch)));
    write("tests/two.test.ron", &tests("\"../plane.ron\"", &case(epoch)));
    let run = |name: &str| run_file(&directory.path().join("tests").join(name), &Options::default());
    let report = run("one.test.ron");
    assert_eq!((report.graph.as_deref(), report.passed()), (Some("plain"), true), "{}", report.render(false));
    let report = run("two.test.ron").render(false);
    assert!(report.contains("plane.ron") && report.contains("the path is relative to the test file"), "{report}");
    assert!(run("three.test.ron").render(false).contains("three.test.ron"));
}

#[test]
fn a_refused_graph_is_refused_with_the_text_asked_for() {
    let refused = |graph: &str, text: &str| report(&format!("Tests(graph: {graph}, refused: {text:?})"));
    let bad = PLAIN.replace("\"in -> out\"", "\"in -> oud\"");
    for (graph, text, passes) in [
        (&*bad, "", true),
        (&*bad, "oud", true),
        (&*bad, "watermark", false),
        (PLAIN, "", false),
        (PLAIN, "oud", false),
    ] {
        let (report, shown) = refused(graph, text);
        assert_eq!(report.passed(), passes, "{text}: {shown}");
    }
    assert!(
        refused(PLAIN, "oud")
            .1
            .contains("the graph should be refused with a message that contains \"oud\", but it is accepted")
    );
    assert!(refused(&bad, "watermark").1.contains("for another reason"));
}

#[test]
fn a_restart_forgets_nothing() {
    let restart = |epoch: &str| epoch.replacen('(', "(restart: true, ", 1);
    let late = r#"(input: {"other": [{"k": "b", "t": "2015-02-24T10:00:01Z"}]}, watermark: "2015-02-24T10:00:30Z",
        output: {"out": [], "late": [{"k": "b", "t": "2015-02-24T10:00:01Z"}]}),"#;
    let epochs = [FIRST, MOVED, SECOND, CLOSING, late].map(restart).concat();
    // Neither the checkpoint nor its number of partitions is the graph's business here.
    let graph = windows("Append").replace("flow:", "run: (checkpoint: \"/nowhere/at/all\", retain: 1),\n        flow:");
    let (report, shown) = report(&tests(&graph, &case(&epochs)));
    assert!(report.passed(), "{shown}");
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn a_restart_between_queued_inputs_passes_none_over() {
    let input =
        |n: u8| format!("(restart: true, input: {{\"in\": [{{\"n\": {n}}}]}}, output: {{\"out\": [{{\"n\": {n}}}]}}),");
    let epochs = [1, 2, 3].map(input).concat();
    let (report, shown) = report(&tests(PLAIN, &format!("(name: \"queued\", feed: Queued, epochs: [{epochs}]),")));
    assert!(report.passed(), "{shown}");
}

#[test]
fn processing_time_is_that_of_the_first_time_when_an_epoch_is_run_again() {
    let graph = r#"Graph(name: "clock", sources: {"in": Memory(schema: "n BIGINT")}, sinks: {"out": Memory()},
        operators: {"stamped": Select(["n", "now() AS at"])}, flow: ["in -> stamped -> out"])"#;
    let epoch = |n: u8, at: &str| {
        format!(
            "(clock: \"{at}\", input: {{\"in\": [{{\"n\": {n}}}]}}, output: {{\"out\": [{{\"n\": {n}, \"at\": \"{at}\"}}]}}),"
        )
    };
    // In the way with crashes, the clock moves on before the epoch before is run again.
    let epochs = [epoch(1, "2015-02-24T10:00:00Z"), epoch(2, "2015-02-24T11:00:00Z")].concat();
    let (report, shown) = report(&tests(graph, &case(&epochs)));
    assert!(report.passed(), "{shown}");
}

#[test]
fn a_failing_node_is_a_failure_of_its_epoch() {
    let graph = r#"Graph(name: "fails", sources: {"in": Memory(schema: "n BIGINT")}, sinks: {"out": Memory()},
        operators: {"divided": Select(["1 / n AS q"])}, flow: ["in -> divided -> out"])"#;
    let epochs = r#"(input: {"in": [{"n": 1}]}, output: {"out": [{"q": 1}]}), (input: {"in": [{"n": 0}]}, output: {"out": []}),"#;
    let (report, _) = report(&tests(graph, &case(epochs)));
    let (at, said) = headlines(&report);
    assert_eq!(at, 1);
    assert!(said[0].contains("node `divided` failed in epoch 1") && said[0].contains("1 / n"), "{said:?}");
}

/// What people see. Paths are those of the file's place, so each is shown as `t.test.ron`.
#[test]
fn a_failure_is_told_with_script_and_rows() {
    let rows = |rows: &[(&str, &str, i64)]| {
        let row = |(k, x, n): &(&str, &str, i64)| format!("{{\"k\": {k}, \"x\": {x}, \"n\": {n}}}");
        rows.iter().map(row).collect::<Vec<_>>().join(", ")
    };
    let told = |name: &str, text: &str| insta::assert_snapshot!(name.to_owned(), report(text).1);
    let seen = rows(&[("\"a\"", "1.5", 1), ("None", "2.0", 2), ("\"c\\tc\"", "None", 3)]);
    let wanted = rows(&[("\"a\"", "1.5", 1), ("\"b\"", "2.0", 2)]);
    let first = r#"            (input: {"in": [{"n": 0}]}, output: {"out": [{"n": 0}]}),"#;
    let last = r#"            (input: {"in": [{"n": 9}]}),"#;
    let wrong = format!("            (input: {{\"in\": [{seen}]}}, output: {{\"out\": [{wanted}]}}),");
    told("rows", &tests(PLAIN, &case(&[first, &wrong, last].join("\n"))));
    told("not_run", &tests(PLAIN, &case(&[first, "            (output: {\"out\": []}),"].join("\n"))));
    told(
        "unlisted_between",
        &tests(
            &windows("Update"),
            &case(&format!("            {FIRST}\n            {SECOND}").replace("\"out\": [], ", "")),
        ),
    );
    let closed = [FIRST, MOVED, SECOND].map(|epoch| format!("            {epoch}")).join("\n");
    let idle = "            (input: {\"in\": [], \"other\": []}),\n".repeat(15);
    told("unlisted_at_the_end", &tests(&windows("Append"), &case(&format!("{idle}{closed}"))));
    told(
        "long_script",
        &tests(
            PLAIN,
            &case(&format!(
                "{}{first}\n            (output: {{}}),\n{}",
                last.repeat(2) + "\n",
                idle.replace(", \"other\": []", "")
            )),
        ),
    );
    let ordered = format!(
        "            (input: {{\"in\": [{seen}]}}, output: {{\"out\": [{}]}}),",
        rows(&[("None", "2", 2), ("\"a\"", "1.5", 1), ("\"c\\tc\"", "None", 3)])
    );
    told("order", &tests(PLAIN, &case(&ordered).replace("epochs:", "ordered: true, epochs:")));
    let faulty = r#"            (input: {"inn": [], "in": [{"kk": 1, "n": "x", "x": [1]}]}, output: {"out": [{"n": 1.5, "y": 2}], "outt": []}, watermak: 3),"#;
    told("faulty_rows", &tests(PLAIN, &case(&faulty.replace(", watermak: 3", ""))));
    told("faulty_fields", &tests(PLAIN, &case(faulty)));
    told("broken_ron", &tests(PLAIN, &case("            (input: {\"in\": [{\"k\" \"a\"}]}),")));
    told("faulty_graph", &tests(&PLAIN.replace("Memory()", "Memoir()"), &case(first)));
    // A comma is missing in the graph, another in the script, and both hold faults besides.
    let graph = PLAIN.replace("Memory()", "Memoir()").replace("\"plain\",", "\"plain\"");
    told("faulty_throughout", &tests(&graph, &case(&faulty.replace("\"n\": 1.5,", "\"n\": 1.5"))));
    told(
        "undeclared_schema",
        &tests(
            &PLAIN.replace(
                "Memory(schema: \"k STRING, x DOUBLE, n BIGINT\")",
                "Files(path: \"nowhere/*.json\", format: Json)",
            ),
            &case(first),
        ),
    );
}

/// A folder with a case that passes, one that fails, and a file that is broken.
fn mixed(directory: &Path) {
    let epoch = |n: u8| format!("(input: {{\"in\": [{{\"n\": 1}}]}}, output: {{\"out\": [{{\"n\": {n}}}]}})");
    let cases = format!("(name: \"right\", epochs: [{}]), (name: \"wrong\", epochs: [{}]),", epoch(1), epoch(2));
    std::fs::write(directory.join("a.test.ron"), tests(PLAIN, &cases)).expect("a file");
    std::fs::write(directory.join("b.test.ron"), "Tests(").expect("a file");
}

/// Times and the folder's name are not the same every time.
fn steadied(text: &str, directory: &Path) -> String {
    let text = text.replace(&format!("{}/", directory.display()), "");
    let mut steady = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("time=\"") {
        let end = at + 6 + rest[at + 6..].find('"').unwrap_or(0);
        steady.push_str(&rest[..at + 6]);
        rest = &rest[end..];
    }
    steady + rest
}

#[test]
fn programs_get_the_same_report() {
    let directory = TempDir::new().expect("a directory");
    mixed(directory.path());
    let report = run_paths(&[directory.path().to_owned()], &Options::default()).expect("there are tests");
    assert_eq!(report.counts(), Counts { files: 2, passed: 1, failed: 2 });
    assert!(report.render(false).ends_with("2 cases failed, 1 passed in 2 files\n"), "{}", report.render(false));
    insta::assert_snapshot!("junit", steadied(&report.to_junit(), directory.path()));
    let mut json = report.to_json();
    for file in json["files"].as_array_mut().expect("files") {
        file["seconds"] = 0.into();
        for case in file["cases"].as_array_mut().expect("cases") {
            case["seconds"] = 0.into();
        }
    }
    insta::assert_snapshot!("json", steadied(&format!("{json:#}"), directory.path()));
}

#[test]
fn a_filter_leaves_cases_by_name_or_path() {
    let directory = TempDir::new().expect("a directory");
    mixed(directory.path());
    std::fs::remove_file(directory.path().join("b.test.ron")).expect("the broken file");
    let run = |filter: &str| -> Report {
        let options = Options { filter: Some(filter.to_owned()), ..Options::default() };
        run_paths(&[directory.path().to_owned()], &options).expect("there are tests")
    };
    for (filter, files, passed, failed) in
        [("right", 1, 1, 0), ("wrong", 1, 0, 1), ("a.test", 1, 1, 1), ("nothing like it", 0, 0, 0)]
    {
        assert_eq!(run(filter).counts(), Counts { files, passed, failed }, "{filter}");
    }
    assert_eq!(run("nothing like it").render(false), "no case was run\n");
}
