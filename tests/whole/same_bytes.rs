//! The same input gives the same bytes: real files through a graph into real files, with any number of threads and any
//! batch size, in every format.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use tempfile::TempDir;
use watershed::core::engine::{Engine, EngineOptions};
use watershed::graphs::{SchemaMode, load};

const ROWS_PER_FILE: usize = 1_000;
const FILES: usize = 4;

/// Threads and rows per batch; each number of threads with small batches and large ones.
const RUNS: [(usize, usize); 9] =
    [(1, 65_536), (1, 7), (1, 1_000), (2, 1), (2, 100), (2, 65_536), (8, 1), (8, 33), (8, 8_192)];

/// Rows that are the same every time: times that jump, keys with nulls, and floats whose sum shows the order of adding.
fn rows(file: usize) -> RecordBatch {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64 ^ (file as u64) << 32;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 16) % below
    };
    let (mut users, mut times, mut values, mut numbers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..ROWS_PER_FILE {
        let user = next(40);
        users.push((user > 0).then(|| format!("user {user}, \"the\" é")));
        let seconds = 1_424_772_000 + ((file * ROWS_PER_FILE + row) as u64) / 10 + next(60);
        times.push((next(50) > 0).then_some(seconds as i64 * 1_000_000 + next(1_000) as i64));
        values.push((next(20) > 0).then(|| (next(2_000_000) as f64 - 1e6) / 1234.567));
        numbers.push(next(1_000) as i64 - 500);
    }
    let columns: [(&str, ArrayRef); 4] = [
        ("user", Arc::new(StringArray::from(users))),
        ("t", Arc::new(TimestampMicrosecondArray::from(times))),
        ("x", Arc::new(Float64Array::from(values))),
        ("n", Arc::new(Int64Array::from(numbers))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).expect("four columns")
}

/// The rows as lines of JSON: what the first graph turns into every other format.
fn write_json(directory: &Path) {
    for file in 0..FILES {
        let out = File::create(directory.join(format!("{file}.json"))).expect("a file");
        let mut writer = arrow::json::LineDelimitedWriter::new(out);
        writer.write(&rows(file)).and_then(|()| writer.finish()).expect("rows as JSON");
    }
}

const SCHEMA: &str = "user STRING, t TIMESTAMP, x DOUBLE, n BIGINT";

/// Runs a graph to its end; nothing but the program's own choices differ between calls.
fn run(graph: &str, threads: usize, batch_rows: usize) {
    let checked = load(graph, "same-bytes.ron", &|_| None).check(SchemaMode::Offline);
    let plan = checked.plan.unwrap_or_else(|| panic!("{}\n{graph}", checked.diagnostics));
    let options = EngineOptions { threads, batch_rows, ..EngineOptions::default() };
    let mut engine = Engine::open(&plan, options).expect("the graph can be opened");
    engine.run(&mut |_| ()).expect("the graph runs to its end");
}

/// Every file of a directory and of those in it, by its path there.
fn bytes(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(bytes(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).expect("a file"));
        }
    }
    found
}

/// Runs a graph with every number of threads and every batch size; all outputs must be those of the first run.
fn is_the_same_in_every_run(graph: &dyn Fn(&Path) -> String, least_files: usize) -> BTreeMap<String, Vec<u8>> {
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for (threads, batch_rows) in RUNS {
        let directory = TempDir::new().expect("a directory");
        run(&graph(directory.path()), threads, batch_rows);
        let seen = bytes(directory.path());
        let first = first.get_or_insert_with(|| seen.clone());
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(first), names(&seen), "{threads} threads, batches of {batch_rows}");
        for (name, bytes) in &seen {
            assert!(first[name] == *bytes, "{name} differs with {threads} threads and batches of {batch_rows} rows");
        }
    }
    let first = first.unwrap_or_default();
    assert!(first.len() >= least_files && first.values().all(|bytes| !bytes.is_empty()), "{:?}", first.keys());
    first
}

/// A graph over `pattern` with every stateful node, its results below `out`.
fn stateful(pattern: &str, source: &str, out: &Path, sink: &str, extension: &str) -> String {
    let out = out.display();
    format!(
        r#"Graph(
        name: "same-bytes",
        sources: {{"in": Files(path: "{pattern}", format: {source}, schema: "{SCHEMA}", max_files_per_epoch: 2)}},
        operators: {{
            "marked": Watermark(column: "t", delay: "30 seconds"),
            "windows": Window(
                window: Sliding(size: "30 seconds", slide: "10 seconds"), keys: ["user"],
                aggregates: ["count(*) AS rows", "sum(x) AS sum_x", "avg(x) AS mean_x", "stddev(x) AS spread", "sum(n) AS sum_n",
                    "approx_distinct(n) AS kinds", "first_value(n ORDER BY x) AS first_n"],
                output_mode: Append,
            ),
            "totals": Window(window: Tumbling(size: "1 minute"), aggregates: ["sum(x) AS sum_x"], output_mode: Append),
            "sessions": Window(
                window: Session(gap: "5 seconds"), keys: ["user"], aggregates: ["sum(x) AS sum_x", "avg(x) AS mean_x"], output_mode: Append,
            ),
            "in_order": Window(
                window: Session(gap_by: "CASE WHEN n > 0 THEN INTERVAL '8 seconds' ELSE INTERVAL '3 seconds' END"), keys: ["user"],
                aggregates: ["sum(x) AS sum_x", "array_agg(n) AS all_n"], output_mode: Append,
            ),
            "listed": Select(["window_end", "user", "sum_x", "array_to_string(all_n, ' ') AS all_n"]),
            "unique": Dedup(keys: ["user", "n"], within_watermark: true),
            "large": Filter("x > 0.0"),
            "marked_large": Watermark(column: "t", delay: "30 seconds"),
            "beside": Join(kind: FullOuter, select: ["left.user AS user", "left.t AS t", "left.x AS x", "right.x AS other"],
                on: "left.user = right.user AND left.n = right.n AND left.t BETWEEN right.t - INTERVAL '10 seconds' AND right.t + INTERVAL '20 seconds'"),
        }},
        sinks: {{
            "windows_out": Files(path: "{out}/windows{extension}", format: {sink}),
            "totals_out": Files(path: "{out}/totals{extension}", format: {sink}),
            "sessions_out": Files(path: "{out}/sessions{extension}", format: {sink}),
            "listed_out": Files(path: "{out}/listed{extension}", format: {sink}),
            "unique_out": Files(path: "{out}/unique{extension}", format: {sink}),
            "late_out": Files(path: "{out}/late{extension}", format: {sink}),
            "large_out": Files(path: "{out}/large{extension}", format: {sink}),
            "beside_out": Files(path: "{out}/beside{extension}", format: {sink}),
        }},
        flow: [
            "in -> marked -> windows -> windows_out",
            "marked -> totals -> totals_out",
            "marked -> sessions -> sessions_out",
            "marked -> in_order -> listed -> listed_out",
            "marked -> unique -> unique_out",
            "windows.late -> late_out",
            "in -> large -> large_out",
            "large -> marked_large -> beside.left", "marked -> beside.right", "beside -> beside_out",
        ],
        run: (trigger: AvailableNow, partitions: 3, at_end: Flush),
    )"#
    )
}

#[test]
fn windows_and_first_rows_over_json_are_the_same_bytes() {
    let input = TempDir::new().expect("a directory");
    write_json(input.path());
    let pattern = format!("{}/*.json", input.path().display());
    is_the_same_in_every_run(&|out| stateful(&pattern, "Json", out, "Json", ""), 8);
}

#[test]
fn every_format_is_read_and_written_as_the_same_bytes() {
    let input = TempDir::new().expect("a directory");
    write_json(input.path());
    // The rows in every format that is read; Arrow's own is only read, so it is written here.
    let formats = [("Json", "json"), ("Csv()", "csv"), ("Parquet", "parquet")];
    let root = input.path().display();
    let sink = |(format, name): &(&str, &str)| format!("\"{name}\": Files(path: \"{root}/{name}\", format: {format})");
    let sinks = formats.iter().map(sink).collect::<Vec<_>>().join(", ");
    let flow = formats.map(|(_, name)| format!("\"in -> {name}\"")).join(", ");
    let graph = format!(
        "Graph(name: \"copies\", sources: {{\"in\": Files(path: \"{}/*.json\", format: Json, schema: \"{SCHEMA}\", max_files_per_epoch: 1)}},
        sinks: {{{sinks}}}, flow: [{flow}], run: (trigger: AvailableNow))",
        input.path().display()
    );
    run(&graph, 2, 1_000);
    let arrow = input.path().join("arrow");
    fs::create_dir(&arrow).expect("a directory");
    for file in 0..FILES {
        let (out, rows) = (File::create(arrow.join(format!("{file}.arrow"))).expect("a file"), rows(file));
        let mut writer = arrow_ipc::writer::FileWriter::try_new(out, &rows.schema()).expect("a writer");
        writer.write(&rows).and_then(|()| writer.finish()).expect("rows as Arrow");
    }
    for (format, name, sink) in [
        ("Csv(header: true)", "csv", "Csv(), compression: Gzip"),
        ("Parquet", "parquet", "Parquet"),
        ("Arrow", "arrow", "Json, compression: Zstd"),
    ] {
        let pattern = format!("{}/{name}/*", input.path().display());
        is_the_same_in_every_run(&|out| stateful(&pattern, format, out, sink, ""), 8);
    }
}

/// A stream that fans out and comes together again: the order of rows is that of the ways, one after the other.
#[test]
fn ways_that_come_together_again_are_the_same_bytes() {
    let home = TempDir::new().expect("a scratch folder");
    write_json(home.path());
    let graph = |out: &Path| {
        format!(
            r#"Graph(
    name: "diamond",
    sources: {{ "in": Files(path: "{}/*.json", schema: "{SCHEMA}") }},
    operators: {{
        "odd": Filter("n % 2 <> 0"),
        "even": Filter("n % 2 = 0"),
        "both": Union(),
        "first": Dedup(keys: ["user"]),
        "few": Limit(1500),
    }},
    sinks: {{
        "firsts": Files(path: "{out}/firsts", format: Json),
        "rows": Files(path: "{out}/rows", format: Json),
    }},
    flow: ["in -> odd -> both", "in -> even -> both", "both -> first -> firsts", "both -> few -> rows"],
    run: (trigger: AvailableNow, partitions: 3),
)"#,
            home.path().display(),
            out = out.display(),
        )
    };
    is_the_same_in_every_run(&graph, 2);
}
