//! Aggregates that must see a group's values together: `DISTINCT`, and those whose `ORDER BY` decides what comes out.
//!
//! The state is a list per argument and per expression of `ORDER BY`, in the order of arrival, with `DISTINCT` without
//! repetitions; it grows with the rows (or distinct rows) of a group. The plain aggregate is computed from it when a result
//! is asked for.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, ListArray, UInt32Array, UInt64Array,
    new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortColumn, SortOptions, concat, filter as filter_rows, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_common::{Result, ScalarValue};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::grouped::{Grouped, by_group};

/// How values are collected, and what is made of them.
#[derive(Clone, Debug)]
pub(super) struct Collecting {
    /// The types of the arguments that are no constants, then those of `ORDER BY`.
    pub(super) types: Vec<DataType>,
    /// The aggregate's arguments: a constant, or the next of the collected columns.
    pub(super) constants: Vec<Option<ScalarValue>>,
    /// Whether a value counts once.
    pub(super) distinct: bool,
    /// How the collected columns of `ORDER BY`, which are the last, are sorted.
    pub(super) order: Vec<SortOptions>,
}

impl Collecting {
    /// How many of the collected columns are arguments.
    pub(super) fn arguments(&self) -> usize {
        self.types.len() - self.order.len()
    }
}

/// The values so far.
pub(super) struct Collected {
    how: Arc<Collecting>,
    /// Computes the plain aggregate over all groups.
    plain: Box<dyn Grouped>,
    /// Per collected column its pieces.
    columns: Vec<Vec<ArrayRef>>,
    groups: Vec<usize>,
    group_count: usize,
    distinct: Option<Distinct>,
}

impl Collected {
    /// No groups yet.
    pub(super) fn new(how: Arc<Collecting>, plain: Box<dyn Grouped>) -> Result<Self> {
        let distinct = how.distinct.then(|| Distinct::new(&how.types)).transpose()?;
        let columns = vec![Vec::new(); how.types.len()];
        Ok(Self { how, plain, columns, groups: Vec::new(), group_count: 0, distinct })
    }

    fn take(&mut self, columns: Vec<ArrayRef>, groups: &[usize]) -> Result<()> {
        let columns = columns.into_iter().map(canonical).collect::<Vec<_>>();
        let Some(distinct) = &mut self.distinct else {
            self.keep(columns, groups.iter().copied());
            return Ok(());
        };
        let new = BooleanArray::from(distinct.add(&columns, groups)?);
        let columns = columns.iter().map(|column| filter_rows(column, &new)).collect::<Result<Vec<_>, _>>()?;
        self.keep(columns, new.values().set_indices().map(|row| groups[row]));
        Ok(())
    }

    fn keep(&mut self, columns: Vec<ArrayRef>, groups: impl Iterator<Item = usize>) {
        for (pieces, column) in self.columns.iter_mut().zip(columns) {
            pieces.push(column);
        }
        self.groups.extend(groups);
    }

    /// Each collected column as one array, in the order of arrival.
    fn whole(&self) -> Result<Vec<ArrayRef>> {
        let whole = |(pieces, data_type): (&Vec<ArrayRef>, &DataType)| match pieces.as_slice() {
            [] => Ok(new_empty_array(data_type)),
            [one] => Ok(Arc::clone(one)),
            many => Ok(concat(&many.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
        };
        self.columns.iter().zip(&self.how.types).map(whole).collect()
    }
}

impl Grouped for Collected {
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
        let is_kept = self.how.constants.iter().map(Option::is_none).chain(self.how.order.iter().map(|_| true));
        let kept = values.iter().zip(is_kept).filter(|(_, kept)| *kept).map(|(value, _)| value);
        let Some(filter) = filter else {
            return self.take(kept.map(Arc::clone).collect(), groups);
        };
        let columns = kept.map(|value| filter_rows(value, filter)).collect::<Result<Vec<_>, _>>()?;
        let groups: Vec<usize> = filter.values().set_indices().map(|row| groups[row]).collect();
        self.take(columns, &groups)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.group_count = group_count;
        let lists: Vec<&ListArray> = states.iter().map(AsArray::as_list).collect();
        let Some(first) = lists.first() else { return Ok(()) };
        let repeated: Vec<usize> = first
            .offsets()
            .lengths()
            .zip(groups)
            .flat_map(|(length, &group)| std::iter::repeat_n(group, length))
            .collect();
        let values = |list: &&ListArray| {
            let start = list.offsets()[0] as usize;
            list.values().slice(start, list.offsets()[list.len()] as usize - start)
        };
        let columns: Vec<ArrayRef> = lists.iter().map(values).collect();
        self.take(columns, &repeated)
    }

    fn states(self: Box<Self>) -> Result<Vec<ArrayRef>> {
        let (order, bounds) = by_group(&self.groups, self.group_count);
        let order = UInt32Array::from(order);
        let offsets = OffsetBuffer::<i32>::from_lengths(bounds.windows(2).map(|bounds| bounds[1] - bounds[0]));
        let list = |column: ArrayRef| -> Result<ArrayRef> {
            let item = Arc::new(Field::new_list_field(column.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(item, offsets.clone(), take(&column, &order, None)?, None)?))
        };
        self.whole()?.into_iter().map(list).collect()
    }

    fn results(mut self: Box<Self>) -> Result<ArrayRef> {
        let mut columns = self.whole()?;
        if !self.how.order.is_empty() {
            let arrival: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..self.groups.len() as u64));
            let keys = columns[self.how.arguments()..].iter().zip(&self.how.order);
            let mut keys: Vec<SortColumn> =
                keys.map(|(key, options)| SortColumn { values: Arc::clone(key), options: Some(*options) }).collect();
            // Equal rows stay in the order of arrival.
            keys.push(SortColumn { values: arrival, options: None });
            let order = lexsort_to_indices(&keys, None)?;
            columns = columns.iter().map(|column| take(column, &order, None)).collect::<Result<_, _>>()?;
            self.groups = order.values().iter().map(|row| self.groups[*row as usize]).collect();
        }
        let mut collected = columns.into_iter();
        let values = self.how.constants.iter().map(|constant| match constant {
            Some(constant) => constant.to_array_of_size(self.groups.len()),
            None => Ok(collected.next().expect("there is a column for each argument that is no constant")),
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        self.plain.update(&values, &self.groups, None, self.group_count)?;
        self.plain.results()
    }
}

/// Values that count as equal get equal bytes: there is one zero and one not-a-number.
fn canonical(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let floats: Float64Array =
                array.as_primitive::<Float64Type>().unary(|value| if value.is_nan() { f64::NAN } else { value + 0.0 });
            Arc::new(floats)
        }
        DataType::Float32 => {
            let floats: Float32Array =
                array.as_primitive::<Float32Type>().unary(|value| if value.is_nan() { f32::NAN } else { value + 0.0 });
            Arc::new(floats)
        }
        _ => array,
    }
}

/// The rows seen so far, by group.
struct Distinct {
    converter: RowConverter,
    hashes: FixedState,
    /// Group, and the bytes of the row in `bytes`.
    seen: HashTable<(usize, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Distinct {
    fn new(types: &[DataType]) -> Result<Self> {
        let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect())?;
        Ok(Self { converter, hashes: FixedState::with_seed(0), seen: HashTable::new(), bytes: Vec::new() })
    }

    /// For each row whether it is the first of its kind in its group.
    fn add(&mut self, columns: &[ArrayRef], groups: &[usize]) -> Result<Vec<bool>> {
        let rows: Rows = self.converter.convert_columns(columns)?;
        let Self { hashes, seen, bytes, .. } = self;
        let hash = |group: usize, row: &[u8]| {
            let mut hasher = hashes.build_hasher();
            hasher.write_usize(group);
            hasher.write(row);
            hasher.finish()
        };
        let mut new = Vec::with_capacity(groups.len());
        for (row, &group) in rows.iter().zip(groups) {
            let row = row.data();
            let code = hash(group, row);
            let known = seen.find(code, |(other, place)| *other == group && bytes[place.clone()] == *row).is_some();
            if !known {
                let start = bytes.len();
                bytes.extend_from_slice(row);
                let bytes = &*bytes;
                seen.insert_unique(code, (group, start..bytes.len()), |(group, place)| {
                    hash(*group, &bytes[place.clone()])
                });
            }
            new.push(!known);
        }
        Ok(new)
    }
}
