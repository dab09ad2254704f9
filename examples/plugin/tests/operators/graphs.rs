//! Graphs with these operators: their test files, and the sample.

use std::fs;
use std::path::{Path, PathBuf};

use watershed::arrow::array::RecordBatch;
use watershed::core::engine::{Engine, EngineOptions};
use watershed::graphs::{SchemaMode, load};
use watershed::sinks::MemoryTable;
use watershed::testing::{Options, run_paths};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs")
}

fn graphs() -> Vec<PathBuf> {
    let mut graphs: Vec<PathBuf> =
        fs::read_dir(folder()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    graphs.retain(|path| path.extension().is_some_and(|extension| extension == "ron"));
    graphs.retain(|path| !path.to_string_lossy().ends_with(".test.ron"));
    graphs.sort();
    graphs
}

#[test]
fn every_graph_gives_what_its_test_files_say() {
    let report = run_paths(&[folder()], &Options::default()).expect("there are test files");
    assert!(report.passed(), "{}", report.render(false));
}

#[test]
fn every_graph_has_tests() {
    for graph in graphs() {
        assert!(graph.with_extension("test.ron").exists(), "{} has no tests", graph.display());
    }
}

#[test]
fn every_graph_runs_over_the_sample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for graph in graphs() {
        let text = fs::read_to_string(&graph).expect("a graph is text");
        // Paths in the graphs are those from the project's root.
        let text = text.replace("path: \"", &format!("path: \"{}/", root.display()));
        let text = text.replace("Console()", "Memory()");
        let checked = load(&text, &graph.display().to_string(), &|_| None).check(SchemaMode::Infer);
        assert!(!checked.diagnostics.has_errors(), "{}", checked.diagnostics.render(false));
        let plan = checked.plan.expect("a graph without errors has a plan");
        let options = EngineOptions::default();
        let handles = options.handles.clone();
        let sink = plan.dag.node_weights().find(|node| text.contains(&format!("\"{}\": Memory()", node.name)));
        let sink = sink.expect("every graph shows its rows").name.to_string();
        let mut engine = Engine::open(&plan, options).expect("the graph can be opened");
        let table = handles.get::<MemoryTable>(&sink).expect("the sink is open");
        engine.run(&mut |_| ()).expect("the graph runs to its end");
        let rows: usize = table.snapshot().expect("a snapshot").batches.iter().map(RecordBatch::num_rows).sum();
        assert!(rows > 0, "{} puts nothing out", graph.display());
    }
}
