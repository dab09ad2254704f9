//! What a valid graph becomes.

use watershed_core::node::entries;
use watershed_core::plan::{Plan, Role, Trigger};
use watershed_core::stream::{Mode, Stream};
use watershed_graphs::describe::describe;
use watershed_graphs::{SchemaMode, load, load_fragment};

use crate::invalid::variables;

pub(crate) const ACTIVITY: &str = r#"
// Events per user in sliding windows, tolerating thirty minutes of lateness.
Graph(
    name: "activity-windows",
    sources: {
        "activity": Files(
            path: "data/${USER:-nobody}/*.json", /* not ${HERE} */
            format: Json,
            schema: "User STRING, ts TIMESTAMP, x DOUBLE",
            max_files_per_epoch: 10,
        ),
    },
    operators: {
        "timed": Select(["*", "ts AS event_time"]),
        "marked": Watermark(column: "event_time", delay: "30 minutes"),
        "counts": Window(
            window: Sliding(size: "10 minutes", slide: "5 minutes"),
            keys: ["User"],
            output_mode: Update,
        ),
    },
    sinks: {
        "console": Console(),
        "too_late": Parts(path: "out/late"),
    },
    flow: [
        "activity -> timed -> marked -> counts -> console",
        "counts.late -> too_late",
    ],
    run: (trigger: AvailableNow, checkpoint: "checkpoints/activity-windows"),
)
"#;

fn plan(text: &str) -> Plan {
    let checked = load(text, "test.ron", &variables).check(SchemaMode::Offline);
    checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics))
}

fn edges(plan: &Plan) -> Vec<String> {
    let name = |index: petgraph::graph::NodeIndex| &plan.dag[index].name;
    plan.dag
        .edge_indices()
        .map(|edge| {
            let (from, to) = plan.dag.edge_endpoints(edge).expect("an edge of this graph");
            format!("{}:{} {}:{}", name(from), plan.dag[edge].from.0, name(to), plan.dag[edge].to.0)
        })
        .collect()
}

#[test]
fn a_graph_becomes_a_typed_plan() {
    let plan = plan(ACTIVITY);
    assert_eq!(plan.name, "activity-windows");
    assert_eq!(plan.run.trigger, Trigger::AvailableNow);
    assert_eq!(plan.run.checkpoint.as_deref(), Some("checkpoints/activity-windows"));
    assert_eq!(
        edges(&plan),
        ["activity:0 timed:0", "timed:0 marked:0", "marked:0 counts:0", "counts:0 console:0", "counts:1 too_late:0"]
    );
    let Role::Sink(_, input) = &plan.dag.node_weights().find(|node| &*node.name == "console").expect("the sink").role
    else {
        panic!("a sink")
    };
    assert_eq!(input.mode, Mode::Update(vec!["window_end".to_owned(), "User".to_owned()]));
    assert_eq!(input.watermarks.iter().collect::<Vec<_>>(), ["marked"]);
}

#[test]
fn variables_are_replaced_in_strings_only() {
    let loaded = load(ACTIVITY, "test.ron", &variables);
    let graph = loaded.graph.expect("a graph");
    assert!(format!("{:?}", graph.sources[0].1).contains("data/anna/*.json"));
}

#[test]
fn ports_merge_and_split_streams() {
    let text = r#"Graph(
        name: "ports",
        sources: {
            "a": Files(path: "a", format: Csv(delimiter: ';', header: true), schema: "k INT"),
            "b": Files(path: "b", format: Json, schema: "k INT"),
        },
        operators: {"all": Union(), "both": Join(on: "left.k = right.k"), "one": Limit(1), "decoded": Decode(codec: Delimited(delimiter: ','), others: [Plain, Delimited(delimiter: 'x', quote: Some('\''))], limits: (1, 2.5))},
        sinks: {"out": Console, "late": Console(), "rest": Console()},
        flow: ["b -> all -> both.left -> out", "a->all", "a -> decoded -> both.right", "both.late -> late", "  a   ->   one -> rest"],
    )"#;
    let plan = plan(text);
    let expected = [
        "b:0 all:0",
        "all:0 both:0",
        "both:0 out:0",
        "a:0 all:0",
        "a:0 decoded:0",
        "decoded:0 both:1",
        "both:1 late:0",
        "a:0 one:0",
        "one:0 rest:0",
    ];
    assert_eq!(edges(&plan), expected);
}

#[test]
fn a_graph_without_operators_copies() {
    let text = r#"Graph(name: "copy", sources: {"in": Files(path: "a", format: Json, schema: "k INT")}, sinks: {"out": Parts(path: "b")}, flow: ["in -> out"])"#;
    assert_eq!(edges(&plan(text)), ["in:0 out:0"]);
}

#[test]
fn undeclared_columns_are_found_when_that_is_asked_for() {
    let text = r#"Graph(name: "copy", sources: {"in": Files(path: "a", format: Json)}, operators: {"s": Select(["found"])}, sinks: {"out": Console()}, flow: ["in -> s -> out"])"#;
    let loaded = load(text, "test.ron", &variables);
    let offline = loaded.check(SchemaMode::Offline);
    assert!(offline.plan.is_none());
    assert_eq!((offline.diagnostics.errors(), offline.diagnostics.warnings()), (0, 1));
    let inferred = loaded.check(SchemaMode::Infer);
    assert!(inferred.plan.is_some(), "{}", inferred.diagnostics);
    let missing = load(&text.replace("\"a\"", "\"missing\""), "test.ron", &variables).check(SchemaMode::Infer);
    assert!(missing.diagnostics.to_string().contains("read `missing`: no such directory"), "{}", missing.diagnostics);
}

#[test]
fn a_fragment_is_placed_in_the_file_it_stands_in() {
    let graph = r#"Graph(name: "g", sources: {"in": Files(path: "a", format: Jsn, schema: "k INT")}, sinks: {"out": Console()}, flow: ["in -> out"])"#;
    let text = format!("Tests(\n    graph: {graph},\n    cases: [(],\n)");
    let start = text.find("Graph(").expect("the graph");
    let loaded = load_fragment(&text, start..start + graph.len(), "x.test.ron", &variables);
    let first = loaded.diagnostics.iter().next().expect("an error");
    assert_eq!(first.place.as_ref().map(|place| (place.start.line, &text[place.bytes()])), Some((2, "Jsn")));
}

/// in → marked → keyed → out, with these lines more.
fn keyed(node: &str, more: &str) -> String {
    format!(
        r#"Graph(
        name: "keyed",
        sources: {{
            "in": Files(path: "a", format: Json, schema: "k STRING, t TIMESTAMP"),
            "first": Files(path: "b", format: Json, schema: "k STRING"),
        }},
        operators: {{"marked": Watermark(column: "t", delay: "1 minute"), "keyed": {node}}},
        sinks: {{"out": Console(), "rest": Console()}},
        flow: ["in -> marked -> keyed -> out", {more}],
    )"#
    )
}

fn told(text: &str) -> String {
    load(text, "test.ron", &variables).check(SchemaMode::Offline).diagnostics.to_string()
}

#[test]
fn an_optional_port_may_be_fed_or_not() {
    let columns = |plan: &Plan| outgoing(plan, "keyed").schema.fields().len();
    let unfed = plan(&keyed("Keyed()", r#""first -> rest""#));
    assert_eq!(columns(&unfed), 2);
    let fed = plan(&keyed("Keyed()", r#""first -> rest", "first -> keyed.initial""#));
    assert_eq!(columns(&fed), 3, "the operator sees that it is fed");
    assert!(edges(&fed).contains(&"first:0 keyed:1".to_owned()));
    for (more, fault) in [
        (r#""first -> rest", "first -> keyed.initial", "in -> keyed.initial""#, "`keyed.initial` is fed twice"),
        (r#""first -> rest", "first -> keyed.begin""#, "operator `keyed` has no port `begin`"),
    ] {
        let told = told(&keyed("Keyed()", more));
        assert!(told.contains(fault), "{told}");
    }
    let not_fed =
        keyed("Keyed()", r#""first -> keyed.initial", "marked -> rest""#).replace("-> keyed -> out", "-> out");
    let told = told(&not_fed);
    assert!(told.contains("operator `keyed`: `in` is not fed"), "the other port is needed: {told}");
}

#[test]
fn ports_may_be_made_by_the_fields_of_a_node() {
    let node = r#"Keyed(sides: ["alerts", "others"])"#;
    let plan = plan(
        &keyed(node, r#""first -> rest", "keyed.others -> aside""#)
            .replace(r#""rest": C"#, r#""aside": Console(), "rest": C"#),
    );
    assert!(edges(&plan).contains(&"keyed:2 aside:0".to_owned()));
    let told = told(&keyed(node, r#""first -> rest", "keyed.other -> rest""#));
    assert!(told.contains("has no port `other`") && told.contains("`others`"), "{told}");
}

fn outgoing<'a>(plan: &'a Plan, node: &str) -> &'a Stream {
    let found = plan.dag.node_weights().find(|planned| *planned.name == *node).expect("a node of this graph");
    let Role::Operator { signature, .. } = &found.role else { panic!("an operator") };
    &signature.outputs[0]
}

#[test]
fn event_time_ends_at_a_node_that_lets_no_watermark_out() {
    let more = r#""first -> rest""#;
    let none = plan(&keyed("Keyed()", more));
    assert_eq!((outgoing(&none, "marked").watermarks.len(), outgoing(&none, "marked").event_times.len()), (1, 1));
    assert_eq!((outgoing(&none, "keyed").watermarks.len(), outgoing(&none, "keyed").event_times.len()), (0, 0));
    let held_back = plan(&keyed(r#"Keyed(held_back: Some("1 minute"))"#, more));
    assert_eq!(outgoing(&held_back, "keyed").watermarks.iter().collect::<Vec<_>>(), ["marked"]);
}

#[test]
fn a_node_type_that_panics_when_it_is_asked_is_faulty() {
    let told = told(&keyed("Keyed(faulty: true)", r#""first -> rest""#));
    assert!(told.contains("operator `keyed`: its type is faulty: panicked"), "{told}");
    assert!(told.contains("nobody thought of this") && told.contains("tell its author"), "{told}");
}

#[test]
fn a_description_tells_which_ports_may_stay_unfed() {
    let entry = entries().into_iter().find(|entry| entry.name == "Keyed").expect("it is registered");
    let description = describe(entry);
    assert_eq!((description.inputs.len(), &*description.optional_inputs), (2, &["initial".into()][..]));
    assert!(description.render(false, 80).contains("inputs:  in, initial (may stay unfed)"));
}
