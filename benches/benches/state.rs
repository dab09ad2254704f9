//! The state store's hot parts: finding the ids of keys, and an epoch's group, gather and upsert in one slot.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use watershed::core::schema::TIMESTAMP;
use watershed::core::state::{Interner, PlacedBy, Slot, StateStore, TableSchema};

const ROWS: usize = 65_536;

/// `ROWS` numbers below `keys`, spread evenly and in no order; `round` gives others.
fn numbers(keys: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..ROWS).map(move |row| (row + round * ROWS).wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys)
}

fn strings(keys: usize, round: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(numbers(keys, round).map(|key| format!("user{key:06}"))))
}

fn interning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("intern");
    group.throughput(Throughput::Elements(ROWS as u64));
    for keys in [1_000, 1_000_000] {
        let longs: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers(keys, 0).map(|key| key as i64)));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(0..ROWS as i64));
        let shapes: [(&str, Vec<ArrayRef>); 3] = [
            ("integer", vec![longs]),
            ("string", vec![strings(keys, 0)]),
            ("string and time", vec![strings(keys, 0), times]),
        ];
        for (shape, columns) in shapes {
            let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
            let mut known = Interner::new(&types).expect("types that can be keys");
            let mut ids = Vec::with_capacity(ROWS);
            known.intern(&columns, ROWS, &mut ids).expect("keys of these types");
            group.bench_function(BenchmarkId::new(format!("{shape}, known"), keys), |bencher| {
                bencher.iter(|| {
                    ids.clear();
                    known.intern(&columns, ROWS, &mut ids).expect("keys of these types");
                    black_box(&ids);
                });
            });
            group.bench_function(BenchmarkId::new(format!("{shape}, new"), keys), |bencher| {
                bencher.iter_batched_ref(
                    || Interner::new(&types).expect("types that can be keys"),
                    |fresh| {
                        ids.clear();
                        fresh.intern(&columns, ROWS, &mut ids).expect("keys of these types");
                    },
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

/// Epochs of counts: each meets `ROWS` keys of a slot, reads what was kept for them, and keeps new values.
fn epochs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epoch of counts");
    group.throughput(Throughput::Elements(ROWS as u64));
    let schema = || TableSchema {
        name: "counts",
        keys: vec![Field::new("User", DataType::Utf8, true)].into(),
        values: vec![Field::new("count", DataType::Int64, false), Field::new("newest", TIMESTAMP, true)].into(),
        placed_by: PlacedBy::Keys,
        slots: String::new(),
    };
    for keys in [1_000, 1_000_000] {
        let rounds: Vec<ArrayRef> = (0..16).map(|round| strings(keys, round)).collect();
        let mut store = StateStore::new(vec![schema()]);
        let mut epoch = 0;
        group.bench_function(BenchmarkId::new("group, gather, upsert, commit", keys), |bencher| {
            bencher.iter(|| {
                let table = store.table(0);
                let groups = table.group(Slot::NEVER, &[Arc::clone(&rounds[epoch % 16])], ROWS).expect("keys");
                let kept = table.gather(&groups).expect("what was kept");
                black_box(&kept);
                let counts: ArrayRef = Arc::new(Int64Array::from_iter_values(0..groups.len() as i64));
                let newest: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(0..groups.len() as i64));
                table.upsert(&groups, vec![counts, newest]).expect("columns of the schema");
                store.commit().expect("a version");
                epoch += 1;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, interning, epochs);
criterion_main!(benches);
