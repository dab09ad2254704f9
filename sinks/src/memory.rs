//! A table in this process: what a test or an embedding program reads a graph's result from.
//!
//! A [`MemoryTable`] always shows the rows as of a committed epoch, never half of one. It lives in this process only:
//! it starts empty with every run, also with one that goes on from a checkpoint.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Epoch;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::node::{Delivery, OpenContext, Part, Receipt, Sink, SinkSpec};
use watershed_core::register_sink;
use watershed_core::stream::{Mode, Stream, column_names};

use crate::staging::Staging;
use crate::upsert::UpsertTable;

/// Keeps rows in a table in this process, for tests and embedding programs. Takes all modes: appended rows add up, an
/// updated row takes the place of the one with its keys, a complete result replaces the one before.
///
/// The table shows an epoch as a whole or not at all, each row once, and lives as long as the process: a run starts with
/// an empty one, also when it goes on from a checkpoint. It grows with what it is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {}

register_sink!(Memory, example: "Memory()");

#[typetag::serde]
impl SinkSpec for Memory {
    fn check(&self, input: &Stream) -> Result<(), Faults> {
        let Mode::Update(keys) = &input.mode else { return Ok(()) };
        let faults: Faults = keys.iter().filter_map(|key| key_fault(key, &input.schema)).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, input: &Stream, cx: &OpenContext) -> Result<Box<dyn Sink>> {
        let rows = Rows::new(input)?;
        let table = cx.handles.get::<MemoryTable>(&cx.node).unwrap_or_else(|| {
            let table = Arc::new(MemoryTable::default());
            cx.handles.publish(&cx.node, Arc::clone(&table));
            table
        });
        *table.lock() = Content { epoch: None, schema: Arc::clone(&input.schema), rows };
        Ok(Box::new(MemorySink { table, staging: Staging::default() }))
    }
}

fn key_fault(key: &str, schema: &Schema) -> Option<Fault> {
    let Some((_, field)) = schema.column_with_name(key) else {
        let message =
            format!("rows are updated by `{key}`, which is not among the columns: {}", listed(column_names(schema)));
        return Some(
            Fault::new("unknown_column", message).help(format!("keep `{key}` in the `Select` before this sink")),
        );
    };
    if RowConverter::supports_fields(&[SortField::new(field.data_type().clone())]) {
        return None;
    }
    let message = format!("rows are updated by `{key}`, and values of type {} cannot be compared", field.data_type());
    Some(Fault::new("column_type", message).help("group by a column of a simpler type"))
}

/// The rows that a `Memory` sink has taken. A run leaves it in its handles under the node's name; a program that wants
/// to look at it earlier publishes one of its own there before the start.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<Content>);

/// A table as of a committed epoch.
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
}

impl MemoryTable {
    /// The rows as of the newest committed epoch.
    pub fn snapshot(&self) -> Result<MemorySnapshot> {
        let content = self.lock();
        let batches = match &content.rows {
            Rows::Appended(batches) | Rows::Replaced(batches) => batches.clone(),
            Rows::Updated(table) => table.rows()?,
        };
        Ok(MemorySnapshot { epoch: content.epoch, schema: Arc::clone(&content.schema), batches })
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Content {
    epoch: Option<Epoch>,
    schema: SchemaRef,
    rows: Rows,
}

impl Default for Content {
    fn default() -> Self {
        Self { epoch: None, schema: Arc::new(Schema::empty()), rows: Rows::Appended(Vec::new()) }
    }
}

/// What the mode makes of the rows.
#[derive(Debug)]
enum Rows {
    Appended(Vec<RecordBatch>),
    Updated(UpsertTable),
    Replaced(Vec<RecordBatch>),
}

impl Rows {
    fn new(input: &Stream) -> Result<Self, ArrowError> {
        Ok(match &input.mode {
            Mode::Append => Self::Appended(Vec::new()),
            Mode::Update(keys) => Self::Updated(UpsertTable::new(Arc::clone(&input.schema), keys)?),
            Mode::Complete(_) => Self::Replaced(Vec::new()),
        })
    }

    fn take_epoch(&mut self, batches: Vec<RecordBatch>) -> Result<(), ArrowError> {
        match self {
            Self::Appended(rows) => rows.extend(batches),
            Self::Updated(table) => batches.into_iter().try_for_each(|batch| table.upsert(batch))?,
            Self::Replaced(rows) => *rows = batches,
        }
        Ok(())
    }
}

struct MemorySink {
    table: Arc<MemoryTable>,
    staging: Staging<Vec<RecordBatch>>,
}

impl Sink for MemorySink {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        let rows = rows.iter().filter(|batch| batch.num_rows() > 0).cloned().collect();
        Ok(self.staging.stage(part, rows))
    }

    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        if let Some(parts) = self.staging.take(epoch, receipts) {
            let mut content = self.table.lock();
            content.rows.take_epoch(parts.concat())?;
            content.epoch = Some(epoch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;

    use super::*;
    use crate::testing::{briefly, context, counts, in_batches_of, part, run_epoch, stream_in};

    fn opened(mode: Mode) -> (Box<dyn Sink>, Arc<MemoryTable>) {
        let input = stream_in(mode, &counts(&[]));
        let cx = context("table");
        assert_eq!(Memory {}.check(&input), Ok(()));
        let sink = Memory {}.open(&input, &cx).unwrap();
        (sink, cx.handles.get::<MemoryTable>("table").expect("the sink publishes its table"))
    }

    fn by_user() -> Mode {
        Mode::Update(vec!["user".to_owned()])
    }

    fn rows_of(table: &MemoryTable) -> RecordBatch {
        let snapshot = table.snapshot().unwrap();
        concat_batches(&snapshot.schema, &snapshot.batches).unwrap()
    }

    #[test]
    fn what_an_epoch_does_depends_on_the_mode() {
        for (mode, expected) in [
            (Mode::Append, &[("a", 1), ("b", 1), ("a", 2), ("c", 1)][..]),
            (by_user(), &[("a", 2), ("b", 1), ("c", 1)]),
            (Mode::Complete(vec!["user".to_owned()]), &[("a", 2), ("c", 1)]),
        ] {
            let (sink, table) = opened(mode.clone());
            run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])], &[counts(&[("b", 1)])]]);
            run_epoch(&*sink, 1, &[&[counts(&[("a", 2), ("c", 1)])]]);
            assert_eq!(rows_of(&table), counts(expected), "{mode}");
            assert_eq!(table.snapshot().unwrap().epoch, Some(Epoch(1)));
        }
    }

    #[test]
    fn only_committed_epochs_show_and_a_second_commit_changes_nothing() {
        let (sink, table) = opened(Mode::Append);
        let receipt = sink.stage(part(0, 0), &[counts(&[("a", 1)])]).unwrap();
        assert_eq!(table.snapshot().unwrap().epoch, None);
        assert_eq!(table.snapshot().unwrap().row_count(), 0);
        sink.commit(Epoch(0), std::slice::from_ref(&receipt)).unwrap();
        sink.commit(Epoch(0), &[receipt]).unwrap();
        assert_eq!(rows_of(&table), counts(&[("a", 1)]));
        run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
        assert_eq!(rows_of(&table), counts(&[("a", 1)]), "an epoch that is run again is not taken again");
    }

    #[test]
    fn an_epoch_without_rows_empties_a_complete_result_only() {
        for (mode, left) in [(Mode::Append, 1), (by_user(), 1), (Mode::Complete(Vec::new()), 0)] {
            let (sink, table) = opened(mode.clone());
            run_epoch(&*sink, 0, &[&[counts(&[("a", 1)])]]);
            run_epoch(&*sink, 1, &[]);
            let snapshot = table.snapshot().unwrap();
            assert_eq!((snapshot.epoch, snapshot.row_count()), (Some(Epoch(1)), left), "{mode}");
        }
    }

    #[test]
    fn the_size_of_batches_does_not_show() {
        let rows = counts(&[("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 3)]);
        for mode in [Mode::Append, by_user(), Mode::Complete(Vec::new())] {
            let answers = [1, 2, 5].map(|size| {
                let (sink, table) = opened(mode.clone());
                run_epoch(&*sink, 0, &[&in_batches_of(&rows, size)]);
                rows_of(&table)
            });
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{mode}");
        }
    }

    #[test]
    fn a_table_of_the_program_is_used_and_emptied_when_a_run_starts() {
        let cx = context("table");
        let own = Arc::new(MemoryTable::default());
        cx.handles.publish("table", Arc::clone(&own));
        assert!(own.snapshot().unwrap().schema.fields().is_empty());
        let input = stream_in(Mode::Append, &counts(&[]));
        let sink = Memory {}.open(&input, &cx).unwrap();
        run_epoch(&*sink, 7, &[&[counts(&[("a", 1)])]]);
        assert_eq!(rows_of(&own), counts(&[("a", 1)]));
        let _again = Memory {}.open(&input, &cx).unwrap();
        assert_eq!(own.snapshot().unwrap().row_count(), 0);
    }

    #[test]
    fn a_key_that_is_no_column_is_refused() {
        let mode = Mode::Update(vec!["user".to_owned(), "device".to_owned()]);
        let faults = briefly(Memory {}.check(&stream_in(mode, &counts(&[]))));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, "unknown_column");
        assert!(faults[0].1.contains("`device`") && faults[0].1.contains("`user` and `count`"), "{}", faults[0].1);
    }
}
