//! Rows as Arrow batches, whole or only the columns that a graph wants.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{Activity, DEEDS, DEVICES, Row};

/// Which columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// All ten, as they stand in files.
    Raw,
    /// `event_time TIMESTAMP, User STRING, x DOUBLE`: what a windowed count by user needs, with the time ready to use.
    Timed,
}

/// The columns of the batches.
pub fn schema(columns: Columns) -> SchemaRef {
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields: &[(&str, DataType)] = match columns {
        Columns::Raw => &[
            ("Arrival_Time", DataType::Int64),
            ("Creation_Time", DataType::Int64),
            ("Device", DataType::Utf8),
            ("Index", DataType::Int64),
            ("Model", DataType::Utf8),
            ("User", DataType::Utf8),
            ("gt", DataType::Utf8),
            ("x", DataType::Float64),
            ("y", DataType::Float64),
            ("z", DataType::Float64),
        ],
        Columns::Timed => &[("event_time", timestamp), ("User", DataType::Utf8), ("x", DataType::Float64)],
    };
    Arc::new(Schema::new(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

/// The rows with the numbers in `range`, in batches of at most `batch_rows`.
pub fn batches(
    activity: &Activity,
    range: Range<u64>,
    columns: Columns,
    batch_rows: usize,
) -> impl Iterator<Item = RecordBatch> {
    let (schema, step) = (schema(columns), batch_rows.max(1));
    range.clone().step_by(step).map(move |start| {
        let rows: Vec<Row> = (start..range.end.min(start + step as u64)).map(|number| activity.row(number)).collect();
        let columns = match columns {
            Columns::Raw => raw(activity, &rows),
            Columns::Timed => timed(activity, &rows),
        };
        RecordBatch::try_new(Arc::clone(&schema), columns).expect("the columns are made to the schema")
    })
}

fn raw(activity: &Activity, rows: &[Row]) -> Vec<ArrayRef> {
    let longs = |value: fn(&Row) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(value)));
    let texts = |value: fn(&Row) -> &'static str| Arc::new(StringArray::from_iter_values(rows.iter().map(value)));
    let axis = |axis: usize| Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.motion[axis])));
    vec![
        longs(|row| row.arrived_millis),
        longs(|row| row.created_nanos),
        texts(|row| DEVICES[row.device].0),
        longs(|row| row.index),
        texts(|row| DEVICES[row.device].1),
        users(activity, rows),
        texts(|row| DEEDS[row.deed].0),
        axis(0),
        axis(1),
        axis(2),
    ]
}

fn timed(activity: &Activity, rows: &[Row]) -> Vec<ArrayRef> {
    let times = rows.iter().map(|row| row.created_nanos.div_euclid(1_000));
    vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times)),
        users(activity, rows),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.motion[0]))),
    ]
}

fn users(activity: &Activity, rows: &[Row]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(|row| activity.user_name(row.user))))
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;

    use super::*;

    #[test]
    fn the_size_of_batches_does_not_show() {
        let activity = Activity::of_rows(1_000);
        for columns in [Columns::Raw, Columns::Timed] {
            let [one, other] = [7, 1_000].map(|batch_rows| {
                let batches: Vec<_> = batches(&activity, 10..900, columns, batch_rows).collect();
                concat_batches(&schema(columns), &batches).unwrap()
            });
            assert_eq!(one.num_rows(), 890);
            assert_eq!(one, other, "{columns:?}");
        }
    }
}
