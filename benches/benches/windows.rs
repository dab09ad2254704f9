//! What happens to rows before the exchange (partial sums per window and key), and the exchange itself.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use watershed::core::epoch::{Epoch, Partition, Port};
use watershed::core::keys::partition_of_rows;
use watershed::core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Stateful};
use watershed::core::stream::{EventTime, EventTimeKind, OutputMode, Stream};
use watershed::core::time::{TimeSpan, Timestamp, Watermark};
use watershed::operators::Window;
use watershed::operators::windows::WindowSpec;
use watershed_benches::activity::{Activity, Columns, batches, schema};

const ROWS: u64 = 1 << 20;
const BATCH_ROWS: usize = 32_768;

fn input(users: u64) -> Vec<RecordBatch> {
    let activity = Activity { seed: 1, rows: ROWS, minutes: 360, users };
    batches(&activity, 0..ROWS, Columns::Timed, BATCH_ROWS).collect()
}

fn window(window: WindowSpec, aggregates: &[&str]) -> Arc<dyn Stateful> {
    let spec = Window {
        window,
        keys: vec!["User".to_owned()],
        aggregates: aggregates.iter().map(|&aggregate| aggregate.to_owned()).collect(),
        output_mode: OutputMode::Update,
        time: None,
    };
    let mut stream = Stream::of(schema(Columns::Timed));
    stream.event_times = vec![EventTime {
        column: "event_time".to_owned(),
        kind: EventTimeKind::Instant,
        delay: TimeSpan::from_seconds(3_600),
    }];
    stream.watermarks = ["marked".to_owned()].into();
    let cx = BuildContext { node: "counts".into(), batch_rows: BATCH_ROWS };
    match spec.build(&[vec![stream]], &cx).expect("a good window") {
        Operator::Stateful(operator) => operator,
        Operator::Stateless(_) => unreachable!("windows have state"),
    }
}

fn before_exchange(criterion: &mut Criterion) {
    let cx = EpochContext {
        epoch: Epoch(0),
        partition: Partition(0),
        processing_time: Timestamp::from_micros(0),
        late: Watermark::NONE,
        evict: Watermark::NONE,
        call_limit: None,
    };
    let minutes = |minutes: i64| TimeSpan::from_seconds(60 * minutes);
    let tumbling = || WindowSpec::Tumbling { size: minutes(10), offset: TimeSpan::ZERO };
    let sliding = || WindowSpec::Sliding { size: minutes(10), slide: minutes(5), offset: TimeSpan::ZERO };
    let mut group = criterion.benchmark_group("before the exchange");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    for users in [9, 1_000, 100_000] {
        let rows = input(users);
        for (name, operator) in [
            ("tumbling count", window(tumbling(), &["count(*) AS count"])),
            ("tumbling count, sum, avg", window(tumbling(), &["count(*) AS count", "sum(x) AS sum", "avg(x) AS mean"])),
            ("sliding count", window(sliding(), &["count(*) AS count"])),
        ] {
            group.bench_function(BenchmarkId::new(name, users), |bencher| {
                bencher.iter(|| {
                    let mut partial = operator.before_exchange().expect("windows sum up before the exchange");
                    let mut out = Collector::default();
                    for batch in &rows {
                        partial.process(Port::FIRST, batch.clone(), &cx, &mut out).expect("good rows");
                    }
                    partial.finish(&cx, &mut out).expect("good rows");
                    black_box(out.take_exchanged());
                });
            });
        }
    }
    group.finish();
}

/// As the engine does it: the partition of each row, then a `take` for each partition.
fn exchange(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    let rows = input(1_000);
    for partitions in [2, 8] {
        group.bench_function(BenchmarkId::new("by user", partitions), |bencher| {
            bencher.iter(|| {
                for batch in &rows {
                    let keys: [ArrayRef; 1] = [Arc::clone(batch.column(1))];
                    let mut indices = vec![Vec::new(); partitions];
                    let places = partition_of_rows(&keys, batch.num_rows(), partitions).expect("keys");
                    for (row, partition) in places.into_iter().enumerate() {
                        indices[partition as usize].push(row as u32);
                    }
                    for rows in indices {
                        black_box(take_record_batch(batch, &UInt32Array::from(rows)).expect("rows of the batch"));
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, before_exchange, exchange);
criterion_main!(benches);
