//! Open sessions, kept from epoch to epoch.
//!
//! One table: the group's keys and the session's start tell sessions apart, and its end and the aggregates' states are kept. A
//! session is found by the group's keys, and stands in the slot of the minute in which it ends. One that grows within the minute stays where
//! it is; else the new one is put in, and those that it is made of are taken out.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::node::{BeforeExchange, Collector, Distribution, EpochContext, EpochInput, Stateful};
use watershed_core::state::{PlacedBy, Slot, StateStore, StateTable, TableSchema};
use watershed_core::stream::OutputMode;
use watershed_core::time::{Timestamp, Watermark};

use super::gap::Gap;
use super::joining::{Joined, Span, join};
use super::spans::Spans;
use crate::buckets::Buckets;
use crate::window::{Frame, bounds};

/// Session windows, bound to the input.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) frame: Frame,
    pub(super) gap: Gap,
    /// The columns of exchanged rows: a span's start and end, the keys, the aggregates' states.
    pub(super) exchanged: SchemaRef,
    /// The columns of kept rows.
    kept: SchemaRef,
}

impl Sessions {
    pub(crate) fn new(frame: Frame, gap: Gap) -> Self {
        let exchanged = frame.grouping.exchanged(&bounds());
        let kept = table(&frame).columns();
        Self { frame, gap, exchanged, kept }
    }

    pub(crate) fn distribution(&self) -> Distribution {
        Distribution::Hash((2..2 + self.frame.keys()).collect())
    }

    /// Joins new spans with the sessions that are kept.
    fn keep(&self, table: &mut StateTable, spans: &RecordBatch) -> Result<()> {
        let (times, columns) = spans.columns().split_at(2);
        let (keys, states) = columns.split_at(self.frame.keys());
        let (key_of_span, first_rows) = self.keys_of(keys, spans.num_rows())?;
        let found = table.find(&taken(keys, &first_rows)?, first_rows.len())?;
        let columns: Vec<usize> = (self.frame.keys()..self.kept.fields().len()).collect();
        let kept = table.columns_of(&found, &columns)?;
        let (kept_times, kept_states) = kept.split_at(2);
        let kept_spans = spans_of(&found.of_row, kept_times);
        let joined = join(&kept_spans, &spans_of(&key_of_span, times));
        let (met, of_met): (Vec<u32>, Vec<usize>) = joined.met.iter().copied().unzip();
        let met = taken(kept_states, &UInt32Array::from(met))?;
        let sessions = joined.sessions.len();
        let states = self.frame.grouping.merge(&met, &of_met, states, &joined.of_new, sessions)?;

        table.remove_found(&found, &moved(&kept_spans, &joined))?;
        let starts = TimestampMicrosecondArray::from_iter_values(joined.sessions.iter().map(|session| session.start));
        let ends = TimestampMicrosecondArray::from_iter_values(joined.sessions.iter().map(|session| session.end));
        let slots = Buckets::MINUTES.split(&ends);
        let mut columns = taken(keys, &UInt32Array::from(joined.first_new))?;
        columns.extend([Arc::new(starts) as ArrayRef, Arc::new(ends)]);
        columns.extend(states);
        table.insert(&slots, &RecordBatch::try_new(Arc::clone(&self.kept), columns)?)
    }

    /// Numbers the keys of `rows` rows, in the order of their first rows, which it also gives.
    fn keys_of(&self, keys: &[ArrayRef], rows: usize) -> Result<(Vec<u32>, UInt32Array)> {
        let (mut interner, mut numbers) = (self.frame.grouping.interner(&[])?, Vec::new());
        interner.intern(keys, rows, &mut numbers)?;
        let mut first_rows = Vec::with_capacity(interner.len());
        for (&number, row) in numbers.iter().zip(0..) {
            if number as usize == first_rows.len() {
                first_rows.push(row);
            }
        }
        Ok((numbers, first_rows.into()))
    }

    fn emit(&self, kept: &RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let (keys, columns) = kept.columns().split_at(self.frame.keys());
        let (times, states) = columns.split_at(2);
        let times = [Arc::clone(&times[0]), Arc::clone(&times[1])];
        out.emit(Port::FIRST, self.frame.rows(times, keys, states, cx)?);
        Ok(())
    }

    /// Gives the sessions that the watermark has passed, and forgets them.
    fn close(&self, table: &mut StateTable, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let Watermark(Some(watermark)) = self.frame.judging(cx.evict) else { return Ok(()) };
        let border = Buckets::MINUTES.slot(watermark.micros());
        let is_due = |kept: &RecordBatch| {
            let ends = kept.column(self.frame.keys() + 1).as_primitive::<TimestampMicrosecondType>();
            Ok(ends.values().iter().map(|end| Some(cx.evict.has_passed(Timestamp::from_micros(*end)))).collect())
        };
        for (_, closed) in table.take_due(cx.evict, border, is_due)? {
            self.emit(&closed, cx, out)?;
        }
        Ok(())
    }
}

fn table(frame: &Frame) -> TableSchema {
    let [start, end] = bounds();
    let groups = frame.grouping.table(String::new());
    TableSchema {
        name: "sessions",
        keys: groups.keys.iter().cloned().chain([Arc::new(start)]).collect(),
        values: std::iter::once(Arc::new(end)).chain(groups.values.iter().cloned()).collect(),
        placed_by: PlacedBy::Leading(frame.keys()),
        slots: "minutes of the session's end".to_owned(),
    }
}

fn taken(columns: &[ArrayRef], rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    Ok(columns.iter().map(|column| take(column, rows, None)).collect::<Result<_, _>>()?)
}

fn spans_of(keys: &[u32], times: &[ArrayRef]) -> Vec<Span> {
    let [starts, ends] = [0, 1].map(|place| times[place].as_primitive::<TimestampMicrosecondType>().values());
    let times = starts.iter().zip(ends);
    keys.iter().zip(times).map(|(&key, (&start, &end))| Span { key, start, end }).collect()
}

/// Which of the kept sessions are gone: part of one that has another start or stands in another slot.
fn moved(kept: &[Span], joined: &Joined) -> BooleanArray {
    let place = |span: &Span| (span.start, Buckets::MINUTES.slot(span.end));
    let mut moved = vec![false; kept.len()];
    for &(index, session) in &joined.met {
        let index = index as usize;
        moved[index] = place(&joined.sessions[session]) != place(&kept[index]);
    }
    moved.into()
}

/// The running operator.
pub(crate) struct SessionOperator(pub(crate) Arc<Sessions>);

impl Stateful for SessionOperator {
    fn tables(&self) -> Vec<TableSchema> {
        vec![table(&self.0.frame)]
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(Spans::new(Arc::clone(&self.0))))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let sessions = &*self.0;
        let table = state.table(0);
        let spans: Vec<RecordBatch> = input.batches.into_iter().map(|(_, batch)| batch).collect();
        if !spans.is_empty() {
            sessions.keep(table, &concat_batches(&sessions.exchanged, &spans)?)?;
        }
        if sessions.frame.mode == OutputMode::Complete {
            for slot in table.slots() {
                sessions.emit(&table.scan(slot)?, cx, out)?;
            }
            return Ok(());
        }
        sessions.close(table, cx, out)
    }

    // A session's bounds are columns of its row.
    fn readable_slot(&self, _: usize, _: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        Vec::new()
    }

    fn readable_values(&self, _: usize, values: RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        let states: Vec<usize> = (1..values.num_columns()).collect();
        let results = self.0.frame.grouping.readable(&values.project(&states)?, cx)?;
        let fields = std::iter::once(values.schema_ref().field(0))
            .chain(results.schema_ref().fields().iter().map(AsRef::as_ref));
        let schema = Schema::new(fields.cloned().collect::<Vec<Field>>());
        let columns = std::iter::once(values.column(0)).chain(results.columns()).cloned().collect();
        Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
    }
}
