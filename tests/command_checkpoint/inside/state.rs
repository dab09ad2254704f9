//! `watershed state`.

use std::fs::{self, File};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use insta::assert_snapshot;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{bad, good, json, masked, workspace};
use crate::{assert_exit, errors, out, watershed};

#[test]
fn state_lists_the_nodes_that_keep_something() {
    let folder = workspace();
    assert_snapshot!(masked(&good(&folder, &["state", "cp"])), @r"
    state after epoch 3
    node table rows bytes key kept for it
    few passed 1 SIZE passed
    once due 2 SIZE slot, user, page
    once seen 2 SIZE user, page expires_at
    per_page groups 1 SIZE window_start, window_end, page visits, mean_seconds
    per_user groups 3 SIZE user visits, mean
    visits files 3 SIZE path modified, size
    ");
    let list = json(&good(&folder, &["state", "cp", "--format", "json", "--epoch", "1"]));
    assert_eq!(list["epoch"], json!(1));
    let per_page = list["tables"].as_array().expect("a list").iter().find(|table| table["node"] == "per_page");
    let per_page = per_page.expect("it keeps windows");
    assert_eq!((&per_page["rows"], &per_page["slots"], &per_page["partitions"]), (&json!(4), &json!(3), &json!(2)));
    assert_eq!(per_page["values"][1], json!({"name": "mean_seconds", "type": "DOUBLE"}));
}

#[test]
fn state_shows_rows_as_the_graph_means_them_at_any_epoch() {
    let folder = workspace();
    let state = |arguments: &[&str]| good(&folder, &[&["state", "cp"], arguments].concat());
    assert_snapshot!(state(&["per_page", "--epoch", "1"]), @r"
    ┌──────────────────────┬──────────────────────┬───────┬────────┬──────────────┐
    │ window_start         │ window_end           │ page  │ visits │ mean_seconds │
    ╞══════════════════════╪══════════════════════╪═══════╪════════╪══════════════╡
    │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /     │      2 │          2.5 │
    │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /docs │      1 │          4.0 │
    │ 2026-01-01T10:05:00Z │ 2026-01-01T10:10:00Z │ /docs │      1 │          6.5 │
    │ 2026-01-01T10:10:00Z │ 2026-01-01T10:15:00Z │ /     │      1 │          1.0 │
    └──────────────────────┴──────────────────────┴───────┴────────┴──────────────┘
    ");
    assert_snapshot!(state(&["per_page"]), @r"
    ┌──────────────────────┬──────────────────────┬───────┬────────┬──────────────┐
    │ window_start         │ window_end           │ page  │ visits │ mean_seconds │
    ╞══════════════════════╪══════════════════════╪═══════╪════════╪══════════════╡
    │ 2026-01-01T10:25:00Z │ 2026-01-01T10:30:00Z │ /docs │      1 │          8.0 │
    └──────────────────────┴──────────────────────┴───────┴────────┴──────────────┘
    ");
    assert_snapshot!(state(&["per_page", "--epoch", "1", "--raw", "--key", "/docs"]), @r"
    ┌──────────────────────┬───────┬────────┬────────────────────┬──────────────────┐
    │ slot                 │ page  │ visits │ mean_seconds.count │ mean_seconds.sum │
    ╞══════════════════════╪═══════╪════════╪════════════════════╪══════════════════╡
    │ 2026-01-01T10:05:00Z │ /docs │      1 │                  1 │              4.0 │
    │ 2026-01-01T10:10:00Z │ /docs │      1 │                  1 │              6.5 │
    └──────────────────────┴───────┴────────┴────────────────────┴──────────────────┘
    ");
    assert_snapshot!(state(&["per_user"]), @r"
    ┌──────┬────────┬────────────────────┐
    │ user │ visits │               mean │
    ╞══════╪════════╪════════════════════╡
    │ ann  │      3 │ 3.8333333333333335 │
    │ bob  │      2 │                6.0 │
    │ cem  │      1 │                1.0 │
    └──────┴────────┴────────────────────┘
    ");
    assert_snapshot!(state(&["once"]), @r"
    due
    ┌─────────────────────────────┬──────┬───────┐
    │ slot                        │ user │ page  │
    ╞═════════════════════════════╪══════╪═══════╡
    │ 2026-01-01T10:16:59.999999Z │ ann  │ /docs │
    │ 2026-01-01T10:22:59.999999Z │ cem  │ /     │
    └─────────────────────────────┴──────┴───────┘

    seen
    ┌──────┬───────┬──────────────────────┐
    │ user │ page  │ expires_at           │
    ╞══════╪═══════╪══════════════════════╡
    │ ann  │ /docs │ 2026-01-01T10:16:00Z │
    │ cem  │ /     │ 2026-01-01T10:22:00Z │
    └──────┴───────┴──────────────────────┘
    ");
    assert_snapshot!(state(&["few"]), @r"
    ┌────────┐
    │ passed │
    ╞════════╡
    │      4 │
    └────────┘
    ");
    assert_snapshot!(masked(&state(&["visits", "--key", "in/1.json"])), @r"
    │ path │ modified │ size │
    │ in/1.json │ CLOCK │ 136 │
    ");
}

#[test]
fn state_shows_the_rows_that_are_asked_for() {
    let folder = workspace();
    let rows = |arguments: &[&str]| -> Vec<Value> {
        let all = [&["state", "cp"], arguments, &["--format", "json"]].concat();
        good(&folder, &all).lines().map(json).collect()
    };
    let users = |arguments: &[&str]| -> Vec<String> {
        let all = rows(&[&["per_user"], arguments].concat());
        all.iter().map(|row| row["user"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(users(&[]), ["ann", "bob", "cem"]);
    assert_eq!(users(&["--key", "bob", "--key", "user=ann"]), Vec::<String>::new());
    assert_eq!(users(&["--key", "bob", "--key", "ann"]), ["ann", "bob"]);
    assert_eq!(users(&["--limit", "2"]), ["ann", "bob"]);
    let mut of_partitions = [users(&["--partition", "0"]), users(&["--partition", "1"])].concat();
    of_partitions.sort();
    assert_eq!(of_partitions, ["ann", "bob", "cem"]);
    let window = rows(&["per_page", "--epoch", "1", "--key", "window_end=2026-01-01T10:05:00Z", "--key", "page=/"]);
    let expected = json!({
        "window_start": "2026-01-01T10:00:00Z", "window_end": "2026-01-01T10:05:00Z", "page": "/", "visits": 2, "mean_seconds": 2.5,
    });
    assert_eq!(window, [expected]);
    let few = good(&folder, &["state", "cp", "per_user", "--limit", "1"]);
    assert!(few.ends_with("… 2 more rows; `--limit` shows more, `--key` picks some\n"), "{few}");
}

#[test]
fn changes_of_an_epoch_show_rows_before_and_after() {
    let folder = workspace();
    let changes = |arguments: &[&str]| good(&folder, &[&["state", "cp"], arguments, &["--changes"]].concat());
    assert_snapshot!(changes(&["per_user", "--epoch", "1"]), @r"
    ┌─────────┬──────┬────────┬───────────────────────────┐
    │ change  │ user │ visits │ mean                      │
    ╞═════════╪══════╪════════╪═══════════════════════════╡
    │ changed │ ann  │ 2 → 3  │ 4.25 → 3.8333333333333335 │
    │ added   │ cem  │ 1      │ 1.0                       │
    └─────────┴──────┴────────┴───────────────────────────┘
    ");
    assert_snapshot!(changes(&["per_page", "--epoch", "3"]), @r"
    ┌─────────┬──────────────────────┬──────────────────────┬───────┬────────┬──────────────┐
    │ change  │ window_start         │ window_end           │ page  │ visits │ mean_seconds │
    ╞═════════╪══════════════════════╪══════════════════════╪═══════╪════════╪══════════════╡
    │ removed │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /     │ 2      │ 2.5          │
    │ removed │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /docs │ 1      │ 4.0          │
    │ removed │ 2026-01-01T10:05:00Z │ 2026-01-01T10:10:00Z │ /docs │ 1      │ 6.5          │
    │ removed │ 2026-01-01T10:10:00Z │ 2026-01-01T10:15:00Z │ /     │ 1      │ 1.0          │
    └─────────┴──────────────────────┴──────────────────────┴───────┴────────┴──────────────┘
    ");
    assert_snapshot!(changes(&["per_page", "--epoch", "0"]), @r"
    ┌────────┬──────────────────────┬──────────────────────┬───────┬────────┬──────────────┐
    │ change │ window_start         │ window_end           │ page  │ visits │ mean_seconds │
    ╞════════╪══════════════════════╪══════════════════════╪═══════╪════════╪══════════════╡
    │ added  │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /     │ 1      │ 2.0          │
    │ added  │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /docs │ 1      │ 4.0          │
    │ added  │ 2026-01-01T10:05:00Z │ 2026-01-01T10:10:00Z │ /docs │ 1      │ 6.5          │
    └────────┴──────────────────────┴──────────────────────┴───────┴────────┴──────────────┘
    ");
    assert_snapshot!(changes(&["per_page", "--since", "1", "--key", "/docs"]), @r"
    ┌─────────┬──────────────────────┬──────────────────────┬───────┬────────┬──────────────┐
    │ change  │ window_start         │ window_end           │ page  │ visits │ mean_seconds │
    ╞═════════╪══════════════════════╪══════════════════════╪═══════╪════════╪══════════════╡
    │ removed │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ /docs │ 1      │ 4.0          │
    │ removed │ 2026-01-01T10:05:00Z │ 2026-01-01T10:10:00Z │ /docs │ 1      │ 6.5          │
    │ added   │ 2026-01-01T10:25:00Z │ 2026-01-01T10:30:00Z │ /docs │ 1      │ 8.0          │
    └─────────┴──────────────────────┴──────────────────────┴───────┴────────┴──────────────┘
    ");
    assert_eq!(changes(&["per_user", "--epoch", "3"]), "no rows\n");
    let changed = changes(&["per_user", "--epoch", "2", "--format", "json"]);
    let expected = json!({
        "change": "changed", "user": "bob", "before": {"visits": 1, "mean": 4.0}, "after": {"visits": 2, "mean": 6.0},
    });
    assert_eq!(json(&changed), expected);
    // What the files of an epoch say by themselves, when the version before it is gone.
    good(&folder, &["checkpoint", "prune", "cp", "--keep", "2"]);
    assert_snapshot!(changes(&["per_user", "--epoch", "2"]), @r"
    ┌─────────┬──────┬────────┬──────┐
    │ change  │ user │ visits │ mean │
    ╞═════════╪══════╪════════╪══════╡
    │ written │ bob  │ 2      │ 6.0  │
    └─────────┴──────┴────────┴──────┘
    ");
    good(&folder, &["checkpoint", "prune", "cp", "--keep", "1"]);
    assert_snapshot!(changes(&["per_page", "--epoch", "3"]), @r"
    ┌──────────────┬──────────────────────┬──────────────────────┬──────┬────────┬──────────────┐
    │ change       │ window_start         │ window_end           │ page │ visits │ mean_seconds │
    ╞══════════════╪══════════════════════╪══════════════════════╪══════╪════════╪══════════════╡
    │ slot dropped │ 2026-01-01T10:00:00Z │ 2026-01-01T10:05:00Z │ null │        │              │
    │ slot dropped │ 2026-01-01T10:05:00Z │ 2026-01-01T10:10:00Z │ null │        │              │
    │ slot dropped │ 2026-01-01T10:10:00Z │ 2026-01-01T10:15:00Z │ null │        │              │
    └──────────────┴──────────────────────┴──────────────────────┴──────┴────────┴──────────────┘
    ");
}

#[test]
fn rows_can_be_written_as_parquet_and_read_back() {
    let folder = workspace();
    good(&folder, &["state", "cp", "per_page", "--epoch", "1", "--output", "rows.parquet"]);
    let file = File::open(folder.path().join("rows.parquet")).expect("it was written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("a reader");
    let batches: Vec<_> = reader.collect::<Result<_, _>>().expect("rows");
    let rows = arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one schema");
    let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["window_start", "window_end", "page", "visits", "mean_seconds"]);
    let ends = rows.column(1).as_primitive::<TimestampMicrosecondType>();
    assert!(ends.iter().flatten().is_sorted() && ends.null_count() == 0);
    let means: Vec<f64> = rows.column(4).as_primitive::<Float64Type>().iter().flatten().collect();
    assert_eq!(means, [2.5, 4.0, 6.5, 1.0]);
    let complaint = bad(&folder, &["state", "cp", "per_page", "--format", "parquet"], 2);
    assert!(complaint.contains("--output"), "{complaint}");
    good(&folder, &["state", "cp", "few", "--output", "few.json"]);
    assert_eq!(fs::read_to_string(folder.path().join("few.json")).expect("a file"), "{\"passed\":4}\n");
}

#[test]
fn state_that_is_not_there_is_told_with_what_there_is() {
    let folder = workspace();
    for (arguments, words) in [
        (&["per_pge"][..], &["`per_pge` is not in this checkpoint", "did you mean `per_page`?"][..]),
        (&["marked"], &["`marked` keeps no state", "`few`, `once`, `per_page`"]),
        (&["once", "--table", "sen"], &["keeps no table `sen`", "due, seen"]),
        (&["once", "--format", "json"], &["keeps several tables", "--table due"]),
        (&["per_page", "--epoch", "7"], &["epoch 7 is not kept", "after epochs 0 to 3"]),
        (&["per_page", "--partition", "2"], &["no partition 2", "0 to 1"]),
        (&["per_page", "--changes", "--since", "3"], &["epoch 3 is not before epoch 3"]),
    ] {
        let complaint = bad(&folder, &[&["state", "cp"], arguments].concat(), 2);
        assert!(words.iter().all(|word| complaint.contains(word)), "{arguments:?}: {complaint}");
    }
}

/// A graph of nodes that this program does not know is still shown, column by column.
#[test]
fn state_whose_graph_cannot_be_read_is_shown_as_it_is_in_the_files() {
    let folder = workspace();
    fs::remove_file(folder.path().join("cp/graphs/00000000.json")).expect("it is there");
    let shown = watershed(&folder, &["state", "cp", "per_page"]);
    assert_exit(&shown, 0);
    assert!(out(&shown).contains("slot") && out(&shown).contains("mean_seconds"), "{}", out(&shown));
    assert!(errors(&shown).contains("as they are in the files"), "{}", errors(&shown));
}
