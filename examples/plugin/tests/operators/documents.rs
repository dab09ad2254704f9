//! The RON in the guide for operator authors is right.

use std::fs;
use std::path::Path;

use watershed::graphs::{SchemaMode, load};
use watershed::testing::{Options, run_file};

#[test]
fn every_graph_in_the_guide_is_right_and_every_test_passes() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators-of-your-own.md");
    let text = fs::read_to_string(guide).expect("the guide is there");
    let blocks: Vec<&str> =
        text.split("```ron\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest)).collect();
    assert!(blocks.iter().any(|block| block.starts_with("Tests(")) && blocks.len() >= 2, "the guide shows graphs");
    let folder = tempfile::tempdir().expect("a directory");
    for (number, block) in blocks.into_iter().enumerate() {
        if block.starts_with("Tests(") {
            let path = folder.path().join(format!("{number}.test.ron"));
            fs::write(&path, block).expect("a file");
            let report = run_file(&path, &Options::default());
            assert!(report.passed(), "{}", report.render(false));
        } else {
            let diagnostics = load(block, "guide", &|_| None).check(SchemaMode::Offline).diagnostics;
            assert!(!diagnostics.has_errors(), "{}", diagnostics.render(false));
        }
    }
}
