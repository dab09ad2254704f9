//! The nodes that keep something, with their tables.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Fields;
use serde_json::{Value, json};
use watershed_core::schema::type_to_ddl;
use watershed_core::state::Slot;

use super::output::Output;
use super::unreadable;
use super::version::Version;
use super::view::View;
use crate::cli::exit::Failure;
use crate::cli::run::numbers::{bytes, count};
use crate::cli::table::columns;
use crate::cli::terminal::Terminal;

/// A table of a node.
struct Listed {
    node: String,
    table: String,
    key: Fields,
    values: Fields,
    partitions: usize,
    slots: usize,
    rows: usize,
    bytes: u64,
}

/// The list of all tables, in the form that `output` wants.
pub(super) fn list(version: &Version<'_>, output: &Output<'_>, terminal: Terminal) -> Result<String, Failure> {
    let mut tables = Vec::new();
    for (node, by_table) in &version.commit.state {
        for table in by_table.keys() {
            tables.extend(look(version, node, table)?);
        }
    }
    let epoch = version.commit.epoch;
    if !output.is_table() {
        let tables: Vec<Value> = tables.iter().map(as_json).collect();
        return Ok(format!("{:#}\n", json!({"epoch": epoch, "tables": tables})));
    }
    if tables.is_empty() {
        return Ok(format!("no node keeps anything after epoch {epoch}\n"));
    }
    let heading = ["node", "table", "rows", "bytes", "key", "kept for it"].map(str::to_owned);
    let row = |listed: &Listed| {
        let rows = count(listed.rows as u64);
        vec![
            listed.node.clone(),
            listed.table.clone(),
            rows,
            bytes(listed.bytes),
            names(&listed.key),
            names(&listed.values),
        ]
    };
    let title = terminal.paint_out(&format!("state after epoch {epoch}"), "1");
    Ok(format!("{title}\n{}", columns(&heading, tables.iter().map(row), &[2, 3])))
}

fn look(version: &Version<'_>, node: &str, table: &str) -> Result<Option<Listed>, Failure> {
    let Some(rows) = version.load(node, table, None)? else { return Ok(None) };
    let view = View::of(version, node, table);
    let nothing = RecordBatch::new_empty(Arc::clone(&rows.columns));
    let key = view.identity(Slot::NEVER, &nothing, rows.keys).map_err(unreadable)?.schema();
    let values = view.values(&nothing, rows.keys).map_err(unreadable)?.schema();
    let slots = rows.slots();
    // A slot that no watermark drops says nothing.
    let all_forever = slots.iter().all(|slot| *slot == Slot::NEVER);
    let told = key.fields().iter().filter(|field| !(all_forever && field.name() == "slot")).cloned();
    Ok(Some(Listed {
        node: node.to_owned(),
        table: table.to_owned(),
        key: told.collect(),
        values: values.fields().clone(),
        partitions: rows.partitions().count(),
        slots: slots.len(),
        rows: rows.rows(),
        bytes: version.bytes(node, table),
    }))
}

fn as_json(listed: &Listed) -> Value {
    let columns = |fields: &Fields| -> Vec<Value> {
        fields.iter().map(|field| json!({"name": field.name(), "type": type_to_ddl(field.data_type())})).collect()
    };
    json!({
        "node": listed.node,
        "table": listed.table,
        "partitions": listed.partitions,
        "slots": listed.slots,
        "rows": listed.rows,
        "bytes": listed.bytes,
        "key": columns(&listed.key),
        "values": columns(&listed.values),
    })
}

fn names(fields: &Fields) -> String {
    fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}
