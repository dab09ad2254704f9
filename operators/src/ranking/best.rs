//! Which rows are the best of their keys, computed on whole columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take};
use arrow::datatypes::Int64Type;
use watershed_core::error::Result;
use watershed_core::state::Interner;

use crate::order::{self, Order};

/// Which of two rows goes first that the order holds equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ties {
    /// The one that arrived first.
    Earliest,
    /// The one that arrived last.
    Latest,
}

impl Ties {
    /// The ages of kept rows with these ranks: those of new rows count up from 0.
    pub(super) fn ages_of_kept(self, ranks: &Int64Array) -> Int64Array {
        ranks.unary(|rank| match self {
            Self::Earliest => i64::MIN + rank,
            Self::Latest => -rank,
        })
    }

    fn column(self, ages: ArrayRef) -> SortColumn {
        let options = SortOptions { descending: self == Self::Latest, nulls_first: false };
        SortColumn { values: ages, options: Some(options) }
    }
}

/// Rows by their places in a batch, each with its rank among those of its key, from 1: key by key, in the order of ranks.
#[derive(Debug, Default)]
pub(super) struct Best {
    pub(super) rows: Vec<u32>,
    pub(super) ranks: Vec<i64>,
}

/// The first `n` of `rows` of each key. `keys` says for each row which key it has; `ages` in what order rows arrived.
pub(super) fn best(
    rows: &RecordBatch,
    keys: &UInt32Array,
    ages: ArrayRef,
    order: &Order,
    ties: Ties,
    n: u64,
) -> Result<Best> {
    let mut columns = vec![order::ascending(Arc::new(keys.clone()))];
    columns.extend(order.columns(rows));
    columns.push(ties.column(ages));
    let (mut best, mut key, mut rank) = (Best::default(), None, 0);
    for &row in lexsort_to_indices(&columns, None)?.values() {
        let of_row = Some(keys.value(row as usize));
        rank = if key == of_row { rank + 1 } else { 1 };
        key = of_row;
        if rank as u64 <= n {
            best.rows.push(row);
            best.ranks.push(rank);
        }
    }
    Ok(best)
}

/// Numbers the keys of rows, in the order in which they first appear.
pub(super) fn number(interner: &mut Interner, keys: &[ArrayRef], rows: usize) -> Result<UInt32Array> {
    let mut ids = Vec::with_capacity(rows);
    interner.intern(keys, rows, &mut ids)?;
    Ok(ids.into())
}

/// Rows with their ranks in the column at this place, key by key as these first appear, in the order of ranks.
pub(super) fn by_key_and_rank(rows: &RecordBatch, keys: &[ArrayRef], rank: usize) -> Result<RecordBatch> {
    let types: Vec<_> = keys.iter().map(|key| key.data_type().clone()).collect();
    let keys = number(&mut Interner::new(&types)?, keys, rows.num_rows())?;
    let ranks = rows.column(rank).as_primitive::<Int64Type>();
    let columns = [order::ascending(Arc::new(keys)), order::ascending(Arc::new(ranks.clone()))];
    let indices = lexsort_to_indices(&columns, None)?;
    let columns = rows.columns().iter().map(|column| take(column, &indices, None)).collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
