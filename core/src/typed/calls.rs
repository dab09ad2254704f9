//! How the author's code is called: key after key under one guard, so that whatever goes wrong is an error that names the key.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, FieldRef, Fields, Schema, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;

use super::context::KeyContext;
use super::logic::Logic;
use super::rows::Emitter;
use crate::epoch::Port;
use crate::error::{Error, Result};
use crate::guard::{Pace, guarded};
use crate::node::Collector;
use crate::row::Row;
use crate::time::Timestamp;

/// The first of the ports that an operator declares itself.
pub(super) const FIRST_SIDE: usize = 2;

/// What is put out in an epoch.
pub(super) struct Results<'o, R: Row> {
    emitter: Emitter<R>,
    out: &'o mut Collector,
    batch_rows: usize,
    /// The column of event time, and the instant that it must be later than.
    limit: Option<(usize, Timestamp)>,
    /// After each call since rows were handed on last: the key, and how many rows there were by then. Kept where there is a limit.
    ends: Vec<(usize, usize)>,
}

impl<'o, R: Row> Results<'o, R> {
    pub(super) fn new(limit: Option<(usize, Timestamp)>, batch_rows: usize, out: &'o mut Collector) -> Self {
        Self { emitter: Emitter::new(), out, batch_rows: batch_rows.max(1), limit, ends: Vec::new() }
    }

    /// Puts rows out, cut as batches are to be.
    fn emit(&mut self, port: Port, rows: &RecordBatch) {
        for start in (0..rows.num_rows()).step_by(self.batch_rows) {
            self.out.emit(port, rows.slice(start, self.batch_rows.min(rows.num_rows() - start)));
        }
    }
}

/// Calls for some keys.
pub(super) struct Calls<L> {
    keys: RecordBatch,
    logic: PhantomData<fn() -> L>,
}

impl<L: Logic> Calls<L> {
    pub(super) fn new(keys: &[ArrayRef], count: usize) -> Result<Self> {
        let names = L::Key::arrow_fields();
        let field = |(name, key): (&FieldRef, &ArrayRef)| Field::new(name.name(), key.data_type().clone(), true);
        let fields: Fields = names.iter().zip(keys).map(field).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let keys = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), keys.to_vec(), &options)?;
        Ok(Self { keys, logic: PhantomData })
    }

    /// The keys, one per row.
    pub(super) fn keys(&self) -> &RecordBatch {
        &self.keys
    }

    /// The error as one of the work on a key.
    pub(super) fn at_key(&self, error: Error, key: usize) -> Error {
        if matches!(error, Error::AtKey { .. }) {
            return error;
        }
        let columns = self.keys.schema_ref().fields().iter().zip(self.keys.columns());
        let shown = columns.map(|(field, column)| {
            let value = if column.is_null(key) { Ok("null".to_owned()) } else { array_value_to_string(column, key) };
            format!("`{}` = `{}`", field.name(), value.unwrap_or_else(|_| "?".to_owned()))
        });
        let shown: Vec<String> = shown.collect();
        // Rows of several keys are handed on together, and then the error has the key of its row.
        let says = matches!(error, Error::AtKey { .. });
        if shown.is_empty() || says { error } else { error.at_key(shown.join(", ")) }
    }

    /// Calls for these keys, one after the other, and hands on what they put out.
    pub(super) fn call_each(
        &self,
        keys: impl Iterator<Item = usize>,
        cx: &mut KeyContext,
        results: &mut Results<'_, L::Output>,
        mut call: impl FnMut(usize, &mut KeyContext, &mut Emitter<L::Output>) -> Result<()>,
    ) -> Result<()> {
        let mut pace = Pace::start(cx.epoch.call_limit);
        let called = guarded(|| {
            for key in keys {
                cx.key = key;
                results.emitter.begin_call();
                pace.start_anew();
                call(key, cx, &mut results.emitter)?;
                pace.keep()?;
                if let Some(error) = cx.variables.iter_mut().find_map(|variable| variable.failure()) {
                    return Err(error);
                }
                if results.limit.is_some() {
                    results.ends.push((key, results.emitter.waiting()));
                }
                self.hand_on(cx, results, results.batch_rows)?;
            }
            Ok(())
        });
        called.map_err(|error| self.at_key(error, cx.key))?;
        self.hand_on(cx, results, 1)
    }

    /// Hands on what waits to leave by a port, if there are so many rows.
    fn hand_on(&self, cx: &mut KeyContext, results: &mut Results<'_, L::Output>, least: usize) -> Result<()> {
        for (side, rows) in cx.sides.iter_mut().enumerate().filter(|(_, rows)| rows.waiting() >= least) {
            results.emit(Port(FIRST_SIDE + side), &rows.take()?);
        }
        if results.emitter.waiting() < least {
            return Ok(());
        }
        let rows = results.emitter.take()?;
        let ends = std::mem::take(&mut results.ends);
        if let Some((column, limit)) = results.limit {
            let times = rows.column(column).as_primitive::<TimestampMicrosecondType>();
            if let Some(row) = times.iter().position(|time| time.is_some_and(|time| time <= limit.micros())) {
                let error = Error::other(format!(
                    "an event time of {} is put out, and what follows has come to {limit} already: \
                     put out later times, or let `hold_back` be longer",
                    Timestamp::from_micros(times.value(row)),
                ));
                let (key, _) = ends[ends.partition_point(|(_, end)| *end <= row)];
                return Err(self.at_key(error, key));
            }
        }
        results.emit(Port::FIRST, &rows);
        Ok(())
    }
}
