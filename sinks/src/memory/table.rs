//! What a program sees of a `Memory` sink: rows as of a committed epoch, one of them by its key, and when there are newer ones.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use watershed_core::epoch::Epoch;
use watershed_core::error::{Error, Result};
use watershed_core::fault::listed;
use watershed_core::row::{Of, ReadRow, Row, batch_of};
use watershed_core::schema::type_to_ddl;
use watershed_core::stream::{Mode, Stream};

use crate::upsert::UpsertTable;

/// The rows that a `Memory` sink has taken. A run leaves it in its handles under the node's name; a program that wants
/// to look at it earlier publishes one of its own there before the start.
///
/// Any thread may look, while the run goes on.
#[derive(Debug, Default)]
pub struct MemoryTable {
    content: Mutex<Content>,
    changed: Condvar,
}

/// A table as of a committed epoch, or some of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct MemorySnapshot {
    /// The newest epoch that is in it; `None` before the first.
    pub epoch: Option<Epoch>,
    /// The columns; none before the run started.
    pub schema: SchemaRef,
    /// The rows. Appended rows come as they arrived, updated ones in the order in which their keys first came.
    pub batches: Vec<RecordBatch>,
}

impl MemorySnapshot {
    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows as structs: with `#[derive(Row)]`, or `Serde<T>` for what serde reads.
    pub fn rows<R: ReadRow>(&self) -> Result<Vec<R::Item<'_>>> {
        let mut rows = Vec::with_capacity(self.row_count());
        for batch in &self.batches {
            let bound = R::bind(batch)?;
            rows.extend((0..batch.num_rows()).map(|row| R::get(&bound, row)));
        }
        Ok(rows)
    }
}

/// Why there is no snapshot of an epoch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The epoch was not committed in time.
    #[error("wait for epoch {epoch}: {} when the time was up", newest.map_or_else(|| "none was committed".to_owned(), |newest| format!("epoch {newest} was the newest")))]
    TimedOut {
        /// The epoch.
        epoch: Epoch,
        /// The newest one.
        newest: Option<Epoch>,
    },
    /// The query ended before the epoch, whether it was stopped or failed.
    #[error("wait for epoch {epoch}: the query has ended, {}", newest.map_or_else(|| "before the first".to_owned(), |newest| format!("epoch {newest} was the last")))]
    Ended {
        /// The epoch.
        epoch: Epoch,
        /// The last one.
        newest: Option<Epoch>,
    },
    /// The rows could not be put together.
    #[error(transparent)]
    Rows(#[from] Error),
}

impl MemoryTable {
    /// The rows as of the newest committed epoch.
    pub fn snapshot(&self) -> Result<MemorySnapshot> {
        self.lock().snapshot()
    }

    /// The row with this key, as of the newest committed epoch: a snapshot of one row, or of none. `K` names the columns by which the
    /// rows of the table are updated, or are unique in a complete result; appended rows have no key.
    ///
    /// `table.get::<ByPage>(ByPage { page: "/docs" })?`
    pub fn get<K: Row>(&self, key: Of<'_, K>) -> Result<MemorySnapshot> {
        self.lock().get(&batch_of::<K>([key]))
    }

    /// The rows once `epoch` is committed, or a later one; waits for that, as long as `timeout` says.
    pub fn wait_for(&self, epoch: Epoch, timeout: Option<Duration>) -> Result<MemorySnapshot, WaitError> {
        let too_early = |content: &mut Content| !content.is_settled(epoch);
        let content = match timeout {
            None => self.changed.wait_while(self.lock(), too_early).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(self.lock(), timeout, too_early);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        content.snapshot_of(epoch)
    }

    /// The same for a task, in whatever runtime.
    pub async fn wait_for_async(&self, epoch: Epoch) -> Result<MemorySnapshot, WaitError> {
        Settled { table: self, epoch }.await
    }

    /// Begins a run: an empty table of these columns. The number is that of the run.
    pub(super) fn begin(&self, input: &Stream) -> Result<u64, ArrowError> {
        let rows = Rows::new(input)?;
        Ok(self.change(|content| {
            let run = content.run + 1;
            let wakers = std::mem::take(&mut content.wakers);
            *content = Content { run, schema: Arc::clone(&input.schema), rows, wakers, ..Content::default() };
            run
        }))
    }

    pub(super) fn take_epoch(&self, epoch: Epoch, rows: Vec<RecordBatch>) -> Result<(), ArrowError> {
        self.change(|content| {
            content.rows.take_epoch(rows)?;
            content.epoch = Some(epoch);
            Ok(())
        })
    }

    /// The rows are those after `epoch` too.
    pub(super) fn keep_until(&self, epoch: Epoch) {
        self.change(|content| content.epoch = content.epoch.max(Some(epoch)));
    }

    /// Ends a run, unless another has begun.
    pub(super) fn end(&self, run: u64) {
        self.change(|content| content.is_over |= content.run == run);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        let mut content = self.lock();
        let answer = change(&mut content);
        let wakers = std::mem::take(&mut content.wakers);
        drop(content);
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's wait for an epoch.
struct Settled<'a> {
    table: &'a MemoryTable,
    epoch: Epoch,
}

impl Future for Settled<'_> {
    type Output = Result<MemorySnapshot, WaitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut content = self.table.lock();
        if content.is_settled(self.epoch) {
            return Poll::Ready(content.snapshot_of(self.epoch));
        }
        if !content.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            content.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[derive(Debug)]
struct Content {
    run: u64,
    is_over: bool,
    epoch: Option<Epoch>,
    schema: SchemaRef,
    rows: Rows,
    /// The tasks that wait for a change.
    wakers: Vec<Waker>,
}

impl Default for Content {
    fn default() -> Self {
        let (schema, rows) = (Arc::new(Schema::empty()), Rows::Appended(Vec::new()));
        Self { run: 0, is_over: false, epoch: None, schema, rows, wakers: Vec::new() }
    }
}

impl Content {
    fn snapshot(&self) -> Result<MemorySnapshot> {
        let batches = match &self.rows {
            Rows::Appended(batches) | Rows::Replaced { batches, .. } => batches.clone(),
            Rows::Updated(table) => table.rows()?,
        };
        Ok(MemorySnapshot { epoch: self.epoch, schema: Arc::clone(&self.schema), batches })
    }

    fn has(&self, epoch: Epoch) -> bool {
        self.epoch.is_some_and(|newest| newest >= epoch)
    }

    /// Whether there is nothing to wait for.
    fn is_settled(&self, epoch: Epoch) -> bool {
        self.is_over || self.has(epoch)
    }

    fn snapshot_of(&self, epoch: Epoch) -> Result<MemorySnapshot, WaitError> {
        let newest = self.epoch;
        if self.has(epoch) {
            Ok(self.snapshot()?)
        } else if self.is_over {
            Err(WaitError::Ended { epoch, newest })
        } else {
            Err(WaitError::TimedOut { epoch, newest })
        }
    }

    fn get(&mut self, key: &RecordBatch) -> Result<MemorySnapshot> {
        let schema = Arc::clone(&self.schema);
        let table = match &mut self.rows {
            Rows::Updated(table) => table,
            Rows::Replaced { keys, batches, index } => {
                if index.is_none() {
                    let mut table = UpsertTable::new(Arc::clone(&schema), keys)?;
                    batches.iter().try_for_each(|batch| table.upsert(batch.clone()))?;
                    *index = Some(table);
                }
                index.as_ref().expect("it was just made")
            }
            Rows::Appended(_) => {
                let message = "look up a row: rows of mode Append have no key; take a snapshot and look through it";
                return Err(Error::BadInput(message.to_owned()));
            }
        };
        let fields: Vec<_> = table.key_columns().iter().map(|&column| schema.field(column)).collect();
        let columns: Option<Vec<_>> = fields
            .iter()
            .map(|field| {
                key.column_by_name(field.name()).filter(|column| column.data_type() == field.data_type()).cloned()
            })
            .collect();
        let Some(columns) = columns.filter(|columns| columns.len() == key.num_columns()) else {
            let columns = |schema: &[&Field]| {
                listed(schema.iter().map(|field| format!("{} {}", field.name(), type_to_ddl(field.data_type()))))
            };
            let seen = key.schema();
            let (seen, due) = (columns(&seen.fields().iter().map(AsRef::as_ref).collect::<Vec<_>>()), columns(&fields));
            return Err(Error::BadInput(format!("look up a row by {seen}: the key of the table is {due}")));
        };
        let batches = table.get(&columns)?.into_iter().collect();
        Ok(MemorySnapshot { epoch: self.epoch, schema, batches })
    }
}

/// What the mode makes of the rows.
#[derive(Debug)]
enum Rows {
    Appended(Vec<RecordBatch>),
    Updated(UpsertTable),
    /// The index is made when somebody looks up a row.
    Replaced {
        keys: Vec<String>,
        batches: Vec<RecordBatch>,
        index: Option<UpsertTable>,
    },
}

impl Rows {
    fn new(input: &Stream) -> Result<Self, ArrowError> {
        Ok(match &input.mode {
            Mode::Append => Self::Appended(Vec::new()),
            Mode::Update(keys) => Self::Updated(UpsertTable::new(Arc::clone(&input.schema), keys)?),
            Mode::Complete(keys) => Self::Replaced { keys: keys.clone(), batches: Vec::new(), index: None },
        })
    }

    fn take_epoch(&mut self, rows: Vec<RecordBatch>) -> Result<(), ArrowError> {
        match self {
            Self::Appended(batches) => batches.extend(rows),
            Self::Updated(table) => rows.into_iter().try_for_each(|batch| table.upsert(batch))?,
            Self::Replaced { batches, index, .. } => (*batches, *index) = (rows, None),
        }
        Ok(())
    }
}
