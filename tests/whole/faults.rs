//! What an author is told about graphs that are wrong: one file per fault, over the real nodes.

use std::fs;
use std::path::Path;

use watershed::graphs::{SchemaMode, load};

#[test]
fn every_fault_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ron"));
    paths.sort();
    assert!(paths.len() >= 20);
    for path in paths {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a fault's graph is text");
        let checked = load(&text, &name, &|_| None).check(SchemaMode::Offline);
        assert!(checked.diagnostics.iter().next().is_some(), "{name} is meant to be wrong");
        insta::with_settings!({ snapshot_path => "../faults", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("told@{name}"), checked.diagnostics.render(false));
        });
    }
}
