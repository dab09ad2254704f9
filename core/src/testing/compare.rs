//! Whether rows are the ones they should be, and which ones are missing or surplus.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};

use super::cell::Cell;

/// A row, a cell per column.
pub type CellRow = Vec<Cell>;

/// How rows differ from what was expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// Some rows did not come, or some came that should not have.
    Rows {
        /// Those that did not come.
        missing: Vec<CellRow>,
        /// Those that should not have come.
        surplus: Vec<CellRow>,
    },
    /// The right rows came in another order; the first place at which they part.
    Order {
        /// That place, from 0.
        at: usize,
    },
}

/// Compares rows; `None` means that they are the same. The order counts only if `ordered`.
pub fn compare(schema: &Schema, expected: &[CellRow], seen: &[CellRow], ordered: bool) -> Option<Difference> {
    // Equal rows have equal keys, so only rows with equal keys are compared cell by cell.
    let exact: Vec<bool> = schema.fields().iter().map(|field| is_exact(field.data_type())).collect();
    let key = |row: &CellRow| {
        let cells = row.iter().zip(&exact).filter(|(_, exact)| **exact);
        cells.map(|(cell, _)| format!("{cell:?}")).collect::<Vec<_>>().join("\u{1f}")
    };
    let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, row) in expected.iter().enumerate() {
        waiting.entry(key(row)).or_default().push(index);
    }
    let mut came = vec![false; expected.len()];
    let mut surplus = Vec::new();
    for row in seen {
        let candidates = waiting.get_mut(&key(row));
        let found = candidates.and_then(|candidates| {
            let place = candidates.iter().position(|&index| same_row(&expected[index], row))?;
            Some(candidates.remove(place))
        });
        match found {
            Some(index) => came[index] = true,
            None => surplus.push(row.clone()),
        }
    }
    let missing: Vec<CellRow> =
        expected.iter().zip(came).filter(|(_, came)| !came).map(|(row, _)| row.clone()).collect();
    if !missing.is_empty() || !surplus.is_empty() {
        return Some(Difference::Rows { missing, surplus });
    }
    let at = expected.iter().zip(seen).position(|(expected, seen)| !same_row(expected, seen))?;
    ordered.then_some(Difference::Order { at })
}

fn same_row(expected: &CellRow, seen: &CellRow) -> bool {
    expected.len() == seen.len() && expected.iter().zip(seen).all(|(expected, seen)| expected.equals(seen))
}

/// Whether equal values of this type always show the same.
fn is_exact(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..) | DataType::Binary
        )
}

#[cfg(test)]
mod tests {
    use crate::schema::parse_ddl;

    use super::*;

    fn row(name: &str, value: f64) -> CellRow {
        vec![Cell::Text(name.to_owned()), Cell::Float(value)]
    }

    #[test]
    fn rows_are_matched_one_to_one() {
        let schema = parse_ddl("k STRING, x DOUBLE").expect("a schema");
        let (a, b, c) = (row("a", 1.0), row("b", 2.0), row("a", 3.0));
        let differs = |missing: &[&CellRow], surplus: &[&CellRow]| {
            let owned = |rows: &[&CellRow]| rows.iter().map(|row| (*row).clone()).collect();
            Some(Difference::Rows { missing: owned(missing), surplus: owned(surplus) })
        };
        let expected = [a.clone(), b.clone(), a.clone()];
        for (seen, ordered, difference) in [
            (vec![&a, &b, &a], true, None),
            (vec![&b, &a, &a], false, None),
            (vec![&b, &a, &a], true, Some(Difference::Order { at: 0 })),
            (vec![&a, &b], false, differs(&[&a], &[])),
            (vec![&a, &b, &a, &a], false, differs(&[], &[&a])),
            (vec![&a, &b, &c], true, differs(&[&a], &[&c])),
            (vec![], false, differs(&[&a, &b, &a], &[])),
        ] {
            let seen: Vec<CellRow> = seen.into_iter().cloned().collect();
            assert_eq!(compare(&schema, &expected, &seen, ordered), difference, "{seen:?}");
        }
    }

    #[test]
    fn sums_added_up_in_another_order_are_the_same() {
        let schema = parse_ddl("k STRING, x DOUBLE").expect("a schema");
        assert_eq!(compare(&schema, &[row("a", 0.6)], &[row("a", 0.1 + 0.2 + 0.3)], true), None);
    }
}
