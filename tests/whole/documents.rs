//! What the documents show is true: graphs load, tests pass, links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use watershed::graphs::{SchemaMode, load};
use watershed::testing::{Options, run_file};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    let folder = fs::read_dir(root().join("docs")).expect("there are documents");
    paths.extend(folder.map(|entry| entry.expect("the folder can be listed").path()));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).expect("a document is text"));
    paths.into_iter().map(read).collect()
}

/// Its graphs use the operators of `examples/plugin`, whose tests check them; its code is run as documentation of the crate.
const OF_OPERATORS: &str = "operators-of-your-own.md";

/// The fenced blocks of RON, with the document they stand in.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for (name, text) in documents().into_iter().filter(|(name, _)| !name.ends_with(OF_OPERATORS)) {
        for rest in text.split("```ron\n").skip(1) {
            let block = rest.split("\n```").next().expect("a split has a first part");
            blocks.push((name.clone(), format!("{block}\n")));
        }
    }
    blocks
}

/// Sinks on their own, as a graph that feeds each.
fn graph_of_sinks(block: &str) -> String {
    let names = block.lines().filter_map(|line| line.strip_prefix('"')?.split_once("\": ").map(|(name, _)| name));
    let flow: Vec<String> = names.map(|name| format!("\"in -> {name}\"")).collect();
    format!(
        "Graph(name: \"sinks\", sources: {{\"in\": Memory(schema: \"v BIGINT\")}}, sinks: {{{block}}}, flow: [{}])",
        flow.join(", ")
    )
}

#[test]
fn every_graph_in_the_documents_is_right_and_every_test_passes() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let blocks = blocks();
    assert!(blocks.len() >= 4, "the documents show graphs");
    for (number, (name, block)) in blocks.into_iter().enumerate() {
        if block.starts_with("Tests(") {
            let path = folder.path().join(format!("{number}.test.ron"));
            fs::write(&path, &block).expect("the scratch folder can be written");
            let report = run_file(&path, &Options::default());
            assert!(report.passed(), "{name}:\n{}", report.render(false));
            continue;
        }
        let graph = if block.starts_with("Graph(") { block } else { graph_of_sinks(&block) };
        let diagnostics = load(&graph, &name, &|_| None).check(SchemaMode::Offline).diagnostics;
        assert!(!diagnostics.has_errors(), "{name}:\n{}", diagnostics.render(false));
    }
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    for (name, text) in documents() {
        let folder = Path::new(&name).parent().expect("a document lies in a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            if path.contains(':') {
                continue;
            }
            let target = if path.is_empty() { PathBuf::from(&name) } else { folder.join(path) };
            assert!(target.exists(), "{name} links to {link}, which is not there");
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).expect("a document is text");
                let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
                let mut anchors =
                    headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
                assert!(anchors.any(|anchor| anchor == heading), "{name} links to {link}, which has no such heading");
            }
        }
    }
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    let text = fs::read_to_string(root().join("docs/guarantees.md")).expect("a document is text");
    let code = text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    let folders = ["core/", "sources/", "sinks/", "src/", "tests/"];
    let named: Vec<&str> = code.filter(|word| folders.iter().any(|folder| word.starts_with(folder))).collect();
    assert!(named.len() > 10, "a table of tests");
    let gone: Vec<&str> = named.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert_eq!(gone, Vec::<&str>::new());
}
