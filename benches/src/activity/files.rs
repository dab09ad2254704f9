//! Rows as files: NDJSON, CSV or Parquet, in any number of parts.
//!
//! Part *k* holds a contiguous range of the rows, so the parts in the order of their names are the rows in their order.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::columns::{Columns, batches, schema};
use super::text::{csv_header, push_csv, push_json};
use super::{Activity, Row};

/// How much text is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;
/// The rows of a Parquet row group.
const GROUP_ROWS: usize = 1 << 17;

/// The format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FileFormat {
    /// A JSON object a line.
    Json,
    /// CSV with a header.
    Csv,
    /// Parquet with snappy.
    Parquet,
}

impl FileFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes all rows to `files` files in `directory`, which is made if need be, and names them in the order of the rows.
pub fn write_files(activity: &Activity, directory: &Path, format: FileFormat, files: u64) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(directory)?;
    let files = files.max(1);
    let start_of = |file: u64| (u128::from(activity.rows) * u128::from(file) / u128::from(files)) as u64;
    let mut paths = Vec::new();
    for file in 0..files {
        let path = directory.join(format!("part-{file:05}.{}", format.extension()));
        let (out, numbers) = (File::create(&path)?, start_of(file)..start_of(file + 1));
        match format {
            FileFormat::Json => write_text(out, activity, numbers, &[], push_json)?,
            FileFormat::Csv => write_text(out, activity, numbers, csv_header(), push_csv)?,
            FileFormat::Parquet => write_parquet(out, activity, numbers)?,
        }
        paths.push(path);
    }
    Ok(paths)
}

fn write_text(
    mut out: File,
    activity: &Activity,
    numbers: std::ops::Range<u64>,
    header: &[u8],
    push: fn(&mut Vec<u8>, &Row, &Activity),
) -> io::Result<()> {
    let mut text = header.to_vec();
    for number in numbers {
        push(&mut text, &activity.row(number), activity);
        if text.len() >= WRITE_BYTES {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
}

fn write_parquet(out: File, activity: &Activity, numbers: std::ops::Range<u64>) -> io::Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by("watershed-benches".to_owned())
        .build();
    let mut writer = ArrowWriter::try_new(out, schema(Columns::Raw), Some(properties))?;
    for batch in batches(activity, numbers, Columns::Raw, GROUP_ROWS) {
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(activity: &Activity, format: FileFormat, files: u64) -> Vec<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let paths = write_files(activity, directory.path(), format, files).unwrap();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let activity = Activity::of_rows(500);
        for format in [FileFormat::Json, FileFormat::Csv, FileFormat::Parquet] {
            assert_eq!(contents(&activity, format, 3), contents(&activity, format, 3), "{format:?}");
        }
        let other = Activity { seed: 2, ..activity.clone() };
        assert_ne!(contents(&activity, FileFormat::Json, 1), contents(&other, FileFormat::Json, 1));
    }

    #[test]
    fn the_number_of_files_does_not_change_the_rows() {
        let activity = Activity::of_rows(500);
        let whole = contents(&activity, FileFormat::Json, 1).concat();
        assert_eq!(contents(&activity, FileFormat::Json, 7).concat(), whole);
        assert_eq!(whole.split_inclusive(|&byte| byte == b'\n').count(), 500);
    }

    #[test]
    fn the_rows_of_a_seed_never_change() {
        let whole = contents(&Activity::of_rows(500), FileFormat::Json, 1).concat();
        let first = whole.split_inclusive(|&byte| byte == b'\n').next().unwrap();
        let expected = concat!(
            r#"{"Arrival_Time":1424685600113,"Creation_Time":1424685600000000774,"Device":"s3mini_2","Index":0,"#,
            r#""Model":"s3mini","User":"a","gt":"walk","x":-2.3302158,"y":0.5336905,"z":1.0530246}"#,
            "\n"
        );
        assert_eq!(String::from_utf8_lossy(first), expected);
        // FNV-1a, 64 bits.
        let hash = whole
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(
            hash, 1_222_257_573_814_799_184,
            "a change here changes the shipped sample and every figure that was measured"
        );
    }
}
