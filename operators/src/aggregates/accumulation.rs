//! Rows summed up by group: the running side of [`Aggregates`].

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion_common::DataFusionError;
use watershed_core::error::{Error, Result};
use watershed_core::node::EpochContext;

use super::grouped::Grouped;
use super::parse::Aggregates;
use crate::sql::cause_of;

/// The running values of all aggregates for groups `0..n`. What it was given is taken out once, as states or as results.
pub struct Accumulation {
    aggregates: Aggregates,
    accumulators: Vec<Box<dyn Grouped>>,
    group_count: usize,
}

impl Accumulation {
    pub(super) fn new(aggregates: Aggregates) -> Result<Self> {
        let functions = &aggregates.inner.functions;
        let accumulators = functions
            .iter()
            .map(|function| function.accumulator().map_err(|cause| failed(&function.text, &cause)))
            .collect::<Result<_>>()?;
        Ok(Self { aggregates, accumulators, group_count: 0 })
    }

    /// The number of groups so far.
    pub fn group_count(&self) -> usize {
        self.group_count
    }

    /// Takes the rows of `batch`, which has the columns that the aggregates were read for; row `i` is of group `groups[i]`.
    /// `group_count` is the number of groups there are now, more than each of `groups` and never less than before.
    pub fn update(
        &mut self,
        batch: &RecordBatch,
        groups: &[usize],
        group_count: usize,
        cx: &EpochContext,
    ) -> Result<()> {
        self.announce(groups, group_count)?;
        for (function, accumulator) in self.aggregates.inner.functions.iter().zip(&mut self.accumulators) {
            let (values, filter) = function.arguments(batch, cx)?;
            accumulator
                .update(&values, groups, filter.as_ref(), group_count)
                .map_err(|cause| failed(&function.text, &cause))?;
        }
        Ok(())
    }

    /// Takes states, in the columns of [`Aggregates::state_fields`]; row `i` is of group `groups[i]`. States of earlier rows
    /// are to be merged before later rows and states.
    pub fn merge(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.announce(groups, group_count)?;
        let mut rest = states;
        for (function, accumulator) in self.aggregates.inner.functions.iter().zip(&mut self.accumulators) {
            let (own, others) = rest.split_at(function.states.len());
            accumulator.merge(own, groups, group_count).map_err(|cause| failed(&function.text, &cause))?;
            rest = others;
        }
        Ok(())
    }

    /// Makes sure of `group_count` groups; new ones have no rows.
    pub fn grow(&mut self, group_count: usize) -> Result<()> {
        self.group_count = group_count.max(self.group_count);
        for (function, accumulator) in self.aggregates.inner.functions.iter().zip(&mut self.accumulators) {
            accumulator.grow(self.group_count).map_err(|cause| failed(&function.text, &cause))?;
        }
        Ok(())
    }

    /// Notes the number of groups before a call, and has the accumulators look out where a new group may have no row in
    /// it. Mostly groups are numbered in the order of their first rows, which shows that none is left out.
    fn announce(&mut self, groups: &[usize], group_count: usize) -> Result<()> {
        let mut next = self.group_count;
        if next == group_count {
            return Ok(());
        }
        for &group in groups {
            next += usize::from(group == next);
        }
        if next == group_count {
            self.group_count = group_count;
            return Ok(());
        }
        self.grow(group_count)
    }

    /// The states of all groups, in the order of the groups.
    pub fn into_states(self) -> Result<Vec<ArrayRef>> {
        let functions = &self.aggregates.inner.functions;
        let mut states = Vec::with_capacity(functions.len());
        for (function, accumulator) in functions.iter().zip(self.accumulators) {
            states.extend(accumulator.states().map_err(|cause| failed(&function.text, &cause))?);
        }
        Ok(states)
    }

    /// The output columns for all groups, in the order of the groups.
    pub fn into_results(self, cx: &EpochContext) -> Result<Vec<ArrayRef>> {
        let functions = &self.aggregates.inner.functions;
        let values = functions.iter().zip(self.accumulators);
        let values =
            values.map(|(function, accumulator)| accumulator.results().map_err(|cause| failed(&function.text, &cause)));
        self.aggregates.finish(values.collect::<Result<_>>()?, self.group_count, cx)
    }
}

impl Aggregates {
    /// A fresh accumulation without groups.
    pub fn accumulate(&self) -> Result<Accumulation> {
        Accumulation::new(self.clone())
    }

    /// The output columns for the groups whose `states` these are, a row each.
    pub fn results_of(&self, states: &[ArrayRef], cx: &EpochContext) -> Result<Vec<ArrayRef>> {
        let Some(rows) = states.first().map(|state| state.len()) else { return Ok(Vec::new()) };
        let groups: Vec<usize> = (0..rows).collect();
        let mut rest = states;
        let mut values = Vec::with_capacity(self.inner.functions.len());
        for function in &self.inner.functions {
            let (own, others) = rest.split_at(function.states.len());
            rest = others;
            if function.state_is_result {
                values.extend(own.iter().map(Arc::clone));
                continue;
            }
            let value = function.accumulator().and_then(|mut accumulator| {
                accumulator.merge(own, &groups, rows)?;
                accumulator.results()
            });
            values.push(value.map_err(|cause| failed(&function.text, &cause))?);
        }
        self.finish(values, rows, cx)
    }

    /// The expressions around the aggregate functions, over what those gave.
    fn finish(&self, values: Vec<ArrayRef>, rows: usize, cx: &EpochContext) -> Result<Vec<ArrayRef>> {
        let fields = self.inner.values.fields().iter().zip(&values);
        let fields: Vec<_> =
            fields.map(|(field, value)| field.as_ref().clone().with_data_type(value.data_type().clone())).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let values = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), values, &options)?;
        self.inner.outputs.iter().map(|output| output.expression.evaluate(&values, cx)).collect()
    }
}

fn failed(text: &str, cause: &DataFusionError) -> Error {
    Error::Evaluation { expression: text.to_owned(), cause: cause_of(cause) }
}
