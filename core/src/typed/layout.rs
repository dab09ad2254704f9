//! The tables of an operator, and how the keys at work are read from them and written back: all keys of a table at once.

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Fields};

use super::context::KeyContext;
use super::due;
use super::timers::{self, Clock};
use super::variables::{Declared, Written};
use crate::error::Result;
use crate::state::{Groups, PlacedBy, Slot, StateStore, StateTable, TableSchema};
use crate::time::Timestamp;

/// The tables that are no variables.
pub(super) const RESERVED: [&str; 4] = [TIMERS, DUE[0], DUE[1], EXPIRING];
pub(crate) const TIMERS: &str = "timers";
pub(crate) const DUE: [&str; 2] = ["due_event", "due_processing"];
pub(super) const EXPIRING: &str = "expiring";

/// Where what is: the tables of the variables come first, each at its variable's place.
pub(super) struct Layout {
    pub(super) tables: Vec<TableSchema>,
    variables: usize,
    /// The table of timers.
    pub(super) timers: Option<usize>,
    /// By clock, the index of keys with timers.
    pub(super) due: [Option<usize>; 2],
    /// The index of keys with variables that expire.
    pub(super) expiring: Option<usize>,
}

/// Keys that are at work together.
pub(super) struct AtWork {
    /// By table of variables, then of timers.
    tables: Vec<Groups>,
}

impl AtWork {
    /// The keys by which the tables know them, and which key each row has.
    pub(super) fn groups(&self) -> &Groups {
        &self.tables[0]
    }
}

impl Layout {
    pub(super) fn of(keys: &Fields, variables: &[Declared], clocks: &[Clock]) -> Self {
        let mut tables = Vec::new();
        let mut table = |name, values, slots: &str| {
            let slots = slots.to_owned();
            tables.push(TableSchema { name, keys: keys.clone(), values, placed_by: PlacedBy::Keys, slots });
            Some(tables.len() - 1)
        };
        for variable in variables {
            table(variable.name, (variable.fields)(variable.ttl), "");
        }
        let timers = if clocks.is_empty() { None } else { table(TIMERS, timers::fields(), "") };
        let due = Clock::ALL.map(|clock| {
            if clocks.contains(&clock) { table(DUE[clock as usize], due::fields(), due::SLOTS) } else { None }
        });
        let expires = variables.iter().any(|variable| variable.ttl.is_some());
        let expiring = if expires { table(EXPIRING, due::fields(), due::SLOTS) } else { None };
        Self { tables, variables: variables.len(), timers, due, expiring }
    }

    /// Whether the table is an index by time.
    pub(super) fn is_index(&self, table: usize) -> bool {
        table >= self.variables + usize::from(self.timers.is_some())
    }

    /// Begins the work on the keys of these rows.
    pub(super) fn begin(
        &self,
        state: &mut StateStore,
        cx: &mut KeyContext,
        keys: &[ArrayRef],
        rows: usize,
    ) -> Result<AtWork> {
        let mut tables: Vec<Groups> = Vec::new();
        for place in 0..self.variables + usize::from(self.timers.is_some()) {
            let table = state.table(place);
            let groups = match tables.first() {
                None => table.group(Slot::NEVER, keys, rows)?,
                Some(first) => table.group(Slot::NEVER, &first.keys, first.len())?,
            };
            let kept = table.gather(&groups)?;
            match cx.variables.get_mut(place) {
                Some(variable) => variable.begin(kept, groups.len(), cx.epoch.processing_time)?,
                None => cx.timers.begin(kept, groups.len()),
            }
            tables.push(groups);
        }
        if tables.is_empty() {
            // An operator that keeps nothing has its rows by key all the same.
            let fields = keys.iter().map(|key| Field::new("", key.data_type().clone(), true));
            let nothing = TableSchema {
                name: "",
                keys: fields.collect(),
                values: Fields::empty(),
                placed_by: PlacedBy::Keys,
                slots: String::new(),
            };
            tables.push(StateStore::new(vec![nothing]).table(0).group(Slot::NEVER, keys, rows)?);
        }
        Ok(AtWork { tables })
    }

    /// Writes back what the work changed, and enters keys whose first timer or expiry is earlier now.
    pub(super) fn end(&self, state: &mut StateStore, cx: &mut KeyContext, at_work: &AtWork) -> Result<()> {
        let keys = &at_work.groups().keys;
        let numbers = || 0..at_work.groups().len();
        for clock in Clock::ALL {
            let Some(index) = self.due[clock as usize] else { continue };
            let entry = |key| {
                let first = cx.timers.first(key, clock);
                due::is_earlier(first, cx.timers.first_in_store(key, clock))
                    .then(|| first.map(|time| (key as u32, time)))?
            };
            due::enter(state.table(index), keys, &numbers().filter_map(entry).collect::<Vec<_>>())?;
        }
        for (place, variable) in cx.variables.iter_mut().enumerate() {
            let entry = |key| {
                let expires = variable.expires(key);
                due::is_earlier(expires, variable.expired_in_store(key))
                    .then(|| expires.map(|time| (key as u32, time)))?
            };
            let entries: Vec<(u32, Timestamp)> = numbers().filter_map(entry).collect();
            if let (Some(index), false) = (self.expiring, entries.is_empty()) {
                due::enter(state.table(index), keys, &entries)?;
            }
            write(state.table(place), &at_work.tables[place], variable.end()?)?;
        }
        if let Some(timers) = self.timers {
            write(state.table(timers), &at_work.tables[timers], cx.timers.end()?)?;
        }
        Ok(())
    }

    /// Removes what has expired by the epoch's processing time.
    pub(super) fn purge(&self, state: &mut StateStore, cx: &mut KeyContext) -> Result<()> {
        let Some(index) = self.expiring else { return Ok(()) };
        let now = cx.epoch.processing_time;
        let Some(keys) = due::take_begun(state.table(index), now)? else { return Ok(()) };
        let at_work = self.begin(state, cx, keys.columns(), keys.num_rows())?;
        cx.variables.iter().for_each(|variable| variable.look_at_all());
        let expires = |key| cx.variables.iter().filter_map(|variable| variable.expires(key)).min();
        let times: Vec<Option<Timestamp>> = (0..at_work.groups().len()).map(expires).collect();
        self.end(state, cx, &at_work)?;
        due::settle(state.table(index), now, &at_work.groups().keys, &times)
    }
}

fn write(table: &mut StateTable, groups: &Groups, written: Written) -> Result<()> {
    if written.kept.contains(&true) {
        table.upsert(&groups.only(&written.kept)?, written.values)?;
    }
    if written.gone.contains(&true) {
        table.remove(groups, &written.gone)?;
    }
    Ok(())
}
