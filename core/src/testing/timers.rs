//! The timers of typed operators, as rows: the key, the clock, and when it fires.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::cell::Cell;
use super::columns::batch_of;
use super::compare::CellRow;
use super::error::{Result, TestError};
use super::state::{Stores, Touch};
use super::table::Table;
use crate::error::Error;
use crate::schema::TIMESTAMP;
use crate::state::{Slot, TableSchema};
use crate::time::Timestamp;
use crate::typed::due;
use crate::typed::layout::{DUE, TIMERS};

/// The clocks in the order of the columns of the table of timers.
const CLOCKS: [&str; 2] = ["event", "processing"];

/// What is to be done with timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Set,
    Delete,
}

/// A key, and its timers by clock in the order of time.
type KeyTimers = (CellRow, [Vec<Timestamp>; 2]);

impl Stores<'_> {
    /// The timers of a typed operator in the order of time: the columns of the key, then `clock` (`event` or `processing`) and
    /// `fires_at`. A timeout is a timer, too.
    pub fn timers(&self) -> Result<Table> {
        let (declared, kept) = self.timers_by_key()?;
        let mut rows: Vec<(Timestamp, CellRow)> = Vec::new();
        for (key, timers) in &kept {
            for (clock, times) in CLOCKS.iter().zip(timers) {
                let ends = |time: &Timestamp| [Cell::Text((*clock).to_owned()), Cell::Instant(*time)];
                rows.extend(times.iter().map(|time| (*time, key.iter().cloned().chain(ends(time)).collect())));
            }
        }
        rows.sort_by_key(|(time, _)| *time);
        let rows: Vec<CellRow> = rows.into_iter().map(|(_, row)| row).collect();
        Ok(batch_of(&columns(&declared), &rows).map_err(Error::from)?.into())
    }

    /// The columns of [`timers`](Self::timers).
    pub(super) fn timer_columns(&self) -> Result<SchemaRef> {
        Ok(columns(&self.timers_by_key()?.0))
    }

    /// What is to be done to the state so that these timers are set, or are not there.
    pub(super) fn change_timers(&self, node: &str, timers: &Table, change: Change) -> Result<Vec<Touch>> {
        let (declared, kept) = self.timers_by_key()?;
        let keys = declared.keys.len();
        let mut kept: BTreeMap<String, KeyTimers> =
            kept.into_iter().map(|timers| (name_of(&timers.0), timers)).collect();
        let mut changed = Vec::new();
        for row in timers.cells() {
            let (key, clock) = (row[..keys].to_vec(), clock_of(&row[keys])?);
            let Cell::Instant(time) = row[keys + 1] else { continue };
            self.place(DUE[clock]).map_err(|_| no_timers(CLOCKS[clock]))?;
            let name = name_of(&key);
            let times = &mut kept.entry(name.clone()).or_insert((key, Default::default())).1[clock];
            match (times.binary_search(&time), change) {
                (Err(place), Change::Set) => times.insert(place, time),
                (Ok(place), Change::Delete) => drop(times.remove(place)),
                _ => {}
            }
            changed.push((name, clock));
        }
        let mut touches = Vec::new();
        for (name, clock) in changed {
            touches.extend(self.kept_as(node, &declared, &kept[&name], clock)?);
        }
        Ok(touches)
    }

    /// A key's timers as rows of the table of timers and of the index by time.
    fn kept_as(
        &self,
        node: &str,
        declared: &TableSchema,
        (key, timers): &KeyTimers,
        clock: usize,
    ) -> Result<Vec<Touch>> {
        let (node, table) = (node.to_owned(), self.place(TIMERS)?);
        let rows = |schema: SchemaRef, row: CellRow| batch_of(&schema, &[row]).map_err(Error::from);
        if timers.iter().all(Vec::is_empty) {
            let keys = rows(Arc::new(Schema::new(declared.keys.clone())), key.clone())?;
            return Ok(vec![Touch::Remove { node, table, slot: Slot::NEVER, keys }]);
        }
        let list = |times: &Vec<Timestamp>| Cell::List(times.iter().copied().map(Cell::Instant).collect());
        let row = key.iter().cloned().chain(timers.iter().map(list)).collect();
        let kept = Touch::Keep { node: node.clone(), table, slot: Slot::NEVER, rows: rows(declared.columns(), row)? };
        // The index finds a key by its first timer; an entry of a timer that is gone does no harm.
        let Some(first) = timers[clock].first() else { return Ok(vec![kept]) };
        let index = self.place(DUE[clock])?;
        let columns = self.declared().nth(index).expect("it has this place").columns();
        let entry = key.iter().cloned().chain([Cell::Instant(*first)]).collect();
        let entry = Touch::Keep { node, table: index, slot: due::slot(*first), rows: rows(columns, entry)? };
        Ok(vec![kept, entry])
    }

    fn timers_by_key(&self) -> Result<(TableSchema, Vec<KeyTimers>)> {
        let index = self.place(TIMERS).map_err(|_| TestError::Given("the operator sets no timers".to_owned()))?;
        let declared = self.declared().nth(index).expect("it has this place").clone();
        let keys = declared.keys.len();
        let timers = |row: CellRow| (row[..keys].to_vec(), [instants(&row[keys]), instants(&row[keys + 1])]);
        let kept = self.table(TIMERS)?.cells().into_iter().map(timers).collect();
        Ok((declared, kept))
    }
}

fn columns(declared: &TableSchema) -> SchemaRef {
    let own = [Field::new("clock", DataType::Utf8, false), Field::new("fires_at", TIMESTAMP, false)];
    Arc::new(Schema::new(declared.keys.iter().cloned().chain(own.map(Arc::new)).collect::<Vec<_>>()))
}

fn name_of(key: &CellRow) -> String {
    format!("{key:?}")
}

fn clock_of(cell: &Cell) -> Result<usize> {
    let name = cell.to_string();
    let known = || TestError::Given(format!("`{name}` is no clock; known: {}", crate::fault::listed(CLOCKS)));
    CLOCKS.iter().position(|clock| *clock == name).ok_or_else(known)
}

fn no_timers(clock: &str) -> TestError {
    TestError::Given(format!("the operator sets no timers by {clock} time"))
}

fn instants(cell: &Cell) -> Vec<Timestamp> {
    let Cell::List(items) = cell else { return Vec::new() };
    let instant = |item: &Cell| if let Cell::Instant(instant) = item { Some(*instant) } else { None };
    items.iter().filter_map(instant).collect()
}
