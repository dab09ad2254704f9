//! What a graph file says of `Table`.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{OpenContext, Source, SourceSchema, SourceSpec};
use watershed_core::register_source;
use watershed_core::schema::Ddl;
use watershed_core::stream::Mode;
use watershed_core::time::TimeSpan;

use super::source::{Looks, Origin, TableSource};
use crate::files::{AllRows, Files, Format, WholeFiles, is_fail};
use crate::records::OnBadRecord;

/// A table in a file, or in all files of a directory or glob, to look rows up in: for port `right` of a `Join`, as it is or after a
/// `Select` or `Filter`.
///
/// It is read as a whole by the first epoch, and again by an epoch after its files have changed, by path, time of change or size;
/// what is written anew with the same rows changes nothing. A version holds from the epoch that reads it, which is run although
/// there may be no other input. Rows may be equal, and so may keys: a join gives a pair for each. Write a new version elsewhere and
/// rename it into place, so that nobody reads half of it.
///
/// The file must be there at the first start; `on_error` says what becomes of a reload that fails. With a checkpoint, what an epoch
/// has read is kept in it, so an epoch that is run again finds the same table although the file may be another by then, or gone. The
/// table is held in memory, and passes through the checkpoint whenever it has changed: it is for thousands or millions of rows, not
/// for billions.
///
/// A run does not go on for the sake of a table: it ends when its other sources have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// One file; or a directory or a pattern such as `data/*.csv`, whose files are one table in the order of their paths. Relative to
    /// the working directory. Names that begin with `.` or `_` are skipped in directories and patterns.
    pub path: String,
    /// What the files are written in: `Json`, `Csv(…)`, `Parquet`, `Arrow`. Left out, each file's name tells. Json and Csv files
    /// whose names end in `.gz` or `.zst` are decompressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The columns. Those that a file does not have are null, and what it has besides is skipped. Left out, they are found by
    /// looking at the first files: instants with date and time become TIMESTAMP, whole numbers BIGINT, other numbers DOUBLE. They
    /// stay what they are while the graph runs, whatever a later version has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ddl>,
    /// Whether the directories within are searched too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recursive: bool,
    /// What is done with a record of a Json or Csv file that the schema does not fit.
    #[serde(default, skip_serializing_if = "is_fail")]
    pub on_bad_record: OnBadRecord,
    /// When the files are looked at again: `Every("1 minute")`, unless said otherwise, or `Never`. Each run looks at them at its
    /// start. The triggers `Once` and `AvailableNow` leave it at that.
    #[serde(default, skip_serializing_if = "is_every_minute")]
    pub reload: Reload,
    /// What becomes of the run when the files cannot be read again: gone, unreadable, or not what the schema says. `Keep` goes on
    /// with the table as it was, says so in the progress of every epoch, and tries again when the next look is due; `Fail` stops the
    /// run. There must be a first version in any case.
    #[serde(default, skip_serializing_if = "is_keep")]
    pub on_error: OnError,
}

/// When a table is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reload {
    /// When so much time has passed since the last look.
    Every(TimeSpan),
    /// Not before the next start.
    Never,
}

/// A minute is short for people, and long for a file system.
impl Default for Reload {
    fn default() -> Self {
        Self::Every(TimeSpan::from_seconds(60))
    }
}

fn is_every_minute(reload: &Reload) -> bool {
    *reload == Reload::default()
}

/// What becomes of a run whose table cannot be read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnError {
    /// It goes on with the table as it was, and says so.
    #[default]
    Keep,
    /// It stops.
    Fail,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_keep(on_error: &OnError) -> bool {
    *on_error == OnError::Keep
}

register_source!(Table, example: r#"Table(
    path: "data/users.csv",
    schema: "User STRING, Country STRING, Premium BOOLEAN",
    reload: Every("1 minute"),
)"#);

impl Table {
    /// The same files, as a source of facts would name them.
    fn files(&self) -> Files {
        Files {
            path: self.path.clone(),
            format: self.format.clone(),
            schema: self.schema.clone(),
            recursive: self.recursive,
            max_files_per_epoch: None,
            max_bytes_per_epoch: None,
            on_bad_record: self.on_bad_record.clone(),
        }
    }
}

#[typetag::serde]
impl SourceSpec for Table {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let schema = self.files().schema();
        let Reload::Every(every) = self.reload else { return schema };
        if every > TimeSpan::ZERO {
            return schema;
        }
        let fault = Fault::new("bad_option", format!("`reload` is every {every}, and must be more than no time"));
        let fault = fault.at("reload").help("`Every(\"1 second\")` looks often; `Never` looks at the start only");
        let mut faults = schema.err().unwrap_or_default();
        faults.push(fault);
        Err(faults)
    }

    fn mode(&self) -> Mode {
        Mode::Complete(Vec::new())
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        self.files().infer_schema()
    }

    /// What is read is kept in the checkpoint.
    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        let files = WholeFiles::new(self.files(), Arc::clone(&schema), cx.batch_rows)?;
        let every = match self.reload {
            Reload::Every(every) => Some(every),
            Reload::Never => None,
        };
        let looks = Looks { clock: Arc::clone(&cx.clock), every, on_error: self.on_error };
        Ok(Box::new(TableSource::new(files, looks, schema, cx.batch_rows)))
    }
}

impl Origin for WholeFiles {
    fn newest(&mut self) -> Result<Option<AllRows>> {
        self.read_if_changed()
    }
}
