//! Small graphs that together have every node, output mode and port, and their inputs.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use watershed::core::plan::{Plan, Role};
use watershed::graphs::{SchemaMode, load};

/// A graph, and how much its sources bring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    /// `COLUMNS` stands for the columns of every source.
    text: &'static str,
    /// How many inputs each source has, by the order of the sources' names.
    inputs: [usize; 2],
    rows: usize,
}

const COLUMNS: &str = "k STRING, t TIMESTAMP, v BIGINT, x DOUBLE, tags ARRAY<STRING>";

/// Two sources; windows that tumble and overlap, in every mode; late rows; an order and its head.
pub(crate) const WINDOWS: Sample = Sample {
    name: "windows",
    text: r#"Graph(
        name: "windows",
        sources: {"a": Memory(schema: "COLUMNS"), "b": Memory(schema: "COLUMNS")},
        operators: {
            "all": Union(),
            "marked": Watermark(column: "t", delay: "10 seconds"),
            "tumbling": Window(window: Tumbling(size: "20 seconds"), keys: ["k"],
                aggregates: ["count(*) AS n", "sum(x) AS total", "array_agg(v) AS all_v"], output_mode: Append),
            "sliding": Window(window: Sliding(size: "30 seconds", slide: "15 seconds"), keys: ["k"],
                aggregates: ["avg(x) AS mean", "count(DISTINCT v) AS kinds"], output_mode: Update),
            "totals": Window(window: Tumbling(size: "1 minute"), aggregates: ["max(v) AS most", "stddev(x) AS spread"],
                output_mode: Complete),
            "sorted": Sort(["most DESC", "window_start"]),
            "top": Limit(2),
        },
        sinks: {"tumbling_out": Memory(), "late_out": Memory(), "sliding_out": Memory(), "top_out": Memory()},
        flow: [
            "a -> all -> marked -> tumbling -> tumbling_out", "b -> all",
            "tumbling.late -> late_out",
            "marked -> sliding -> sliding_out",
            "marked -> totals -> sorted -> top -> top_out",
        ],
        run: (trigger: AvailableNow, at_end: Flush, partitions: 2, retain: 2),
    )"#,
    inputs: [4, 3],
    rows: 6,
};

/// Nodes that take rows one by one, first rows in both forms, rows with windows, and groups in every mode.
pub(crate) const ROWS: Sample = Sample {
    name: "rows",
    text: r#"Graph(
        name: "rows",
        sources: {"in": Memory(schema: "COLUMNS")},
        operators: {
            "stamped": Select(["*", "now() AS at", "coalesce(v, 0) % 3 AS third"]),
            "known": Filter("k IS NOT NULL"),
            "tagged": Unnest("tags"),
            "marked": Watermark(column: "t", delay: "5 seconds"),
            "unique": Dedup(keys: ["k", "tags"]),
            "seldom": Dedup(keys: ["k"], within_watermark: true),
            "leading": Limit(9),
            "windowed": AssignWindow(window: Sliding(size: "20 seconds", slide: "10 seconds")),
            "by_end": Aggregate(keys: ["window_end", "third"], aggregates: ["count(*) AS n"], output_mode: Append),
            "by_key": Aggregate(keys: ["k"], aggregates: ["count(*) AS n", "sum(x) AS total"], output_mode: Update),
            "overall": Aggregate(aggregates: ["count(*) AS n", "min(at) AS first_at"], output_mode: Complete),
            "changes": Aggregate(aggregates: ["sum(v) AS total"], output_mode: Update),
        },
        sinks: {"stamped_out": Memory(), "unique_out": Memory(), "seldom_out": Memory(), "seldom_late": Memory(),
            "leading_out": Memory(), "by_end_out": Memory(), "by_end_late": Memory(), "by_key_out": Memory(), "overall_out": Memory(),
            "changes_out": Memory()},
        flow: [
            "in -> stamped -> stamped_out",
            "stamped -> known -> tagged -> unique -> unique_out",
            "stamped -> marked -> seldom -> seldom_out", "seldom.late -> seldom_late",
            "tagged -> leading -> leading_out",
            "marked -> windowed -> by_end -> by_end_out", "by_end.late -> by_end_late",
            "stamped -> by_key -> by_key_out",
            "stamped -> overall -> overall_out",
            "stamped -> changes -> changes_out",
        ],
        run: (trigger: AvailableNow, partitions: 2, retain: 3),
    )"#,
    inputs: [4, 0],
    rows: 8,
};

/// Many epochs over few nodes: chains of deltas, snapshots that take their place, old files that go.
pub(crate) const LONG: Sample = Sample {
    name: "long",
    text: r#"Graph(
        name: "long",
        sources: {"in": Memory(schema: "COLUMNS")},
        operators: {
            "by_value": Aggregate(keys: ["v"], aggregates: ["count(*) AS n", "sum(x) AS total"], output_mode: Update),
            "marked": Watermark(column: "t", delay: "20 seconds"),
            "windows": Window(window: Tumbling(size: "30 seconds"), keys: ["k"], aggregates: ["sum(v) AS total"], output_mode: Append),
        },
        sinks: {"out": Memory(), "windows_out": Memory()},
        flow: ["in -> by_value -> out", "in -> marked -> windows -> windows_out"],
        run: (trigger: AvailableNow, partitions: 1, retain: 2),
    )"#,
    inputs: [14, 0],
    rows: 5,
};

/// Two streams joined in every way: by ranges of event time and by windows, in every kind, with rows that wait and rows that come too
/// late.
pub(crate) const JOINS: Sample = Sample {
    name: "joins",
    text: r#"Graph(
        name: "joins",
        sources: {"a": Memory(schema: "COLUMNS"), "b": Memory(schema: "COLUMNS")},
        operators: {
            "marked_a": Watermark(column: "t", delay: "5 seconds"),
            "marked_b": Watermark(column: "t", delay: "8 seconds"),
            "windows_a": AssignWindow(window: Tumbling(size: "20 seconds")),
            "windows_b": AssignWindow(window: Tumbling(size: "20 seconds")),
            "inner": Join(kind: Inner, on: "left.k = right.k AND left.t BETWEEN right.t - INTERVAL '20 seconds' AND right.t + INTERVAL '10 seconds'",
                select: ["left.k AS k", "left.t AS t", "left.v AS v", "right.t AS other_t", "right.tags AS tags"]),
            "left": Join(kind: LeftOuter, on: "left.k IS NOT DISTINCT FROM right.k AND left.window_end = right.window_end",
                select: ["left.k AS k", "left.window_end AS window_end", "left.v AS v", "right.v AS other"]),
            "right": Join(kind: RightOuter, on: "left.k = right.k AND right.t > left.t - INTERVAL '15 seconds' AND left.v > 3 AND right.v > 3",
                select: ["left.v AS v", "right.k AS k", "right.t AS t", "right.x AS x"]),
            "full": Join(kind: FullOuter, on: "left.k = right.k AND left.window_end = right.window_end AND left.v < right.v",
                select: ["left.k AS k", "left.v AS v", "right.k AS other_k", "right.v AS other"]),
            "semi": Join(kind: LeftSemi, on: "left.k = right.k AND left.t >= right.t - INTERVAL '10 seconds'",
                select: ["left.k AS k", "left.t AS t", "left.x AS x"]),
        },
        sinks: {"inner_out": Memory(), "inner_late": Memory(), "left_out": Memory(), "right_out": Memory(), "full_out": Memory(),
            "semi_out": Memory(), "semi_late": Memory()},
        flow: [
            "a -> marked_a -> inner.left", "b -> marked_b -> inner.right", "inner -> inner_out", "inner.late_left -> inner_late",
            "marked_a -> windows_a -> left.left", "marked_b -> windows_b -> left.right", "left -> left_out",
            "marked_a -> right.left", "marked_b -> right.right", "right -> right_out",
            "windows_a -> full.left", "windows_b -> full.right", "full -> full_out",
            "marked_a -> semi.left", "marked_b -> semi.right", "semi -> semi_out", "semi.late_right -> semi_late",
        ],
        run: (trigger: AvailableNow, partitions: 2, retain: 2),
    )"#,
    inputs: [4, 4],
    rows: 6,
};

/// Stateful nodes in rows and branches: sessions, windows of windows, joins of what windows gave.
pub(crate) const CHAINS: Sample = Sample {
    name: "chains",
    text: r#"Graph(
        name: "chains",
        sources: {"a": Memory(schema: "COLUMNS"), "b": Memory(schema: "COLUMNS")},
        operators: {
            "marked_a": Watermark(column: "t", delay: "15 seconds"),
            "marked_b": Watermark(column: "t", delay: "10 seconds"),
            "both": Union(),
            "sessions": Window(window: Session(gap: "6 seconds"), keys: ["k"], aggregates: ["count(*) AS n", "sum(v) AS total"], output_mode: Append),
            "of_sessions": Window(window: Tumbling(size: "40 seconds"), aggregates: ["count(*) AS sessions", "sum(n) AS n"], output_mode: Append),
            "unique": Dedup(keys: ["k", "t"]),
            "counts_a": Window(window: Tumbling(size: "20 seconds"), keys: ["k"], aggregates: ["count(*) AS n"], output_mode: Append),
            "counts_b": Window(window: Tumbling(size: "20 seconds"), keys: ["k"], aggregates: ["count(*) AS n"], output_mode: Append),
            "beside": Join(kind: FullOuter, on: "left.k IS NOT DISTINCT FROM right.k AND left.window_end = right.window_end",
                select: ["left.k AS k", "left.window_end AS window_end", "left.n AS n", "right.k AS other_k", "right.n AS other"]),
            "near": Join(kind: LeftOuter, on: "left.k = right.k AND left.t BETWEEN right.t - INTERVAL '10 seconds' AND right.t + INTERVAL '10 seconds'",
                select: ["left.k AS k", "left.t AS t", "right.v AS other"]),
            "of_pairs": Window(window: Sliding(size: "30 seconds", slide: "15 seconds"), keys: ["k"], aggregates: ["count(*) AS n", "sum(other) AS total"], output_mode: Append),
            "of_windows": Window(window: Tumbling(size: "1 minute"), aggregates: ["sum(n) AS n"], output_mode: Append),
        },
        sinks: {"sessions_out": Memory(), "sessions_late": Memory(), "beside_out": Memory(), "pairs_out": Memory(), "windows_out": Memory()},
        flow: [
            "a -> marked_a -> both", "b -> marked_b -> both",
            "both -> sessions -> of_sessions -> sessions_out", "sessions.late -> sessions_late",
            "marked_a -> unique -> counts_a -> beside.left", "marked_b -> counts_b -> beside.right", "beside -> beside_out",
            "marked_a -> near.left", "marked_b -> near.right", "near -> of_pairs -> of_windows -> windows_out", "of_pairs -> pairs_out",
        ],
        run: (trigger: AvailableNow, at_end: Flush, partitions: 1, retain: 2),
    )"#,
    inputs: [3, 3],
    rows: 6,
};

/// Facts that are looked up in a table which is replaced now and then, and in a result that is replaced in every epoch.
pub(crate) const TABLES: Sample = Sample {
    name: "tables",
    text: r#"Graph(
        name: "tables",
        sources: {"facts": Memory(schema: "COLUMNS"), "table": PushedTable(schema: "COLUMNS")},
        operators: {
            "known": Filter("k IS NOT NULL"),
            "paired": Join(kind: LeftOuter, on: "left.k = right.k AND left.v >= right.v",
                select: ["left.k", "left.v", "right.v AS least", "right.tags"]),
            "missing": Join(kind: LeftAnti, on: "left.v = right.v"),
            "per_key": Aggregate(keys: ["k"], aggregates: ["count(*) AS n"], output_mode: Complete),
            "counted": Join(kind: Inner, on: "left.k IS NOT DISTINCT FROM right.k", select: ["left.v", "right.n"]),
        },
        sinks: {"paired_out": Memory(), "missing_out": Memory(), "counted_out": Memory(), "table_out": Memory()},
        flow: [
            "facts -> paired.left", "table -> known -> paired.right", "paired -> paired_out",
            "facts -> missing.left", "table -> missing.right", "missing -> missing_out",
            "facts -> per_key -> counted.right", "facts -> counted.left", "counted -> counted_out",
            "known -> table_out",
        ],
        run: (trigger: AvailableNow, partitions: 2, retain: 2),
    )"#,
    inputs: [4, 2],
    rows: 5,
};

/// Sessions that grow, meet and are closed, with one gap and with each row's own, in both of their modes.
pub(crate) const SESSIONS: Sample = Sample {
    name: "sessions",
    text: r#"Graph(
        name: "sessions",
        sources: {"in": Memory(schema: "COLUMNS")},
        operators: {
            "marked": Watermark(column: "t", delay: "10 seconds"),
            "visits": Window(window: Session(gap: "8 seconds"), keys: ["k"],
                aggregates: ["count(*) AS n", "sum(x) AS total", "array_agg(v) AS all_v"], output_mode: Append),
            "by_value": Window(window: Session(gap_by: "CASE WHEN v < 20 THEN INTERVAL '3 seconds' ELSE INTERVAL '15 seconds' END"),
                keys: ["k"], aggregates: ["max(v) AS most"], output_mode: Complete),
        },
        sinks: {"visits_out": Memory(), "late_out": Memory(), "by_value_out": Memory()},
        flow: ["in -> marked -> visits -> visits_out", "visits.late -> late_out", "marked -> by_value -> by_value_out"],
        run: (trigger: AvailableNow, at_end: Flush, partitions: 2, retain: 2),
    )"#,
    inputs: [6, 0],
    rows: 6,
};

/// The first rows of each key, different values, and a stream in parts.
pub(crate) const LISTS: Sample = Sample {
    name: "lists",
    text: r#"Graph(
        name: "lists",
        sources: {"in": Memory(schema: "COLUMNS")},
        operators: {
            "marked": Watermark(column: "t", delay: "10 seconds"),
            "windowed": AssignWindow(window: Tumbling(size: "20 seconds")),
            "best": TopN(by: ["v DESC", "t"], keys: ["k", "window_end"], n: 2, output_mode: Append, rank: "place"),
            "greatest": TopN(by: ["v DESC", "t"], keys: ["k"], n: 2, output_mode: Update),
            "earliest": First(keys: ["k"], by: "t", output_mode: Update),
            "latest": Last(keys: ["k"], by: "t", output_mode: Complete),
            "different": Distinct(columns: ["k", "v"]),
            "parts": Route(ports: [("even", "v % 2 = 0"), ("large", "v > 3")]),
        },
        sinks: {"best_out": Memory(), "best_late": Memory(), "greatest_out": Memory(), "earliest_out": Memory(), "latest_out": Memory(),
            "different_out": Memory(), "even_out": Memory(), "large_out": Memory(), "rest_out": Memory()},
        flow: [
            "in -> marked -> windowed -> best -> best_out", "best.late -> best_late",
            "in -> greatest -> greatest_out", "in -> earliest -> earliest_out", "in -> latest -> latest_out",
            "in -> different -> different_out",
            "in -> parts", "parts.even -> even_out", "parts.large -> large_out", "parts.rest -> rest_out",
        ],
        run: (trigger: AvailableNow, at_end: Flush, partitions: 2, retain: 2),
    )"#,
    inputs: [5, 0],
    rows: 6,
};

pub(crate) const ALL: [Sample; 8] = [WINDOWS, ROWS, LONG, JOINS, CHAINS, TABLES, SESSIONS, LISTS];

impl Sample {
    /// The graph, checked.
    pub(crate) fn plan(&self) -> Plan {
        let checked = load(&self.text.replace("COLUMNS", COLUMNS), self.name, &|_| None).check(SchemaMode::Offline);
        checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics))
    }

    /// What its sources bring, by their names.
    pub(crate) fn inputs(&self, plan: &Plan) -> Vec<(String, Arc<Vec<RecordBatch>>)> {
        let sources = plan.dag.node_weights().filter_map(|node| match &node.role {
            Role::Source(_, stream) => Some((node.name.to_string(), Arc::clone(&stream.schema))),
            _ => None,
        });
        let mut sources: Vec<_> = sources.collect();
        sources.sort_by(|one, other| one.0.cmp(&other.0));
        let inputs = sources.into_iter().zip(self.inputs).enumerate().map(|(number, ((name, schema), inputs))| {
            let mut dice = Dice(self.name.len() as u64 * 1_000 + number as u64);
            let inputs = (0..inputs).map(|epoch| batch(&schema, epoch, self.rows, &mut dice));
            (name, Arc::new(inputs.collect()))
        });
        inputs.collect()
    }
}

/// Rows about some time that moves on with the epochs; some are late, some values are null.
fn batch(schema: &SchemaRef, epoch: usize, rows: usize, dice: &mut Dice) -> RecordBatch {
    let mut text = String::new();
    for _ in 0..rows {
        let seconds = 60 + 10 * epoch as u64 + dice.below(30) - dice.below(50);
        let tags: Vec<&str> = (0..dice.below(4)).map(|_| ["x", "y", "z"][dice.below(3) as usize]).collect();
        let mut row = serde_json::json!({
            "t": format!("2015-02-24T10:{:02}:{:02}.{:03}", seconds / 60, seconds % 60, dice.below(1000)),
            "x": dice.below(1_000_000) as f64 / 7919.0,
            "tags": tags,
        });
        if dice.below(8) > 0 {
            row["k"] = ["a", "b", "c", "d", "e"][dice.below(5) as usize].into();
        }
        if dice.below(8) > 0 {
            row["v"] = dice.below(40).into();
        }
        writeln!(text, "{row}").expect("a string can be written");
    }
    let reader = arrow::json::ReaderBuilder::new(Arc::clone(schema)).build(text.as_bytes()).expect("a reader");
    let batches = reader.collect::<Result<Vec<_>, _>>().expect("rows of the schema");
    arrow::compute::concat_batches(schema, &batches).expect("one schema")
}

/// Numbers that look random and are the same for the same seed: splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
