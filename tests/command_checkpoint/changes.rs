//! Graphs that change between two runs: what `plan` says, and what `run` makes of it.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::*;

#[test]
fn plan_before_the_first_run_makes_nothing() {
    let folder = visits();
    let planned = watershed(&folder, &["plan", "visits.ron"]);
    assert_exit(&planned, 0);
    assert_eq!(out(&planned), "checkpoint `state` holds nothing yet: a run starts with epoch 0\n");
    assert!(!folder.path().join("state").exists());
}

#[test]
fn plan_changes_nothing() {
    let folder = visits_begun();
    let before = content(folder.path());
    write(&folder, "changed.ron", &VISITS.replace("[\"user\"]", "[\"page\"]"));
    for arguments in
        [&["plan", "visits.ron"][..], &["plan", "changed.ron"], &["plan", "changed.ron", "--reset", "counts"]]
    {
        watershed(&folder, arguments);
    }
    fs::remove_file(folder.path().join("changed.ron")).expect("a file");
    assert_eq!(content(folder.path()), before);
}

/// What has changed, the graph, options given with it, what is said, the exit code.
type Case<'a> = (&'a str, String, &'a [&'a str], &'a [&'a str], i32);

#[test]
fn plan_tells_what_becomes_of_each_node() {
    let folder = visits_begun();
    let renamed = |text: &str| {
        text.replace("counts", "per_user").replace("\"out\"", "\"results\"").replace("-> out", "-> results")
    };
    let cases: [Case; 8] = [
        ("nothing", VISITS.to_owned(), &[], &["keep", "fits checkpoint `state`: a run goes on after epoch 2"], 0),
        (
            "what is always fine",
            VISITS
                .replace("1 minute", "3 minutes")
                .replace("max_files_per_epoch: 1", "max_files_per_epoch: 5")
                .replace("AvailableNow", "Once"),
            &[],
            &["`delay` was `1m`, and is `3m`", "`max_files_per_epoch` was `1`, and is `5`", "fits checkpoint"],
            0,
        ),
        (
            "the keys",
            VISITS.replace("[\"user\"]", "[\"page\"]"),
            &[],
            &[
                "incompatible",
                "`keys` was `[\"user\"]`, and is `[\"page\"]`",
                "does not fit checkpoint `state`",
                "--reset counts  drops its state: it begins with nothing after epoch 2",
            ],
            65,
        ),
        (
            "the keys, and it is known",
            VISITS.replace("[\"user\"]", "[\"page\"]"),
            &["--reset", "counts"],
            &["reset", "`--reset` was given", "fits checkpoint"],
            0,
        ),
        (
            "a name",
            renamed(VISITS),
            &[],
            &[
                "lost",
                "its state would be lost",
                "new",
                "--rename counts=per_user  `per_user` goes on with what `counts` kept",
                "--rename out=results",
            ],
            65,
        ),
        (
            "a name, and it is known",
            renamed(VISITS),
            &["--rename", "counts=per_user", "--rename", "out=results"],
            &["renamed", "it was `counts`", "it was `out`", "fits checkpoint"],
            0,
        ),
        (
            "the watermark's name",
            VISITS.replace("marked", "timed"),
            &[],
            &["how far event time has come would be forgotten", "--rename marked=timed", "--reset marked"],
            65,
        ),
        (
            "the partitions",
            VISITS.replace("partitions: 2", "partitions: 5"),
            &[],
            &["2 partitions become 5: the state is shared out anew", "fits checkpoint"],
            0,
        ),
    ];
    for (what, graph, options, expected, exit) in cases {
        write(&folder, "changed.ron", &graph);
        let planned = watershed(&folder, &[&["plan", "changed.ron"], options].concat());
        assert_eq!(planned.status.code(), Some(exit), "{what}: {}{}", out(&planned), errors(&planned));
        assert_tells(&out(&planned), expected);
    }
}

#[test]
fn plan_gives_programs_its_verdict_as_json() {
    let folder = visits_begun();
    write(
        &folder,
        "changed.ron",
        &VISITS.replace("[\"user\"]", "[\"page\"]").replace("partitions: 2", "partitions: 3"),
    );
    let planned = watershed(&folder, &["plan", "changed.ron", "--format", "json"]);
    assert_exit(&planned, 65);
    let plan: Value = serde_json::from_str(&out(&planned)).expect("an object");
    for (key, expected) in [
        ("graph", json!("visits")),
        ("checkpoint", json!("state")),
        ("compatible", json!(false)),
        ("after_epoch", json!(2)),
        ("replay", json!([])),
        ("partitions", json!({"before": 2, "now": 3})),
        ("watermarks", json!({"marked": "2026-01-01T10:01:00Z"})),
        ("damages", json!([])),
    ] {
        assert_eq!(plan[key], expected, "{key}");
    }
    let counts = plan["nodes"].as_array().and_then(|nodes| nodes.iter().find(|node| node["node"] == "counts"));
    let counts = counts.expect("a node of the graph");
    assert_eq!((&counts["role"], &counts["verdict"]), (&json!("operator"), &json!("incompatible")));
    assert_eq!(counts["reasons"], json!(["`keys` was `[\"user\"]`, and is `[\"page\"]`"]));
    assert!(counts["state_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{counts}");
    assert_eq!(plan["options"][0]["option"], "--reset counts");
}

#[test]
fn a_graph_that_does_not_fit_is_refused_with_the_plan_and_leaves_all_as_it_was() {
    let folder = visits_begun();
    let before = (content(&folder.path().join("state")), listing(&folder.path().join("out")));
    write(&folder, "changed.ron", &VISITS.replace("[\"user\"]", "[\"page\"]"));
    let refused = watershed(&folder, &["run", "changed.ron"]);
    assert_exit(&refused, 65);
    let expected = [
        "counts  operator  incompatible",
        "`keys` was `[\"user\"]`, and is `[\"page\"]`",
        "--reset counts",
        "error: the graph does not fit checkpoint `state`",
        "nothing was started or changed",
    ];
    assert_tells(&errors(&refused), &expected);
    assert_eq!(before, (content(&folder.path().join("state")), listing(&folder.path().join("out"))));
    let reset = watershed(&folder, &["run", "changed.ron", "--reset", "counts"]);
    assert_exit(&reset, 0);
    assert_tells(&errors(&reset), &["`counts` is reset", "goes on after epoch 2", "visits: 8 epochs, 21 rows in"]);
    // Asked for once, it is done: the next run goes on without.
    write(&folder, "in/99.json", "{\"user\": \"a\", \"page\": \"/\", \"at\": \"2026-01-01T10:20:00Z\"}\n");
    let after = watershed(&folder, &["run", "changed.ron"]);
    assert_exit(&after, 0);
    assert!(!errors(&after).contains("is reset"), "{}", errors(&after));
}

#[test]
fn what_may_change_changes_nothing_in_the_result() {
    let expected: Vec<String> = sorted_lines(&visits_output());
    assert_eq!(expected.len(), 12, "four windows of three users: {expected:?}");
    for (what, graph, options) in [
        ("partitions", VISITS.replace("partitions: 2", "partitions: 5"), &[][..]),
        ("limits and trigger", VISITS.replace("max_files_per_epoch: 1", "max_files_per_epoch: 3"), &[]),
        (
            "a stateless node",
            VISITS
                .replace("in -> marked", "in -> all -> marked")
                .replace("operators: {", "operators: {\n        \"all\": Filter(\"true\"),"),
            &[],
        ),
        (
            "names",
            VISITS.replace("counts", "per_user").replace("marked", "timed"),
            &["--rename", "counts=per_user", "--rename", "marked=timed"],
        ),
        (
            "the source's name",
            VISITS.replace("\"in\"", "\"files\"").replace("in ->", "files ->"),
            &["--rename", "in=files"],
        ),
        (
            "the sink's name",
            VISITS.replace("\"out\":", "\"results\":").replace("-> out", "-> results"),
            &["--rename", "out=results"],
        ),
    ] {
        let folder = visits_begun();
        write(&folder, "changed.ron", &graph);
        let ran = watershed(&folder, &[&["run", "changed.ron"], options].concat());
        assert_eq!(ran.status.code(), Some(0), "{what}: {}", errors(&ran));
        assert_eq!(sorted_lines(&listing(&folder.path().join("out"))), expected, "{what}");
    }
}

fn sorted_lines(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines: Vec<String> = files.values().flat_map(|text| text.lines()).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn wrong_names_are_told_with_those_to_choose_from() {
    let folder = visits_begun();
    for (arguments, exit, expected) in [
        (
            &["run", "visits.ron", "--reset", "count"][..],
            65,
            &[
                "`--reset count`: the checkpoint holds no node `count`",
                "the checkpoint holds `counts`, `in`, `marked`, `out`",
            ][..],
        ),
        (
            &["plan", "visits.ron", "--rename", "count=counts"],
            65,
            &["`--rename count=counts`: the checkpoint holds no node `count`", "the checkpoint holds `counts`"],
        ),
        (&["run", "visits.ron", "--rename", "counts"], 2, &["write `OLD=NEW`"]),
        (&["run", "visits.ron", "--rename", "a=b", "--reset", "a"], 2, &["`a` can be renamed or reset, not both"]),
        (&["run", "visits.ron", "--checkpoint", "ftp://host/visits"], 2, &["ftp://host/visits"]),
        (&["run", "visits.ron", "--checkpoint", "visits.ron"], 74, &["a checkpoint is a directory"]),
        (&["plan", "visits.ron", "--checkpoint", "visits.ron"], 74, &["a checkpoint is a directory"]),
    ] {
        let told = watershed(&folder, arguments);
        assert_exit(&told, exit);
        assert_tells(&errors(&told), expected);
    }
}

#[test]
fn a_checkpoint_of_another_graph_is_noticed() {
    let folder = visits_begun();
    write(&folder, "other.ron", &VISITS.replace("name: \"visits\"", "name: \"views\""));
    let planned = watershed(&folder, &["plan", "other.ron"]);
    assert_exit(&planned, 0);
    assert_tells(&errors(&planned), &["warning: checkpoint `state` was made by graph `visits`, and this is `views`"]);
}
