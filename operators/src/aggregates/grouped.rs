//! One aggregate function over many groups: what its kinds have in common, and the kind that DataFusion provides.

use arrow::array::{ArrayRef, BooleanArray, new_empty_array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{EmitTo, GroupsAccumulator};

/// The running value of one aggregate function for every group. Groups are numbered from 0; `group_count` never shrinks
/// from call to call, and a group without rows has the value of no rows.
pub(super) trait Grouped: Send {
    /// Makes sure of `group_count` groups; new ones have no rows yet. Called before `update` and `merge` where a new group
    /// may have no row among theirs.
    fn grow(&mut self, group_count: usize) -> Result<()>;

    /// Takes rows: `values` are the arguments, `groups` says for each row its group, `filter` (without nulls) which count.
    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()>;

    /// Takes states, each for the group that `groups` names.
    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()>;

    /// The states of all groups.
    fn states(self: Box<Self>) -> Result<Vec<ArrayRef>>;

    /// The values of all groups.
    fn results(self: Box<Self>) -> Result<ArrayRef>;
}

/// An accumulator of DataFusion's that handles all groups at once.
pub(super) struct Native {
    accumulator: Box<dyn GroupsAccumulator>,
    no_rows: Vec<ArrayRef>,
}

impl Native {
    /// Wraps `accumulator`, whose arguments have the types of `arguments`.
    pub(super) fn new(accumulator: Box<dyn GroupsAccumulator>, arguments: &[DataType]) -> Self {
        Self { accumulator, no_rows: arguments.iter().map(new_empty_array).collect() }
    }
}

impl Grouped for Native {
    // Without a filter, DataFusion takes it that each group of a call has a row in it, and gives a group without one the
    // sum 0 instead of null. A call with a filter makes it keep count from then on.
    fn grow(&mut self, group_count: usize) -> Result<()> {
        self.accumulator.update_batch(&self.no_rows, &[], Some(&BooleanArray::from(Vec::<bool>::new())), group_count)
    }

    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        self.accumulator.update_batch(values, groups, filter, group_count)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.accumulator.merge_batch(states, groups, group_count)
    }

    fn states(mut self: Box<Self>) -> Result<Vec<ArrayRef>> {
        self.accumulator.state(EmitTo::All)
    }

    fn results(mut self: Box<Self>) -> Result<ArrayRef> {
        self.accumulator.evaluate(EmitTo::All)
    }
}

/// The order that puts rows of one group next to each other and keeps the order within a group, with the bounds of each
/// group in it: group `g` is `order[bounds[g]..bounds[g + 1]]`.
pub(super) fn by_group(groups: &[usize], group_count: usize) -> (Vec<u32>, Vec<usize>) {
    let mut bounds = vec![0; group_count + 1];
    for &group in groups {
        bounds[group + 1] += 1;
    }
    for group in 0..group_count {
        bounds[group + 1] += bounds[group];
    }
    let mut next = bounds.clone();
    let mut order = vec![0; groups.len()];
    for (row, &group) in groups.iter().enumerate() {
        order[next[group]] = row as u32;
        next[group] += 1;
    }
    (order, bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_come_together_in_their_order() {
        assert_eq!(by_group(&[2, 0, 2, 0, 3], 5), (vec![1, 3, 0, 2, 4], vec![0, 2, 2, 4, 5, 5]));
        assert_eq!(by_group(&[], 0), (vec![], vec![0]));
    }
}
