//! The order of rows: columns with their directions, read from texts such as `price DESC`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices};
use arrow::datatypes::{DataType, Schema};
use watershed_core::fault::{Fault, Faults};
use watershed_core::schema::type_to_ddl;

use crate::inputs;

/// Columns by place, each with its direction: later ones decide where those before do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order(Vec<(usize, SortOptions)>);

impl Order {
    /// Reads items such as `price DESC NULLS LAST`. A fault is placed at its item; `node` is the type that lists them.
    pub(crate) fn bind(items: &[String], schema: &Schema, node: &str) -> Result<Self, Faults> {
        let (mut columns, mut faults) = (Vec::new(), Faults::new());
        for (index, item) in items.iter().enumerate() {
            let item = item.trim();
            let (name, options) = parse_item(item);
            match (sortable_column(schema, name), options) {
                (Ok(column), Some(options)) => columns.push((column, options)),
                (Ok(_), None) => {
                    let fault = Fault::new("bad_order", format!("`{item}` is no order")).at(index);
                    faults.push(fault.help("write a column, then `ASC` or `DESC`, then `NULLS FIRST` or `NULLS LAST`"));
                }
                (Err(fault), _) if fault.code == "unknown_column" => {
                    faults.push(fault.at(index).within(0..name.len()));
                }
                (Err(fault), _) => faults.push(fault.at(index)),
            }
        }
        if items.is_empty() {
            faults.push(Fault::new("no_columns", format!("`{node}` lists no column to order by")));
        }
        if faults.is_empty() { Ok(Self(columns)) } else { Err(faults) }
    }

    /// By one column, nulls behind all else.
    pub(crate) fn by_column(column: usize, descending: bool) -> Self {
        Self(vec![(column, SortOptions { descending, nulls_first: false })])
    }

    /// The columns of `rows` as the sort kernel takes them.
    pub(crate) fn columns(&self, rows: &RecordBatch) -> Vec<SortColumn> {
        let column = |(column, options): &(usize, SortOptions)| SortColumn {
            values: Arc::clone(rows.column(*column)),
            options: Some(*options),
        };
        self.0.iter().map(column).collect()
    }
}

/// The place of the column called `name`, if its values have an order.
pub(crate) fn sortable_column(schema: &Schema, name: &str) -> Result<usize, Fault> {
    let column = inputs::column(schema, name)?;
    let data_type = schema.field(column).data_type();
    if is_sortable(data_type) {
        return Ok(column);
    }
    Err(Fault::new("not_sortable", format!("column `{name}` is {}, which has no order", type_to_ddl(data_type))))
}

/// The place of each row, to sort by where nothing else decides: the kernel is not stable.
pub(crate) fn arrival(rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..rows as i64))
}

/// In ascending order.
pub(crate) fn ascending(values: ArrayRef) -> SortColumn {
    SortColumn { values, options: None }
}

/// Whether the kernel can sort such values: it is asked, because it has no list of what it can.
fn is_sortable(data_type: &DataType) -> bool {
    let columns = [new_null_array(data_type, 2), arrival(2)].map(ascending);
    lexsort_to_indices(&columns, None).is_ok()
}

/// The column of an item, and the order unless the words behind it are none.
fn parse_item(item: &str) -> (&str, Option<SortOptions>) {
    let (name, rest) = match item.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        Some(quoted) => quoted,
        None => item.split_at(item.find(' ').unwrap_or(item.len())),
    };
    let words: Vec<String> = rest.split_whitespace().map(str::to_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (descending, nulls) = match words.as_slice() {
        ["DESC", nulls @ ..] => (true, nulls),
        ["ASC", nulls @ ..] | nulls => (false, nulls),
    };
    let nulls_first = match nulls {
        [] => Some(!descending),
        ["NULLS", "FIRST"] => Some(true),
        ["NULLS", "LAST"] => Some(false),
        _ => None,
    };
    (name, nulls_first.map(|nulls_first| SortOptions { descending, nulls_first }))
}
