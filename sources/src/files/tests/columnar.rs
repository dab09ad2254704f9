//! Parquet and Arrow files.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Int32Type};
use watershed_core::node::{Limit, Offset, Source};
use watershed_core::schema::{Ddl, to_ddl};

use super::{epochs, failure, files_of, put, range, rows, schema_of, split_source};
use crate::files::Files;

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .expect("a batch")
}

fn parquet(batches: &[RecordBatch], row_group: usize) -> Vec<u8> {
    let options =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(row_group)).build();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(options)).expect("a schema");
    for batch in batches {
        writer.write(batch).expect("memory");
    }
    writer.close().expect("memory");
    bytes
}

fn arrow_file(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batches[0].schema()).expect("a schema");
    for batch in batches {
        writer.write(batch).expect("memory");
    }
    writer.finish().expect("memory");
    writer.into_inner().expect("memory")
}

fn arrow_stream(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batches[0].schema()).expect("a schema");
    for batch in batches {
        writer.write(batch).expect("memory");
    }
    writer.finish().expect("memory");
    writer.into_inner().expect("memory")
}

/// Batches of consecutive numbers, of uneven sizes.
fn numbers() -> Vec<RecordBatch> {
    let numbers =
        |range: std::ops::Range<i64>| columns(vec![("v", Arc::new(Int64Array::from_iter_values(range)) as ArrayRef)]);
    vec![numbers(0..5), numbers(5..6), numbers(6..20), numbers(20..41)]
}

#[test]
fn parquet_and_arrow_files_are_cut_into_splits() {
    for (name, bytes, splits) in [
        ("a.parquet", parquet(&numbers(), 10), 5),
        ("a.arrow", arrow_file(&numbers()), 4),
        ("a.arrows", arrow_stream(&numbers()), 1),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        put(&directory, name, 1, bytes);
        let files = Files { format: None, ..files_of(directory.path()) };
        let mut source = split_source(&files, 1, 3);
        let all = range(&mut source, &Offset::default(), Limit::Epoch);
        assert_eq!(source.splits(&all).expect("splits").len(), splits, "{name}");
        let collected = rows(&mut source, &all).expect("rows");
        assert!(collected.batches.iter().all(|batch| batch.num_rows() <= 3));
        assert_eq!(collected.lines(), (0..41).map(|value| value.to_string()).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn columns_of_parquet_and_arrow_files_go_by_name_and_become_what_is_declared() {
    let strings: ArrayRef = Arc::new(LargeStringArray::from(vec![Some("x"), None]));
    let dictionary: ArrayRef = Arc::new(vec!["p", "q"].into_iter().collect::<DictionaryArray<Int32Type>>());
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1_500]).with_timezone("+02:00"));
    let part: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let parts: ArrayRef = Arc::new(StructArray::from(vec![(
        Arc::new(Field::new("p", part.data_type().clone(), true)),
        Arc::clone(&part),
    )]));
    let batch = columns(vec![
        ("unread", Arc::clone(&part)),
        ("s", strings),
        ("k", dictionary),
        ("t", times),
        ("i", part),
        ("f", Arc::new(Float32Array::from(vec![0.5, 1.5])) as ArrayRef),
        ("u", Arc::new(UInt64Array::from(vec![7, 8])) as ArrayRef),
        ("o", parts),
    ]);
    for (name, bytes) in [
        ("a.parquet", parquet(std::slice::from_ref(&batch), 10)),
        ("a.arrow", arrow_file(std::slice::from_ref(&batch))),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        put(&directory, name, 1, &bytes);
        let files = Files { format: None, ..files_of(directory.path()) };
        let ddl =
            "t TIMESTAMP, s STRING, k STRING, i BIGINT, f DOUBLE, u INT, o STRUCT<q: STRING, p: BIGINT>, absent DATE";
        let declared = Files { schema: Some(Ddl(ddl.to_owned())), ..files.clone() };
        let expected = "1969-12-31T23:59:59.999999 | x | p | 1 | 0.5 | 7 | {q: ∅, p: 1} | ∅ 1970-01-01T00:00:00.000001 | ∅ | q | 2 | 1.5 | 8 | {q: ∅, p: 2} | ∅";
        assert_eq!(epochs(&declared).expect("rows"), [expected], "{name}");

        let inferred = schema_of(&Files { schema: None, ..files.clone() }).expect("a schema");
        assert_eq!(
            to_ddl(&inferred),
            "unread INT, s STRING, k STRING, t TIMESTAMP, i INT, f FLOAT, u DECIMAL(20, 0), o STRUCT<p: INT>"
        );
        assert_eq!(epochs(&Files { schema: None, ..files.clone() }).expect("rows").len(), 1);

        for (ddl, words) in [
            ("s BIGINT", "column `s` is STRING there, which cannot become BIGINT without loss; declare it STRING"),
            ("f FLOAT NOT NULL, i FLOAT", "column `i` is INT there, which cannot become FLOAT without loss"),
            ("s STRING NOT NULL", "column `s`: NOT NULL, and the file has a null there"),
            ("absent INT NOT NULL", "column `absent` is NOT NULL, and the file has no such column"),
        ] {
            let error = failure(&Files { schema: Some(Ddl(ddl.to_owned())), ..files.clone() });
            assert!(error.contains(words) && error.contains(name), "{error}");
        }
    }
}

#[test]
fn a_value_that_the_declared_type_cannot_hold_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    put(
        &directory,
        "a.parquet",
        1,
        parquet(&[columns(vec![("v", Arc::new(Int64Array::from(vec![1, 300])) as ArrayRef)])], 10),
    );
    let files = Files { format: None, schema: Some(Ddl("v TINYINT".to_owned())), ..files_of(directory.path()) };
    let error = failure(&files);
    assert!(error.contains("/a.parquet`: column `v`:") && error.contains("300"), "{error}");
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"; 100]));
    let batch = columns(vec![("v", text)]);
    for (name, mut bytes) in [
        ("a.parquet", parquet(std::slice::from_ref(&batch), 10)),
        ("a.arrow", arrow_file(std::slice::from_ref(&batch))),
        ("a.arrows", arrow_stream(&[batch])),
    ] {
        bytes.truncate(bytes.len() / 2);
        let directory = tempfile::tempdir().expect("a directory");
        put(&directory, name, 1, bytes);
        let files = Files { format: None, schema: Some(Ddl("v STRING".to_owned())), ..files_of(directory.path()) };
        assert!(failure(&files).contains(name));
    }
}
