//! The running join of a stream with a table: each left row is looked up in the table as it comes, and nothing of it is kept.
//!
//! The table is state: it is read in few epochs and looked into in all. In an epoch that replaces it, the new one is compared
//! with what is kept, so that a table which is put out again and again as it was writes nothing to the checkpoint.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter, filter_record_batch, not, take_arrays};
use arrow::row::{RowConverter, SortField};
use watershed_core::epoch::{Epoch, Port};
use watershed_core::error::Result;
use watershed_core::node::{BeforeExchange, BuildContext, Collector, EpochContext, EpochInput, Operator, Stateful};
use watershed_core::state::{Found, Slot, StateStore, StateTable, TableSchema};
use watershed_core::time::Timestamp;

use super::condition::Kept;
use super::entrance::Entrance;
use super::operator::StreamJoin;
use super::probe::Probe;
use super::scope::Side;
use super::spec::{Bound, JoinKind};

/// The operator that runs what `bound` says.
pub(super) fn build(mut bound: Bound, cx: &BuildContext) -> Operator {
    // No row is late, since nothing is kept for it; and no row of a table ends by itself.
    bound.condition.left_time = None;
    (bound.condition.left_kept, bound.condition.right_kept) = (Kept::ForEver, Kept::ForEver);
    Operator::Stateful(Arc::new(TableJoin(Arc::new(StreamJoin::new(bound, cx.batch_rows)))))
}

struct TableJoin(Arc<StreamJoin>);

/// The place of the one table.
const TABLE: usize = 0;

/// The port by which the table comes.
const RIGHT: Port = Port(1);

impl TableJoin {
    /// Makes exchanged right rows the table; what stays as it is is not written.
    fn replace(&self, batches: &[RecordBatch], table: &mut StateTable) -> Result<()> {
        let right = &self.0.sides[Side::Right.place()];
        let exchanged = concat_batches(right.exchanged_schema(), batches)?;
        let mut numbers = right.numbers(Epoch(0))?;
        let rows = right.numbered(&exchanged, None, &mut numbers)?;
        // The rows of a key are numbered from 0 on, so those that are gone have the highest numbers.
        let kept = table.scan(Slot::NEVER)?;
        let (keys, behind) = kept.columns().split_at(right.keys(&kept).len());
        let gone = numbers.not_given(keys, &behind[0])?;
        if gone.true_count() > 0 {
            let gone = filter_record_batch(&kept, &gone)?;
            let groups = table.group(Slot::NEVER, &gone.columns()[..=keys.len()], gone.num_rows())?;
            table.remove(&groups, &vec![true; gone.num_rows()])?;
        }
        let (keys, values) = rows.columns().split_at(keys.len() + 1);
        let groups = table.group(Slot::NEVER, keys, rows.num_rows())?;
        let before = table.gather(&groups)?;
        let stand = UInt32Array::from_iter_values(before.groups.iter().map(|group| *group as u32));
        let same = equal_rows(&take_arrays(values, &stand, None)?, &before.values, stand.len())?;
        let mut changed = vec![true; rows.num_rows()];
        for (group, same) in before.groups.into_iter().zip(same) {
            changed[group] = !same;
        }
        let mask = BooleanArray::from(changed.clone());
        let values = values.iter().map(|column| filter(column, &mask)).collect::<Result<Vec<ArrayRef>, _>>()?;
        table.upsert(&groups.only(&changed)?, values)
    }

    /// Looks left rows up. What comes of them has their order.
    fn look_up(
        &self,
        rows: &RecordBatch,
        table: &mut StateTable,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        let join = &*self.0;
        let probe = Probe::new(join, Side::Left, rows, cx);
        let alone = match join.kind {
            JoinKind::LeftOuter => return self.look_up_all(&probe, rows, table, cx, out),
            JoinKind::LeftSemi => probe.run(table, out)?,
            JoinKind::LeftAnti => not(&probe.run(table, out)?)?,
            JoinKind::Inner | JoinKind::RightOuter | JoinKind::FullOuter => return probe.run(table, out).map(|_| ()),
        };
        let alone = filter_record_batch(rows, &alone)?;
        let seen = join.sides[Side::Left.place()].seen(&join.output, &alone);
        join.emit_alone(Side::Left, alone.num_rows(), seen, cx, out)
    }

    /// Looks left rows up, all of which come out.
    fn look_up_all(
        &self,
        probe: &Probe<'_>,
        rows: &RecordBatch,
        table: &mut StateTable,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        let mut next = 0;
        probe.each_portion(table, |partners, table| {
            // A row without partners may lie between those that have some, and comes out between them.
            let Some(last) = partners.of_row.last() else { return Ok(()) };
            let these = next..last + 1;
            next = these.end;
            self.emit_all(rows, these, &partners, table, cx, out)
        })?;
        self.emit_all(rows, next..rows.num_rows() as u32, &Found::default(), table, cx, out)
    }

    /// Puts out `these` rows, with each of their partners or with nulls.
    fn emit_all(
        &self,
        rows: &RecordBatch,
        these: Range<u32>,
        partners: &Found,
        table: &StateTable,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        let join = &*self.0;
        let [left, right] = &join.sides;
        let mut matches = partners.of_row.iter().zip(0_u32..).peekable();
        let mut pairs: Vec<(u32, Option<u32>)> = Vec::with_capacity(partners.len() + these.len());
        for row in these {
            let from = pairs.len();
            while let Some((_, partner)) = matches.next_if(|(of_row, _)| **of_row == row) {
                pairs.push((row, Some(partner)));
            }
            if pairs.len() == from {
                pairs.push((row, None));
            }
        }
        for pairs in pairs.chunks(join.batch_rows) {
            let first = pairs.iter().find_map(|(_, partner)| *partner).unwrap_or(0);
            let count = pairs.iter().filter(|(_, partner)| partner.is_some()).count();
            let of_row = UInt32Array::from_iter_values(pairs.iter().map(|(row, _)| *row));
            let partner: UInt32Array = pairs.iter().map(|(_, partner)| partner.map(|at| at - first)).collect();
            let found = right.seen_of_found(&join.output, table, &partners.slice(first as usize, count))?;
            let seen = take_arrays(&left.seen(&join.output, rows), &of_row, None)?;
            let pairs = join.output.rows(pairs.len(), seen, take_arrays(&found, &partner, None)?)?;
            out.emit(Port::FIRST, join.joined.rows(&pairs, cx)?);
        }
        Ok(())
    }
}

/// Which rows are equal in all of these columns, null to null. Of values that cannot be compared, it is none.
fn equal_rows(these: &[ArrayRef], those: &[ArrayRef], rows: usize) -> Result<Vec<bool>> {
    let types = these.iter().map(|column| SortField::new(column.data_type().clone()));
    let types: Vec<SortField> = types.collect();
    if types.is_empty() || !RowConverter::supports_fields(&types) {
        return Ok(vec![types.is_empty(); rows]);
    }
    let converter = RowConverter::new(types)?;
    let (these, those) = (converter.convert_columns(these)?, converter.convert_columns(those)?);
    Ok(these.iter().zip(&those).map(|(this, that)| this == that).collect())
}

impl Stateful for TableJoin {
    fn tables(&self) -> Vec<TableSchema> {
        vec![self.0.sides[Side::Right.place()].table()]
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(Entrance(Arc::clone(&self.0))))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let table = state.table(TABLE);
        let (right, left): (Vec<_>, Vec<_>) = input.batches.into_iter().partition(|(port, _)| *port == RIGHT);
        if input.replaced.contains(&RIGHT) {
            let right: Vec<RecordBatch> = right.into_iter().map(|(_, batch)| batch).collect();
            self.replace(&right, table)?;
        }
        let left = left.into_iter().map(|(_, batch)| batch).collect();
        self.0.coalesced(left)?.iter().try_for_each(|rows| self.look_up(rows, table, cx, out))
    }

    fn readable_slot(&self, _: usize, _: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
