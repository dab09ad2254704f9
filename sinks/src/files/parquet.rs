//! Rows as Parquet. Batches are first cut to one fixed size, because where a page ends depends on how rows are handed to
//! the writer.
//!
//! Instants are written as adjusted to UTC, which they are, so that other programs do not take them for local time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{self, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use watershed_core::error::{Error, Result};

use super::spec::Compression;

/// The rows handed to the writer at a time.
const ROWS_PER_CHUNK: usize = 8192;

/// What the files say they were written by; the version is in the form that the format asks for.
const CREATED_BY: &str = concat!("watershed version ", env!("CARGO_PKG_VERSION"));

/// Why a column cannot be written, if it cannot.
pub(crate) fn refusal(field: &FieldRef) -> Option<String> {
    let schema = Schema::new(vec![utc_field(field)]);
    ArrowSchemaConverter::new().convert(&schema).err().map(|error| error.to_string())
}

/// Writes all rows to `file`; `path` is for messages.
pub(crate) fn write(
    schema: &SchemaRef,
    rows: &[RecordBatch],
    compression: Compression,
    file: File,
    path: &Path,
) -> Result<File> {
    let failed = |error: ParquetError| write_error(error, path);
    let utc_schema = Arc::new(Schema::new(schema.fields().iter().map(utc_field).collect::<Vec<_>>()));
    let properties =
        WriterProperties::builder().set_compression(codec(compression)).set_created_by(CREATED_BY.to_owned()).build();
    let mut writer = ArrowWriter::try_new(&file, Arc::clone(&utc_schema), Some(properties)).map_err(failed)?;
    let mut chunks = BatchCoalescer::new(Arc::clone(schema), ROWS_PER_CHUNK);
    let mut write_chunk = |chunk: &RecordBatch| -> Result<()> {
        let columns = chunk.columns().iter().map(utc_column).collect::<Result<Vec<_>, _>>()?;
        writer.write(&RecordBatch::try_new(Arc::clone(&utc_schema), columns)?).map_err(failed)
    };
    for batch in rows {
        chunks.push_batch(batch.clone())?;
        while let Some(chunk) = chunks.next_completed_batch() {
            write_chunk(&chunk)?;
        }
    }
    chunks.finish_buffered_batch()?;
    while let Some(chunk) = chunks.next_completed_batch() {
        write_chunk(&chunk)?;
    }
    // `into_inner` would hide the system's error in a text.
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(file)
}

fn codec(compression: Compression) -> basic::Compression {
    match compression {
        Compression::Auto | Compression::Snappy => basic::Compression::SNAPPY,
        Compression::Uncompressed => basic::Compression::UNCOMPRESSED,
        Compression::Gzip => basic::Compression::GZIP(GzipLevel::default()),
        Compression::Zstd => basic::Compression::ZSTD(ZstdLevel::default()),
        Compression::Lz4 => basic::Compression::LZ4_RAW,
    }
}

/// The system's own error where there is one: a full disk is not a fault of the rows.
fn write_error(error: ParquetError, path: &Path) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(source) => Error::io("write", path, *source),
            Err(cause) => Error::Other(cause),
        },
        other => Error::Other(Box::new(other)),
    }
}

fn utc_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::List(item) => DataType::List(Arc::new(utc_field(item))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(utc_field).collect()),
        other => other.clone(),
    }
}

fn utc_field(field: &FieldRef) -> Field {
    Field::new(field.name(), utc_type(field.data_type()), field.is_nullable())
}

/// The same values with their instants marked as UTC, at any depth.
fn utc_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Arc::new(column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
        }
        DataType::List(item) => {
            let list = column.as_list::<i32>();
            let items = utc_column(list.values())?;
            Arc::new(ListArray::try_new(
                Arc::new(utc_field(item)),
                list.offsets().clone(),
                items,
                list.nulls().cloned(),
            )?)
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns().iter().map(utc_column).collect::<Result<Vec<_>, _>>()?;
            let fields = fields.iter().map(utc_field).collect();
            Arc::new(StructArray::try_new_with_length(fields, columns, column.nulls().cloned(), column.len())?)
        }
        _ => Arc::clone(column),
    })
}
