//! What a graph file may say.

use std::path::Path;

use watershed_core::node::SourceSpec;
use watershed_core::schema::Ddl;

use super::files_of;
use crate::files::{Files, Format};
use crate::records::OnBadRecord;

#[test]
fn every_fault_is_found() {
    let format = Some(Format::Csv { delimiter: '\n', header: true, quote: '"', null: String::new() });
    let files = Files {
        path: "data/[".to_owned(),
        format,
        schema: Some(Ddl("v BIGIN".to_owned())),
        max_files_per_epoch: Some(0),
        max_bytes_per_epoch: Some(0),
        ..files_of(Path::new(""))
    };
    let faults = files.schema().expect_err("five faults");
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, ["bad_option", "bad_path", "bad_option", "bad_option", "bad_schema"], "{faults:#?}");
    for (files, words) in [
        (Files { path: String::new(), ..files_of(Path::new("")) }, "`path` is empty"),
        (
            Files { format: Some(Format::Parquet), on_bad_record: OnBadRecord::Drop, ..files_of(Path::new("a")) },
            "is for Json and Csv",
        ),
        (
            Files { on_bad_record: OnBadRecord::Keep("v".to_owned()), ..files_of(Path::new("a")) },
            "has one of that name already",
        ),
        (
            Files { on_bad_record: OnBadRecord::Keep(String::new()), ..files_of(Path::new("a")) },
            "needs a column's name",
        ),
    ] {
        let faults = files.schema().expect_err(words);
        assert!(faults.len() == 1 && faults[0].message.contains(words), "{faults:?}");
    }
}

#[test]
fn a_node_reads_as_people_write_it() {
    let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    for text in [
        r#"(path: "a")"#,
        r#"(path: "a", format: Json, on_bad_record: Keep("text"))"#,
        r#"(path: "a", format: Csv())"#,
        r#"(path: "a", format: Csv(delimiter: ';', header: false), max_files_per_epoch: 10)"#,
        r#"(path: "a", format: Parquet, schema: "v BIGINT", recursive: true)"#,
    ] {
        let files: Files = options.from_str(text).expect(text);
        assert_eq!(
            options.from_str::<Files>(&options.to_string(&files).expect("plain data")).expect("its own text"),
            files
        );
    }
    assert!(options.from_str::<Files>(r#"(path: "a", format: Csv(delimitr: ';'))"#).is_err());
}
