//! What a graph file says of part files, and every fault that can be found in it before the start.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{Delivery, OpenContext, Sink, SinkSpec};
use watershed_core::register_sink;
use watershed_core::stream::{Mode, Stream};

use super::csv::CsvWriter;
use super::directory::Directory;
use super::encoding::Encoding;
use super::parquet;
use super::sink::FilesSink;
use crate::json_lines;

/// Writes part files named `part-<epoch>-<part>.<extension>` into a directory, each visible only when its epoch is
/// committed. Takes `Append` only: a row in a file cannot be taken back.
///
/// Exactly once: a part is staged under a hidden name, synced, and renamed when its epoch is committed; an epoch that is
/// run again after a crash replaces its own files. So a plain listing never shows a row twice. The same rows give the
/// same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The directory; created if it is not there. Relative to the working directory.
    pub path: String,
    /// `Json` (one object a line, nulls written out), `Csv(…)` or `Parquet`.
    pub format: FileFormat,
    /// `Auto` (Snappy in Parquet, none in text), `Uncompressed`, `Gzip` and `Zstd` for any format, `Snappy` and `Lz4`
    /// for Parquet.
    #[serde(default)]
    pub compression: Compression,
    /// What a run that starts at its first epoch does when the directory holds later epochs of an earlier run.
    #[serde(default)]
    pub existing: Existing,
}

/// The format of part files. Instants are UTC in each of them: `2015-02-24T10:00:00Z` in text, a timestamp adjusted to
/// UTC in Parquet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum FileFormat {
    /// One JSON object a line.
    Json,
    /// A line of values per row. Takes no lists and no structs.
    Csv {
        /// The character between two values.
        #[serde(default = "default_delimiter")]
        delimiter: char,
        /// Whether each file begins with the columns' names.
        #[serde(default = "default_header")]
        header: bool,
        /// The text of a null. An empty string is written as nothing, so with the default it reads back as null.
        #[serde(default)]
        null: String,
    },
    /// Apache Parquet.
    Parquet,
}

const fn default_delimiter() -> char {
    ','
}

const fn default_header() -> bool {
    true
}

/// How part files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Compression {
    /// What suits the format: Snappy in Parquet, none in text.
    #[default]
    Auto,
    /// Not at all.
    Uncompressed,
    /// Gzip: text files end in `.gz`.
    Gzip,
    /// Zstandard: text files end in `.zst`.
    Zstd,
    /// Snappy, for Parquet.
    Snappy,
    /// LZ4, for Parquet.
    Lz4,
}

/// What a run that starts anew does about part files in the directory: they are of another run, and two runs in one
/// directory are no one's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Existing {
    /// Stops before anything is read, and says so.
    #[default]
    Refuse,
    /// Removes them when it commits its first epoch; also when that epoch is run again after a crash.
    Replace,
}

register_sink!(Files, example: r#"Files(path: "out/counts", format: Csv(delimiter: ';'), compression: Gzip)"#);

#[typetag::serde]
impl SinkSpec for Files {
    fn check(&self, input: &Stream) -> Result<(), Faults> {
        let mut faults = self.faults();
        faults.extend(mode_fault(&input.mode));
        faults.extend(self.column_faults(&input.schema));
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn free_fields(&self) -> &'static [&'static str] {
        &["format", "compression", "existing"]
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>> {
        let encoding = Encoding::new(&self.format, self.compression);
        let directory = Directory::open(Path::new(&self.path), self.existing, cx.resumes)?;
        Ok(Box::new(FilesSink::new(directory, encoding, Arc::clone(&input.schema))))
    }
}

impl Files {
    /// What is wrong with the fields, whatever flows in.
    fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if self.path.trim().is_empty() {
            faults.push(
                Fault::new("bad_value", "`path` is empty")
                    .at("path")
                    .help("give the directory to write into, as `\"out/counts\"`"),
            );
        }
        if let FileFormat::Csv { delimiter, .. } = &self.format
            && (!delimiter.is_ascii()
                || delimiter.is_ascii_alphanumeric()
                || matches!(delimiter, '"' | '\r' | '\n' | '\0'))
        {
            let message = format!("{delimiter:?} cannot stand between values");
            let help =
                "use one ASCII character that is no letter, digit, quote or line end, as `','`, `';'` or `'\\t'`";
            faults.push(Fault::new("bad_value", message).at("format").at("delimiter").help(help));
        }
        if self.format != FileFormat::Parquet && matches!(self.compression, Compression::Snappy | Compression::Lz4) {
            let message = format!("`{:?}` compresses inside of Parquet files only", self.compression);
            faults.push(
                Fault::new("bad_value", message)
                    .at("compression")
                    .help("text files take `Gzip`, `Zstd` or `Uncompressed`"),
            );
        }
        faults
    }

    /// The columns that the format cannot hold.
    fn column_faults(&self, schema: &Schema) -> Faults {
        let fault = |name: &str, cause: String| {
            let help = match &self.format {
                FileFormat::Csv { .. } => {
                    "write `Json` or `Parquet`, or take the column apart with `Unnest` or a `Select` before"
                }
                FileFormat::Json | FileFormat::Parquet => "cast or leave out the column in a `Select` before",
            };
            Fault::new("column_type", format!("column `{name}` cannot be written: {cause}")).at("format").help(help)
        };
        let refusal = |field| match &self.format {
            FileFormat::Json => json_lines::refusal(field).map(|error| error.to_string()),
            FileFormat::Csv { .. } => CsvWriter::refusal(field),
            FileFormat::Parquet => parquet::refusal(field),
        };
        schema.fields().iter().filter_map(|field| Some(fault(field.name(), refusal(field)?))).collect()
    }
}

fn mode_fault(mode: &Mode) -> Option<Fault> {
    let help = match mode {
        Mode::Append => return None,
        Mode::Update(_) => {
            "give the node above `output_mode: Append` (its input needs a watermark), or send updates to `Memory` or `Console`"
        }
        Mode::Complete(_) => {
            "give the node above `output_mode: Append` (its input needs a watermark), or send whole results to `Memory` or `Console`"
        }
    };
    let message =
        format!("`Files` takes `Append` only and its input is `{mode}`: a row in a file cannot be taken back");
    Some(Fault::new("mode_not_accepted", message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{briefly, counts, every_type, stream, stream_in};

    fn files(format: FileFormat) -> Files {
        Files { path: "out".to_owned(), format, compression: Compression::Auto, existing: Existing::Refuse }
    }

    fn csv(delimiter: char) -> FileFormat {
        FileFormat::Csv { delimiter, header: true, null: String::new() }
    }

    #[test]
    fn fields_left_out_have_their_defaults() {
        let read = |text: &str| ron::from_str::<Files>(text).unwrap();
        assert_eq!(read(r#"(path: "out", format: Json)"#), files(FileFormat::Json));
        assert_eq!(read(r#"(path: "out", format: Csv())"#), files(csv(',')));
        assert_eq!(read(r#"(path: "out", format: Csv(delimiter: ';'))"#), files(csv(';')));
        let replace =
            Files { existing: Existing::Replace, compression: Compression::Zstd, ..files(FileFormat::Parquet) };
        assert_eq!(read(r#"(path: "out", format: Parquet, compression: Zstd, existing: Replace)"#), replace);
        assert!(ron::from_str::<Files>(r#"(path: "out", format: Csv(delimter: ';'))"#).is_err());
    }

    #[test]
    fn rows_that_may_change_are_refused() {
        for mode in [Mode::Update(vec!["user".to_owned()]), Mode::Complete(Vec::new())] {
            let faults = briefly(files(FileFormat::Json).check(&stream_in(mode.clone(), &counts(&[]))));
            assert_eq!(faults.len(), 1);
            assert_eq!(faults[0].0, "mode_not_accepted");
            assert!(
                faults[0].1.contains(&format!("`{mode}`")) && faults[0].1.contains("output_mode: Append"),
                "{}",
                faults[0].1
            );
        }
    }

    #[test]
    fn every_format_takes_flat_rows_and_all_but_csv_nested_ones() {
        for format in [FileFormat::Json, csv(';'), FileFormat::Parquet] {
            assert_eq!(files(format).check(&stream(&counts(&[]))), Ok(()));
        }
        for format in [FileFormat::Json, FileFormat::Parquet] {
            assert_eq!(files(format).check(&stream(&every_type())), Ok(()));
        }
        let faults = briefly(files(csv(',')).check(&stream(&every_type())));
        let columns: Vec<&str> = faults.iter().filter_map(|(_, message)| message.split('`').nth(1)).collect();
        assert_eq!(columns, ["tags", "times", "inner"]);
        assert!(faults.iter().all(|(code, _)| *code == "column_type"));
    }

    #[test]
    fn all_faults_come_at_once() {
        let spec = Files { path: " ".to_owned(), compression: Compression::Lz4, ..files(csv('é')) };
        let input = stream_in(Mode::Complete(Vec::new()), &every_type());
        let codes: Vec<_> = briefly(spec.check(&input)).into_iter().map(|(code, _)| code).collect();
        let expected =
            ["bad_value", "bad_value", "bad_value", "mode_not_accepted", "column_type", "column_type", "column_type"];
        assert_eq!(codes, expected);
    }

    #[test]
    fn characters_that_would_spoil_the_lines_are_refused() {
        for (delimiter, fine) in
            [('"', false), ('\n', false), ('a', false), ('7', false), ('→', false), ('\t', true), ('|', true)]
        {
            assert_eq!(files(csv(delimiter)).check(&stream(&counts(&[]))).is_ok(), fine, "{delimiter:?}");
        }
    }
}
