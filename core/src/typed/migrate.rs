//! State that an earlier version of an operator has left: what its author is shown of it, and how the kernel takes it over.
//!
//! A variable's rows are read key by key. State of the same version goes into the variable of its name, with columns that were
//! added since at their defaults; state of another version goes through the author's `migrate`. Timers go on as they are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array, new_empty_array};
use arrow::compute::take;
use arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef, TimestampMicrosecondType};

use super::calls::Calls;
use super::context::KeyContext;
use super::epoch::Kernel;
use super::layout::{EXPIRING, RESERVED};
use super::logic::Logic;
use super::timers;
use super::variables::{
    Collection, Declared, EXPIRES_AT, Entries, Items, State, instants_in, read_elements, read_initial,
};
use crate::epoch::{Epoch, Partition};
use crate::error::{Error, Result};
use crate::fault::listed;
use crate::guard::guarded;
use crate::node::EpochContext;
use crate::row::Row;
use crate::state::{EarlierState, Gathered, Slot, TableRecord};
use crate::time::{Timestamp, Watermark};

/// What an earlier version kept for one key in one variable.
pub struct Earlier<'a> {
    pub(super) variable: &'a str,
    /// One row: the variable's columns.
    pub(super) columns: RecordBatch,
}

impl Earlier<'_> {
    /// The variable's name. That of a [`StatefulOperator`](super::StatefulOperator) is called `state`.
    pub fn variable(&self) -> &str {
        self.variable
    }

    /// The value, read as `V`: the type it had, or one with fields that have a default besides.
    pub fn value<V: State>(&self) -> Result<V> {
        let mut values = read_initial::<V>(&self.without_expiry())?;
        values.pop().ok_or_else(|| Error::other(format!("state `{}` has no value", self.variable)))
    }

    /// The elements of a list.
    pub fn list<V: State>(&self) -> Result<Vec<V>> {
        Ok(self.elements::<Items<V>>()?.into_items().map(|(item, _)| item).collect())
    }

    /// The entries of a map.
    pub fn map<K: State + Ord, V: State>(&self) -> Result<BTreeMap<K, V>> {
        Ok(self.elements::<Entries<K, V>>()?.into_items().map(|(entry, _)| entry).collect())
    }

    /// Keeps it as it is, in the variable of that name. Of a name that is not declared any more, it is forgotten.
    pub fn keep(&self, cx: &mut KeyContext) -> Result<()> {
        let key = cx.key;
        match cx.names.iter().position(|name| *name == self.variable) {
            Some(place) => cx.variables[place].adopt(key, self),
            None => Ok(()),
        }
    }

    /// The columns of the value itself.
    pub(super) fn without_expiry(&self) -> RecordBatch {
        let mut columns = self.columns.clone();
        if let Ok(place) = columns.schema().index_of(EXPIRES_AT) {
            columns.remove_column(place);
        }
        columns
    }

    pub(super) fn elements<C: Collection>(&self) -> Result<C> {
        let Some(lists) = self.columns.column_by_name(C::COLUMN) else {
            return Err(Error::other(format!(
                "state `{}` has no column `{}`; it has {}",
                self.variable,
                C::COLUMN,
                listed(self.columns.schema().fields().iter().map(|field| field.name()))
            )));
        };
        let expiries = self.columns.column_by_name(EXPIRES_AT).map(|expiries| instants_in(expiries.as_list(), 0));
        let (elements, _) = read_elements::<C>(lists.as_list(), expiries, 0, Timestamp::MIN)?;
        Ok(elements)
    }

    /// When what is kept of it expires: with its last part.
    pub(super) fn expires(&self) -> Timestamp {
        let Some(expiries) = self.columns.column_by_name(EXPIRES_AT) else { return Timestamp::MAX };
        let last = match expiries.as_list_opt::<i32>() {
            Some(lists) => instants_in(lists, 0).iter().max().copied(),
            None => expiries.as_primitive::<TimestampMicrosecondType>().iter().flatten().next(),
        };
        last.map_or(Timestamp::MAX, Timestamp::from_micros)
    }
}

impl fmt::Debug for Earlier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Earlier").field("variable", &self.variable).field("columns", self.columns.schema_ref()).finish()
    }
}

impl<L: Logic> Kernel<L> {
    /// What becomes of the state, or why it cannot be taken over.
    pub(super) fn judge(&self, earlier: &EarlierState) -> Result<Vec<String>, Vec<String>> {
        let (mut notes, mut problems) = (Vec::new(), Vec::new());
        let version = self.version;
        if earlier.version > version {
            return Err(vec!["an operator does not go back to an earlier version of its state".to_owned()]);
        }
        let same = earlier.version == version;
        if !same {
            notes.push(format!("it goes through `migrate`, from version {} to {version}", earlier.version));
        }
        let before = |name: &str| earlier.tables.iter().find(|table| table.name == name);
        for (declared, table) in self.variables.iter().zip(&self.layout.tables) {
            match before(declared.name) {
                None => notes.push(format!("`{}` is new", declared.name)),
                Some(kept) if same => compare(declared, kept, &TableRecord::from(table), &mut notes, &mut problems),
                Some(_) => {}
            }
        }
        let keys = self.layout.tables.first().map(|table| TableRecord::from(table).keys);
        for table in &earlier.tables {
            if keys.as_ref().is_some_and(|keys| *keys != table.keys) {
                problems.push(format!("`{}` has another key: state stays with its key", table.name));
            }
            let is_kept = self.layout.tables.iter().any(|now| now.name == table.name);
            if !is_kept && same && table.name != EXPIRING {
                problems.push(format!("`{}` is no longer kept", table.name));
            } else if !is_kept {
                notes.push(format!("`{}` is no longer kept", table.name));
            }
        }
        if problems.is_empty() {
            return Ok(notes);
        }
        if same {
            problems.push(format!("raise its `VERSION` to {}, and say in `migrate` what becomes of it", version + 1));
        }
        Err(problems)
    }

    /// Makes rows of an earlier version's table rows of present ones.
    pub(super) fn take_over(
        &self,
        earlier: &EarlierState,
        table: &str,
        slot: Slot,
        rows: RecordBatch,
    ) -> Result<Vec<(usize, Slot, RecordBatch)>> {
        let place = self.layout.tables.iter().position(|now| now.name == table);
        if RESERVED.contains(&table) {
            let Some(place) = place else { return Ok(Vec::new()) };
            let keys = L::Key::fields().len();
            let rows =
                if self.layout.timers == Some(place) { timers::only_of(self.clocks, &rows, keys)? } else { rows };
            return Ok(vec![(place, slot, rows)]);
        }
        let keys = L::Key::fields().len();
        let (key_columns, values) = rows.columns().split_at(keys);
        let fields: Fields = rows.schema_ref().fields()[keys..].iter().cloned().collect();
        let variable = of_rows(Arc::new(Schema::new(fields)), values.to_vec(), rows.num_rows())?;
        let mut cx = self.context(&BEFORE_THE_FIRST);
        cx.clocks = &[];
        for (declared, cells) in self.variables.iter().zip(&mut cx.variables) {
            let fields = (declared.fields)(declared.ttl);
            let values = fields.iter().map(|field| new_empty_array(field.data_type())).collect();
            cells.begin(Gathered { groups: Vec::new(), values }, rows.num_rows(), Timestamp::MIN)?;
        }
        let calls = Calls::<L>::new(key_columns, rows.num_rows())?;
        let taken = guarded(|| {
            for key in 0..rows.num_rows() {
                cx.key = key;
                let kept = Earlier { variable: table, columns: variable.slice(key, 1) };
                let expires = kept.expires();
                cx.variables.iter_mut().for_each(|variable| variable.expire_at(expires));
                if earlier.version == self.version {
                    kept.keep(&mut cx)?;
                } else {
                    self.logic.migrate(earlier.version, kept, &mut cx)?;
                }
            }
            Ok(())
        });
        taken.map_err(|error| calls.at_key(error, cx.key))?;
        let mut adopted = Vec::new();
        for (place, cells) in cx.variables.iter_mut().enumerate() {
            let written = cells.end()?;
            let kept: UInt32Array = (0..).zip(&written.kept).filter_map(|(key, kept)| kept.then_some(key)).collect();
            if kept.is_empty() {
                continue;
            }
            let keys = key_columns.iter().map(|key| take(key, &kept, None)).collect::<Result<Vec<_>, _>>()?;
            let columns = keys.into_iter().chain(written.values).collect();
            adopted.push((place, Slot::NEVER, of_rows(self.layout.tables[place].columns(), columns, kept.len())?));
        }
        Ok(adopted)
    }
}

/// What an operator may know of the epoch while it takes state over: nothing.
const BEFORE_THE_FIRST: EpochContext = EpochContext {
    epoch: Epoch(0),
    partition: Partition(0),
    processing_time: Timestamp::MIN,
    late: Watermark::NONE,
    evict: Watermark::NONE,
    call_limit: None,
};

fn of_rows(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// Holds a variable against the same one as the same version of the operator kept it.
fn compare(
    declared: &Declared,
    kept: &TableRecord,
    now: &TableRecord,
    notes: &mut Vec<String>,
    problems: &mut Vec<String>,
) {
    let name = declared.name;
    let find = |table: &TableRecord, column: &str| table.values.iter().find(|other| other.name == column).cloned();
    let mut there: Vec<FieldRef> = Vec::new();
    for field in &(declared.fields)(declared.ttl) {
        match (find(kept, field.name()), find(now, field.name())) {
            (Some(kept), Some(now)) if kept.data_type != now.data_type => {
                problems.push(format!(
                    "`{name}` kept `{}` as {}, and it is {} now",
                    now.name, kept.data_type, now.data_type
                ));
                there.push(Arc::clone(field));
            }
            (Some(_), _) => there.push(Arc::clone(field)),
            (None, _) if field.name() == EXPIRES_AT => {
                notes.push(format!("`{name}` has a time to live: what is there lives until it is set again"));
            }
            (None, _) => notes.push(format!("`{name}` gets `{}`, at first its default", field.name())),
        }
    }
    for misfit in (declared.misfits)(&there.into_iter().collect()) {
        problems.push(format!("`{name}`: {}, and the field has no default (`#[row(default)]`)", misfit.message()));
    }
    for column in kept.values.iter().filter(|column| find(now, &column.name).is_none()) {
        if column.name == EXPIRES_AT {
            notes.push(format!("`{name}` has no time to live any more"));
        } else {
            problems.push(format!("`{name}` kept `{}`, and does not any more", column.name));
        }
    }
}
