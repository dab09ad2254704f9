//! A report for programs.

use serde_json::{Map, Value, json};

use crate::core::testing::{Cell, Restarts};
use crate::graphs::Diagnostics;

use super::render::watermark_text;
use super::report::{Broken, CaseReport, Failure, FileReport, Mismatch, Outcome, Report};

impl Report {
    /// The report as one object: `passed`, `failed`, and `files` with their `cases`. Lines count from 1, epochs from 0.
    pub fn to_json(&self) -> Value {
        let counts = self.counts();
        json!({
            "passed": counts.passed,
            "failed": counts.failed,
            "files": self.files.iter().map(FileReport::to_json).collect::<Vec<_>>(),
        })
    }
}

impl FileReport {
    /// The file as an object; `errors` say why none of its cases could be run.
    pub fn to_json(&self) -> Value {
        let errors = match &self.broken {
            None => Vec::new(),
            Some(Broken::Faulty(faults)) => faults.iter().map(Diagnostics::to_json).collect(),
            Some(Broken::Unreadable(message)) => vec![json!([{ "message": message }])],
        };
        json!({
            "file": self.path.display().to_string(),
            "graph": self.graph,
            "passed": self.passed(),
            "seconds": self.time.as_secs_f64(),
            "errors": errors.iter().filter_map(Value::as_array).flatten().collect::<Vec<_>>(),
            "cases": self.cases.iter().map(case).collect::<Vec<_>>(),
        })
    }
}

fn case(case: &CaseReport) -> Value {
    let (outcome, detail) = match &case.outcome {
        Outcome::Passed => ("passed", Value::Null),
        Outcome::NotRefused { wanted, said } => ("not_refused", json!({ "wanted": wanted, "said": said })),
        Outcome::Failed(failure) => ("failed", failed(failure)),
    };
    json!({
        "name": case.name,
        "line": case.line,
        "outcome": outcome,
        "seconds": case.time.as_secs_f64(),
        "detail": detail,
    })
}

fn failed(failure: &Failure) -> Value {
    json!({
        "epoch": failure.at,
        "line": failure.epochs.get(failure.at).map(|epoch| epoch.line),
        "epochs": failure.epochs.len(),
        "threads": failure.way.threads,
        "partitions": failure.way.partitions,
        "splits": failure.way.splits,
        "batch_rows": failure.way.batch_rows,
        "restarts": match failure.way.restarts {
            Restarts::AsWritten => "as_written",
            Restarts::EveryEpoch => "every_epoch",
            Restarts::CommitLost => "commit_lost",
            Restarts::SharedOutAnew => "shared_out_anew",
        },
        "mismatches": failure.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
    })
}

fn mismatch(mismatch: &Mismatch) -> Value {
    let mut object = match mismatch {
        Mismatch::Rows { sink, columns, missing, surplus } => {
            json!({ "kind": "rows", "sink": sink, "missing": rows(columns, missing), "surplus": rows(columns, surplus) })
        }
        Mismatch::Order { sink, columns, wanted, seen, at } => json!({
            "kind": "order", "sink": sink, "row": at, "wanted": rows(columns, wanted), "seen": rows(columns, seen),
        }),
        Mismatch::Watermark { wanted, seen } => json!({
            "kind": "watermark",
            "wanted": watermark_text(*wanted),
            "seen": seen.and_then(watermark_text),
        }),
        Mismatch::NotRun => json!({ "kind": "not_run" }),
        Mismatch::Unlisted { output, watermark } => json!({
            "kind": "unlisted",
            "watermark": watermark.and_then(watermark_text),
            "output": output.iter().map(|sink| (sink.sink.clone(), rows(&sink.columns, &sink.rows))).collect::<Map<_, _>>(),
        }),
        Mismatch::Unsteady { sink, columns, there, here, .. } => json!({
            "kind": "unsteady", "sink": sink, "there": rows(columns, there.as_slice()), "here": rows(columns, here.as_slice()),
        }),
        Mismatch::Diverged { sink, columns, first, again } => json!({
            "kind": "diverged", "sink": sink, "first": rows(columns, first.as_slice()), "again": rows(columns, again.as_slice()),
        }),
        Mismatch::Error(_) => json!({ "kind": "error" }),
    };
    object["message"] = Value::String(mismatch.headline());
    object
}

fn rows(columns: &[String], rows: &[Vec<Cell>]) -> Value {
    let object = |row: &Vec<Cell>| Value::Object(columns.iter().cloned().zip(row.iter().map(value)).collect());
    Value::Array(rows.iter().map(object).collect())
}

/// A cell as a test file writes it.
fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => json!(value),
        Cell::Int(value) => i64::try_from(*value).map_or_else(|_| json!(value.to_string()), |value| json!(value)),
        // Not every float is a number to JSON.
        Cell::Float(value) if !value.is_finite() => json!(value.to_string()),
        Cell::Float(value) => json!(value),
        Cell::List(items) => Value::Array(items.iter().map(value).collect()),
        Cell::Struct(fields) => Value::Object(fields.iter().map(|(name, cell)| (name.clone(), value(cell))).collect()),
        Cell::Decimal { .. } | Cell::Text(_) | Cell::Bytes(_) | Cell::Date(_) | Cell::Instant(_) | Cell::Other(_) => {
            json!(match cell {
                Cell::Text(text) => text.clone(),
                other => other.to_string(),
            })
        }
    }
}
