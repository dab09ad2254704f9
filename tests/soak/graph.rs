//! The graph that is run: every kind of stateful node whose rows a file can take, and a sink of each format.

/// The columns of the input.
pub(crate) const COLUMNS: &str = "delivery BIGINT, id BIGINT, user STRING, at TIMESTAMP, x DOUBLE";

/// The folders of its sinks.
pub(crate) const SINKS: [&str; 7] = ["delivered", "once", "again", "per_user", "sliding", "late", "first"];

/// The graph's file: it reads `input` and writes to `out`.
pub(crate) fn text(input: &str) -> String {
    GRAPH.replace("INPUT", input).replace("COLUMNS", COLUMNS)
}

const GRAPH: &str = r#"Graph(
    name: "soak",
    sources: {
        "json": Files(path: "INPUT/json", format: Json, schema: "COLUMNS", max_files_per_epoch: 1),
        "csv": Files(path: "INPUT/csv", format: Csv(), schema: "COLUMNS", max_files_per_epoch: 1),
        "parquet": Files(path: "INPUT/parquet", format: Parquet, schema: "COLUMNS", max_files_per_epoch: 1),
    },
    operators: {
        "all": Union(),
        "marked": Watermark(column: "at", delay: "40 seconds"),
        "unique": Dedup(keys: ["id", "at"]),
        "tumbling": Window(
            window: Tumbling(size: "1 minute"),
            keys: ["user"],
            aggregates: ["count(*) AS n", "sum(x) AS total", "avg(x) AS mean", "array_agg(id) AS ids"],
            output_mode: Append,
        ),
        "overlapping": Window(
            window: Sliding(size: "3 minutes", slide: "1 minute"),
            aggregates: ["count(*) AS n", "count(DISTINCT user) AS users", "stddev(x) AS spread", "max(id) AS newest"],
            output_mode: Append,
        ),
        "leading": Limit(1500),
        "repeated": Aggregate(keys: ["user"], aggregates: ["count(*) AS n"], output_mode: Update),
    },
    sinks: {
        "delivered": Files(path: "out/delivered", format: Json),
        "once": Files(path: "out/once", format: Csv()),
        "again": Files(path: "out/again", format: Json, compression: Gzip),
        "per_user": Files(path: "out/per_user", format: Json),
        "sliding": Files(path: "out/sliding", format: Parquet),
        "late": Files(path: "out/late", format: Json),
        "first": Files(path: "out/first", format: Csv(delimiter: ';'), compression: Zstd),
        "nobody": Discard(),
    },
    flow: [
        "json -> all", "csv -> all", "parquet -> all",
        "all -> marked -> unique -> tumbling -> per_user",
        "all -> delivered",
        "unique -> once",
        "unique -> overlapping -> sliding",
        "unique.late -> late",
        "unique -> leading -> first",
        "overlapping -> again",
        "all -> repeated -> nobody",
    ],
    run: (trigger: AvailableNow, checkpoint: "checkpoint", at_end: Flush, partitions: 2, retain: 7),
)
"#;
