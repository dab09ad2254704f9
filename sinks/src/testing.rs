//! Rows, streams and contexts for the tests of this crate.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use watershed_core::epoch::Epoch;
use watershed_core::fault::Faults;
use watershed_core::node::{Handles, OpenContext, Part, Sink};
use watershed_core::schema::TIMESTAMP;
use watershed_core::stream::{Mode, Stream};
use watershed_core::time::{ManualClock, Timestamp};

/// 2015-02-24T10:00:00Z.
pub(crate) const TEN: i64 = 1_424_772_000_000_000;

/// Rows of a user and a count.
pub(crate) fn counts(rows: &[(&str, i64)]) -> RecordBatch {
    let users: StringArray = rows.iter().map(|(user, _)| Some(*user)).collect();
    let counts: Int64Array = rows.iter().map(|(_, count)| Some(*count)).collect();
    RecordBatch::try_from_iter([("user", Arc::new(users) as ArrayRef), ("count", Arc::new(counts))]).unwrap()
}

/// `rows` rows that look like events, some values null.
pub(crate) fn events(rows: i64) -> RecordBatch {
    let users: StringArray = (0..rows).map(|row| (row % 7 != 0).then(|| format!("user {}", row * 37 % 101))).collect();
    let times: TimestampMicrosecondArray =
        (0..rows).map(|row| (row % 11 != 0).then_some(TEN + row * 1_234_567)).collect();
    let values: Float64Array = (0..rows).map(|row| Some(row as f64 / 8.0)).collect();
    let columns: [(&str, ArrayRef); 3] = [("user", Arc::new(users)), ("at", Arc::new(times)), ("x", Arc::new(values))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// One row with a value of every type that a schema can name, and one of nulls.
pub(crate) fn every_type() -> RecordBatch {
    let nulls = Some(NullBuffer::from(vec![true, false]));
    let tags = StringArray::from(vec![Some("p"), None]);
    let times = TimestampMicrosecondArray::from(vec![TEN + 500_000]);
    let since = Arc::new(TimestampMicrosecondArray::from(vec![0, 0])) as ArrayRef;
    let seven = Arc::new(Int64Array::from(vec![7, 7])) as ArrayRef;
    let inner_fields = vec![Field::new("since", TIMESTAMP, true), Field::new("n", DataType::Int64, true)];
    let list = |item: ArrayRef, length: usize| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(item.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([length, 0]), item, nulls.clone()))
    };
    let price = Decimal128Array::from(vec![Some(1234), None]).with_precision_and_scale(10, 2).unwrap();
    let columns: [(&str, ArrayRef); 11] = [
        ("user", Arc::new(StringArray::from(vec![Some("a \"b\",c"), None]))),
        ("n", Arc::new(Int64Array::from(vec![Some(-3), None]))),
        ("x", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(16_490), None]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(TEN), None]))),
        ("price", Arc::new(price)),
        ("raw", Arc::new(BinaryArray::from_opt_vec(vec![Some(&[0, 255]), None]))),
        ("tags", list(Arc::new(tags), 2)),
        ("times", list(Arc::new(times), 1)),
        ("inner", Arc::new(StructArray::new(inner_fields.into(), vec![since, seven], nulls.clone()))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// An append stream of rows like these.
pub(crate) fn stream(rows: &RecordBatch) -> Stream {
    Stream::of(rows.schema())
}

/// A stream of rows like these in another mode.
pub(crate) fn stream_in(mode: Mode, rows: &RecordBatch) -> Stream {
    Stream { mode, ..stream(rows) }
}

/// What a sink named `node` is opened with.
pub(crate) fn context(node: &str) -> OpenContext {
    OpenContext {
        resumes: false,
        node: node.into(),
        batch_rows: 8192,
        clock: Arc::new(ManualClock::at(Timestamp::from_micros(TEN))),
        handles: Handles::default(),
    }
}

/// A part of an epoch.
pub(crate) fn part(epoch: u64, index: usize) -> Part {
    Part { epoch: Epoch(epoch), index }
}

/// Stages each list of batches as a part of the epoch, and commits it.
pub(crate) fn run_epoch(sink: &dyn Sink, epoch: u64, parts: &[&[RecordBatch]]) {
    let staged = parts.iter().enumerate().map(|(index, rows)| sink.stage(part(epoch, index), rows).unwrap());
    let receipts: Vec<_> = staged.collect();
    sink.commit(Epoch(epoch), &receipts).unwrap();
}

/// Code, first step of the path and message of each fault.
pub(crate) fn briefly(result: Result<(), Faults>) -> Vec<(&'static str, String)> {
    let faults = result.expect_err("faults were expected");
    faults
        .into_iter()
        .map(|fault| (fault.code, format!("{} | {}", fault.message, fault.help.unwrap_or_default())))
        .collect()
}

/// `rows` cut into batches of `size`, with an empty one in between.
pub(crate) fn in_batches_of(rows: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    let starts = (0..rows.num_rows()).step_by(size);
    let mut batches: Vec<_> = starts.map(|start| rows.slice(start, size.min(rows.num_rows() - start))).collect();
    batches.insert(batches.len() / 2, rows.slice(0, 0));
    batches
}
