//! What a graph file says of `Files`.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{OpenContext, Source, SourceSchema, SourceSpec};
use watershed_core::register_source;
use watershed_core::schema::Ddl;

use super::format::{Format, Kind};
use super::listing::{Place, is_pattern};
use super::source::{FilesSource, Reading};
use super::{infer, pieces};
use crate::records::{OnBadRecord, RecordSchema};

/// Reads the files of a directory or glob, each once, oldest first and then by path.
///
/// A file belongs to the source when it is listed, with the size that it then has: what is written to it later is not read.
/// So write files elsewhere and rename them into place. A file that is gone, or shorter than it was, when its turn comes
/// stops the run. The last line of a file needs no newline.
///
/// With a checkpoint, every file is read once over all runs: the files of committed epochs are kept in it by path, and the files
/// of an epoch that is run again are read once more, so they must still be there. A file read already is never read again,
/// also when it is written anew; a file that turns up later is read, however old it is.
///
/// A single file that the path names outright is read, and then the source is at its end; directories and patterns are
/// watched for more files until the run is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// A directory, whose files are taken; or a pattern such as `data/*.json` or `data/**/*.csv`; or one file. Relative to the
    /// working directory. Names that begin with `.` or `_` are skipped.
    pub path: String,
    /// What the files are written in: `Json`, `Csv(…)`, `Parquet`, `Arrow`. Left out, each file's name tells. Json and Csv files
    /// whose names end in `.gz` or `.zst` are decompressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The columns. Those that a file does not have are null, and what it has besides is skipped. Left out, they are found by
    /// looking at the first files: instants with date and time become TIMESTAMP, whole numbers BIGINT, other numbers DOUBLE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ddl>,
    /// Whether the directories within are searched too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recursive: bool,
    /// The most files for one epoch. The trigger `Once` takes all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_files_per_epoch: Option<u64>,
    /// The most bytes for one epoch, as the files lie on disk; one file is always taken. The trigger `Once` takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes_per_epoch: Option<u64>,
    /// What is done with a record of a Json or Csv file that the schema does not fit.
    #[serde(default, skip_serializing_if = "is_fail")]
    pub on_bad_record: OnBadRecord,
}

pub(crate) fn is_fail(on_bad_record: &OnBadRecord) -> bool {
    *on_bad_record == OnBadRecord::Fail
}

register_source!(Files, example: r#"Files(
    path: "data/activity/*.json",
    format: Json,
    schema: "Creation_Time BIGINT, Device STRING, User STRING, gt STRING, x DOUBLE",
    max_files_per_epoch: 10,
)"#);

impl Files {
    fn faults(&self) -> Faults {
        let mut faults = self.format.as_ref().map_or_else(Faults::new, Format::check);
        if self.path.is_empty() {
            faults.push(
                Fault::new("bad_path", "`path` is empty")
                    .at("path")
                    .help("name a directory, a pattern such as `data/*.json`, or a file"),
            );
        }
        if is_pattern(&self.path)
            && let Err(error) = glob::Pattern::new(&self.path)
        {
            let at = error.pos.min(self.path.len());
            let message = format!("`{}` is no pattern: {}", self.path, error.msg);
            faults.push(Fault::new("bad_path", message).at("path").within(at..self.path.len()));
        }
        for (name, limit) in
            [("max_files_per_epoch", self.max_files_per_epoch), ("max_bytes_per_epoch", self.max_bytes_per_epoch)]
        {
            if limit == Some(0) {
                let message = format!("`{name}` is 0, and must be at least 1");
                faults.push(Fault::new("bad_option", message).at(name).help("leave it out for no limit"));
            }
        }
        if matches!(self.format, Some(Format::Parquet | Format::Arrow)) && self.on_bad_record != OnBadRecord::Fail {
            let message = "`on_bad_record` is for Json and Csv: a Parquet or Arrow file is good or bad as a whole";
            faults.push(Fault::new("bad_option", message).at("on_bad_record"));
        }
        faults
    }

    /// What a good record has, as far as it is declared.
    fn declared(&self) -> Result<Option<SchemaRef>, Fault> {
        let Some(ddl) = &self.schema else { return Ok(None) };
        let schema = ddl.schema().map_err(|fault| fault.under("schema"))?;
        let nested =
            schema.fields().iter().find(|field| matches!(field.data_type(), DataType::List(_) | DataType::Struct(_)));
        if let (Some(Format::Csv { .. }), Some(nested)) = (&self.format, nested) {
            let message = format!("column `{}` is nested, which a CSV field cannot be", nested.name());
            return Err(Fault::new("bad_schema", message).at("schema").help("declare it STRING"));
        }
        Ok(Some(schema))
    }

    fn place(&self) -> Result<Place> {
        Place::of(&self.path)
    }
}

#[typetag::serde]
impl SourceSpec for Files {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let mut faults = self.faults();
        let declared =
            self.declared().and_then(|declared| declared.map(|schema| self.on_bad_record.widen(&schema)).transpose());
        match declared {
            Ok(Some(schema)) if faults.is_empty() => Ok(SourceSchema::Declared(schema)),
            Ok(None) if faults.is_empty() => Ok(SourceSchema::Inferred),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        let files = self.place()?.list(self.recursive)?;
        if files.is_empty() {
            let path = &self.path;
            return Err(Error::BadInput(format!(
                "find the columns: no file matches `{path}`; declare them with `schema`"
            )));
        }
        let schema = infer::infer(&files, self.format.as_ref())?;
        self.on_bad_record.widen(&schema).map_err(|fault| Error::BadInput(fault.message))
    }

    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        let reading = self.reading(schema, cx.batch_rows)?;
        Ok(Box::new(FilesSource::open(self.clone(), self.place()?, Arc::new(reading))?))
    }
}

impl Files {
    /// How the files are read into batches of `schema`, which was declared or inferred.
    pub(super) fn reading(&self, schema: SchemaRef, batch_rows: usize) -> Result<Reading> {
        let record = match self.declared() {
            Ok(Some(declared)) => declared,
            Ok(None) => self.without_kept(&schema),
            Err(fault) => return Err(Error::BadInput(fault.message)),
        };
        Ok(Reading {
            format: self.format.clone(),
            schema: RecordSchema { record, output: schema },
            on_bad_record: self.on_bad_record.clone(),
            batch_rows,
            split_bytes: pieces::SPLIT_BYTES,
        })
    }

    /// The columns of a good record, of those that leave the source.
    fn without_kept(&self, schema: &SchemaRef) -> SchemaRef {
        match &self.on_bad_record {
            OnBadRecord::Keep(column) => {
                let fields: Vec<_> = schema.fields().iter().filter(|field| field.name() != column).cloned().collect();
                SchemaRef::new(arrow::datatypes::Schema::new(fields))
            }
            OnBadRecord::Fail | OnBadRecord::Drop => Arc::clone(schema),
        }
    }

    /// The format of one file.
    pub(super) fn kind_of(format: Option<&Format>, path: &str) -> Result<Kind> {
        let format = match format {
            Some(format) => format.clone(),
            None => Format::of_name(path).ok_or_else(|| {
                let known = super::format::KNOWN_NAMES;
                Error::BadInput(format!(
                    "tell the format of `{path}` by its name: set `format`; names that tell end in {known}"
                ))
            })?,
        };
        Ok(format.kind())
    }
}
