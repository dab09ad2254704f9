//! Where the embedding program pushes rows: a queue with a bound, for threads that wait and for tasks that must not.
//!
//! Whoever finds the source full stands in one line, thread or task, so rows arrive in the order in which their pushes came to
//! stand there, and a large batch is not passed by small ones for ever. Nobody waits in vain: closing the feed, and the end of the
//! query that reads it, turn everyone away who waits.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use watershed_core::row::{Of, Row, batch_of};
use watershed_core::schema::to_ddl;

/// Where the embedding program pushes rows for a [`Memory`](super::Memory) source. Any thread may push; rows arrive in the order of
/// the pushes.
///
/// [`push`](Self::push) waits while the source is full, [`push_timeout`](Self::push_timeout) for a while,
/// [`try_push`](Self::try_push) not at all, and [`push_async`](Self::push_async) without holding up its thread, in whatever runtime.
/// Rows are kept until they are committed, so a thread that runs the epochs itself must not wait for room.
#[derive(Debug)]
pub struct MemoryFeed {
    schema: SchemaRef,
    rows: Mutex<Rows>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Each batch with the number of its first row.
    pub(super) batches: VecDeque<(u64, RecordBatch)>,
    /// The number of the next row to be pushed.
    pub(super) pushed: u64,
    /// Rows before this one are committed; more than `pushed` while a program pushes what was committed by an earlier run.
    pub(super) released: u64,
    pub(super) capacity: Option<u64>,
    pub(super) closed: bool,
    pub(super) readers: Readers,
    /// Those who wait for room, in the order in which they came.
    line: VecDeque<Waiting>,
    next_ticket: u64,
}

/// The sources that are open on a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Readers {
    /// There was none yet: rows are pushed before the start.
    #[default]
    NotYet,
    /// So many are open. When there is none any more, nobody will ever make room.
    Open(usize),
}

impl Readers {
    pub(crate) fn open(&mut self) {
        *self = match *self {
            Self::NotYet => Self::Open(1),
            Self::Open(count) => Self::Open(count + 1),
        };
    }

    pub(crate) fn close(&mut self) {
        if let Self::Open(count) = self {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether there were some, and all are closed: nobody will look at what is pushed now.
    pub(crate) fn are_gone(self) -> bool {
        self == Self::Open(0)
    }
}

/// A place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticket(u64);

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    /// How a task is told; threads wait for the condition.
    waker: Option<Waker>,
}

impl Rows {
    pub(super) fn held(&self) -> u64 {
        self.pushed.saturating_sub(self.released)
    }

    /// Drops the rows before row `row`.
    pub(super) fn release(&mut self, row: u64) {
        self.released = self.released.max(row);
        while self.batches.front().is_some_and(|(first, batch)| first + batch.num_rows() as u64 <= self.released) {
            self.batches.pop_front();
        }
    }

    /// Takes the batch if its turn has come and there is room. A `ticket` says who waits for that already.
    fn admit(&mut self, batch: &RecordBatch, ticket: Option<Ticket>) -> Result<(), PushError> {
        if self.closed {
            return Err(PushError::Closed);
        }
        if self.readers.are_gone() {
            return Err(PushError::Ended);
        }
        let (count, held) = (batch.num_rows() as u64, self.held());
        if let Some(capacity) = self.capacity {
            let is_next = self.line.front().map(|first| first.ticket) == ticket;
            if count > 0 && (!is_next || (held > 0 && held.saturating_add(count) > capacity)) {
                return Err(PushError::Full { rows: count, held, capacity });
            }
        }
        let first = self.pushed;
        self.pushed += count;
        if self.pushed > self.released && count > 0 {
            self.batches.push_back((first, batch.clone()));
        }
        Ok(())
    }

    /// Goes to the end of the line.
    fn stand_in_line(&mut self, waker: Option<Waker>) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.line.push_back(Waiting { ticket, waker });
        ticket
    }

    fn leave_line(&mut self, ticket: Ticket) {
        self.line.retain(|waiting| waiting.ticket != ticket);
    }

    /// The tasks that a change may concern: the first in line, and all when there will be no room any more.
    fn take_wakers(&mut self) -> Vec<Waker> {
        let is_over = self.closed || self.readers.are_gone();
        let concerned = if is_over { self.line.len() } else { 1 };
        self.line.iter_mut().take(concerned).filter_map(|waiting| waiting.waker.take()).collect()
    }
}

/// Why a push was refused. Nothing of the batch was taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The batch has other columns than the source.
    #[error("push rows: {0}")]
    Schema(String),
    /// The source holds as many rows as it may, or others wait for room already. There is room when epochs have been committed.
    #[error("push {rows} rows: {held} are waiting or at work, and the capacity is {capacity}")]
    Full {
        /// The rows of the batch.
        rows: u64,
        /// The rows that the source holds.
        held: u64,
        /// The rows that it may hold.
        capacity: u64,
    },
    /// The feed was closed.
    #[error("push rows: the feed is closed")]
    Closed,
    /// The query that read the feed has ended, whether it was stopped or failed.
    #[error("push rows: the query that read them has ended")]
    Ended,
}

impl MemoryFeed {
    /// A feed for a source that is not open yet: leave it among the run's handles under the node's name. The first row pushed is
    /// row 0. In a run that goes on from a checkpoint, rows that are committed already are passed over.
    pub fn new(schema: SchemaRef) -> Self {
        Self::from_row(schema, 0)
    }

    /// The same, for a program that knows where to go on: the first row pushed is row `row`.
    pub fn from_row(schema: SchemaRef, row: u64) -> Self {
        let rows = Rows { pushed: row, released: row, ..Rows::default() };
        Self { schema, rows: Mutex::new(rows), changed: Condvar::new() }
    }

    /// The columns that a batch must have, by name and type, in whatever order.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes the rows of a batch; waits while the source is full. A column that is NOT NULL must have no nulls.
    pub fn push(&self, batch: &RecordBatch) -> Result<(), PushError> {
        self.push_patiently(batch, None)
    }

    /// Takes the rows of a batch; waits for so long while the source is full.
    pub fn push_timeout(&self, batch: &RecordBatch, timeout: Duration) -> Result<(), PushError> {
        self.push_patiently(batch, Some(timeout))
    }

    /// Takes the rows of a batch, or refuses them when the source is full; no one waits.
    pub fn try_push(&self, batch: &RecordBatch) -> Result<(), PushError> {
        let batch = with_columns(&self.schema, batch)?;
        self.rows().admit(&batch, None)
    }

    /// Takes the rows of a batch when the source has room for them. A future that is dropped before has pushed nothing.
    pub async fn push_async(&self, batch: &RecordBatch) -> Result<(), PushError> {
        let batch = with_columns(&self.schema, batch)?;
        Pushing { feed: self, batch, ticket: None }.await
    }

    /// Pushes rows as [`push`](Self::push) does a batch. The other forms take them as `batch_of::<R>(rows)`.
    ///
    /// ```
    /// # extern crate watershed_core as watershed;
    /// use watershed::row::Row;
    /// use watershed::schema::Ddl;
    /// use watershed_sources::MemoryFeed;
    ///
    /// #[derive(Row)]
    /// struct Click<'a> {
    ///     page: &'a str,
    ///     user: i64,
    /// }
    ///
    /// let schema = Ddl("page STRING NOT NULL, user BIGINT".to_owned()).schema().expect("columns");
    /// let feed = MemoryFeed::new(schema);
    /// feed.push_rows::<Click>([Click { page: "/", user: 1 }, Click { page: "/docs", user: 2 }])?;
    /// assert_eq!(feed.next_row(), 2);
    /// # Ok::<(), watershed_sources::PushError>(())
    /// ```
    pub fn push_rows<'a, R: Row>(&self, rows: impl IntoIterator<Item = Of<'a, R>>) -> Result<(), PushError> {
        self.push(&batch_of::<R>(rows))
    }

    /// Says that there will be no more rows. The source is at its end when it has handed on what it holds; whoever waits for room is
    /// turned away.
    pub fn close(&self) {
        self.change(|rows| rows.closed = true);
    }

    /// How many rows were pushed and are not released: waiting, at work, or not committed yet.
    pub fn held_rows(&self) -> u64 {
        self.rows().held()
    }

    /// The number of the row that the next push begins with. When a run goes on from a checkpoint, the feed that the source made
    /// begins with the first row that is not committed.
    pub fn next_row(&self) -> u64 {
        self.rows().pushed
    }

    fn push_patiently(&self, batch: &RecordBatch, patience: Option<Duration>) -> Result<(), PushError> {
        let batch = with_columns(&self.schema, batch)?;
        let mut rows = self.rows();
        let mut answer = rows.admit(&batch, None);
        if !matches!(answer, Err(PushError::Full { .. })) {
            return answer;
        }
        let ticket = rows.stand_in_line(None);
        let is_full = |rows: &mut Rows| {
            answer = rows.admit(&batch, Some(ticket));
            matches!(answer, Err(PushError::Full { .. }))
        };
        drop(match patience {
            None => self.changed.wait_while(rows, is_full).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                self.changed.wait_timeout_while(rows, patience, is_full).unwrap_or_else(PoisonError::into_inner).0
            }
        });
        self.change(|rows| rows.leave_line(ticket));
        answer
    }

    pub(super) fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic elsewhere cannot leave the rows half changed: every change is one assignment or push.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change that may let somebody in, or turn everybody away, and tells those who wait.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Rows) -> T) -> T {
        let mut rows = self.rows();
        let answer = change(&mut rows);
        let wakers = rows.take_wakers();
        drop(rows);
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
        answer
    }
}

/// The rows of `batch` with exactly the columns of `schema`, found by name.
pub(crate) fn with_columns(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, PushError> {
    let due = schema.fields();
    let columns: Vec<ArrayRef> =
        due.iter().filter_map(|field| batch.column_by_name(field.name()).map(Arc::clone)).collect();
    if columns.len() < due.len() || batch.num_columns() > due.len() {
        let (seen, due) = (to_ddl(&batch.schema()), to_ddl(schema));
        return Err(PushError::Schema(format!("the columns are `{seen}`, and should be `{due}`")));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
        .map_err(|error| PushError::Schema(error.to_string()))
}

/// A push that a task waits for.
struct Pushing<'a> {
    feed: &'a MemoryFeed,
    batch: RecordBatch,
    ticket: Option<Ticket>,
}

impl Future for Pushing<'_> {
    type Output = Result<(), PushError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut rows = this.feed.rows();
        let answer = rows.admit(&this.batch, this.ticket);
        if !matches!(answer, Err(PushError::Full { .. })) {
            return Poll::Ready(answer);
        }
        let waker = Some(cx.waker().clone());
        match this.ticket {
            None => this.ticket = Some(rows.stand_in_line(waker)),
            Some(ticket) => {
                if let Some(waiting) = rows.line.iter_mut().find(|waiting| waiting.ticket == ticket) {
                    waiting.waker = waker;
                }
            }
        }
        Poll::Pending
    }
}

impl Drop for Pushing<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.feed.change(|rows| rows.leave_line(ticket));
        }
    }
}

#[cfg(test)]
mod tests;
