//! Json and Csv files: compression, bad records, splits.

use std::io::Write;

use proptest::prelude::*;
use watershed_core::node::{Limit, Offset, SourceSchema, SourceSpec};
use watershed_core::schema::{Ddl, to_ddl};

use super::{VALUE, epochs, failure, files_of, line, opened, put, range, rows, schema_of, split_source};
use crate::files::{Files, Format};
use crate::records::OnBadRecord;

#[test]
fn compressed_files_are_read_by_their_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(line(1).as_bytes()).expect("memory");
    let mut two_members = gzip.finish().expect("memory");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(line(2).as_bytes()).expect("memory");
    two_members.extend(gzip.finish().expect("memory"));
    put(&directory, "a.json.gz", 1, &two_members);
    put(&directory, "b.jsonl.zst", 2, zstd::encode_all(line(3).as_bytes(), 1).expect("memory"));
    put(&directory, "c.csv.GZ", 3, {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"v\n4\n").expect("memory");
        gzip.finish().expect("memory")
    });
    let files = Files { format: None, ..files_of(directory.path()) };
    assert_eq!(epochs(&files).expect("rows"), ["1 2 3 4"]);
    assert_eq!(to_ddl(&schema_of(&Files { schema: None, ..files.clone() }).expect("a schema")), VALUE);

    put(&directory, "a.json.gz", 1, &two_members[..two_members.len() - 9]);
    assert!(failure(&files).contains("a.json.gz`"));
}

#[test]
fn a_name_that_tells_no_format_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.txt", 1, line(1));
    let error = failure(&Files { format: None, ..files_of(directory.path()) });
    assert!(error.contains("tell the format of") && error.contains("a.txt` by its name: set `format`"), "{error}");
}

#[test]
fn a_bad_record_stops_the_run_with_file_and_line() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 1, "{\"v\":1}\n\n{\"v\":\"two\", \"user\":\"g\"}\n{\"v\":3}\n");
    let error = failure(&files_of(directory.path()));
    for words in [
        "/a.json`, line 3: column `v` is BIGINT: expected a whole number, found `\"two\"",
        "the record is: {\"v\":\"two\", \"user\":\"g\"}",
    ] {
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_last_line_without_newline_is_a_record_if_it_can_be_read() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 1, "\u{feff}{\"v\":1}\r\n{\"v\":2}");
    assert_eq!(epochs(&files_of(directory.path())).expect("rows"), ["1 2"]);
    put(&directory, "a.json", 1, "{\"v\":1}\n{\"v\":");
    let error = failure(&files_of(directory.path()));
    assert!(
        error.contains(
            "line 2: expected a value at byte 5, found the end of the record (the file ends within this line"
        ),
        "{error}"
    );
}

#[test]
fn bad_records_are_dropped_or_kept_and_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.json", 1, "{\"v\":1}\nnonsense\n{\"w\":2}\n\n{\"v\":3}\n\u{fffd}");
    let files = Files { schema: Some(Ddl("v BIGINT NOT NULL, w INT".to_owned())), ..files_of(directory.path()) };
    for (on_bad_record, ddl, expected) in [
        (OnBadRecord::Drop, "v BIGINT NOT NULL, w INT", vec!["1 | ∅", "3 | ∅"]),
        (
            OnBadRecord::Keep("text".to_owned()),
            "v BIGINT, w INT, text STRING",
            vec!["1 | ∅ | ∅", "∅ | ∅ | nonsense", "∅ | ∅ | {\"w\":2}", "3 | ∅ | ∅", "∅ | ∅ | \u{fffd}"],
        ),
    ] {
        let files = Files { on_bad_record, ..files.clone() };
        assert_eq!(to_ddl(&schema_of(&files).expect("declared")), ddl);
        let mut source = opened(&files);
        let all = range(source.as_mut(), &Offset::default(), Limit::Epoch);
        let collected = rows(source.as_mut(), &all).expect("bad records do not stop it");
        assert_eq!((collected.lines(), collected.bad), (expected.into_iter().map(str::to_owned).collect(), 3));
    }
}

#[test]
fn bad_records_are_kept_beside_inferred_columns() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.csv", 1, "v,w\n1,x\n1,y,z\n");
    let on_bad_record = OnBadRecord::Keep("text".to_owned());
    let files = Files { format: None, schema: None, on_bad_record, ..files_of(directory.path()) };
    assert_eq!(epochs(&files).expect("rows"), ["1 | x | ∅ ∅ | ∅ | 1,y,z"]);
}

#[test]
fn a_bad_record_in_a_later_split_is_named_by_its_line_in_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    for (bad, split_bytes) in [(1, 7), (5, 7), (5, 16), (9, 20), (10, 1), (10, 1000)] {
        let text: String =
            (1..=10).map(|number| if number == bad { "{\"v\":x}\n".to_owned() } else { line(number) + "\n" }).collect();
        put(&directory, "a.json", 1, text);
        let mut source = split_source(&files_of(directory.path()), split_bytes, 3);
        let all = range(&mut source, &Offset::default(), Limit::Epoch);
        let error = rows(&mut source, &all).err().expect("a bad record").to_string();
        // Every good record is followed by a blank line.
        assert!(error.contains(&format!("line {}:", 2 * bad - 1)), "{error} with splits of {split_bytes}");
    }
}

#[test]
fn csv_goes_by_header_or_position() {
    let directory = tempfile::tempdir().expect("a directory");
    put(&directory, "a.csv", 1, "w,v\n\"x\ny\",1\n\n\"\",2\n,3\n");
    let schema = Some(Ddl("v BIGINT, w STRING".to_owned()));
    let files = Files { format: None, schema, ..files_of(directory.path()) };
    assert_eq!(epochs(&files).expect("rows"), ["1 | x\ny 2 |  3 | ∅"]);

    put(&directory, "a.csv", 1, "1;'a;b'\n2;NULL\n");
    let format = Format::Csv { delimiter: ';', header: false, quote: '\'', null: "NULL".to_owned() };
    assert_eq!(epochs(&Files { format: Some(format), ..files.clone() }).expect("rows"), ["1 | a;b 2 | ∅"]);

    put(&directory, "a.csv", 1, "w,v\nx,1\n\"y\nz\",2\nx,3,4\n");
    let error = failure(&files);
    assert!(error.contains("/a.csv`, line 5: 3 fields, where there should be 2"), "{error}");
    put(&directory, "a.csv", 1, "1,x\n");
    assert!(failure(&files).contains("/a.csv`: the first record (`1` and `x`) names none of the columns `v` and `w`"));
}

#[test]
fn schemas_are_found_by_looking() {
    for (name, text, ddl) in [
        (
            "a.json",
            "{\"Arrival_Time\":1424686735090,\"User\":\"g\",\"x\":3.356934E-4,\"ok\":true}\n\nnonsense\n{\"n\":null,\"x\":1,\"t\":\"2015-02-24T10:00:00Z\"}\n",
            "Arrival_Time BIGINT, User STRING, x DOUBLE, ok BOOLEAN, n STRING, t TIMESTAMP",
        ),
        (
            "a.json",
            "{\"a\":[1,null],\"o\":{\"p\":1},\"m\":1}\n{\"a\":[1.5],\"o\":{\"q\":[]},\"m\":\"x\"}",
            "a ARRAY<DOUBLE>, o STRUCT<p: BIGINT, q: ARRAY<STRING>>, m STRING",
        ),
        ("a.json", "{\"big\":9223372036854775808,\"t\":\"2015-02-24\"}", "big DOUBLE, t STRING"),
        (
            "a.csv",
            "i,d,s,b,t,n\n1,1,1,true,2015-02-24 10:00:00,\n2,2.5,x,False,,\n",
            "i BIGINT, d DOUBLE, s STRING, b BOOLEAN, t TIMESTAMP, n STRING",
        ),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        put(&directory, name, 1, text);
        let files = Files { format: None, schema: None, ..files_of(directory.path()) };
        assert_eq!(files.schema().expect("no faults"), SourceSchema::Inferred);
        assert_eq!(to_ddl(&schema_of(&files).expect("a schema")), ddl);
        let no_header = Format::Csv { delimiter: ',', header: false, quote: '"', null: String::new() };
        put(&directory, name, 1, "1,x\n");
        let positional = schema_of(&Files { format: Some(no_header), ..files }).expect("a schema");
        assert_eq!(to_ddl(&positional), "_c0 BIGINT, _c1 STRING");
    }
    let empty = tempfile::tempdir().expect("a directory");
    let files = Files { format: None, schema: None, ..files_of(empty.path()) };
    assert!(schema_of(&files).expect_err("no file").to_string().contains("no file matches"));
    put(&empty, "a.json", 1, "\nnonsense");
    assert!(schema_of(&files).expect_err("no record").to_string().contains("no record that could be read"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_and_their_order_do_not_depend_on_splits_and_batches(
        lines in proptest::collection::vec((0_i64..1_000_000, 0_usize..3), 0..40),
        split_bytes in 1_u64..200,
        batch_rows in 1_usize..10,
        ends_with_newline in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut text: String = lines.iter().map(|(value, blanks)| line(*value) + &"\n".repeat(*blanks)).collect();
        if !ends_with_newline {
            text.truncate(text.trim_end().len());
        }
        put(&directory, "a.json", 1, &text);
        put(&directory, "b.json", 2, line(-1));
        let mut source = split_source(&files_of(directory.path()), split_bytes, batch_rows);
        let all = range(&mut source, &Offset::default(), Limit::Epoch);
        let collected = rows(&mut source, &all).expect("good records");
        let expected: Vec<_> = lines.iter().map(|(value, _)| *value).chain([-1]).map(|value| value.to_string()).collect();
        prop_assert_eq!(collected.lines(), expected);
        prop_assert!(collected.batches.iter().all(|batch| (1..=batch_rows).contains(&batch.num_rows())));
    }
}
