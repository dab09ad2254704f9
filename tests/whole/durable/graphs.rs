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

pub(crate) const ALL: [Sample; 3] = [WINDOWS, ROWS, LONG];

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
