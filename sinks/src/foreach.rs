//! Output that the embedding program takes with code of its own: a batch of rows at a time, or one row.
//!
//! A graph file cannot hold a closure. It says `ForeachBatch()` or `Foreach()`, and the program hands over the closure under the
//! node's name when it starts the query; a graph that is run without is refused. The closure is called when an epoch is committed, on
//! the thread that commits, epoch after epoch and part after part, while the next epoch computes.
//!
//! **At least once**: when the program dies between the closure's last word and the commit record, the epoch is run again, and the
//! closure sees the same rows under the same number again. Whoever writes that number beside the rows, in one transaction, and leaves
//! out what is there already, has made it exactly once.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Epoch;
use watershed_core::error::{Error, Result};
use watershed_core::fault::Faults;
use watershed_core::node::{Delivery, OpenContext, Part, Receipt, Sink, SinkSpec};
use watershed_core::register_sink;
use watershed_core::row::{Misfit, ReadRow};
use watershed_core::stream::Stream;

use crate::staging::Staging;

/// What code of the program may fail with: any error, or a text. `?` and `"…".into()` make one.
pub type ForeachError = Box<dyn std::error::Error + Send + Sync>;

/// Hands every epoch's rows to a closure of the embedding program, as batches. Takes all modes.
///
/// The program gives the closure when it starts the query: `foreach_batch("node", |epoch, rows| …)`. It is called once for every epoch
/// that is committed, also for one without rows. An error or a panic of the closure ends the run before the epoch is committed.
///
/// At least once: an epoch that is run again after a crash is handed over again, with the same number and the same rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeachBatch {}

register_sink!(ForeachBatch, example: "ForeachBatch()");

#[typetag::serde]
impl SinkSpec for ForeachBatch {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>> {
        open::<ForeachBatchHandler>(&input.schema, cx, "ForeachBatch", "foreach_batch")
    }
}

/// Hands every row to a writer of the embedding program. Takes all modes.
///
/// The program gives the writer when it starts the query: `foreach("node", |epoch, row| …)`, or `foreach_writer("node", writer)` for one
/// that opens and closes something around the rows. An error or a panic of the writer ends the run before the epoch is committed.
///
/// At least once: an epoch that is run again after a crash is handed over again, with the same number and the same rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Foreach {}

register_sink!(Foreach, example: "Foreach()");

#[typetag::serde]
impl SinkSpec for Foreach {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>> {
        open::<ForeachHandler>(&input.schema, cx, "Foreach", "foreach")
    }
}

fn open<H: Handler>(schema: &SchemaRef, cx: &OpenContext, spec: &str, method: &str) -> Result<Box<dyn Sink>> {
    let Some(handler) = cx.handles.take::<H>(&cx.node) else {
        let node = &cx.node;
        return Err(Error::BadInput(format!(
            "`{spec}` has no code to hand rows to: the program that starts the query gives it with `{method}(\"{node}\", …)`"
        )));
    };
    let misfits: Vec<String> = handler.misfits(schema).iter().map(ToString::to_string).collect();
    if misfits.is_empty() {
        Ok(Box::new(ForeachSink { handler, staging: Staging::default() }))
    } else {
        Err(Error::BadInput(format!("the rows are not those that `{method}` takes: {}", misfits.join("; "))))
    }
}

/// Takes the rows of a [`Foreach`] sink, one by one: Spark's `ForeachWriter`.
///
/// Per part of an epoch: [`open`](Self::open), then every row, then [`close`](Self::close). The rows of an epoch are cut into the same
/// parts whenever it is run.
pub trait ForeachWriter: Send + 'static {
    /// What a row is read as: a struct with `#[derive(Row)]`, or `Serde<T>`. Columns that it does not name are passed over.
    type Row: ReadRow;

    /// Begins a part. `false` leaves its rows out; it is closed all the same.
    fn open(&mut self, part: Part) -> Result<bool, ForeachError> {
        let _ = part;
        Ok(true)
    }

    /// Takes a row.
    fn process(&mut self, row: <Self::Row as ReadRow>::Item<'_>) -> Result<(), ForeachError>;

    /// Ends a part; `failure` is what went wrong with it, and ends the run.
    fn close(&mut self, failure: Option<&ForeachError>) -> Result<(), ForeachError> {
        let _ = failure;
        Ok(())
    }
}

/// An epoch's rows in their parts, in order.
type Parts = Vec<(Part, Vec<RecordBatch>)>;
type OnBatches = dyn FnMut(Epoch, &[RecordBatch]) -> Result<(), ForeachError> + Send;
type OnPart = dyn FnMut(Part, &[RecordBatch]) -> Result<(), ForeachError> + Send;

/// The code behind a [`ForeachBatch`] sink: left among the run's handles under the node's name.
pub struct ForeachBatchHandler(Mutex<Box<OnBatches>>);

impl ForeachBatchHandler {
    /// Hands over a closure.
    pub fn new(closure: impl FnMut(Epoch, &[RecordBatch]) -> Result<(), ForeachError> + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(closure)))
    }
}

impl Debug for ForeachBatchHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeachBatchHandler")
    }
}

/// The code behind a [`Foreach`] sink: left among the run's handles under the node's name.
pub struct ForeachHandler {
    misfits: fn(&Schema) -> Vec<Misfit>,
    on_part: Mutex<Box<OnPart>>,
}

impl ForeachHandler {
    /// Hands over a writer.
    pub fn new<W: ForeachWriter>(mut writer: W) -> Self {
        let on_part = move |part, rows: &[RecordBatch]| {
            let written = write_part(&mut writer, part, rows);
            let closed = writer.close(written.as_ref().err());
            written.and(closed)
        };
        Self { misfits: W::Row::misfits, on_part: Mutex::new(Box::new(on_part)) }
    }

    /// Hands over a closure.
    pub fn each<R, F>(closure: F) -> Self
    where
        R: ReadRow + 'static,
        F: FnMut(Epoch, R::Item<'_>) -> Result<(), ForeachError> + Send + 'static,
    {
        Self::new(Each { closure, epoch: Epoch::default(), row: PhantomData::<fn(R)> })
    }
}

impl Debug for ForeachHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeachHandler")
    }
}

fn write_part<W: ForeachWriter>(writer: &mut W, part: Part, rows: &[RecordBatch]) -> Result<(), ForeachError> {
    if writer.open(part)? {
        for batch in rows {
            let bound = W::Row::bind(batch)?;
            (0..batch.num_rows()).try_for_each(|row| writer.process(W::Row::get(&bound, row)))?;
        }
    }
    Ok(())
}

/// A writer that has nothing to open.
struct Each<F, R> {
    closure: F,
    epoch: Epoch,
    row: PhantomData<fn(R)>,
}

impl<F, R> ForeachWriter for Each<F, R>
where
    R: ReadRow + 'static,
    F: FnMut(Epoch, R::Item<'_>) -> Result<(), ForeachError> + Send + 'static,
{
    type Row = R;

    fn open(&mut self, part: Part) -> Result<bool, ForeachError> {
        self.epoch = part.epoch;
        Ok(true)
    }

    fn process(&mut self, row: R::Item<'_>) -> Result<(), ForeachError> {
        (self.closure)(self.epoch, row)
    }
}

/// Code of the program that takes an epoch.
trait Handler: Debug + Send + Sync + 'static {
    /// What keeps the code from reading such rows.
    fn misfits(&self, schema: &Schema) -> Vec<Misfit>;

    fn take(&self, epoch: Epoch, parts: Parts) -> Result<(), ForeachError>;
}

impl Handler for ForeachBatchHandler {
    fn misfits(&self, _: &Schema) -> Vec<Misfit> {
        Vec::new()
    }

    fn take(&self, epoch: Epoch, parts: Parts) -> Result<(), ForeachError> {
        let rows: Vec<RecordBatch> = parts.into_iter().flat_map(|(_, rows)| rows).collect();
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(epoch, &rows)
    }
}

impl Handler for ForeachHandler {
    fn misfits(&self, schema: &Schema) -> Vec<Misfit> {
        (self.misfits)(schema)
    }

    fn take(&self, _: Epoch, parts: Parts) -> Result<(), ForeachError> {
        let mut on_part = self.on_part.lock().unwrap_or_else(PoisonError::into_inner);
        parts.into_iter().try_for_each(|(part, rows)| on_part(part, &rows))
    }
}

#[derive(Debug)]
struct ForeachSink<H> {
    handler: Arc<H>,
    staging: Staging<(Part, Vec<RecordBatch>)>,
}

impl<H: Handler> Sink for ForeachSink<H> {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        let rows = rows.iter().filter(|batch| batch.num_rows() > 0).cloned().collect();
        Ok(self.staging.stage(part, (part, rows)))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        // The error is the closure's own; a panic is seen by the engine.
        self.staging.take(epoch, receipts).map_or(Ok(()), |parts| Ok(self.handler.take(epoch, parts)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, counts, part, run_epoch, stream};

    #[derive(Clone, Debug, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Notes {
        fn add(&self, note: String) {
            self.0.lock().unwrap().push(note);
        }

        fn all(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    fn opened(handler: ForeachBatchHandler) -> Box<dyn Sink> {
        let cx = context("out");
        cx.handles.publish("out", Arc::new(handler));
        ForeachBatch {}.open(&stream(&counts(&[])), &cx).unwrap()
    }

    #[test]
    fn rows_are_handed_over_when_their_epoch_is_committed_in_the_order_of_the_parts() {
        let notes = Notes::default();
        let written = notes.clone();
        let sink = opened(ForeachBatchHandler::new(move |epoch, rows| {
            let sizes: Vec<usize> = rows.iter().map(RecordBatch::num_rows).collect();
            written.add(format!("{epoch}: {sizes:?}"));
            Ok(())
        }));
        let second = sink.stage(part(0, 1), &[counts(&[("b", 1), ("c", 1)])]).unwrap();
        let next = sink.stage(part(1, 0), &[counts(&[("d", 1)])]).unwrap();
        let first = sink.stage(part(0, 0), &[counts(&[("a", 1)]), counts(&[])]).unwrap();
        assert_eq!(notes.all(), Vec::<String>::new());
        sink.commit(Epoch(0), &[first.clone(), second.clone()]).unwrap();
        sink.commit(Epoch(0), &[first, second]).unwrap();
        sink.commit(Epoch(1), &[next]).unwrap();
        run_epoch(&*sink, 2, &[]);
        assert_eq!(notes.all(), ["0: [1, 2]", "1: [1]", "2: []"], "once each, also without rows");
    }

    #[test]
    fn an_error_of_the_closure_is_the_sinks_error() {
        let sink = opened(ForeachBatchHandler::new(|epoch, _| match epoch {
            Epoch(0) => Err(Error::Stopped)?,
            _ => Err("the disk is full".into()),
        }));
        assert!(matches!(sink.commit(Epoch(0), &[]), Err(Error::Stopped)), "what was boxed is itself again");
        assert_eq!(sink.commit(Epoch(1), &[]).unwrap_err().to_string(), "the disk is full");
    }
}
