//! Runs that go on from a checkpoint, whole or damaged.

use std::fs;

use serde_json::{Value, json};

use super::*;

#[test]
fn a_run_says_where_it_goes_on_and_gives_what_one_run_would_have_given() {
    let folder = visits();
    let first = watershed(&folder, &["run", "visits.ron", "--max-epochs", "3"]);
    assert_exit(&first, 0);
    assert_tells(&errors(&first), &["note: checkpoint `state`: the run starts with epoch 0", "visits: 3 epochs"]);
    let second = watershed(&folder, &["run", "visits.ron", "--max-epochs", "2"]);
    assert_tells(&errors(&second), &["note: checkpoint `state`: the run goes on after epoch 2", "visits: 2 epochs"]);
    assert_exit(&watershed(&folder, &["run", "visits.ron", "--quiet"]), 0);
    assert_eq!(listing(&folder.path().join("out")), visits_output());
    let nothing_left = watershed(&folder, &["run", "visits.ron", "--quiet", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&out(&nothing_left)).expect("a summary")["epochs"], json!(0));
    assert_eq!(errors(&nothing_left), "");
}

#[test]
fn a_graph_without_a_checkpoint_is_told_what_it_loses() {
    let folder = visits();
    write(&folder, "forgetful.ron", &VISITS.replace("checkpoint: \"state\", ", ""));
    let ran = watershed(&folder, &["run", "forgetful.ron"]);
    assert_exit(&ran, 0);
    assert_tells(&errors(&ran), &["has no `run.checkpoint`: its state is lost when the run ends"]);
    let planned = watershed(&folder, &["plan", "forgetful.ron"]);
    assert_exit(&planned, 0);
    assert_tells(&out(&planned), &["`visits` has no checkpoint", "run: (checkpoint: \"DIR\")"]);
    let wrong = watershed(&folder, &["run", "forgetful.ron", "--reset", "counts"]);
    assert_exit(&wrong, 2);
    assert_tells(&errors(&wrong), &["`--reset` is about a checkpoint, and there is none", "--checkpoint DIR"]);
    // The command line names one, too; and in place of the file's.
    fs::remove_dir_all(folder.path().join("out")).expect("the output");
    let ran = watershed(&folder, &["run", "visits.ron", "--checkpoint", "elsewhere/deep", "--max-epochs", "1"]);
    assert_tells(&errors(&ran), &["note: checkpoint `elsewhere/deep`: the run starts with epoch 0"]);
    assert!(folder.path().join("elsewhere/deep/metadata.json").exists() && !folder.path().join("state").exists());
}

#[test]
fn a_source_that_cannot_replay_is_refused() {
    let folder = visits();
    let graph = r#"Graph(
        name: "lines",
        sources: { "lines": Stdin() },
        sinks: { "out": Discard() },
        flow: ["lines -> out"],
    )"#;
    write(&folder, "lines.ron", graph);
    let refused = watershed(&folder, &["run", "lines.ron", "--checkpoint", "state"]);
    assert_exit(&refused, 65);
    assert_tells(&errors(&refused), &["`lines` cannot read the same rows again", "read them with `Files`"]);
}

#[test]
fn damage_is_gone_round_with_a_warning_or_refused_with_a_remedy() {
    let folder = visits_begun();
    let state = folder.path().join("state");
    fs::write(state.join("epochs/00000002.commit"), "no such thing").expect("a file");
    let planned = watershed(&folder, &["plan", "visits.ron"]);
    assert_exit(&planned, 0);
    assert_tells(&out(&planned), &["a run goes on after epoch 1; epoch 2 is run again"]);
    let ran = watershed(&folder, &["run", "visits.ron", "--quiet"]);
    assert_exit(&ran, 0);
    let warning =
        ["warning: checkpoint `state` is damaged", "`epochs/00000002.commit`", "watershed checkpoint verify state"];
    assert_tells(&errors(&ran), &warning);
    assert_tells(&errors(&planned), &warning);
    assert_eq!(listing(&folder.path().join("out")), visits_output());

    let intents = fs::read_dir(state.join("epochs")).expect("epochs").map(|entry| entry.expect("an entry").path());
    for commit in intents.filter(|path| path.extension().is_some_and(|extension| extension == "commit")) {
        fs::write(commit, "no such thing").expect("a file");
    }
    fs::remove_file(state.join("epochs/00000001.intent")).expect("an intent");
    for command in ["run", "plan"] {
        let refused = watershed(&folder, &[command, "visits.ron"]);
        assert_exit(&refused, 74);
        let expected = [
            "error: checkpoint `state` cannot be recovered",
            "put the files back",
            "watershed checkpoint verify state",
        ];
        assert_tells(&errors(&refused), &expected);
    }
}

#[test]
fn after_a_flush_all_further_rows_are_late_and_that_is_said() {
    let folder = visits();
    assert_exit(&watershed(&folder, &["run", "visits.ron", "--at-end", "flush"]), 0);
    write(&folder, "in/99.json", "{\"user\": \"a\", \"page\": \"/\", \"at\": \"2026-01-01T12:00:00Z\"}\n");
    let expected = [
        "warning: an earlier run ended with `at_end: Flush`",
        "the watermark of `marked` is at the end of time, and every further row is late",
        "`--reset marked`",
    ];
    assert_tells(&errors(&watershed(&folder, &["plan", "visits.ron"])), &expected);
    let ran = watershed(&folder, &["run", "visits.ron"]);
    assert_exit(&ran, 0);
    assert_tells(&errors(&ran), &expected);
    assert_tells(&errors(&ran), &["1 rows came too late for `counts`"]);
}
