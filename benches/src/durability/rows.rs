//! Rows for durable runs: evenly spread users, a time that goes on, a few rows twice.
//!
//! A million rows cover five minutes, so a window of ten minutes is open for two or three epochs of a million rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema};
use watershed::core::schema::TIMESTAMP;

/// The type of the column `user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    /// `BIGINT`.
    Integer,
    /// `STRING`, eleven letters and digits.
    Text,
}

impl KeyType {
    /// As a schema names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Integer => "BIGINT",
            Self::Text => "STRING",
        }
    }
}

/// Where the users of rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Users {
    /// So many, in no order.
    Spread(u64),
    /// Each row has the user of its own number; no row stands twice, and time goes so slowly that nothing is forgotten.
    Counted,
}

impl Users {
    /// The microseconds from one row to the next.
    const fn step(self) -> i64 {
        match self {
            Self::Spread(_) => 300,
            Self::Counted => 30,
        }
    }
}

/// The first moment, 2015-02-23T10:00:00Z.
const START: i64 = 1_424_685_600_000_000;
/// One row in so many has the user and time of one before it.
const REPEATED: u64 = 50;
/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 32_768;

/// The rows with these numbers, in batches of at most `batch_rows`.
pub(super) fn batches(rows: Range<u64>, users: Users, key: KeyType, batch_rows: usize) -> Vec<RecordBatch> {
    let user_type = if key == KeyType::Integer { DataType::Int64 } else { DataType::Utf8 };
    let schema = Arc::new(Schema::new(vec![
        Field::new("event_time", TIMESTAMP, true),
        Field::new("user", user_type, true),
        Field::new("x", DataType::Float64, true),
    ]));
    let step = batch_rows.max(1);
    let batch = |start: u64| {
        let place = move |number| if users == Users::Counted { number } else { original(number) };
        let numbers = || (start..rows.end.min(start + step as u64)).map(place);
        let user = move |number: u64| match users {
            Users::Spread(many) => ((u128::from(mixed(number)) * u128::from(many)) >> 64) as u64,
            Users::Counted => number,
        };
        let keys: ArrayRef = match key {
            KeyType::Integer => Arc::new(Int64Array::from_iter_values(numbers().map(|number| user(number) as i64))),
            KeyType::Text => {
                Arc::new(StringArray::from_iter_values(numbers().map(|number| format!("user{:07}", user(number)))))
            }
        };
        // Up to two seconds behind the newest.
        let time = move |number: u64| START + number as i64 * users.step() - (mixed(number ^ 0x71) % 2_000_000) as i64;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from_iter_values(numbers().map(time))),
            keys,
            Arc::new(Float64Array::from_iter_values(numbers().map(|number| (mixed(number ^ 0xf) % 4_096) as f64))),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).expect("the columns are made to the schema")
    };
    rows.clone().step_by(step).map(batch).collect()
}

/// The number whose row stands at this place: mostly its own.
fn original(number: u64) -> u64 {
    if mixed(number ^ 0x2_0000_0000).is_multiple_of(REPEATED) { number.saturating_sub(100) } else { number }
}

/// `SplitMix64` of a number.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
