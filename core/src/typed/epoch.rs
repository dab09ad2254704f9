//! The kernel: one epoch of one partition, key by key.
//!
//! 1. The rows are put together and grouped by key; what is kept for all these keys is gathered.
//! 2. The author's code is called for each key, and what it changed is written back, one write per table.
//! 3. Keys whose timers are due are found in the index, gathered, called in the order of time, and written back.
//! 4. What has expired is removed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};

use super::calls::{Calls, Results};
use super::context::KeyContext;
use super::declare::DeclaredSide;
use super::due;
use super::exchange::{LateFilter, Projection};
use super::layout::Layout;
use super::logic::Logic;
use super::rows::Rows;
use super::timers::{self, Clock};
use super::variables::Declared;
use crate::epoch::Port;
use crate::error::Result;
use crate::keys::canonical;
use crate::node::{BeforeExchange, Collector, EpochContext, EpochInput, Stateful};
use crate::row::{ReadRow, Row, Value};
use crate::state::{EarlierState, Slot, StateStore, TableSchema};
use crate::time::{TimeSpan, Timestamp, Watermark};

/// The port of initial state.
pub(super) const INITIAL: Port = Port(1);

/// A keyed operator at work.
pub(super) struct Kernel<L> {
    pub(super) logic: L,
    /// The version of what it keeps.
    pub(super) version: u32,
    pub(super) layout: Layout,
    pub(super) variables: Vec<Declared>,
    pub(super) sides: Vec<DeclaredSide>,
    pub(super) clocks: &'static [Clock],
    /// Whether a timer fires when its time is reached, or when it is passed.
    pub(super) fires_when_reached: bool,
    pub(super) projection: Arc<Projection>,
    /// By input port, the columns of the rows that are exchanged.
    pub(super) schemas: Vec<SchemaRef>,
    /// The column to order the rows of a key by.
    pub(super) order: Option<usize>,
    /// The column of event time in what is put out, and how far behind the watermark it may be.
    pub(super) event_time: Option<(usize, TimeSpan)>,
    pub(super) batch_rows: usize,
}

impl<L: Logic> Stateful for Kernel<L> {
    fn tables(&self) -> Vec<TableSchema> {
        self.layout.tables.clone()
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(LateFilter(Arc::clone(&self.projection))))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut key = self.context(cx);
        let limit = self.event_time.and_then(|(column, back)| Some((column, cx.late.0?.minus(back))));
        let mut results = Results::new(limit, self.batch_rows, out);
        self.take_rows(input, state, &mut key, &mut results)?;
        if let Some(watermark) = cx.evict.0 {
            self.fire(Clock::Event, watermark, state, &mut key, &mut results)?;
        }
        self.fire(Clock::Processing, cx.processing_time, state, &mut key, &mut results)?;
        self.layout.purge(state, &mut key)
    }

    fn wake_at(&self, state: &StateStore) -> Option<Timestamp> {
        let index = self.layout.due[Clock::Processing as usize]?;
        // A table that cannot be read fails the next epoch, which says so.
        let first = due::first(&state.tables()[index]).ok()??;
        Some(if self.fires_when_reached { first } else { first.plus(TimeSpan::from_micros(1)) })
    }

    fn is_due(&self, state: &StateStore, evict: Watermark) -> bool {
        let (Some(index), Some(now)) = (self.layout.due[Clock::Event as usize], evict.0) else { return false };
        // As above.
        let first = due::first(&state.tables()[index]).ok().flatten();
        first.is_some_and(|first| if self.fires_when_reached { first <= now } else { first < now })
    }

    fn adopts(&self, earlier: &EarlierState) -> Result<Vec<String>, Vec<String>> {
        self.judge(earlier)
    }

    fn adopt(
        &self,
        earlier: &EarlierState,
        table: &str,
        slot: Slot,
        rows: RecordBatch,
    ) -> Result<Vec<(usize, Slot, RecordBatch)>> {
        self.take_over(earlier, table, slot, rows)
    }

    fn readable_slot(&self, table: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        if self.layout.is_index(table) { vec![("slot", slot.time())] } else { Vec::new() }
    }
}

impl<L: Logic> Kernel<L> {
    pub(super) fn context(&self, cx: &EpochContext) -> KeyContext {
        KeyContext {
            key: 0,
            epoch: *cx,
            variables: self.variables.iter().map(|variable| (variable.cells)(variable.ttl)).collect(),
            names: self.variables.iter().map(|variable| variable.name).collect(),
            timers: timers::TimerCells::default(),
            sides: self.sides.iter().map(|side| (side.rows)()).collect(),
            clocks: self.clocks,
        }
    }

    /// Calls the keys that have rows, or initial state, in the order in which they come first.
    fn take_rows(
        &self,
        input: EpochInput,
        state: &mut StateStore,
        cx: &mut KeyContext,
        results: &mut Results<'_, L::Output>,
    ) -> Result<()> {
        if input.batches.is_empty() {
            return Ok(());
        }
        let of_port = |port: Port| {
            let batches = input.batches.iter().filter(|(of, _)| *of == port).map(|(_, batch)| batch);
            self.schemas.get(port.0).map(|schema| concat_batches(schema, batches)).transpose()
        };
        let rows = of_port(Port::FIRST)?.expect("the first port has a schema");
        let initial = of_port(INITIAL)?;
        drop(input);
        let key_columns = L::Key::fields().len();
        let before = initial.as_ref().map_or(0, RecordBatch::num_rows);
        let keys = match &initial {
            Some(initial) if before > 0 => (0..key_columns)
                .map(|column| concat(&[initial.column(column), rows.column(column)]))
                .collect::<Result<Vec<_>, _>>()?,
            _ => rows.columns()[..key_columns].to_vec(),
        };
        let at_work = self.layout.begin(state, cx, &keys, before + rows.num_rows())?;
        let groups = at_work.groups();
        let calls = Calls::<L>::new(&groups.keys, groups.len())?;
        if let Some(initial) = initial.filter(|_| before > 0) {
            let columns: Vec<usize> = (key_columns..initial.num_columns()).collect();
            self.logic
                .initial(&initial.project(&columns)?, &groups.group_of_row[..before], cx)
                .map_err(|error| calls.at_key(error, cx.key))?;
        }
        let (starts, mut places) = rows_by_key(&groups.group_of_row[before..], groups.len());
        if let Some(column) = self.order {
            in_order(rows.column(column), &starts, &mut places);
        }
        let bound = L::Input::bind(&rows)?;
        let keys = L::Key::bind_columns(calls.keys())?;
        calls.call_each(0..groups.len(), cx, results, |key, cx, out| {
            let places = &places[starts[key] as usize..starts[key + 1] as usize];
            self.logic.rows(<L::Key as Value>::get(&keys, key), Rows::of(&bound, places), cx, out)
        })?;
        self.layout.end(state, cx, &at_work)
    }

    /// Calls the keys whose timers are due, in the order of time and, at one time, of keys.
    fn fire(
        &self,
        clock: Clock,
        now: Timestamp,
        state: &mut StateStore,
        cx: &mut KeyContext,
        results: &mut Results<'_, L::Output>,
    ) -> Result<()> {
        let (Some(timers), Some(index)) = (self.layout.timers, self.layout.due[clock as usize]) else { return Ok(()) };
        let Some(begun) = due::take_begun(state.table(index), now)? else { return Ok(()) };
        let table = state.table(timers);
        let groups = table.group(Slot::NEVER, begun.columns(), begun.num_rows())?;
        let kept = table.gather(&groups)?;
        let is_due = |time: Timestamp| if self.fires_when_reached { time <= now } else { time < now };
        let mut next = vec![None; groups.len()];
        for (row, key) in kept.groups.iter().enumerate() {
            next[*key] = timers::in_row(&kept.values, clock, row).first().copied().map(Timestamp::from_micros);
        }
        let fires: Vec<bool> = next.iter().map(|first| first.is_some_and(is_due)).collect();
        if fires.contains(&true) {
            let firing = groups.only(&fires)?;
            let at_work = self.layout.begin(state, cx, &firing.keys, firing.len())?;
            self.call_timers(clock, is_due, &firing.keys, firing.len(), cx, results)?;
            let keys = fires.iter().enumerate().filter(|(_, fires)| **fires).map(|(key, _)| key);
            for (place, key) in keys.enumerate() {
                next[key] = cx.timers.first(place, clock);
            }
            self.layout.end(state, cx, &at_work)?;
        }
        due::settle(state.table(index), now, &groups.keys, &next)
    }

    fn call_timers(
        &self,
        clock: Clock,
        is_due: impl Fn(Timestamp) -> bool,
        keys: &[ArrayRef],
        count: usize,
        cx: &mut KeyContext,
        results: &mut Results<'_, L::Output>,
    ) -> Result<()> {
        let calls = Calls::<L>::new(keys, count)?;
        let ranks = ranks(keys, count)?;
        let mut due: Vec<(Timestamp, u32, usize)> = Vec::new();
        for (key, rank) in ranks.into_iter().enumerate() {
            let times = cx.timers.of(key, clock).iter().copied().take_while(|time| is_due(*time));
            due.extend(times.map(|time| (time, rank, key)));
        }
        due.sort_unstable();
        let keys = L::Key::bind_columns(calls.keys())?;
        let mut times = due.iter().map(|(time, _, _)| *time);
        calls.call_each(due.iter().map(|(_, _, key)| *key), cx, results, |key, cx, out| {
            let timer = clock.timer(times.next().expect("there is a time for each call"));
            // One that was deleted by another timer of the key does not fire.
            if !cx.timers.has(key, timer) {
                return Ok(());
            }
            self.logic.timer(<L::Key as Value>::get(&keys, key), timer, cx, out)?;
            cx.timers.remove(key, timer);
            Ok(())
        })
    }
}

/// The places of the rows, key by key, each key's in order; and where the places of each key start, with the end behind.
fn rows_by_key(key_of_row: &[usize], keys: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; keys + 1];
    for &key in key_of_row {
        starts[key + 1] += 1;
    }
    for key in 0..keys {
        starts[key + 1] += starts[key];
    }
    let mut next = starts.clone();
    let mut places = vec![0_u32; key_of_row.len()];
    for (row, &key) in (0..).zip(key_of_row) {
        places[next[key] as usize] = row;
        next[key] += 1;
    }
    (starts, places)
}

/// Puts the places of each key into the order of a time: null first, those of one time as they are.
fn in_order(times: &ArrayRef, starts: &[u32], places: &mut [u32]) {
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let time = |place: &u32| times.is_valid(*place as usize).then(|| times.value(*place as usize));
    for key in starts.windows(2) {
        let places = &mut places[key[0] as usize..key[1] as usize];
        if !places.is_sorted_by_key(time) {
            places.sort_by_key(time);
        }
    }
}

/// The place of each key in the order of keys.
fn ranks(keys: &[ArrayRef], count: usize) -> Result<Vec<u32>> {
    if keys.is_empty() {
        return Ok(vec![0; count]);
    }
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let encoded = RowConverter::new(fields)?.convert_columns(&canonical(keys))?;
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_unstable_by_key(|&key| encoded.row(key));
    let mut ranks = vec![0; count];
    for (rank, key) in (0..).zip(order) {
        ranks[key] = rank;
    }
    Ok(ranks)
}
