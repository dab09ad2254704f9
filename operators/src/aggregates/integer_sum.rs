//! Sums of integers that never wrap around.
//!
//! The state is the sum as a `DECIMAL(38, 0)`, which no number of rows can overflow in practice (2⁶³ rows of the largest
//! value), so that only the final value decides whether it fits, whatever the order of rows and merges.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion_common::{DataFusionError, Result, exec_datafusion_err};

use super::grouped::Grouped;

/// The type of the state.
pub(super) const STATE: DataType = DataType::Decimal128(38, 0);

/// The running sums.
pub(super) struct IntegerSum {
    /// `Int64` or `UInt64`: the type of arguments and result.
    data_type: DataType,
    sums: Vec<i128>,
    /// Whether a group has seen a value: the sum of none is null.
    seen: Vec<bool>,
}

impl IntegerSum {
    /// No groups yet.
    pub(super) fn new(data_type: DataType) -> Self {
        Self { data_type, sums: Vec::new(), seen: Vec::new() }
    }

    fn add<T>(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>)
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i128>,
    {
        let values = values.as_primitive::<T>();
        let filter = filter.map(|filter| NullBuffer::new(filter.values().clone()));
        let counted = NullBuffer::union(values.nulls(), filter.as_ref());
        let (sums, seen) = (self.sums.as_mut_slice(), self.seen.as_mut_slice());
        match counted {
            None => {
                for (&group, &value) in groups.iter().zip(values.values()) {
                    sums[group] += value.into();
                    seen[group] = true;
                }
            }
            Some(counted) => {
                for row in counted.valid_indices() {
                    let group = groups[row];
                    sums[group] += values.value(row).into();
                    seen[group] = true;
                }
            }
        }
    }

    fn nulls(&self) -> NullBuffer {
        NullBuffer::new(BooleanBuffer::from(self.seen.as_slice()))
    }
}

impl Grouped for IntegerSum {
    fn grow(&mut self, group_count: usize) -> Result<()> {
        self.sums.resize(group_count, 0);
        self.seen.resize(group_count, false);
        Ok(())
    }

    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        self.grow(group_count)?;
        match self.data_type {
            DataType::UInt64 => self.add::<UInt64Type>(&values[0], groups, filter),
            _ => self.add::<Int64Type>(&values[0], groups, filter),
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.grow(group_count)?;
        self.add::<Decimal128Type>(&states[0], groups, None);
        Ok(())
    }

    fn states(self: Box<Self>) -> Result<Vec<ArrayRef>> {
        let nulls = self.nulls();
        Ok(vec![Arc::new(Decimal128Array::new(self.sums.into(), Some(nulls)).with_data_type(STATE))])
    }

    fn results(self: Box<Self>) -> Result<ArrayRef> {
        let nulls = self.nulls();
        Ok(match self.data_type {
            DataType::UInt64 => Arc::new(UInt64Array::new(fit::<u64>(self.sums)?.into(), Some(nulls))),
            _ => Arc::new(Int64Array::new(fit::<i64>(self.sums)?.into(), Some(nulls))),
        })
    }
}

fn fit<T: TryFrom<i128>>(sums: Vec<i128>) -> Result<Vec<T>, DataFusionError> {
    let narrow = |sum: i128| T::try_from(sum).map_err(|_| exec_datafusion_err!("the sum {sum} overflows BIGINT"));
    sums.into_iter().map(narrow).collect()
}
