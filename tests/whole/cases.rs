//! Whole graphs by data: one file per rule or mended fault, each run in every way.

use std::path::Path;

use watershed::testing::{Options, Way, discover, run_file};

#[test]
fn every_case_comes_out_as_written_in_every_way() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let options = Options { ways: Way::ALL.to_vec(), ..Options::default() };
    let files = discover(&[folder]).expect("the folder holds tests");
    assert!(files.len() >= 5);
    for path in files {
        let report = run_file(&path, &options);
        assert!(report.passed(), "{}", report.render(false));
    }
}
