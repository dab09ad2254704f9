//! Numbers that tell kept rows with the same join keys apart.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use watershed_core::epoch::Epoch;
use watershed_core::error::Result;
use watershed_core::state::Interner;

/// Numbers the rows of an epoch: those of each join key from 0 on, behind the epoch's own number. So a row has the same one
/// whatever other keys are in its partition.
#[derive(Debug)]
pub(super) struct Numbers {
    keys: Interner,
    /// By key, how many rows have a number.
    given: Vec<i64>,
    first: i64,
    /// The keys of the rows in hand.
    ids: Vec<u32>,
}

impl Numbers {
    /// For rows with keys of these types.
    pub(super) fn new(types: &[DataType], epoch: Epoch) -> Result<Self> {
        // A number of an epoch, and one of a row of one key in it, are far below 2³¹.
        Ok(Self { keys: Interner::new(types)?, given: Vec::new(), first: (epoch.0 << 32) as i64, ids: Vec::new() })
    }

    /// Which of these numbers were given to no row of their keys.
    pub(super) fn not_given(&self, keys: &[ArrayRef], numbers: &ArrayRef) -> Result<BooleanArray> {
        let mut ids = Vec::new();
        self.keys.look_up(keys, numbers.len(), &mut ids)?;
        let given = |id: &u32| self.first + self.given.get(*id as usize).copied().unwrap_or(0);
        let numbers = numbers.as_primitive::<Int64Type>();
        Ok(ids.iter().zip(numbers.values()).map(|(id, number)| Some(*number >= given(id))).collect())
    }

    /// The numbers of the next rows.
    pub(super) fn of(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Int64Array> {
        self.ids.clear();
        self.keys.intern(keys, rows, &mut self.ids)?;
        self.given.resize(self.keys.len(), 0);
        let number = |id: &u32| {
            let given = &mut self.given[*id as usize];
            *given += 1;
            self.first + *given - 1
        };
        Ok(Int64Array::from_iter_values(self.ids.iter().map(number)))
    }
}
