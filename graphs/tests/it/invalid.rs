//! Every file in `tests/invalid` is wrong; how it is told stands beside it as a snapshot.

use std::fs;
use std::path::Path;

use watershed_graphs::{SchemaMode, load};

/// What the variables are in these tests, whatever the environment.
pub(crate) fn variables(name: &str) -> Option<String> {
    (name == "USER").then(|| "anna".to_owned())
}

#[test]
fn an_invalid_graph_is_told_with_place_and_help() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ron"));
    paths.sort();
    assert!(paths.len() >= 20);
    for path in paths {
        let text = fs::read_to_string(&path).expect("a file of this folder");
        let name = path.file_name().expect("a file").to_string_lossy();
        let checked = load(&text, &name, &variables).check(SchemaMode::Offline);
        assert!(!checked.diagnostics.is_empty(), "{name} is valid");
        assert!(checked.plan.is_none(), "{name} has a plan");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "../invalid" }, {
            insta::assert_snapshot!(format!("told@{name}"), checked.diagnostics.render(false));
        });
    }
}

#[test]
fn programs_get_lines_columns_and_bytes() {
    let text = "Graph(\n    name: \"é\", sources: {\"in\": Files(pth: \"x\", format: Json)}, sinks: {\"out\": Console()}, flow: [\"in -> out\"])";
    let json = load(text, "a.ron", &variables).check(SchemaMode::Offline).diagnostics.to_json();
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&json).expect("JSON"));
}
