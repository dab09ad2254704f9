//! `watershed checkpoint list`, `verify` and `prune`.

use std::collections::BTreeMap;
use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;
use watershed::core::checkpoint::{CheckpointStorage, Holder, LocalDirectory};
use watershed::core::time::Timestamp;

use super::{bad, good, json, masked, workspace};
use crate::{assert_exit, content, listing, out, watershed};

/// The part files of a run.
fn output(folder: &TempDir) -> BTreeMap<String, String> {
    listing(&folder.path().join("out"))
}

#[test]
fn list_tells_epochs_watermarks_files_and_how_a_run_goes_on() {
    let folder = workspace();
    assert_snapshot!(masked(&good(&folder, &["checkpoint", "list", "cp"])), @r"
    visits in cp: 32 files, SIZE, 2 partitions
    made CLOCK

    epoch state processing time watermark of marked new files new bytes
    0 committed CLOCK 2026-01-01T09:56:00Z 10 SIZE
    1 committed CLOCK 2026-01-01T10:02:00Z 6 SIZE
    2 committed CLOCK 2026-01-01T10:15:00Z 3 SIZE
    3 committed CLOCK 2026-01-01T10:15:00Z 3 SIZE

    state after epoch 3
    node table partitions snapshot deltas bytes
    few passed 1 epoch 1 0 SIZE
    once due 2 epoch 0 1 SIZE
    once seen 2 epochs 0 and 3 0 to 1 SIZE
    per_page groups 2 epoch 0 0 to 3 SIZE
    per_user groups 2 epoch 0 0 to 2 SIZE
    visits files 1 epoch 0 2 SIZE

    a run goes on after epoch 3
    ");
    let list = json(&good(&folder, &["checkpoint", "list", "cp", "--format", "json"]));
    assert_eq!((&list["graph"], &list["partitions"], &list["in_use_by"]), (&json!("visits"), &json!(2), &Value::Null));
    let epochs: Vec<(u64, &str)> = list["epochs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|epoch| (epoch["epoch"].as_u64().expect("a number"), epoch["state"].as_str().expect("a word")))
        .collect();
    assert_eq!(epochs, [0, 1, 2, 3].map(|epoch| (epoch, "committed")));
    assert_eq!(list["epochs"][2]["watermarks"]["marked"]["next"], json!("2026-01-01T10:15:00Z"));
    assert_eq!(list["next"], json!({"can_go_on": true, "from": 3, "replays": [], "without": []}));
    let all: u64 = content(&folder.path().join("cp")).values().map(|content| content.len() as u64).sum();
    assert_eq!(list["bytes"], json!(all));
}

#[test]
fn an_epoch_that_was_cut_off_is_told_and_survives_pruning() {
    let folder = workspace();
    let undisturbed = output(&folder);
    fs::remove_file(folder.path().join("cp/epochs/00000003.commit")).expect("it is there");
    let list = good(&folder, &["checkpoint", "list", "cp"]);
    assert!(
        list.contains("3  uncommitted") && list.ends_with("a run goes on after epoch 2; epoch 3 is run again\n"),
        "{list}"
    );
    good(&folder, &["checkpoint", "prune", "cp"]);
    assert!(good(&folder, &["checkpoint", "verify", "cp"]).contains("all whole"));
    assert!(folder.path().join("cp/epochs/00000003.intent").exists());
    good(&folder, &["run", "-q", "graph.ron"]);
    assert_eq!(output(&folder), undisturbed);
}

#[test]
fn what_a_run_is_using_can_be_looked_at_and_is_not_pruned() {
    let folder = workspace();
    let place = folder.path().join("cp");
    let holder =
        Holder { pid: 4711, host: "here".to_owned(), graph: "visits".to_owned(), since: Timestamp::from_micros(0) };
    let lock = LocalDirectory::new(&place).lock(&holder).expect("nobody uses it");
    let before = content(&place);
    let list = good(&folder, &["checkpoint", "list", "cp"]);
    let words = "in use by process 4711 on here, which runs `visits` since 1970-01-01T00:00:00Z\n";
    assert!(list.contains(words), "{list}");
    good(&folder, &["checkpoint", "verify", "cp"]);
    good(&folder, &["state", "cp", "per_page"]);
    good(&folder, &["checkpoint", "prune", "cp", "--dry-run"]);
    assert!(bad(&folder, &["checkpoint", "prune", "cp"], 75).contains("process 4711"));
    assert_eq!(content(&place), before);
    drop(lock);
    assert!(!good(&folder, &["checkpoint", "list", "cp"]).contains("in use"));
}

#[test]
fn where_no_checkpoint_is_none_is_made() {
    let folder = tempfile::tempdir().expect("a directory");
    for arguments in [
        &["checkpoint", "list", "cp"][..],
        &["checkpoint", "verify", "cp"],
        &["checkpoint", "prune", "cp"],
        &["state", "cp"],
    ] {
        let complaint = bad(&folder, arguments, 74);
        assert!(complaint.contains("there is no checkpoint in `cp`"), "{complaint}");
    }
    assert!(!folder.path().join("cp").exists());
}

#[test]
fn verify_names_each_damaged_file_and_what_a_run_would_do() {
    let folder = workspace();
    let cp = folder.path().join("cp");
    assert_snapshot!(masked(&good(&folder, &["checkpoint", "verify", "cp"])), @r"
    32 files, SIZE: all whole
    whole: epochs 0 to 3
    a run goes on after epoch 3
    ");
    let flip: fn(&mut Vec<u8>) = |content| {
        let middle = content.len() / 2;
        content[middle] ^= 1;
    };
    let cut: fn(&mut Vec<u8>) = |content| content.truncate(content.len() / 2);
    // File, what happens to it, whether a run can go on, and after which epoch.
    for (name, damage, goes_on) in [
        ("metadata.json", flip, Some(json!(3))),
        ("graphs/00000000.json", cut, Some(Value::Null)),
        ("epochs/00000001.intent", flip, Some(json!(3))),
        ("epochs/00000003.commit", flip, Some(json!(2))),
        ("state/per_page/0/groups.00000003.delta", flip, Some(json!(2))),
        ("state/per_page/0/groups.00000000.snapshot", cut, Some(Value::Null)),
    ] {
        let whole = fs::read(cp.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut content = whole.clone();
        damage(&mut content);
        fs::write(cp.join(name), content).expect("a file");
        let verified = watershed(&folder, &["checkpoint", "verify", "cp", "--format", "json"]);
        assert_exit(&verified, 74);
        let verified = json(&out(&verified));
        let damages: Vec<&str> = verified["damages"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|damage| damage["file"].as_str())
            .collect();
        assert_eq!(damages, [name]);
        assert_eq!(verified["next"].get("from"), goes_on.as_ref(), "{name}");
        fs::write(cp.join(name), whole).expect("a file");
    }
    let lost = cp.join("state/per_page/0/groups.00000002.delta");
    fs::rename(&lost, folder.path().join("lost")).expect("it is there");
    let verified = watershed(&folder, &["checkpoint", "verify", "cp"]);
    assert_exit(&verified, 74);
    assert_snapshot!(masked(&out(&verified)), @r"
    damaged: `state/per_page/0/groups.00000002.delta` is missing
    cannot be loaded without it: epochs 2 to 3
    remedy: a run does without, from epoch 1; to look into epochs 2 to 3, put it back from a copy of the checkpoint
    31 files, SIZE: 1 damaged or missing
    whole: epochs 0 to 1
    a run goes on after epoch 1; epochs 2 to 3 are run again
    ");
    let complaint = bad(&folder, &["state", "cp", "per_page"], 74);
    assert!(
        complaint.contains("groups.00000002.delta` is missing") && complaint.contains("checkpoint verify cp"),
        "{complaint}"
    );
}

#[test]
fn prune_keeps_the_newest_and_a_run_goes_on_as_if_nothing_had_been_removed() {
    let (folder, undisturbed) = (workspace(), workspace());
    let before = content(&folder.path().join("cp"));
    assert_snapshot!(masked(&good(&folder, &["checkpoint", "prune", "cp", "--keep", "2", "--dry-run"])), @r"
    would remove 5 files, SIZE; epochs 2 to 3 kept
    records of epochs 0 to 1: 4 files, SIZE
    snapshots of `few`, table `passed`: 1 file, SIZE
    ");
    assert_eq!(content(&folder.path().join("cp")), before);
    let said = good(&folder, &["checkpoint", "prune", "cp", "--keep", "2"]);
    assert!(said.starts_with("removed ") && said.contains("epochs 2 to 3 kept"), "{said}");
    assert!(good(&folder, &["checkpoint", "verify", "cp"]).contains("whole: epochs 2 to 3"));
    assert_eq!(good(&folder, &["checkpoint", "prune", "cp", "--keep", "2"]), "nothing to remove: epochs 2 to 3 kept\n");
    good(&folder, &["checkpoint", "prune", "cp"]);
    let more = "{\"user\":\"dan\",\"page\":\"/\",\"at\":\"2026-01-01T10:50:00Z\",\"seconds\":1.0}\n";
    for folder in [&folder, &undisturbed] {
        fs::write(folder.path().join("in/9.json"), more).expect("a file");
        good(folder, &["run", "-q", "graph.ron"]);
    }
    assert_eq!(output(&folder), output(&undisturbed));
    assert!(output(&folder).values().any(|text| text.contains("10:25:00")));
}
