//! A version of a table as text, for the intent of the epoch that reads it: an Arrow stream, compressed, in Base64.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use watershed_core::error::{Error, Result};
use watershed_core::schema::to_ddl;

/// All rows of a table as it was when it was read. Equal rows make equal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Records that could not be read and were dropped or kept as text.
    pub(super) bad_records: u64,
    rows: String,
}

impl Version {
    pub(super) fn new(rows: &RecordBatch, bad_records: u64) -> Result<Self> {
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), rows.schema_ref(), options)?;
        writer.write(rows)?;
        Ok(Self { bad_records, rows: BASE64_STANDARD.encode(writer.into_inner()?) })
    }

    /// How many bytes it takes.
    pub(super) fn size(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(super) fn to_detail(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::other)
    }

    pub(super) fn of_detail(detail: &Value) -> Result<Self> {
        Self::deserialize(detail)
            .map_err(|error| Error::BadInput(format!("read the table of an epoch from its intent: {error}")))
    }

    /// The rows, which must have these columns.
    pub(super) fn rows(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let failed = |cause: String| Error::BadInput(format!("read the table of an epoch from its intent: {cause}"));
        let bytes = BASE64_STANDARD.decode(&self.rows).map_err(|error| failed(error.to_string()))?;
        let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(|error| failed(error.to_string()))?;
        let kept = reader.schema();
        if kept != *schema {
            let (kept, due) = (to_ddl(&kept), to_ddl(schema));
            return Err(failed(format!(
                "its columns were `{kept}` then, and are `{due}` now; declare them as they were"
            )));
        }
        reader.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))
    }
}
