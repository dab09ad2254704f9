//! Graphs that a program builds: the same checks, told without a file.

use std::sync::Arc;

use watershed_core::plan::{RunOptions, Trigger};
use watershed_core::schema::Ddl;
use watershed_core::stream::OutputMode;
use watershed_core::time::TimeSpan;
use watershed_graphs::{Graph, GraphBuilder, SchemaMode, load};

use crate::invalid::variables;
use crate::nodes::sources::{Files, Format};
use crate::nodes::{Console, Parts, Select, Shape, Watermark, Window};

fn builder() -> GraphBuilder {
    let files = Files {
        path: "data".to_owned(),
        format: Format::Json,
        schema: Some(Ddl("user STRING, ts TIMESTAMP".to_owned())),
        max_files_per_epoch: None,
        renamed: std::collections::BTreeMap::new(),
    };
    let window = Window {
        window: Shape::Tumbling { size: TimeSpan::from_seconds(60), offset: TimeSpan::ZERO },
        keys: vec!["user".to_owned()],
        output_mode: OutputMode::Append,
        time: None,
    };
    Graph::builder("built")
        .source("in", files)
        .operator("marked", Watermark { column: "ts".to_owned(), delay: TimeSpan::from_seconds(10) })
        .operator("counts", window)
        .sink("out", Parts { path: "out".to_owned() })
}

#[test]
fn a_built_graph_is_the_graph_that_its_text_loads_to() {
    let graph = builder()
        .flow("in -> marked -> counts -> out")
        .run(RunOptions { trigger: Trigger::Once, ..RunOptions::default() })
        .build();
    let checked = graph.check(SchemaMode::Offline);
    assert!(checked.plan.is_some(), "{}", checked.diagnostics);
    let text = r#"Graph(
        name: "built",
        sources: {"in": Files(path: "data", format: Json, schema: "user STRING, ts TIMESTAMP")},
        operators: {
            "marked": Watermark(column: "ts", delay: "10s"),
            "counts": Window(window: Tumbling(size: "1 minute"), keys: ["user"]),
        },
        sinks: {"out": Parts(path: "out")},
        flow: ["in -> marked -> counts -> out"],
        run: (trigger: Once),
    )"#;
    let loaded = load(text, "test.ron", &variables).graph.expect("a graph");
    assert_eq!(loaded, graph);
    assert_ne!(loaded, builder().build());
}

#[test]
fn faults_of_a_built_graph_name_node_and_field() {
    let graph = builder()
        .operator("picked", Select(vec!["user".to_owned(), "usr".to_owned()]))
        .sink("in", Console {})
        .flow("in -> picked -> coutns -> out")
        .flow("in -> marked -> counts")
        .build();
    insta::assert_snapshot!("built_graph", graph.check(SchemaMode::Offline).diagnostics.render(false));
}

#[test]
fn a_graph_that_was_changed_after_loading_is_placed_as_far_as_it_goes() {
    let text = r#"Graph(name: "x", sources: {"in": Files(path: "data", format: Json, schema: "k INT")}, sinks: {"out": Console()}, flow: ["in -> out"])"#;
    let mut graph = load(text, "test.ron", &variables).graph.expect("a graph");
    graph.flow = vec!["in -> ot".to_owned()];
    let more = Arc::clone(&graph.sinks[0].1);
    graph.sinks.push(("more".to_owned(), more));
    insta::assert_snapshot!("changed_graph", graph.check(SchemaMode::Offline).diagnostics.render(false));
}
