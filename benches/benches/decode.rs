//! NDJSON to Arrow columns: all ten columns, three of them, and keys in another order.

use std::hint::black_box;

use arrow::datatypes::SchemaRef;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watershed::core::schema::parse_ddl;
use watershed::sources::json::Decoder;
use watershed_benches::activity::{Activity, push_json};

const ROWS: u64 = 8_192;

fn decode(schema: &SchemaRef, text: &[u8]) {
    let mut decoder = Decoder::new(SchemaRef::clone(schema)).expect("types that can be read");
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        decoder.decode(line).expect("a good line");
    }
    black_box(decoder.finish().expect("columns of the schema"));
}

fn decoding(criterion: &mut Criterion) {
    let activity = Activity::of_rows(ROWS);
    let mut text = Vec::new();
    (0..ROWS).for_each(|number| push_json(&mut text, &activity.row(number), &activity));
    let mut group = criterion.benchmark_group("ndjson");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, ddl) in [
        (
            "ten of ten columns",
            "Arrival_Time BIGINT, Creation_Time BIGINT, Device STRING, Index BIGINT, Model STRING, User STRING, gt STRING, x DOUBLE, y DOUBLE, z DOUBLE",
        ),
        ("three of ten columns", "Creation_Time BIGINT, User STRING, x DOUBLE"),
        ("three columns, declared in another order", "x DOUBLE, User STRING, Creation_Time BIGINT"),
    ] {
        let schema = parse_ddl(ddl).expect("a schema");
        group.bench_function(name, |bencher| bencher.iter(|| decode(&schema, &text)));
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
