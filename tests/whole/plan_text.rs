//! The text that a checkpoint keeps of a graph of real nodes: it says by itself what the graph is.

use std::fs;

use watershed::core::plan::{Plan, Role};
use watershed::graphs::{SchemaMode, load};

fn columns(plan: &Plan) -> Vec<String> {
    let nodes = plan.dag.node_weights().filter_map(|node| match &node.role {
        Role::Source(_, stream) | Role::Sink(_, stream) => Some(format!("{} {stream:?}", node.name)),
        Role::Operator { .. } => None,
    });
    nodes.collect()
}

#[test]
fn a_graph_over_columns_that_were_found_can_be_checked_when_the_files_are_gone() {
    for (bad_records, declared) in [("Fail", "n BIGINT, at TIMESTAMP"), ("Keep(\"bad\")", "n BIGINT, at TIMESTAMP")] {
        let folder = tempfile::tempdir().expect("a directory");
        let input = folder.path().join("in");
        fs::create_dir(&input).expect("a directory");
        fs::write(input.join("a.json"), "{\"n\": 1, \"at\": \"2015-02-24T10:00:00Z\"}\n").expect("a file");
        let text = format!(
            r#"Graph(
                name: "found",
                sources: {{ "in": Files(path: {input:?}, format: Json, on_bad_record: {bad_records}) }},
                operators: {{ "marked": Watermark(column: "at", delay: "600 seconds") }},
                sinks: {{ "out": Memory() }},
                flow: ["in -> marked -> out"],
            )"#
        );
        let checked = load(&text, "found.ron", &|_| None).check(SchemaMode::Infer);
        let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics));
        assert!(plan.text.contains(&format!("schema: \"{declared}\"")), "{}", plan.text);
        drop(folder);
        let again = load(&plan.text, "kept.ron", &|_| None).check(SchemaMode::Offline);
        let again = again.plan.unwrap_or_else(|| panic!("{}", again.diagnostics));
        assert_eq!(columns(&again), columns(&plan));
        assert_eq!(again.text, plan.text);
    }
}
