//! Aggregates that DataFusion computes group by group only.
//!
//! Rows are kept until a state or result is asked for, and each group's accumulator is then given all its rows at once:
//! one visit per group instead of one per group and batch, and an answer that cannot depend on where batches were cut
//! (a digest of quantiles would).

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array, new_empty_array};
use arrow::compute::{concat, filter as filter_rows, take};
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;

use super::grouped::{Grouped, by_group};

/// What waits to be given to the accumulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Rows,
    States,
}

/// The running values.
pub(super) struct Deferred {
    function: Arc<AggregateFunctionExpr>,
    state_types: Vec<DataType>,
    accumulators: Vec<Box<dyn Accumulator>>,
    waiting: Waiting,
    /// Per argument or state column its pieces.
    columns: Vec<Vec<ArrayRef>>,
    groups: Vec<usize>,
    group_count: usize,
}

impl Deferred {
    /// No groups yet.
    pub(super) fn new(function: Arc<AggregateFunctionExpr>, state_types: Vec<DataType>) -> Self {
        Self {
            function,
            state_types,
            accumulators: Vec::new(),
            waiting: Waiting::Rows,
            columns: Vec::new(),
            groups: Vec::new(),
            group_count: 0,
        }
    }

    fn wait(&mut self, waiting: Waiting, columns: Vec<ArrayRef>, groups: impl Iterator<Item = usize>) -> Result<()> {
        if self.waiting != waiting {
            self.flush()?;
            self.waiting = waiting;
        }
        self.columns.resize_with(columns.len(), Vec::new);
        for (pieces, column) in self.columns.iter_mut().zip(columns) {
            pieces.push(column);
        }
        self.groups.extend(groups);
        Ok(())
    }

    /// Gives the accumulators what waits for them.
    fn flush(&mut self) -> Result<()> {
        while self.accumulators.len() < self.group_count {
            self.accumulators.push(self.function.create_accumulator()?);
        }
        let (columns, groups) = (std::mem::take(&mut self.columns), std::mem::take(&mut self.groups));
        if groups.is_empty() {
            return Ok(());
        }
        let (order, bounds) = by_group(&groups, self.group_count);
        let order = UInt32Array::from(order);
        let sorted = |pieces: Vec<ArrayRef>| {
            let pieces: Vec<&dyn arrow::array::Array> = pieces.iter().map(AsRef::as_ref).collect();
            take(&concat(&pieces)?, &order, None)
        };
        let columns = columns.into_iter().map(sorted).collect::<Result<Vec<_>, _>>()?;
        for (accumulator, bounds) in self.accumulators.iter_mut().zip(bounds.windows(2)) {
            let rows = bounds[1] - bounds[0];
            if rows == 0 {
                continue;
            }
            let part: Vec<ArrayRef> = columns.iter().map(|column| column.slice(bounds[0], rows)).collect();
            match self.waiting {
                Waiting::Rows => accumulator.update_batch(&part)?,
                Waiting::States => accumulator.merge_batch(&part)?,
            }
        }
        Ok(())
    }
}

impl Grouped for Deferred {
    fn grow(&mut self, group_count: usize) -> Result<()> {
        self.group_count = group_count;
        Ok(())
    }

    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        self.group_count = group_count;
        let Some(filter) = filter else {
            return self.wait(Waiting::Rows, values.to_vec(), groups.iter().copied());
        };
        let values = values.iter().map(|value| filter_rows(value, filter)).collect::<Result<Vec<_>, _>>()?;
        self.wait(Waiting::Rows, values, filter.values().set_indices().map(|row| groups[row]))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.group_count = group_count;
        self.wait(Waiting::States, states.to_vec(), groups.iter().copied())
    }

    fn states(mut self: Box<Self>) -> Result<Vec<ArrayRef>> {
        self.flush()?;
        let mut columns: Vec<Vec<ScalarValue>> =
            self.state_types.iter().map(|_| Vec::with_capacity(self.group_count)).collect();
        for mut accumulator in self.accumulators {
            for (column, value) in columns.iter_mut().zip(accumulator.state()?) {
                column.push(value);
            }
        }
        columns.into_iter().zip(&self.state_types).map(|(values, data_type)| to_array(values, data_type)).collect()
    }

    fn results(mut self: Box<Self>) -> Result<ArrayRef> {
        self.flush()?;
        let values =
            self.accumulators.into_iter().map(|mut accumulator| accumulator.evaluate()).collect::<Result<Vec<_>>>()?;
        to_array(values, self.function.field().data_type())
    }
}

fn to_array(values: Vec<ScalarValue>, data_type: &DataType) -> Result<ArrayRef> {
    if values.is_empty() { Ok(new_empty_array(data_type)) } else { ScalarValue::iter_to_array(values) }
}
