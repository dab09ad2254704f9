//! Rows read by serde are those that `Row` reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use watershed::error::Result;
use watershed::record;
use watershed::row::{Bytes, Date, ReadRow, Row, Serde, batch_of, rows_of};
use watershed::time::Timestamp;

/// A struct that is a row and that serde reads.
#[record]
#[derive(Clone, Debug, PartialEq, Row)]
struct Both {
    truth: bool,
    small: i8,
    number: Option<i64>,
    unsigned: u32,
    #[serde(rename = "x")]
    float: f64,
    text: String,
    maybe: Option<String>,
    bytes: Bytes,
    time: Timestamp,
    day: Option<Date>,
    tags: Vec<Option<String>>,
    inner: Inner,
    inners: Option<Vec<Inner>>,
    by_name: BTreeMap<String, Inner>,
    #[serde(default)]
    #[row(name = "missing")]
    missing: u8,
}

#[record]
#[derive(Clone, Debug, PartialEq, Row)]
struct Inner {
    a: i32,
    b: Option<String>,
}

fn inner() -> impl Strategy<Value = Inner> {
    any::<(i32, Option<String>)>().prop_map(|(a, b)| Inner { a, b })
}

prop_compose! {
    fn both()(
        (truth, small, number, unsigned, float) in any::<(bool, i8, Option<i64>, u32, f64)>(),
        (text, maybe, bytes, time, day) in any::<(String, Option<String>, Vec<u8>, i64, Option<i32>)>(),
        tags in vec(any::<Option<String>>(), 0..3),
        inner in inner(),
        inners in proptest::option::of(vec(inner(), 0..3)),
        by_name in btree_map(any::<String>(), inner(), 0..3),
    ) -> Both {
        Both {
            truth, small, number, unsigned, float, text, maybe, tags, inner, inners, by_name,
            bytes: Bytes(bytes),
            time: Timestamp::from_micros(time),
            day: day.map(Date::from_days),
            missing: 0,
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(batch: &RecordBatch) -> Result<Vec<T>> {
    let bound = Serde::<T>::bind(batch)?;
    (0..batch.num_rows()).map(|row| Serde::<T>::get(&bound, row)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn serde_and_row_read_the_same(rows in vec(both(), 0..8), from in 0_usize..8) {
        let batch = batch_of::<Both>(rows);
        prop_assert_eq!(Serde::<Both>::misfits(batch.schema_ref()), []);
        let without = batch.project(&(0..batch.num_columns() - 1).collect::<Vec<_>>())?;
        let from = from.min(without.num_rows());
        let rest = without.slice(from, without.num_rows() - from);
        let by_row: Vec<Both> = rows_of::<Both>(&batch.slice(from, rest.num_rows()))?.collect();
        prop_assert_eq!(read::<Both>(&rest)?, by_row);
    }
}

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 4] = [
        ("kind", Arc::new(StringArray::from(vec![Some("warm"), Some("Cold"), None]))),
        ("time", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_000_000, 2_000_000]))),
        ("at", Arc::new(StringArray::from(vec!["1970-01-01T00:00:03Z", "1970-01-01T01:00:00+01:00", "never"]))),
        ("n", Arc::new(Int64Array::from(vec![1, 300, -1]))),
    ];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

#[test]
fn enums_are_read_from_names_and_instants_from_text() {
    #[record]
    #[derive(Debug, PartialEq)]
    struct Reading {
        kind: Option<Kind>,
        #[serde(rename = "time")]
        as_text: String,
        at: Timestamp,
        n: u16,
    }
    #[record]
    #[derive(Debug, PartialEq)]
    enum Kind {
        #[serde(rename = "warm")]
        Warm,
        Cold,
    }
    assert_eq!(
        read::<Reading>(&batch().slice(0, 2)).expect("it fits"),
        [
            Reading {
                kind: Some(Kind::Warm),
                as_text: "1970-01-01T00:00:00Z".into(),
                at: Timestamp::from_micros(3_000_000),
                n: 1
            },
            Reading {
                kind: Some(Kind::Cold),
                as_text: "1970-01-01T00:00:01Z".into(),
                at: Timestamp::from_micros(0),
                n: 300
            },
        ]
    );
}

#[test]
fn a_value_that_cannot_be_read_names_its_column() {
    #[record]
    #[derive(Debug)]
    struct Small {
        n: u8,
    }
    #[record]
    #[derive(Debug)]
    struct At {
        at: Timestamp,
    }
    #[record]
    #[derive(Debug)]
    struct Strict {
        kind: Kind,
    }
    #[record]
    #[derive(Debug)]
    enum Kind {
        #[serde(rename = "warm")]
        Warm,
        Hot,
    }
    let failed = |read: Result<()>| read.expect_err("it does not fit").to_string();
    assert_eq!(
        failed(read::<Small>(&batch()).map(drop)),
        "column `n` has a value that cannot be read: invalid value: integer `300`, expected u8"
    );
    assert_eq!(
        failed(read::<At>(&batch()).map(drop)),
        "column `at` has a value that cannot be read: bad instant `never`: write it as `2015-02-24T10:00:00Z`"
    );
    assert_eq!(
        failed(read::<Strict>(&batch()).map(drop)),
        "column `kind` has a value that cannot be read: `Cold` is none of `warm` and `Hot`"
    );
    assert_eq!(
        failed(read::<Strict>(&batch().slice(2, 1)).map(drop)),
        "column `kind` is read as enum Kind without nulls, and the input has nulls in it; make the field an `Option`, or drop \
         the rows above (`Filter(\"kind IS NOT NULL\")`)"
    );
}
