//! Grouped aggregation in its two halves: partial sums per split before the exchange, and folding them into state after it.
//!
//! Both halves go through the aggregates' state columns, and what came earlier is always merged first, so that aggregates
//! which look at the order of rows see that of their arrival.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::keys;
use watershed_core::node::EpochContext;
use watershed_core::state::{Groups, Interner, PlacedBy, Slot, StateTable, TableSchema};

use crate::aggregates::{Accumulation, Aggregates};
use crate::inputs;

/// Keys and aggregates over the columns of one input.
#[derive(Debug)]
pub(crate) struct Grouping {
    keys: Vec<usize>,
    key_fields: Vec<FieldRef>,
    aggregates: Aggregates,
}

impl Grouping {
    /// Binds keys and aggregates to the columns of `schema`, with all that is wrong with them. `taken` are names that the
    /// operator's other output columns have.
    pub(crate) fn bind(
        keys: &[String],
        aggregates: &[String],
        schema: &Schema,
        taken: &[&str],
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut places = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            match inputs::column(schema, key) {
                Ok(place) if places.contains(&place) => {
                    faults
                        .push(Fault::new("duplicate_key", format!("key `{key}` is listed twice")).at("keys").at(index));
                }
                Ok(place) => places.push(place),
                Err(fault) => faults.push(fault.at("keys").at(index)),
            }
        }
        if aggregates.is_empty() {
            let fault = Fault::new("no_aggregates", "`aggregates` is empty").at("aggregates");
            faults.push(fault.help("`count(*) AS count` counts rows; `Dedup` gives each key once"));
        }
        let aggregates = match Aggregates::parse(aggregates, schema) {
            Ok(aggregates) => Some(aggregates),
            Err(found) => {
                faults.extend(found.into_iter().map(|fault| fault.under("aggregates")));
                None
            }
        };
        for (index, field) in aggregates.iter().flat_map(Aggregates::output_fields).enumerate() {
            let name = field.name().as_str();
            if taken.contains(&name) || keys.iter().any(|key| key == name) {
                let message = format!("two output columns are called `{name}`");
                faults.push(
                    Fault::new("duplicate_column", message)
                        .at("aggregates")
                        .at(index)
                        .help("give the aggregate another name: `… AS name`"),
                );
            }
        }
        let key_fields = places.iter().map(|&place| Arc::clone(&schema.fields()[place])).collect();
        match aggregates {
            Some(aggregates) if faults.is_empty() => Ok(Self { keys: places, key_fields, aggregates }),
            _ => Err(faults),
        }
    }

    pub(crate) fn key_fields(&self) -> &[FieldRef] {
        &self.key_fields
    }

    /// The columns that the aggregates give.
    pub(crate) fn result_fields(&self) -> Vec<Field> {
        self.aggregates.output_fields()
    }

    /// What is kept per key.
    /// `slots`: what its slots stand for.
    pub(crate) fn table(&self, slots: String) -> TableSchema {
        TableSchema {
            name: "groups",
            keys: self.key_fields.iter().cloned().collect(),
            values: self.aggregates.state_fields().into(),
            placed_by: if self.keys.is_empty() { PlacedBy::Slot } else { PlacedBy::Keys },
            slots,
        }
    }

    /// The columns of exchanged rows: `leading`, the keys, the aggregates' states.
    pub(crate) fn exchanged(&self, leading: &[Field]) -> SchemaRef {
        let leading = leading.iter().cloned().map(Arc::new);
        let states = self.aggregates.state_fields().into_iter().map(Arc::new);
        Arc::new(Schema::new(leading.chain(self.key_fields.iter().cloned()).chain(states).collect::<Vec<_>>()))
    }

    /// Merges `states`, partial sums of the rows with these `keys`, into what `slot` keeps. Gives the groups touched and their
    /// new states.
    pub(crate) fn fold(
        &self,
        table: &mut StateTable,
        slot: Slot,
        partial: &RecordBatch,
        leading: usize,
    ) -> Result<(Groups, Vec<ArrayRef>)> {
        let (keys, states) = partial.columns()[leading..].split_at(self.keys.len());
        let groups = table.group(slot, keys, partial.num_rows())?;
        let old = table.gather(&groups)?;
        let states = self.merge(&old.values, &old.groups, states, &groups.group_of_row, groups.len())?;
        table.upsert(&groups, states.clone())?;
        Ok((groups, states))
    }

    /// The states of so many groups, made of those of earlier rows and those of later ones, each with the group that it belongs to.
    /// No group is without a later one, and the groups are numbered in the order of these.
    pub(crate) fn merge(
        &self,
        earlier: &[ArrayRef],
        groups_of_earlier: &[usize],
        later: &[ArrayRef],
        groups_of_later: &[usize],
        groups: usize,
    ) -> Result<Vec<ArrayRef>> {
        if groups_of_earlier.is_empty() && groups_of_later.len() == groups {
            return Ok(later.to_vec());
        }
        let mut sums = self.aggregates.accumulate()?;
        sums.merge(earlier, groups_of_earlier, groups)?;
        sums.merge(later, groups_of_later, groups)?;
        sums.into_states()
    }

    /// The states of one group that no row has reached: what an aggregate without keys has at first.
    pub(crate) fn states_of_nothing(&self) -> Result<Vec<ArrayRef>> {
        let mut sums = self.aggregates.accumulate()?;
        sums.grow(1)?;
        sums.into_states()
    }

    /// Whether a result may depend on the order of the rows.
    pub(crate) fn looks_at_order(&self) -> bool {
        self.aggregates.look_at_order()
    }

    /// An index of keys, with columns of these types before those of the key.
    pub(crate) fn interner(&self, leading: &[DataType]) -> Result<Interner> {
        let keys = self.key_fields.iter().map(|field| field.data_type());
        Interner::new(&leading.iter().chain(keys).cloned().collect::<Vec<_>>())
    }

    /// The keys of a batch of the operator's input, equal ones alike.
    fn keys_of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        let keys: Vec<ArrayRef> = self.keys.iter().map(|&key| Arc::clone(batch.column(key))).collect();
        keys::canonical(&keys)
    }

    /// The results of `states`.
    pub(crate) fn results(&self, states: &[ArrayRef], cx: &EpochContext) -> Result<Vec<ArrayRef>> {
        self.aggregates.results_of(states, cx)
    }

    /// The results of the states that `values` of the table are, as columns under the aggregates' names.
    pub(crate) fn readable(&self, values: &RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        let results = self.results(values.columns(), cx)?;
        let options = RecordBatchOptions::new().with_row_count(Some(values.num_rows()));
        let schema = Arc::new(Schema::new(self.result_fields()));
        Ok(RecordBatch::try_new_with_options(schema, results, &options)?)
    }
}

/// The sums of one split's rows by key, before the exchange. Besides the key, other columns may tell groups apart: they lead.
pub(crate) struct PartialSums {
    grouping: Arc<Grouping>,
    interner: Interner,
    sums: Accumulation,
    /// Key columns of the groups in the order of their numbers, a piece per batch that brought new ones.
    keys: Vec<Vec<ArrayRef>>,
    ids: Vec<u32>,
    groups: Vec<usize>,
}

impl PartialSums {
    /// No groups yet. `leading` are the types of the columns that lead.
    pub(crate) fn new(grouping: &Arc<Grouping>, leading: &[DataType]) -> Result<Self> {
        Ok(Self {
            interner: grouping.interner(leading)?,
            sums: grouping.aggregates.accumulate()?,
            grouping: Arc::clone(grouping),
            keys: Vec::new(),
            ids: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Adds the rows of a batch of the operator's input. Gives the group of each.
    pub(crate) fn add(&mut self, leading: &[ArrayRef], batch: &RecordBatch, cx: &EpochContext) -> Result<&[usize]> {
        let keys: Vec<ArrayRef> = leading.iter().cloned().chain(self.grouping.keys_of(batch)).collect();
        let mut known = self.interner.len();
        self.ids.clear();
        self.interner.intern(&keys, batch.num_rows(), &mut self.ids)?;
        self.groups.clear();
        self.groups.extend(self.ids.iter().map(|&id| id as usize));
        if self.interner.len() > known {
            let mut first_rows = Vec::with_capacity(self.interner.len() - known);
            for (row, &group) in self.groups.iter().enumerate() {
                if group == known {
                    first_rows.push(row as u32);
                    known += 1;
                }
            }
            let first_rows = UInt32Array::from(first_rows);
            self.keys.push(keys.iter().map(|key| take(key, &first_rows, None)).collect::<Result<_, _>>()?);
        }
        self.sums.update(batch, &self.groups, self.interner.len(), cx)?;
        Ok(&self.groups)
    }

    /// The number of groups so far.
    pub(crate) fn len(&self) -> usize {
        self.interner.len()
    }

    /// The columns that lead, the key columns and state columns, one row per group.
    pub(crate) fn finish(self) -> Result<Vec<ArrayRef>> {
        let keys = self.keys.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(keys);
        for key in 0..keys {
            let pieces: Vec<&dyn arrow::array::Array> = self.keys.iter().map(|piece| piece[key].as_ref()).collect();
            columns.push(if let [piece] = self.keys.as_slice() { Arc::clone(&piece[key]) } else { concat(&pieces)? });
        }
        columns.extend(self.sums.into_states()?);
        Ok(columns)
    }
}

/// The distinct keys of a split's late rows, which is what Spark counts of an aggregation's.
pub(crate) struct LateGroups {
    grouping: Arc<Grouping>,
    /// By window, or by whatever else tells groups apart.
    keys: BTreeMap<i64, Interner>,
}

impl LateGroups {
    pub(crate) fn new(grouping: &Arc<Grouping>) -> Self {
        Self { grouping: Arc::clone(grouping), keys: BTreeMap::new() }
    }

    /// Takes note of the keys of `rows`, which are late for `window`.
    pub(crate) fn add(&mut self, window: i64, rows: &RecordBatch) -> Result<()> {
        let interner = match self.keys.entry(window) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.grouping.interner(&[])?),
        };
        interner.intern(&self.grouping.keys_of(rows), rows.num_rows(), &mut Vec::new())
    }

    /// The number of groups.
    pub(crate) fn count(&self) -> u64 {
        self.keys.values().map(|keys| keys.len() as u64).sum()
    }
}
