//! Where rows come from: memory, NDJSON files, Parquet files. For both sides: as the source of a graph, and as batches for a
//! plain loop.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use clap::ValueEnum;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use watershed::core::schema::to_ddl;
use watershed::sources::json;

use super::workload::Workload;
use crate::Failure;
use crate::activity::{Activity, Columns, FileFormat, batches, write_files};

/// Where rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Medium {
    /// Arrow batches in memory.
    Memory,
    /// NDJSON files.
    Json,
    /// Parquet files.
    Parquet,
}

/// How many rows a batch in memory or of a decoder has.
pub(crate) const BATCH_ROWS: usize = 32_768;
/// Files of a medium, and how many of them make an epoch.
const FILES: u64 = 8;
const FILES_PER_EPOCH: u64 = 2;

/// The rows of a medium, ready to be read.
#[derive(Debug)]
pub(crate) enum Data {
    /// Batches of [`Columns::Timed`].
    Memory(Arc<[RecordBatch]>),
    /// Files in the order of the rows; the directory goes with the value.
    Files { format: FileFormat, paths: Vec<PathBuf>, directory: tempfile::TempDir },
}

impl Data {
    pub(crate) fn make(medium: Medium, activity: &Activity) -> Result<Self, Failure> {
        let format = match medium {
            Medium::Memory => {
                return Ok(Self::Memory(batches(activity, 0..activity.rows, Columns::Timed, BATCH_ROWS).collect()));
            }
            Medium::Json => FileFormat::Json,
            Medium::Parquet => FileFormat::Parquet,
        };
        let directory = tempfile::tempdir()?;
        let paths = write_files(activity, directory.path(), format, FILES)?;
        Ok(Self::Files { format, paths, directory })
    }

    /// The source of the graph, and the expressions that make `event_time` of its columns; none where it is there already.
    pub(crate) fn source(&self, workload: Workload) -> (String, Option<String>) {
        match self {
            Self::Memory(_) => (r#"Memory(schema: "event_time TIMESTAMP, User STRING, x DOUBLE")"#.to_owned(), None),
            Self::Files { format, directory, .. } => {
                let (schema, columns) = (to_ddl(&wanted(workload)), wanted(workload));
                let time = r#""to_timestamp_nanos(Creation_Time) AS event_time""#.to_owned();
                let others = columns.fields().iter().map(|field| field.name()).filter(|name| *name != "Creation_Time");
                let select: Vec<String> = [time].into_iter().chain(others.map(|name| format!(r#""{name}""#))).collect();
                let select = select.join(", ");
                let directory = directory.path().display();
                let source = format!(
                    r#"Files(path: "{directory}/*", format: {format:?}, schema: "{schema}", max_files_per_epoch: {FILES_PER_EPOCH})"#
                );
                (source, workload.reads_time().then_some(select))
            }
        }
    }
}

/// The columns that a plain loop sees of a batch; those that the question does not look at are empty.
pub(crate) struct LoopBatch<'a> {
    pub(crate) times: Times<'a>,
    pub(crate) users: &'a StringArray,
    pub(crate) x: &'a [f64],
}

/// Event times.
#[derive(Clone, Copy)]
pub(crate) enum Times<'a> {
    Micros(&'a [i64]),
    Nanos(&'a [i64]),
}

impl Data {
    /// The number of shares that can be read on their own.
    pub(crate) fn shares(&self) -> usize {
        match self {
            Self::Memory(batches) => batches.len(),
            Self::Files { paths, .. } => paths.len(),
        }
    }

    /// Reads a share in the best way there is, and hands its batches to `take`.
    pub(crate) fn read(
        &self,
        share: usize,
        workload: Workload,
        take: &mut dyn FnMut(&LoopBatch<'_>),
    ) -> Result<(), Failure> {
        match self {
            Self::Memory(batches) => {
                let batch = &batches[share];
                take(&LoopBatch {
                    times: Times::Micros(batch.column(0).as_primitive::<TimestampMicrosecondType>().values()),
                    users: batch.column(1).as_string(),
                    x: batch.column(2).as_primitive::<Float64Type>().values(),
                });
                Ok(())
            }
            Self::Files { format: FileFormat::Parquet, paths, .. } => read_parquet(&paths[share], workload, take),
            Self::Files { paths, .. } => read_json(&paths[share], workload, take),
        }
    }
}

fn wanted(workload: Workload) -> SchemaRef {
    let fields = [
        ("Creation_Time", DataType::Int64, workload.reads_time()),
        ("User", DataType::Utf8, workload.reads_user()),
        ("x", DataType::Float64, workload.reads_x()),
    ];
    let read = fields.into_iter().filter(|(_, _, read)| *read);
    Arc::new(Schema::new(read.map(|(name, kind, _)| Field::new(name, kind, true)).collect::<Vec<_>>()))
}

fn hand_on(batch: &RecordBatch, take: &mut dyn FnMut(&LoopBatch<'_>)) {
    let none = StringArray::new_null(0);
    let column = |name| batch.column_by_name(name);
    take(&LoopBatch {
        times: Times::Nanos(column("Creation_Time").map_or(&[], |times| times.as_primitive::<Int64Type>().values())),
        users: column("User").map_or(&none, |users| users.as_string()),
        x: column("x").map_or(&[], |x| x.as_primitive::<Float64Type>().values()),
    });
}

fn read_parquet(path: &Path, workload: Workload, take: &mut dyn FnMut(&LoopBatch<'_>)) -> Result<(), Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema = wanted(workload);
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    for batch in builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()? {
        hand_on(&batch?, take);
    }
    Ok(())
}

fn read_json(path: &Path, workload: Workload, take: &mut dyn FnMut(&LoopBatch<'_>)) -> Result<(), Failure> {
    let mut decoder = json::Decoder::new(wanted(workload))?;
    let mut reader = io::BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut line, mut rows) = (Vec::new(), 0);
    loop {
        line.clear();
        let more = io::BufRead::read_until(&mut reader, b'\n', &mut line)? > 0;
        if more {
            decoder.decode(&line).map_err(|problem| Failure::Data(problem.to_string()))?;
            rows += 1;
        }
        if rows == BATCH_ROWS || !more {
            hand_on(&decoder.finish()?, take);
            rows = 0;
        }
        if !more {
            return Ok(());
        }
    }
}
