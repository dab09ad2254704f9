//! The rules of the house that a test can see: who may depend on whom, and what no file may hold.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The dependencies that a manifest lists under `[dependencies]`.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("every crate has a manifest");
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once(['.', ' ', '=']).map(|(name, _)| name.to_owned()));
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    let folders = [
        "src",
        "core/src",
        "operators/src",
        "sources/src",
        "sinks/src",
        "graphs/src",
        "benches/src",
        "examples/plugin/src",
    ];
    folders.iter().flat_map(|folder| rust_files(&root().join(folder))).collect()
}

#[test]
fn crates_depend_on_core_alone() {
    for folder in ["operators", "sources", "sinks", "graphs"] {
        let house: Vec<String> =
            dependencies(folder).into_iter().filter(|name| name.starts_with("watershed")).collect();
        assert_eq!(house, ["watershed-core"], "{folder} may use core and nothing else of the house");
    }
    let house: Vec<String> = dependencies("core").into_iter().filter(|name| name.starts_with("watershed")).collect();
    assert_eq!(house, ["watershed-derive"], "core uses its own macros and nothing else of the house");
}

#[test]
fn core_knows_no_format_no_sql_and_no_runtime() {
    // Arrow IPC is the format of state in a checkpoint, which is core's own.
    let banned = ["ron", "datafusion", "tokio", "parquet", "arrow-json", "arrow-csv", "clap", "miette"];
    for dependency in dependencies("core") {
        assert!(!banned.iter().any(|name| dependency.starts_with(name)), "core depends on `{dependency}`");
    }
}

#[test]
fn only_operators_know_datafusion() {
    for folder in ["core", "sources", "sinks", "graphs", "benches", "."] {
        let found: Vec<String> =
            dependencies(folder).into_iter().filter(|name| name.starts_with("datafusion")).collect();
        assert!(found.is_empty(), "{folder} depends on {found:?}");
    }
}

#[test]
fn contracts_never_import_the_engine() {
    for path in rust_files(&root().join("core/src")) {
        let is_in = |folder: &str| path.strip_prefix(root()).is_ok_and(|path| path.starts_with(folder));
        // The test kit stands above the engine, and nothing above the kit.
        if is_in("core/src/testing") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file is text");
        assert!(!text.contains("crate::testing"), "{} imports the test kit", path.display());
        if !is_in("core/src/engine") {
            assert!(!text.contains("use crate::engine"), "{} imports the engine", path.display());
        }
    }
}

#[test]
fn an_operators_author_needs_nothing_but_watershed() {
    assert_eq!(dependencies("examples/plugin"), ["watershed"]);
}

#[test]
fn there_is_one_arrow_major_in_the_tree() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is part of the project");
    let versions: Vec<&str> = lock
        .split("[[package]]")
        .filter(|package| package.contains("\nname = \"arrow-array\"\n"))
        .filter_map(|package| package.lines().find_map(|line| line.strip_prefix("version = ")))
        .collect();
    assert_eq!(versions.len(), 1, "arrow-array stands in the tree as {versions:?}");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for folder in [".", "core", "core/derive", "operators", "sources", "sinks", "graphs", "benches", "examples/plugin"]
    {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("every crate has a manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{folder} does not take the workspace's lints");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_too_long() {
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).expect("a source file is text");
        assert!(text.starts_with("//! "), "{} does not begin with what it is for", path.display());
        assert!(text.lines().count() <= 800, "{} is over 800 lines: look for the seam", path.display());
    }
}
