//! What `watershed new` makes is the beginning of this crate.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Less what the two projects' formats differ in: lines are of another length.
fn unformatted(code: &str) -> String {
    let dense: String = code.split_whitespace().collect();
    dense.replace(",)", ")").replace(",}", "}")
}

#[test]
fn a_new_crate_begins_with_an_operator_of_this_one() {
    let folder = tempfile::tempdir().expect("a directory");
    let made = Command::new(env!("CARGO_BIN_EXE_activity-operators"))
        .args(["new", "activity-operators"])
        .current_dir(folder.path())
        .output()
        .expect("the command starts");
    assert!(made.status.success());
    let made = folder.path().join("activity-operators");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["src/main.rs", "src/running_totals.rs"] {
        let read = |folder: &Path| unformatted(&fs::read_to_string(folder.join(path)).expect(path));
        assert_eq!(read(&made), read(here), "{path}");
    }
    let dependencies = |folder: &Path| -> Vec<String> {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
        let lines = lines.take_while(|line| !line.is_empty());
        lines.filter_map(|line| line.split_once(['.', ' ']).map(|(name, _)| name.to_owned())).collect()
    };
    assert_eq!((dependencies(&made), dependencies(here)), (vec!["watershed".to_owned()], vec!["watershed".to_owned()]));
}
