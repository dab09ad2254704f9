//! The source `PushedTable`: a table that the embedding program pushes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{OpenContext, Source, SourceSchema, SourceSpec};
use watershed_core::register_source;
use watershed_core::row::{Of, Row, batch_of};
use watershed_core::schema::{Ddl, to_ddl};
use watershed_core::stream::Mode;
use watershed_core::time::TimeSpan;

use super::source::{Looks, Origin, TableSource};
use super::spec::OnError;
use crate::files::AllRows;
use crate::memory::{PushError, Readers, with_columns};

/// A table that the embedding program pushes into its [`TableFeed`], to look rows up in: for port `right` of a `Join`, as it is or
/// after a `Select` or `Filter`.
///
/// Each push is the whole table and takes the place of the one before. It holds from the next epoch that is planned; of several
/// pushes before that, the last counts. Before the first push, the table is empty. Rows may be equal, and so may keys: a join gives
/// a pair for each.
///
/// The feed is found under the node's name among the run's handles once the source is open; a program that wants the first epoch to
/// have the table leaves a feed there itself. With a checkpoint, what was pushed holds over restarts until something else is pushed.
///
/// A run does not go on for the sake of a table: it ends when its other sources have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedTable {
    /// The columns of the table.
    pub schema: Ddl,
}

register_source!(PushedTable, example: r#"PushedTable(schema: "user STRING, country STRING")"#);

#[typetag::serde]
impl SourceSpec for PushedTable {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let schema = self.schema.schema().map_err(|fault: Fault| fault.under("schema"))?;
        Ok(SourceSchema::Declared(schema))
    }

    fn mode(&self) -> Mode {
        Mode::Complete(Vec::new())
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        self.schema.schema().map_err(|fault| Error::BadInput(fault.message))
    }

    /// What is read is kept in the checkpoint.
    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, schema: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        let feed = match cx.handles.get::<TableFeed>(&cx.node) {
            Some(feed) if *feed.schema() == schema => feed,
            Some(feed) => {
                let (seen, declared) = (to_ddl(feed.schema()), to_ddl(&schema));
                return Err(Error::BadInput(format!(
                    "use the feed that was left: its columns are `{seen}`, not `{declared}`"
                )));
            }
            None => {
                let feed = Arc::new(TableFeed::new(SchemaRef::clone(&schema)));
                cx.handles.publish(&cx.node, Arc::clone(&feed));
                feed
            }
        };
        feed.lock().readers.open();
        // Whatever is pushed is good, and costs nothing to look at.
        let looks = Looks { clock: Arc::clone(&cx.clock), every: Some(TimeSpan::ZERO), on_error: OnError::Fail };
        Ok(Box::new(TableSource::new(Pushed { feed, seen: 0 }, looks, schema, cx.batch_rows)))
    }
}

/// Where the embedding program pushes the versions of a [`PushedTable`]. Any thread may push; nobody waits.
#[derive(Debug)]
pub struct TableFeed {
    schema: SchemaRef,
    pushed: Mutex<Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    /// How many tables were pushed.
    count: u64,
    rows: Option<RecordBatch>,
    readers: Readers,
}

impl TableFeed {
    /// A feed for a source that is not open yet: leave it among the run's handles under the node's name.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, pushed: Mutex::default() }
    }

    /// The columns that a table must have, by name and type, in whatever order.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Makes the rows of a batch the table. A column that is NOT NULL must have no nulls.
    pub fn replace(&self, rows: &RecordBatch) -> Result<(), PushError> {
        let rows = with_columns(&self.schema, rows)?;
        let mut newest = self.lock();
        if newest.readers.are_gone() {
            return Err(PushError::Ended);
        }
        newest.count += 1;
        newest.rows = Some(rows);
        Ok(())
    }

    /// Makes these rows the table.
    pub fn replace_rows<'a, R: Row>(&self, rows: impl IntoIterator<Item = Of<'a, R>>) -> Result<(), PushError> {
        self.replace(&batch_of::<R>(rows))
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        // A panic elsewhere cannot leave it half changed: nothing in between can panic.
        self.pushed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source's view of a feed.
struct Pushed {
    feed: Arc<TableFeed>,
    /// How many tables had been pushed when it last looked.
    seen: u64,
}

impl Origin for Pushed {
    fn newest(&mut self) -> Result<Option<AllRows>> {
        let newest = self.feed.lock();
        if newest.count == self.seen {
            return Ok(None);
        }
        self.seen = newest.count;
        Ok(newest.rows.clone().map(|rows| AllRows { rows, bad_records: 0 }))
    }
}

impl Drop for Pushed {
    fn drop(&mut self) {
        self.feed.lock().readers.close();
    }
}
