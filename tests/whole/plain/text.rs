//! A graph and its answer as a test file, so that a failure can be kept as it is.

use std::fmt::Write as _;

use watershed::core::time::Timestamp;

use super::graph::{Column, Does, Epoch, Fed, Graph, Holds, Node, Row};

/// The whole file.
pub(super) fn file(fed: &Fed, epochs: &[Epoch]) -> String {
    let Fed { graph, queued, inputs } = fed;
    let columns_of = |sink: &str| -> &[Column] {
        let of = |node: &&Node| sink.strip_prefix(node.name).is_some_and(|port| port.starts_with('_'));
        let node =
            graph.nodes.iter().filter(of).max_by_key(|node| node.name.len()).expect("a sink has its node's name");
        let above = |input: usize| &graph.nodes[node.inputs[input]].columns;
        match &sink[node.name.len()..] {
            "_out" => &node.columns,
            "_late_right" => above(1),
            _ => above(0),
        }
    };
    let mut script = String::new();
    for epoch in epochs {
        let mut fields = Vec::new();
        if let Some(input) = epoch.input {
            let source = |(name, rows): (&&str, &Vec<Row>)| {
                let node = graph.nodes.iter().find(|node| node.name == *name).expect("a source");
                format!("\"{name}\": {}", table(&node.columns, rows))
            };
            fields.push(format!("input: {{{}}}", inputs[input].iter().map(source).collect::<Vec<_>>().join(", ")));
        }
        if graph.has_watermark() {
            fields.push(format!("watermark: {}", value(Holds::Instants, epoch.watermark)));
        }
        let sink = |(name, rows): (&String, &Vec<Row>)| format!("\"{name}\": {}", table(columns_of(name), rows));
        fields.push(format!("output: {{{}}}", epoch.sinks.iter().map(sink).collect::<Vec<_>>().join(", ")));
        writeln!(script, "            ({}),", fields.join(",\n                ")).expect("a string can be written");
    }
    format!(
        "Tests(
    graph: {},
    cases: [(
        name: \"as computed anew\",
        feed: {},
        epochs: [
{script}        ],
    )],
)
",
        graph_text(graph),
        if *queued { "Queued" } else { "Stepwise" },
    )
}

fn graph_text(graph: &Graph) -> String {
    let (mut sources, mut operators, mut sinks, mut flow) = (String::new(), String::new(), Vec::new(), Vec::new());
    for (number, node) in graph.nodes.iter().enumerate() {
        let name = node.name;
        match operator(node) {
            None => write!(sources, "\"{name}\": Memory(schema: \"k BIGINT, t TIMESTAMP, v BIGINT\"), "),
            Some(operator) => write!(operators, "\n            \"{name}\": {operator},"),
        }
        .expect("a string can be written");
        for (&input, port) in node.inputs.iter().zip([".left", ".right"]) {
            let port = if matches!(node.does, Does::Join(_)) { port } else { "" };
            flow.push(format!("\"{} -> {name}{port}\"", graph.nodes[input].name));
        }
        for port in node.late_ports() {
            sinks.push(format!("\"{name}_{port}\": Memory()"));
            flow.push(format!("\"{name}.{port} -> {name}_{port}\""));
        }
        if graph.shown.contains(&number) {
            sinks.push(format!("\"{name}_out\": Memory()"));
            flow.push(format!("\"{name} -> {name}_out\""));
        }
    }
    format!(
        "Graph(
        name: \"random\",
        sources: {{{sources}}},
        operators: {{{operators}
        }},
        sinks: {{{}}},
        flow: [{}],
    )",
        sinks.join(", "),
        flow.join(", "),
    )
}

/// A node as the graph file has it; `None` for a source.
fn operator(node: &Node) -> Option<String> {
    let quoted = |names: &[String]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let names = |names: &[&str]| quoted(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let window = |window: &str, keys: &[&str], sum: &str| {
        let aggregates = format!("\"count(*) AS n\", \"sum({sum}) AS total\"");
        format!("Window(window: {window}, keys: [{}], aggregates: [{aggregates}], output_mode: Append)", names(keys))
    };
    Some(match &node.does {
        Does::Source => return None,
        Does::Watermark { delay } => format!("Watermark(column: \"t\", delay: \"{delay} seconds\")"),
        Does::Select(columns) => {
            let columns = columns.iter().map(|(name, alias)| format!("{name} AS {alias}"));
            format!("Select([{}])", quoted(&columns.collect::<Vec<_>>()))
        }
        Does::Union => "Union()".to_owned(),
        Does::AssignWindow(windows) => format!("AssignWindow(window: {}, time: \"t\")", windows.text()),
        Does::Window { windows, keys, sum } => window(&windows.text(), keys, sum),
        Does::Sessions { gap, keys, sum } => window(&format!("Session(gap: \"{gap} seconds\")"), keys, sum),
        Does::Dedup(keys) => format!("Dedup(keys: [{}])", names(keys)),
        Does::Join(join) => {
            let select = join
                .select
                .iter()
                .map(|(side, name, alias)| format!("{}.{name} AS {alias}", format!("{side:?}").to_lowercase()));
            let select = quoted(&select.collect::<Vec<_>>());
            format!("Join(kind: {:?}, on: \"{}\", select: [{select}])", join.kind, join.text())
        }
        Does::Held { by } => format!("HeldRows(seconds: {by})"),
    })
}

fn table(columns: &[Column], rows: &[Row]) -> String {
    let row = |row: &Row| {
        let cell =
            |(column, cell): (&Column, &Option<i64>)| format!("\"{}\": {}", column.name, value(column.holds, *cell));
        format!("{{{}}}", columns.iter().zip(row).map(cell).collect::<Vec<_>>().join(", "))
    };
    format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", "))
}

fn value(holds: Holds, value: Option<i64>) -> String {
    match (holds, value) {
        (_, None) => "None".to_owned(),
        (Holds::Numbers, Some(number)) => number.to_string(),
        (Holds::Instants, Some(micros)) => format!("\"{}\"", Timestamp::from_micros(micros)),
    }
}
