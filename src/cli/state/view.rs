//! How the rows of a table are shown: as the operator that keeps them explains them, or as they are in the files.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use watershed_core::checkpoint::NodeRole;
use watershed_core::epoch::Partition;
use watershed_core::error::Result;
use watershed_core::node::{BuildContext, EpochContext, Operator, Stateful};
use watershed_core::plan::Role;
use watershed_core::schema::TIMESTAMP;
use watershed_core::state::Slot;
use watershed_core::time::{Timestamp, Watermark};
use watershed_graphs::{SchemaMode, load};

use super::StateArguments;
use super::keys::KeyFilter;
use super::version::Version;
use crate::cli::terminal::Terminal;

/// A table of a node, and how it is shown.
pub(super) struct View {
    pub(super) node: String,
    pub(super) table: String,
    pub(super) partition: Option<usize>,
    pub(super) filter: KeyFilter,
    /// The operator, and the place of the table among those that it declares.
    operator: Option<(Arc<dyn Stateful>, usize)>,
    cx: EpochContext,
}

impl View {
    pub(super) fn new(
        version: &Version<'_>,
        node: &str,
        table: &str,
        arguments: &StateArguments,
        terminal: Terminal,
    ) -> Self {
        let operator = if arguments.raw { None } else { operator(version, node, table) };
        let is_operator =
            version.graph().and_then(|graph| graph.nodes.get(node)).is_none_or(|node| node.role == NodeRole::Operator);
        let view = Self {
            node: node.to_owned(),
            table: table.to_owned(),
            partition: arguments.partition,
            filter: KeyFilter::new(&arguments.keys),
            operator,
            cx: context(version),
        };
        if is_operator && view.operator.is_none() && !arguments.raw {
            let note = terminal.paint("note:", "36");
            terminal.note(&format!(
                "{note} the graph in the checkpoint cannot be read by this program, or means something else to it: the columns of `{node}` are shown as they are in the files"
            ));
        }
        view
    }

    /// The view of a table for a list of all: nothing is said, everything is meant.
    pub(super) fn of(version: &Version<'_>, node: &str, table: &str) -> Self {
        Self {
            node: node.to_owned(),
            table: table.to_owned(),
            partition: None,
            filter: KeyFilter::new(&[]),
            operator: operator(version, node, table),
            cx: context(version),
        }
    }

    /// What tells the rows of a slot apart: the slot's columns, then those of the key. `rows` begins with `keys` key columns.
    pub(super) fn identity(&self, slot: Slot, rows: &RecordBatch, keys: usize) -> Result<RecordBatch> {
        let slots = match &self.operator {
            Some((operator, table)) => operator.readable_slot(*table, slot),
            None => vec![("slot", slot.time())],
        };
        let count = rows.num_rows();
        let (mut fields, mut columns): (Vec<Arc<Field>>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
        for (name, time) in slots {
            fields.push(Arc::new(Field::new(name, TIMESTAMP, true)));
            let times = std::iter::repeat_n(time.map(Timestamp::micros), count);
            columns.push(Arc::new(times.collect::<TimestampMicrosecondArray>()));
        }
        fields.extend(rows.schema().fields()[..keys].iter().map(nullable));
        columns.extend_from_slice(&rows.columns()[..keys]);
        batch(fields, columns, count)
    }

    /// What is kept for these keys.
    pub(super) fn values(&self, rows: &RecordBatch, keys: usize) -> Result<RecordBatch> {
        let fields = rows.schema().fields()[keys..].to_vec();
        let kept = batch(fields, rows.columns()[keys..].to_vec(), rows.num_rows())?;
        let values = match &self.operator {
            Some((operator, table)) => operator.readable_values(*table, kept, &self.cx)?,
            None => kept,
        };
        batch(values.schema().fields().iter().map(nullable).collect(), values.columns().to_vec(), values.num_rows())
    }
}

/// Any column may be null where rows of several kinds are put together.
fn nullable(field: &Arc<Field>) -> Arc<Field> {
    Arc::new(field.as_ref().clone().with_nullable(true))
}

pub(super) fn batch(fields: Vec<Arc<Field>>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

fn context(version: &Version<'_>) -> EpochContext {
    EpochContext {
        epoch: version.commit.epoch,
        partition: Partition::default(),
        processing_time: version.intent().map_or(Timestamp::from_micros(0), |intent| intent.processing_time),
        late: Watermark::NONE,
        evict: Watermark::NONE,
        call_limit: None,
    }
}

/// The operator that keeps a table, built from the graph that the checkpoint remembers; none when this program cannot, or when it
/// would keep other columns.
fn operator(version: &Version<'_>, node: &str, table: &str) -> Option<(Arc<dyn Stateful>, usize)> {
    let graph = version.graph()?;
    let plan = load(&graph.text, "the graph of the checkpoint", &|_| None).check(SchemaMode::Offline).plan?;
    let planned = plan.dag.node_weights().find(|planned| *planned.name == *node)?;
    let Role::Operator { spec, inputs, .. } = &planned.role else { return None };
    let cx = BuildContext { node: Arc::clone(&planned.name), batch_rows: 8192 };
    let Ok(Operator::Stateful(operator)) = spec.build(inputs, &cx) else { return None };
    let place = operator.tables().iter().position(|declared| declared.name == table)?;
    let recorded = graph.nodes.get(node)?.tables.iter().find(|recorded| recorded.name == table)?;
    let declared = &operator.tables()[place];
    let types = |fields: &arrow::datatypes::Fields| -> Vec<String> {
        fields.iter().map(|field| field.data_type().to_string()).collect()
    };
    let same = |recorded: &[watershed_core::state::ColumnRecord], fields| {
        recorded.iter().map(|column| &column.data_type).eq(types(fields).iter())
    };
    let fits = same(&recorded.keys, &declared.keys) && same(&recorded.values, &declared.values);
    fits.then_some((operator, place))
}
