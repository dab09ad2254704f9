//! The running sink: parts are encoded in parallel where nobody sees them, epochs are committed one by one.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Epoch;
use watershed_core::error::{Error, Result};
use watershed_core::node::{Part, Receipt, Sink};

use super::directory::{Directory, PartName};
use super::encoding::Encoding;

/// What a receipt of a part with rows says; a part without rows has no file and an empty receipt.
#[derive(Debug, Serialize, Deserialize)]
struct StagedFile {
    file: String,
    rows: usize,
}

#[derive(Debug)]
pub(crate) struct FilesSink {
    directory: Directory,
    encoding: Encoding,
    schema: SchemaRef,
}

impl FilesSink {
    pub(crate) fn new(directory: Directory, encoding: Encoding, schema: SchemaRef) -> Self {
        Self { directory, encoding, schema }
    }
}

impl Sink for FilesSink {
    fn stage(&self, part: Part, batches: &[RecordBatch]) -> Result<Receipt> {
        let name = PartName::new(part, self.encoding.extension());
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        if rows == 0 {
            self.directory.unstage(&name)?;
            return Ok(Receipt::default());
        }
        let receipt = StagedFile { file: name.to_string(), rows };
        self.directory.stage(name, |file, path| self.encoding.write(&self.schema, batches, file, path))?;
        serde_json::to_value(receipt).map(Receipt).map_err(|cause| Error::Other(Box::new(cause)))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        let names = receipts.iter().filter(|receipt| !receipt.0.is_null()).map(|receipt| part_name(epoch, receipt));
        self.directory.commit(epoch, &names.collect::<Result<BTreeSet<_>>>()?)
    }
}

/// A receipt may come from a file, so it is not believed to name a part of this epoch until it is seen to.
fn part_name(epoch: Epoch, receipt: &Receipt) -> Result<PartName> {
    let staged = StagedFile::deserialize(&receipt.0).ok();
    let name = staged.and_then(|staged| PartName::parse(&staged.file)).filter(|name| name.epoch() == epoch);
    name.ok_or_else(|| Error::BadInput(format!("`{}` is no receipt of a part of epoch {epoch}", receipt.0)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;
    use watershed_core::node::{OpenContext, SinkSpec};

    use super::*;
    use crate::files::{Compression, Existing, FileFormat, Files};
    use crate::testing::{context, counts, in_batches_of, part, run_epoch, stream};

    fn files(directory: &Path) -> Files {
        Files {
            path: directory.to_str().unwrap().to_owned(),
            format: FileFormat::Json,
            compression: Compression::Auto,
            existing: Existing::Refuse,
        }
    }

    /// A run that goes on where one stopped.
    fn resume(spec: &Files) -> Box<dyn Sink> {
        spec.open(&stream(&counts(&[])), &OpenContext { resumes: true, ..context("files") }).unwrap()
    }

    /// A run that starts anew.
    fn try_open(spec: &Files) -> Result<Box<dyn Sink>> {
        spec.open(&stream(&counts(&[])), &context("files"))
    }

    fn open(directory: &Path) -> Box<dyn Sink> {
        resume(&files(directory))
    }

    /// What a reader would find: names and contents of the files that are not hidden.
    fn listing(directory: &Path) -> Vec<(String, String)> {
        let mut seen: Vec<_> = all_names(directory).into_iter().filter(|name| !name.starts_with('.')).collect();
        seen.sort();
        seen.into_iter()
            .map(|name| (fs::read_to_string(directory.join(&name)).unwrap(), name))
            .map(|(text, name)| (name, text))
            .collect()
    }

    fn all_names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn file(epoch: u64, index: usize, rows: &[(&str, i64)]) -> (String, String) {
        let line = |(user, count): &(&str, i64)| format!("{{\"user\":\"{user}\",\"count\":{count}}}\n");
        (format!("part-{epoch:08}-{index:04}.json"), rows.iter().map(line).collect())
    }

    #[test]
    fn a_part_shows_only_when_its_epoch_is_committed() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("out/late");
        let sink = open(&directory);
        let receipts = [
            sink.stage(part(0, 0), &[counts(&[("a", 1)])]).unwrap(),
            sink.stage(part(0, 1), &[counts(&[("b", 2)])]).unwrap(),
        ];
        assert!(listing(&directory).is_empty());
        assert_eq!(all_names(&directory).len(), 2);
        sink.commit(Epoch(0), &receipts).unwrap();
        let expected = [file(0, 0, &[("a", 1)]), file(0, 1, &[("b", 2)])];
        assert_eq!(listing(&directory), expected);
        sink.commit(Epoch(0), &receipts).unwrap();
        assert_eq!(listing(&directory), expected);
        assert_eq!(all_names(&directory).len(), 2);
    }

    #[test]
    fn a_commit_after_a_restart_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let sink = open(home.path());
        let receipt = sink.stage(part(5, 0), &[counts(&[("a", 1)])]).unwrap();
        sink.commit(Epoch(5), std::slice::from_ref(&receipt)).unwrap();
        drop(sink);
        open(home.path()).commit(Epoch(5), &[receipt]).unwrap();
        assert_eq!(listing(home.path()), [file(5, 0, &[("a", 1)])]);
    }

    #[test]
    fn staging_again_replaces_and_an_empty_part_has_no_file() {
        let home = tempfile::tempdir().unwrap();
        let sink = open(home.path());
        sink.stage(part(0, 0), &[counts(&[("old", 1)])]).unwrap();
        sink.stage(part(0, 1), &[counts(&[("gone", 1)])]).unwrap();
        sink.stage(part(0, 2), &[counts(&[("of an attempt with more parts", 1)])]).unwrap();
        let receipts = [
            sink.stage(part(0, 0), &[counts(&[("new", 1)])]).unwrap(),
            sink.stage(part(0, 1), &[counts(&[])]).unwrap(),
        ];
        sink.commit(Epoch(0), &receipts).unwrap();
        assert_eq!(listing(home.path()), [file(0, 0, &[("new", 1)])]);
        assert_eq!(all_names(home.path()).len(), 1, "nothing hidden is left");
    }

    #[test]
    fn parts_of_the_next_epoch_wait_while_one_is_committed() {
        let home = tempfile::tempdir().unwrap();
        let sink = open(home.path());
        let next = sink.stage(part(4, 0), &[counts(&[("next", 1)])]).unwrap();
        run_epoch(&*sink, 3, &[&[counts(&[("a", 1)])]]);
        assert_eq!(listing(home.path()), [file(3, 0, &[("a", 1)])]);
        sink.commit(Epoch(4), &[next]).unwrap();
        assert_eq!(listing(home.path()).len(), 2);
    }

    #[test]
    fn what_a_crash_left_half_written_is_removed_and_other_files_are_not_touched() {
        let home = tempfile::tempdir().unwrap();
        let crashed = open(home.path());
        crashed.stage(part(7, 0), &[counts(&[("a", 1)])]).unwrap();
        drop(crashed);
        fs::write(home.path().join("notes.txt"), "mine").unwrap();
        fs::write(home.path().join(".keep"), "mine").unwrap();
        let sink = open(home.path());
        let mut names = all_names(home.path());
        names.sort();
        assert_eq!(names, [".keep", "notes.txt"]);
        run_epoch(&*sink, 7, &[]);
        assert_eq!(listing(home.path()), [("notes.txt".to_owned(), "mine".to_owned())]);
    }

    #[test]
    fn an_epoch_that_crashed_in_its_commit_is_replaced_as_a_whole() {
        let home = tempfile::tempdir().unwrap();
        let crashed = open(home.path());
        run_epoch(&*crashed, 0, &[&[counts(&[("before", 1)])]]);
        run_epoch(&*crashed, 1, &[&[counts(&[("a", 1)])], &[counts(&[("b", 1)])], &[counts(&[("c", 1)])]]);
        drop(crashed);
        let sink = open(home.path());
        run_epoch(&*sink, 1, &[&[counts(&[("a", 1), ("b", 1), ("c", 1)])]]);
        assert_eq!(listing(home.path()), [file(0, 0, &[("before", 1)]), file(1, 0, &[("a", 1), ("b", 1), ("c", 1)])]);
    }

    #[test]
    fn an_epoch_replayed_in_another_format_replaces_its_files_too() {
        let home = tempfile::tempdir().unwrap();
        run_epoch(&*open(home.path()), 1, &[&[counts(&[("a", 1)])]]);
        let zipped = Files { compression: Compression::Zstd, ..files(home.path()) };
        run_epoch(&*resume(&zipped), 1, &[&[counts(&[("a", 1)])]]);
        assert_eq!(all_names(home.path()), ["part-00000001-0000.json.zst"]);
    }

    #[test]
    fn a_new_run_is_not_mixed_with_an_earlier_one() {
        let home = tempfile::tempdir().unwrap();
        let earlier = open(home.path());
        run_epoch(&*earlier, 0, &[&[counts(&[("old", 1)])]]);
        run_epoch(&*earlier, 1, &[&[counts(&[("old", 2)])]]);
        drop(earlier);

        let refused = try_open(&files(home.path())).err().expect("two runs").to_string();
        assert!(refused.contains("up to epoch 1") && refused.contains("existing: Replace"), "{refused}");
        assert_eq!(listing(home.path()).len(), 2);

        let replacing = try_open(&Files { existing: Existing::Replace, ..files(home.path()) }).unwrap();
        run_epoch(&*replacing, 0, &[&[counts(&[("new", 1)])]]);
        run_epoch(&*replacing, 1, &[]);
        assert_eq!(listing(home.path()), [file(0, 0, &[("new", 1)])]);
    }

    #[test]
    fn a_second_writer_is_kept_out_until_the_first_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let first = open(home.path());
        let refused = try_open(&files(home.path())).err().expect("the directory is taken").to_string();
        assert!(refused.contains("another run"), "{refused}");
        drop(first);
        open(home.path());
    }

    #[test]
    fn a_receipt_that_is_none_and_a_part_that_vanished_are_errors() {
        let home = tempfile::tempdir().unwrap();
        let sink = open(home.path());
        for bad in [
            json!("part"),
            json!({"file": "../etc/passwd", "rows": 1}),
            json!({"file": "part-00000009-0000.json", "rows": 1}),
        ] {
            assert!(matches!(sink.commit(Epoch(0), &[Receipt(bad)]), Err(Error::BadInput(_))));
        }
        let vanished = Receipt(json!({"file": "part-00000000-0000.json", "rows": 1}));
        let message = sink.commit(Epoch(0), &[vanished]).expect_err("no such part").to_string();
        assert!(message.contains("neither staged nor there"), "{message}");
    }

    #[test]
    fn a_path_that_is_a_file_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("taken");
        fs::write(&path, "a file").unwrap();
        let message = try_open(&files(&path)).err().expect("no directory").to_string();
        assert!(message.contains("taken"), "{message}");
    }

    #[test]
    fn the_size_of_batches_does_not_show() {
        let rows = counts(&[("a", 1), ("b", 2), ("c", 3)]);
        let listings = [1, 2, 3].map(|size| {
            let home = tempfile::tempdir().unwrap();
            run_epoch(&*open(home.path()), 0, &[&in_batches_of(&rows, size)]);
            listing(home.path())
        });
        assert!(listings.iter().all(|listing| *listing == [file(0, 0, &[("a", 1), ("b", 2), ("c", 3)])]));
    }
}
