//! The source as a whole, over files in a temporary directory.

mod columnar;
mod records;
mod resuming;
mod spec;
mod taking;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arrow::datatypes::SchemaRef;
use tempfile::TempDir;
use watershed_core::error::Result;
use watershed_core::node::{
    Available, Handles, Limit, Offset, OffsetRange, OpenContext, Source, SourceSchema, SourceSpec,
};
use watershed_core::schema::Ddl;
use watershed_core::time::SystemClock;

use super::listing::Place;
use super::source::{FilesSource, Reading};
use super::{Files, Format};
use crate::records::testing::Collected;
use crate::records::{OnBadRecord, RecordSchema};

const VALUE: &str = "v BIGINT";

fn files_of(path: &Path) -> Files {
    Files {
        path: path.to_str().expect("a plain name").to_owned(),
        format: Some(Format::Json),
        schema: Some(Ddl(VALUE.to_owned())),
        recursive: false,
        max_files_per_epoch: None,
        max_bytes_per_epoch: None,
        on_bad_record: OnBadRecord::Fail,
    }
}

/// The schema of a source: declared, or found by looking.
fn schema_of(files: &Files) -> Result<SchemaRef> {
    match files.schema().expect("no faults") {
        SourceSchema::Declared(schema) => Ok(schema),
        SourceSchema::Inferred => files.infer_schema(),
    }
}

fn opened(files: &Files) -> Box<dyn Source> {
    let cx = OpenContext {
        resumes: false,
        node: "files".into(),
        batch_rows: 3,
        clock: Arc::new(SystemClock),
        handles: Handles::default(),
    };
    files.open(schema_of(files).expect("a schema"), &cx).expect("files to open")
}

/// Writes a file that was last changed `age` seconds after 1970.
fn put(directory: &TempDir, name: &str, age: u64, text: impl AsRef<[u8]>) {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().expect("within the directory")).expect("a writable directory");
    let mut file = File::create(&path).expect("a writable directory");
    file.write_all(text.as_ref()).expect("a writable file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(age)).expect("a system with modification times");
}

fn line(value: i64) -> String {
    format!("{{\"v\":{value}}}\n")
}

fn range(source: &mut dyn Source, after: &Offset, limit: Limit) -> OffsetRange {
    match source.available(after, limit).expect("an answer") {
        Available::Range(range) => range,
        other => panic!("{other:?}, not a range"),
    }
}

fn rows(source: &mut dyn Source, range: &OffsetRange) -> Result<Collected> {
    Collected::of(source.splits(range)?)
}

/// The rows of each epoch until there are no more.
fn epochs(files: &Files) -> Result<Vec<String>> {
    let mut source = opened(files);
    source.freeze()?;
    let mut after = Offset::default();
    let mut epochs = Vec::new();
    while let Available::Range(range) = source.available(&after, Limit::Epoch)? {
        epochs.push(rows(source.as_mut(), &range)?.lines().join(" "));
        source.release(&after)?;
        after = range.end;
    }
    assert_eq!(source.available(&after, Limit::Epoch)?, Available::Finished);
    Ok(epochs)
}

fn failure(files: &Files) -> String {
    epochs(files).expect_err("a failure").to_string()
}

/// A source whose splits are `split_bytes` long.
fn split_source(files: &Files, split_bytes: u64, batch_rows: usize) -> FilesSource {
    let schema = schema_of(files).expect("a schema");
    let record = files.schema.as_ref().map_or_else(|| Arc::clone(&schema), |ddl| ddl.schema().expect("a schema"));
    let reading = Reading {
        format: files.format.clone(),
        schema: RecordSchema { record, output: schema },
        on_bad_record: files.on_bad_record.clone(),
        batch_rows,
        split_bytes,
    };
    let place = Place::of(&files.path).expect("a place");
    FilesSource::open(files.clone(), place, Arc::new(reading)).expect("a place")
}
