//! Tables of state in words: what a checkpoint remembers of them, and what a later version of an operator is asked to take over.

use arrow::datatypes::{FieldRef, Fields};
use serde::{Deserialize, Serialize};

use super::store::TableSchema;

/// A table of a node's state, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Its name within the node.
    pub name: String,
    /// Columns of the key.
    pub keys: Vec<ColumnRecord>,
    /// Columns kept for each key.
    pub values: Vec<ColumnRecord>,
    /// What its slots stand for.
    #[serde(default)]
    pub slots: String,
}

/// A column of a table of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRecord {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may hold nulls; `false` also where an older record does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
}

impl From<&TableSchema> for TableRecord {
    fn from(table: &TableSchema) -> Self {
        let column = |field: &FieldRef| ColumnRecord {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        };
        let columns = |fields: &Fields| fields.iter().map(column).collect();
        let (keys, values) = (columns(&table.keys), columns(&table.values));
        Self { name: table.name.to_owned(), keys, values, slots: table.slots.clone() }
    }
}

/// What another version of an operator has left in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierState {
    /// That version: [`OperatorSpec::state_version`](crate::node::OperatorSpec::state_version).
    pub version: u32,
    /// The tables that it kept.
    pub tables: Vec<TableRecord>,
}
