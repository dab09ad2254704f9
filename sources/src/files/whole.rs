//! Reads the files of a path all at once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use watershed_core::error::{Error, Result};
use watershed_core::node::RowOutput;

use super::Files;
use super::listing::{FileEntry, Place};
use super::pieces::pieces;
use super::source::Reading;

/// The files of a path, to be read as one table.
pub(crate) struct WholeFiles {
    files: Files,
    reading: Arc<Reading>,
    /// The files as they were when they were last read.
    seen: Option<Vec<FileEntry>>,
}

/// What all files hold.
#[derive(Debug)]
pub(crate) struct AllRows {
    pub(crate) rows: RecordBatch,
    /// Records that could not be read and were dropped or kept as text.
    pub(crate) bad_records: u64,
}

impl WholeFiles {
    /// The files that `files` names; `schema` was declared there or inferred.
    pub(crate) fn new(files: Files, schema: SchemaRef, batch_rows: usize) -> Result<Self> {
        let reading = Arc::new(files.reading(schema, batch_rows)?);
        Ok(Self { files, reading, seen: None })
    }

    /// All rows, in the order of the paths; none where the files are those of the last time, by path, time of change and size.
    pub(crate) fn read_if_changed(&mut self) -> Result<Option<AllRows>> {
        let files = self.list()?;
        if self.seen.as_ref() == Some(&files) {
            return Ok(None);
        }
        let mut all = Collecting::default();
        for file in &files {
            let mut splits = Vec::new();
            pieces(Arc::new(file.clone()), &self.reading, &mut splits)?;
            splits.into_iter().try_for_each(|split| split.read(&mut all))?;
        }
        // Half of a table is worse than the one before.
        if self.list()? != files {
            let path = &self.files.path;
            return Err(Error::BadInput(format!(
                "read `{path}`: it changed while it was read; write it elsewhere and rename it into place"
            )));
        }
        self.seen = Some(files);
        let rows = concat_batches(&self.reading.schema.output, &all.batches)?;
        Ok(Some(AllRows { rows, bad_records: all.bad_records }))
    }

    fn list(&self) -> Result<Vec<FileEntry>> {
        let path = &self.files.path;
        let mut files = Place::of(path)?.list(self.files.recursive)?;
        if files.is_empty() {
            return Err(Error::BadInput(format!("read `{path}`: there is no such file; a table has at least one")));
        }
        // A file that is written anew stays in its place.
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }
}

#[derive(Default)]
struct Collecting {
    batches: Vec<RecordBatch>,
    bad_records: u64,
}

impl RowOutput for Collecting {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.batches.push(batch);
        Ok(())
    }

    fn count_bad_records(&mut self, records: u64) {
        self.bad_records += records;
    }
}
