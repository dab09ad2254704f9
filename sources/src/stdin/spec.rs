//! What a graph file says of `Stdin`.

use std::io::Read;

use arrow::datatypes::{DataType, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{OpenContext, Source, SourceSchema, SourceSpec};
use watershed_core::register_source;
use watershed_core::schema::Ddl;

use super::source::{Reading, StdinSource};
use crate::files::{check_dialect, comma, dialect, double_quote, is_fail, yes};
use crate::records::{OnBadRecord, RecordFormat, RecordSchema, text_schema};

/// The most records for one epoch, unless said otherwise.
const ROWS_PER_EPOCH: u64 = 1_000_000;

/// Reads standard input record by record and is at its end when that is. A graph has at most one such source.
///
/// With the trigger `Continuous` or `Every` an epoch takes the records that have come; with `AvailableNow` it waits until
/// `max_rows_per_epoch` have come, or the end; with `Once` it takes all up to the end.
///
/// Not replayable: after a restart nothing can be read again. So a graph with `run.checkpoint` is refused; write the input to
/// files and read them with `Files`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stdin {
    /// What the text is: `Text`, which is lines in a column `value` STRING; `Json`; `Csv(…)`.
    #[serde(default)]
    pub format: StdinFormat,
    /// The columns of Json and Csv records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ddl>,
    /// What is done with a record that the schema does not fit.
    #[serde(default, skip_serializing_if = "is_fail")]
    pub on_bad_record: OnBadRecord,
    /// The most records for one epoch; a million unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows_per_epoch: Option<u64>,
}

/// What standard input holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum StdinFormat {
    /// A string per line, in a column `value` STRING.
    #[default]
    Text,
    /// An object per line (NDJSON).
    Json,
    /// Fields with a delimiter between, a record per line: `Csv()`, `Csv(delimiter: ';', header: false)`.
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
}

register_source!(Stdin, example: r#"Stdin(format: Json, schema: "user STRING, ts TIMESTAMP, x DOUBLE")"#);

impl Stdin {
    fn faults(&self) -> Faults {
        let mut faults = match &self.format {
            StdinFormat::Csv { delimiter, quote, .. } => check_dialect(*delimiter, *quote),
            StdinFormat::Text | StdinFormat::Json => Faults::new(),
        };
        if self.max_rows_per_epoch == Some(0) {
            faults.push(
                Fault::new("bad_option", "`max_rows_per_epoch` is 0, and must be at least 1").at("max_rows_per_epoch"),
            );
        }
        faults
    }

    /// What a good record has.
    fn record_schema(&self) -> Result<SchemaRef, Fault> {
        match (&self.format, &self.schema) {
            (StdinFormat::Text, None) => Ok(text_schema()),
            (StdinFormat::Text, Some(_)) => {
                let fault = Fault::new("bad_schema", "lines of text have one column, `value` STRING").at("schema");
                Err(fault.help("leave `schema` out, or set `format`"))
            }
            (_, None) => {
                let fault = Fault::new(
                    "missing_field",
                    "standard input needs a `schema`: its records cannot be looked at before the run",
                );
                Err(fault.help("declare the columns, as in `schema: \"user STRING, x DOUBLE\"`"))
            }
            (format, Some(ddl)) => {
                let schema = ddl.schema().map_err(|fault| fault.under("schema"))?;
                let nested = schema
                    .fields()
                    .iter()
                    .find(|field| matches!(field.data_type(), DataType::List(_) | DataType::Struct(_)));
                match (format, nested) {
                    (StdinFormat::Csv { .. }, Some(nested)) => {
                        let message = format!("column `{}` is nested, which a CSV field cannot be", nested.name());
                        Err(Fault::new("bad_schema", message).at("schema").help("declare it STRING"))
                    }
                    _ => Ok(schema),
                }
            }
        }
    }

    /// The source over any input.
    pub(super) fn open_over(
        &self,
        input: Box<dyn Read + Send>,
        output: SchemaRef,
        batch_rows: usize,
    ) -> Result<StdinSource> {
        let record = self.record_schema().map_err(|fault| Error::BadInput(fault.message))?;
        let format = match &self.format {
            StdinFormat::Text => RecordFormat::Text,
            StdinFormat::Json => RecordFormat::Json,
            StdinFormat::Csv { delimiter, header, quote, null } => {
                RecordFormat::Csv(dialect(*delimiter, *quote, *header, null))
            }
        };
        let schema = RecordSchema { record, output };
        let reading = Reading { format, schema, on_bad_record: self.on_bad_record.clone(), batch_rows };
        StdinSource::open(input, reading, self.max_rows_per_epoch.unwrap_or(ROWS_PER_EPOCH))
    }
}

#[typetag::serde]
impl SourceSpec for Stdin {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let mut faults = self.faults();
        match self.record_schema().and_then(|schema| self.on_bad_record.widen(&schema)) {
            Ok(schema) if faults.is_empty() => Ok(SourceSchema::Declared(schema)),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        let schema = self.record_schema().and_then(|schema| self.on_bad_record.widen(&schema));
        schema.map_err(|fault| Error::BadInput(fault.message))
    }

    fn replayable(&self) -> bool {
        false
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.open_over(Box::new(std::io::stdin()), schema, cx.batch_rows)?))
    }
}
