//! The formats of files, and how a file's name tells format and compression.

use std::fs::File;
use std::io::{self, BufReader, Read};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::{Fault, Faults};

use crate::csv::Dialect;
use crate::records::RecordFormat;

/// What a file is written in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Format {
    /// An object per line (NDJSON). Names: `.json`, `.ndjson`, `.jsonl`, each also with `.gz` or `.zst`.
    Json,
    /// Fields with a delimiter between, a record per line: `Csv()`, `Csv(delimiter: ';', header: false)`. Names: `.csv`,
    /// also with `.gz` or `.zst`.
    Csv {
        /// What stands between fields: one ASCII character.
        #[serde(default = "comma")]
        delimiter: char,
        /// Whether the first record names the columns. Columns then go by name, otherwise by position.
        #[serde(default = "yes")]
        header: bool,
        /// What encloses a field that holds delimiters, line breaks or doubled quotes: one ASCII character.
        #[serde(default = "double_quote")]
        quote: char,
        /// The unquoted text that means null.
        #[serde(default)]
        null: String,
    },
    /// Apache Parquet. Name: `.parquet`.
    Parquet,
    /// Arrow IPC, as a file or as a stream. Names: `.arrow`, `.arrows`, `.feather`.
    Arrow,
}

pub(crate) fn comma() -> char {
    ','
}

pub(crate) fn double_quote() -> char {
    '"'
}

pub(crate) fn yes() -> bool {
    true
}

/// A file's format, by the way it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Records(RecordFormat),
    Parquet,
    Arrow,
}

/// What a file's name may end in.
pub(super) const KNOWN_NAMES: &str = "`.json`, `.ndjson`, `.jsonl` and `.csv` (each also with `.gz` or `.zst`), `.parquet`, `.arrow`, `.arrows` and `.feather`";

impl Format {
    /// The format that a file's name tells.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let compressed = Compression::of_name(name) != Compression::None;
        let name = if compressed { name.rsplit_once('.')?.0 } else { name };
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match extension.as_str() {
            "json" | "ndjson" | "jsonl" => Some(Self::Json),
            "csv" => Some(Self::Csv { delimiter: comma(), header: true, quote: double_quote(), null: String::new() }),
            "parquet" if !compressed => Some(Self::Parquet),
            "arrow" | "arrows" | "feather" if !compressed => Some(Self::Arrow),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Json => Kind::Records(RecordFormat::Json),
            Self::Csv { delimiter, header, quote, null } => {
                Kind::Records(RecordFormat::Csv(dialect(*delimiter, *quote, *header, null)))
            }
            Self::Parquet => Kind::Parquet,
            Self::Arrow => Kind::Arrow,
        }
    }

    pub(super) fn check(&self) -> Faults {
        match self {
            Self::Csv { delimiter, quote, .. } => check_dialect(*delimiter, *quote),
            Self::Json | Self::Parquet | Self::Arrow => Faults::new(),
        }
    }
}

/// The dialect of these characters, once they have been checked.
pub(crate) fn dialect(delimiter: char, quote: char, header: bool, null: &str) -> Dialect {
    Dialect { delimiter: delimiter as u8, quote: quote as u8, header, null: null.to_owned() }
}

/// What is wrong with the characters of a dialect; below the field `format`.
pub(crate) fn check_dialect(delimiter: char, quote: char) -> Faults {
    let mut faults = Faults::new();
    for (name, character) in [("delimiter", delimiter), ("quote", quote)] {
        if !character.is_ascii() || matches!(character, '\n' | '\r' | '\0') {
            let message = format!("`{name}` is {character:?}, and must be one ASCII character that is no line break");
            faults.push(Fault::new("bad_option", message).at("format").at(name));
        }
    }
    if delimiter == quote {
        let message = format!("`delimiter` and `quote` are both {delimiter:?}");
        faults.push(Fault::new("bad_option", message).at("format").at("quote"));
    }
    faults
}

/// How a file is compressed, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub(super) fn of_name(name: &str) -> Self {
        match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The text of the first `size` bytes of `file`, from where it stands.
    pub(super) fn open(self, file: File, size: u64) -> io::Result<Box<dyn Read>> {
        let bytes = file.take(size);
        Ok(match self {
            Self::None => Box::new(bytes),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(128 * 1024, bytes))),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes)?),
        })
    }
}
