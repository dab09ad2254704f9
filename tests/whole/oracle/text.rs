//! A setup and its plain answer as a test file, so that a failure can be kept as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use watershed::core::time::Timestamp;

use super::model::{Column, Epoch, Gap, Group, KeyPart, Micros, Mode, Node, Output, Row, Setup};

const AGGREGATES: &str = r#"["count(*) AS n", "count(v) AS filled", "sum(v) AS total", "min(v) AS least", "max(x) AS most",
                "avg(x) AS mean", "sum(x) AS sum_x", "count(v) FILTER (WHERE v > 0) AS positive", "count(DISTINCT v) AS kinds"]"#;

/// The whole file.
pub(super) fn file(setup: &Setup, epochs: &[Epoch]) -> String {
    let feed = if setup.queued { "Queued" } else { "Stepwise" };
    let mut script = String::new();
    for epoch in epochs {
        let mut fields = Vec::new();
        if let Some(input) = epoch.input {
            fields.push(format!("input: {{\"in\": [{}]}}", joined(&setup.inputs[input], row)));
        }
        if setup.delay.is_some() {
            fields.push(format!("watermark: {}", instant(epoch.watermark)));
        }
        let out = match &epoch.output {
            Output::Groups(groups) => joined(groups, group),
            Output::Rows(rows) => joined(rows, row),
        };
        fields.push(format!("output: {{\"out\": [{out}], \"late\": [{}]}}", joined(&epoch.late, row)));
        writeln!(script, "            ({}),", fields.join(",\n                ")).expect("a string can be written");
    }
    format!(
        "Tests(
    graph: {},
    cases: [(
        name: \"as computed anew\",
        feed: {feed},
        epochs: [
{script}        ],
    )],
)
",
        graph(setup)
    )
}

fn graph(setup: &Setup) -> String {
    let (marked, flow) = match setup.delay {
        Some(delay) => (
            format!("\"marked\": Watermark(column: \"t\", delay: \"{delay} seconds\"),\n            "),
            "in -> marked -> node -> out",
        ),
        None => (String::new(), "in -> node -> out"),
    };
    let node = match &setup.node {
        Node::Window { windows, keys, mode } => {
            let (window, keys) = (windows.text(), names(keys));
            format!(
                "Window(window: {window}, time: \"t\", keys: [{keys}], aggregates: {AGGREGATES}, output_mode: {mode:?})"
            )
        }
        Node::Sessions { gap, keys, mode } => {
            let gap = match gap {
                Gap::Fixed(seconds) => format!("gap: \"{seconds} seconds\""),
                Gap::V => "gap_by: \"to_timestamp_seconds(v) - to_timestamp_seconds(0)\"".to_owned(),
            };
            let keys = names(keys);
            format!(
                "Window(window: Session({gap}), time: \"t\", keys: [{keys}], aggregates: {AGGREGATES}, output_mode: {mode:?})"
            )
        }
        Node::Aggregate { keys, mode } => {
            format!("Aggregate(keys: [{}], aggregates: {AGGREGATES}, output_mode: {mode:?})", names(keys))
        }
        Node::Dedup { keys, within } => format!("Dedup(keys: [{}], within_watermark: {within})", names(keys)),
    };
    format!(
        "Graph(
        name: \"random\",
        sources: {{\"in\": Memory(schema: \"k STRING, t TIMESTAMP, v BIGINT, x DOUBLE\")}},
        operators: {{
            {marked}\"node\": {node},
        }},
        sinks: {{\"out\": Memory(), \"late\": Memory()}},
        flow: [\"{flow}\", \"node.late -> late\"],
    )"
    )
}

fn names(columns: &[Column]) -> String {
    joined(columns, |column| format!("\"{}\"", format!("{column:?}").to_lowercase()))
}

fn joined<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn row(row: &Row) -> String {
    format!("{{\"k\": {}, \"t\": {}, \"v\": {}, \"x\": {}}}", key(row.k), instant(row.t), shown(row.v), quarters(row.x))
}

fn group(group: &Group) -> String {
    let mut text = String::from("{");
    if let Some((start, end)) = group.window {
        write!(text, "\"window_start\": {}, \"window_end\": {}, ", instant(Some(start)), instant(Some(end)))
            .expect("a string");
    }
    for part in &group.key {
        match part {
            KeyPart::K(k) => write!(text, "\"k\": {}, ", key(*k)),
            KeyPart::T(t) => write!(text, "\"t\": {}, ", instant(*t)),
            KeyPart::V(v) => write!(text, "\"v\": {}, ", shown(*v)),
            KeyPart::X(x) => write!(text, "\"x\": {}, ", quarters(*x)),
        }
        .expect("a string");
    }
    let v: Vec<i64> = group.rows.iter().filter_map(|row| row.v).collect();
    let x: Vec<f64> = group.rows.iter().filter_map(|row| row.x).map(|x| f64::from(x) / 4.0).collect();
    let total = (!v.is_empty()).then(|| v.iter().sum::<i64>());
    let sum_x = (!x.is_empty()).then(|| x.iter().sum::<f64>());
    let mean = sum_x.map(|sum| sum / x.len() as f64);
    let most = x.iter().copied().reduce(f64::max);
    write!(
        text,
        "\"n\": {}, \"filled\": {}, \"total\": {}, \"least\": {}, \"most\": {}, \"mean\": {}, \"sum_x\": {}, \"positive\": {}, \"kinds\": {}}}",
        group.rows.len(),
        v.len(),
        shown(total),
        shown(v.iter().min()),
        shown(most),
        shown(mean),
        shown(sum_x),
        v.iter().filter(|v| **v > 0).count(),
        v.iter().collect::<BTreeSet<_>>().len(),
    )
    .expect("a string");
    text
}

fn quarters(x: Option<i32>) -> String {
    shown(x.map(|x| format!("{:?}", f64::from(x) / 4.0)))
}

fn key(k: Option<u8>) -> String {
    shown(k.map(|k| format!("\"k{k}\"")))
}

fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "None".to_owned(), |value| value.to_string())
}

fn instant(micros: Option<Micros>) -> String {
    shown(micros.map(|micros| format!("\"{}\"", Timestamp::from_micros(micros))))
}

/// Whether a mode can be had without a watermark.
pub(super) fn needs_watermark(node: &Node) -> bool {
    match node {
        Node::Window { mode, .. } | Node::Sessions { mode, .. } | Node::Aggregate { mode, .. } => *mode == Mode::Append,
        Node::Dedup { within, .. } => *within,
    }
}
