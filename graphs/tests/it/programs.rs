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

/// What of a plan must be the same when its text is checked again.
fn seen(plan: &watershed_core::plan::Plan) -> String {
    use watershed_core::plan::Role;
    let nodes = plan.dag.node_weights().map(|node| match &node.role {
        Role::Source(_, stream) => format!("{}: {stream:?}", node.name),
        Role::Operator { spec, inputs, signature } => format!("{}: {spec:?} {inputs:?} {signature:?}", node.name),
        Role::Sink(spec, stream) => format!("{}: {spec:?} {stream:?}", node.name),
    });
    let nodes: Vec<String> = nodes.collect();
    let edges: Vec<String> = plan.dag.raw_edges().iter().map(|edge| format!("{edge:?}")).collect();
    format!("{}\n{}\n{}\n{:?}", plan.name, nodes.join("\n"), edges.join("\n"), plan.run)
}

#[test]
fn the_text_of_a_plan_is_the_graph_and_gives_the_same_plan_again() {
    let run = RunOptions { checkpoint: Some("state".to_owned()), retain: Some(3), ..RunOptions::default() };
    let graph = builder().flow("in -> marked -> counts -> out").run(run).build();
    let plan = graph.check(SchemaMode::Offline).plan.expect("a good graph");
    assert_eq!(plan.text, graph.to_ron());
    let again = load(&plan.text, "plan.ron", &variables).check(SchemaMode::Offline).plan.expect("a good graph");
    assert_eq!(seen(&again), seen(&plan));
    assert_eq!(again.text, plan.text);
}

#[test]
fn columns_that_were_found_are_declared_in_the_text_of_a_plan() {
    let text = r#"Graph(
        name: "${NAME:-found}",
        sources: {"in": Files(path: "data", format: Csv(delimiter: ';'))},
        operators: {"picked": Select(["found AS seen"])},
        sinks: {"out": Console()},
        flow: ["in -> picked -> out"],
    )"#;
    let plan = load(text, "test.ron", &variables).check(SchemaMode::Infer).plan.expect("a good graph");
    assert!(plan.text.contains(r#"schema: "found BIGINT""#), "{}", plan.text);
    let again = load(&plan.text, "plan.ron", &|_| None).check(SchemaMode::Offline).plan.expect("a good graph");
    assert_eq!(seen(&again), seen(&plan));
}

#[test]
fn a_source_that_cannot_be_read_again_is_refused_with_a_checkpoint_only() {
    let graph = |checkpoint: Option<&str>| {
        Graph::builder("piped")
            .source("in", crate::nodes::Stdin { schema: Ddl("k INT".to_owned()) })
            .sink("out", Console {})
            .flow("in -> out")
            .run(RunOptions { checkpoint: checkpoint.map(str::to_owned), ..RunOptions::default() })
            .build()
    };
    assert!(graph(None).check(SchemaMode::Offline).plan.is_some());
    let refused = graph(Some("state")).check(SchemaMode::Offline);
    assert!(refused.plan.is_none());
    let told = refused.diagnostics.render(false);
    assert!(
        told.contains("not_replayable") && told.contains("`in`") && told.contains("read them with `Files`"),
        "{told}"
    );
}
