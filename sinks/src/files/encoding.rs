//! Rows into the bytes of one part file. The bytes depend on the rows and the options alone: not on where a batch ends,
//! nor on the moment.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flate2::write::GzEncoder;
use watershed_core::error::{Error, Result};

use super::csv::CsvWriter;
use super::parquet;
use super::spec::{Compression, FileFormat};
use crate::json_lines;

/// The rows encoded as text before their bytes go on: a bound on memory only.
const ROWS_PER_CHUNK: usize = 8192;

/// How part files are written.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    format: Format,
    compression: Compression,
}

#[derive(Clone, Debug)]
enum Format {
    Json,
    Csv(CsvWriter),
    Parquet,
}

impl Encoding {
    /// What the graph file asks for.
    pub(crate) fn new(format: &FileFormat, compression: Compression) -> Self {
        let format = match format {
            FileFormat::Json => Format::Json,
            FileFormat::Csv { delimiter, header, null } => Format::Csv(CsvWriter::new(*delimiter, *header, null)),
            FileFormat::Parquet => Format::Parquet,
        };
        Self { format, compression }
    }

    /// What the names of the files end in.
    pub(crate) const fn extension(&self) -> &'static str {
        match (&self.format, self.compression) {
            (Format::Json, Compression::Gzip) => "json.gz",
            (Format::Json, Compression::Zstd) => "json.zst",
            (Format::Json, _) => "json",
            (Format::Csv(_), Compression::Gzip) => "csv.gz",
            (Format::Csv(_), Compression::Zstd) => "csv.zst",
            (Format::Csv(_), _) => "csv",
            (Format::Parquet, _) => "parquet",
        }
    }

    /// Writes all rows to `file` and gives it back; `path` is for messages.
    pub(crate) fn write(&self, schema: &SchemaRef, rows: &[RecordBatch], file: File, path: &Path) -> Result<File> {
        match &self.format {
            Format::Json => self.write_text(rows, file, path, |chunk, _, out| json_lines::encode(chunk, out)),
            Format::Csv(csv) => self.write_text(rows, file, path, |chunk, first, out| csv.encode(chunk, first, out)),
            Format::Parquet => parquet::write(schema, rows, self.compression, file, path),
        }
    }

    fn write_text(
        &self,
        rows: &[RecordBatch],
        file: File,
        path: &Path,
        encode: impl Fn(&RecordBatch, bool, &mut Vec<u8>) -> Result<(), arrow::error::ArrowError>,
    ) -> Result<File> {
        let failed = |source| Error::io("write", path, source);
        let mut output = TextOutput::new(file, self.compression).map_err(failed)?;
        let mut text = Vec::new();
        let mut first = true;
        for batch in rows {
            for start in (0..batch.num_rows()).step_by(ROWS_PER_CHUNK) {
                let chunk = batch.slice(start, ROWS_PER_CHUNK.min(batch.num_rows() - start));
                encode(&chunk, first, &mut text)?;
                output.write(&text).map_err(failed)?;
                text.clear();
                first = false;
            }
        }
        output.finish().map_err(failed)
    }
}

/// Hands text on in blocks of one size, so that a compressor never sees how the text came about.
struct TextOutput {
    block: Vec<u8>,
    inner: Compressor,
}

enum Compressor {
    None(File),
    Gzip(GzEncoder<File>),
    Zstd(zstd::Encoder<'static, File>),
}

impl TextOutput {
    const BLOCK: usize = 256 * 1024;

    fn new(file: File, compression: Compression) -> io::Result<Self> {
        let inner = match compression {
            Compression::Gzip => Compressor::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Compression::Zstd => Compressor::Zstd(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?),
            Compression::Auto | Compression::Uncompressed | Compression::Snappy | Compression::Lz4 => {
                Compressor::None(file)
            }
        };
        Ok(Self { block: Vec::with_capacity(Self::BLOCK), inner })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (fitting, rest) = bytes.split_at(bytes.len().min(Self::BLOCK - self.block.len()));
            self.block.extend_from_slice(fitting);
            bytes = rest;
            if self.block.len() == Self::BLOCK {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        match &mut self.inner {
            Compressor::None(file) => file.write_all(&self.block),
            Compressor::Gzip(encoder) => encoder.write_all(&self.block),
            Compressor::Zstd(encoder) => encoder.write_all(&self.block),
        }?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<File> {
        self.pass_on()?;
        match self.inner {
            Compressor::None(file) => Ok(file),
            Compressor::Gzip(encoder) => encoder.finish(),
            Compressor::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow::array::{Array, AsArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

    use super::*;
    use crate::testing::{events, every_type, in_batches_of};

    const CSV: fn() -> FileFormat = || FileFormat::Csv { delimiter: ',', header: true, null: String::new() };

    fn written(format: &FileFormat, compression: Compression, rows: &[RecordBatch]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let encoding = Encoding::new(format, compression);
        encoding.write(&rows[0].schema(), rows, File::create(&path).unwrap(), &path).unwrap();
        fs::read(&path).unwrap()
    }

    #[test]
    fn the_same_rows_give_the_same_bytes_whatever_the_batches() {
        use Compression::{Auto, Gzip, Lz4, Snappy, Uncompressed, Zstd};
        let rows = events(12_000);
        for (format, compressions) in [
            (FileFormat::Json, &[Uncompressed, Gzip, Zstd][..]),
            (CSV(), &[Uncompressed, Gzip, Zstd]),
            (FileFormat::Parquet, &[Auto, Uncompressed, Gzip, Zstd, Snappy, Lz4]),
        ] {
            for &compression in compressions {
                let whole = written(&format, compression, std::slice::from_ref(&rows));
                for size in [1_000, 9_001] {
                    let cut = written(&format, compression, &in_batches_of(&rows, size));
                    assert!(cut == whole, "{format:?} {compression:?} in batches of {size}");
                }
            }
        }
    }

    #[test]
    fn nested_rows_and_nulls_give_the_same_bytes_too() {
        let two = every_type();
        let many = concat_batches(&two.schema(), std::iter::repeat_n(&two, 4_500)).unwrap();
        for format in [FileFormat::Json, FileFormat::Parquet] {
            let whole = written(&format, Compression::Auto, std::slice::from_ref(&many));
            for size in [97, 4_096] {
                assert!(written(&format, Compression::Auto, &in_batches_of(&many, size)) == whole, "{format:?} {size}");
            }
        }
    }

    #[test]
    fn compressed_text_is_the_text_compressed() {
        let rows = [events(12_000)];
        let plain = written(&FileFormat::Json, Compression::Auto, &rows);
        let mut unzipped = Vec::new();
        let zipped = written(&FileFormat::Json, Compression::Gzip, &rows);
        flate2::read::GzDecoder::new(&zipped[..]).read_to_end(&mut unzipped).unwrap();
        assert!(unzipped == plain && zipped.len() < plain.len() / 2);
        let zstd = written(&FileFormat::Json, Compression::Zstd, &rows);
        assert!(zstd::decode_all(&zstd[..]).unwrap() == plain);
    }

    #[test]
    fn a_csv_file_has_one_heading_whatever_the_batches() {
        let text =
            String::from_utf8(written(&CSV(), Compression::Auto, &in_batches_of(&events(20_000), 7_000))).unwrap();
        assert_eq!(text.lines().filter(|line| *line == "user,at,x").count(), 1);
        assert_eq!(text.lines().count(), 20_001);
    }

    #[test]
    fn parquet_reads_back_as_it_was_with_its_instants_in_utc() {
        let rows = every_type();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let encoding = Encoding::new(&FileFormat::Parquet, Compression::Auto);
        encoding.write(&rows.schema(), std::slice::from_ref(&rows), File::create(&path).unwrap(), &path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        assert!(reader.metadata().file_metadata().created_by().unwrap().starts_with("watershed version "));
        let read = reader.build().unwrap().next().unwrap().unwrap();
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (column, before) in read.columns().iter().zip(rows.columns()) {
            if column.data_type() == &utc {
                let instants =
                    column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<&str>);
                assert_eq!(&instants, before.as_primitive::<TimestampMicrosecondType>());
            } else if !column.data_type().is_nested() {
                assert_eq!(column, before);
            }
        }
        let items = read.column_by_name("times").unwrap().as_list::<i32>().values().data_type().clone();
        assert_eq!(items, utc);
        let inner = read.column_by_name("inner").unwrap().as_struct();
        assert_eq!(inner.column(0).data_type(), &utc);
        assert!(inner.is_null(1));
    }
}
