//! The gallery: its sample is what the generator gives, every graph has tests, and all of them pass and run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use watershed::core::engine::{Engine, EngineOptions};
use watershed::core::plan::Role;
use watershed::graphs::{SchemaMode, load};
use watershed::sinks::Discard;
use watershed::testing::{Options, run_paths};
use watershed_benches::activity::{Activity, FileFormat, write_files};

fn gallery() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs")
}

/// The files in `directory` whose names end in `ending`, by what stands before it.
fn names(directory: &Path, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(directory).expect("a directory of the project").map(|file| file.expect("a file"));
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

#[test]
fn the_sample_is_what_the_command_in_its_readme_gives() {
    let activity = Activity { seed: 27, rows: 4_000, minutes: 120, users: 9 };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let made = write_files(&activity, directory.path(), FileFormat::Json, 6).expect("files");
    let shipped = gallery().join("data/activity");
    assert_eq!(names(&shipped, ".json").len(), made.len());
    for path in made {
        let name = path.file_name().expect("a file");
        assert_eq!(fs::read(&path).expect("made"), fs::read(shipped.join(name)).expect("shipped"), "{name:?}");
    }
    let readme = fs::read_to_string(gallery().join("data/README.md")).expect("the readme");
    assert!(readme.contains("generate --rows 4000 --minutes 120 --files 6 --seed 27 --out graphs/data/activity"));
}

#[test]
fn every_graph_has_tests_and_they_pass() {
    let tests = gallery().join("gallery-tests");
    assert_eq!(names(&gallery(), ".ron"), names(&tests, ".test.ron"));
    let report = run_paths(&[tests], &Options::default()).expect("test files");
    assert!(report.passed(), "{}", report.render(false));
}

#[test]
fn every_graph_runs_over_the_sample() {
    // Paths in a graph are relative to the working directory, which for the gallery is the project's.
    std::env::set_current_dir(gallery().join("..")).expect("the project");
    for name in names(Path::new("graphs"), ".ron") {
        let text = fs::read_to_string(format!("graphs/{name}.ron")).expect("a graph");
        let checked = load(&text, &name, &|_| None).check(SchemaMode::Offline);
        let mut plan = checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        assert_eq!(plan.name, name, "a graph is called like its file");
        // Nothing is printed or written.
        for node in plan.dag.node_weights_mut() {
            if let Role::Sink(spec, _) = &mut node.role {
                *spec = std::sync::Arc::new(Discard {});
            }
        }
        let summary = Engine::open(&plan, EngineOptions::default()).expect("opens").run(&mut |_| ()).expect("runs");
        let sample = summary.sources.iter().find(|source| source.node == "activity").expect("a graph over the sample");
        assert_eq!(sample.rows, 4_000, "{name}");
        assert!(summary.sinks.iter().any(|sink| sink.rows > 0), "{name} gives nothing");
    }
}
