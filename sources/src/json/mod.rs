//! Newline-delimited JSON, decoded straight into Arrow columns.
//!
//! The decoder guesses that a line has its keys in the order of the line before, and so compares most keys instead of
//! looking them up. Unknown keys are skipped, missing ones are null, and after a bad line it goes on as if that line had not
//! been. What it takes for JSON, and the values it reads, are those of `serde_json`; a test holds the two against each other.
//!
//! How values fit columns:
//!
//! | column | JSON |
//! |---|---|
//! | `BOOLEAN` | `true`, `false` |
//! | `TINYINT` … `BIGINT` | a number without fraction, within range: also `3.0` and `1e3` |
//! | `FLOAT`, `DOUBLE` | a number within range, rounded to the nearest; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `DECIMAL` | a number, or a string that holds one, without more digits than the type has |
//! | `STRING` | a string; of anything else, its JSON text |
//! | `BINARY` | a string of hexadecimal digits, as Arrow writes it |
//! | `DATE` | `"2015-02-24"` |
//! | `TIMESTAMP` | RFC 3339, also with a blank for the `T`, without zone (UTC), without time. No numbers: their unit is unknown |
//! | `ARRAY`, `STRUCT` | an array, an object |
//!
//! Of equal keys the last counts. `null` is null in every column, and an error in one that is NOT NULL.
//!
//! ```
//! use arrow::array::AsArray;
//! use arrow::datatypes::Float64Type;
//! use watershed_core::schema::parse_ddl;
//! use watershed_sources::json::Decoder;
//!
//! let mut decoder = Decoder::new(parse_ddl("user STRING, x DOUBLE").expect("a schema"))?;
//! decoder.decode(br#"{"user":"g","x":3.356934E-4}"#).expect("a good line");
//! assert!(decoder.decode(br#"{"user":"g","x":"far"}"#).is_err());
//! let batch = decoder.finish()?;
//! assert_eq!(batch.num_rows(), 1);
//! assert_eq!(batch.column(1).as_primitive::<Float64Type>().value(0), 3.356934E-4);
//! # Ok::<(), watershed_core::error::Error>(())
//! ```

mod cursor;
mod decoder;
mod keys;
mod values;

#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub(crate) use keys::Keys;
pub(crate) use values::{parse_decimal, push_hex};
