//! The running join of two streams.
//!
//! In an epoch (SEMANTICS §2.6) left rows look for partners among the right rows kept so far, and are kept; then right rows
//! among the left ones, those of this epoch among them. Then rows end that can find no partner any more.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{BatchCoalescer, and, filter, filter_record_batch, not};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::node::{BeforeExchange, BuildContext, Collector, EpochContext, EpochInput, Operator, Stateful};
use watershed_core::state::{Found, Slot, StateStore, TableSchema};
use watershed_core::time::Timestamp;

use super::entrance::Entrance;
use super::output::Joined;
use super::probe::Probe;
use super::scope::Side;
use super::side::KeptSide;
use super::spec::{Bound, JoinKind, Right};
use super::view::View;
use crate::sql::Expression;

/// The operator that runs what `bound` says.
pub(super) fn build(bound: Bound, cx: &BuildContext) -> Operator {
    Operator::Stateful(Arc::new(Running(Arc::new(StreamJoin::new(bound, cx.batch_rows)))))
}

/// A join of streams, ready to run.
#[derive(Debug)]
pub(super) struct StreamJoin {
    pub(super) kind: JoinKind,
    pub(super) sides: [KeptSide; 2],
    /// What two rows with equal keys must fulfil besides.
    pub(super) rest: Option<(Expression, View)>,
    /// What is made of two rows.
    pub(super) joined: Joined,
    /// What that reads of them.
    pub(super) output: View,
    pub(super) batch_rows: usize,
}

impl StreamJoin {
    pub(super) fn new(bound: Bound, batch_rows: usize) -> Self {
        let left = bound.inputs[0].schema.fields().len();
        let rest = bound.condition.rest.clone();
        let rest = rest.map(|rest| {
            let view = View::new(bound.condition.joined(), left, [&rest]);
            (rest, view)
        });
        let output = View::new(&bound.joined.input, left, bound.joined.expressions());
        // A table is kept whole: what is made of it may change while it is kept.
        let whole = View::whole(bound.condition.joined(), left, Side::Right);
        let whole = Some(&whole).filter(|_| bound.right == Right::Table);
        let views: Vec<&View> = rest.iter().map(|(_, view)| view).chain([&output]).chain(whole).collect();
        let sides = Side::BOTH.map(|side| KeptSide::new(&bound, side, &views));
        Self { kind: bound.kind, sides, rest, joined: bound.joined, output, batch_rows }
    }

    /// Whether left rows come out by themselves, for having a partner or none.
    pub(super) fn is_one_sided(&self) -> bool {
        self.kind.is_one_sided()
    }

    /// What was found, as many at a time as a batch should hold.
    pub(super) fn portions(&self, found: &Found) -> impl Iterator<Item = Found> {
        let starts = (0..found.len()).step_by(self.batch_rows);
        starts.map(|start| found.slice(start, self.batch_rows.min(found.len() - start)))
    }

    /// Puts out rows of `side`, by the columns that the output reads, with nulls for the other side.
    pub(super) fn emit_alone(
        &self,
        side: Side,
        rows: usize,
        seen: Vec<ArrayRef>,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        out.emit(Port::FIRST, self.joined.rows(&self.output.alone(rows, side, seen)?, cx)?);
        Ok(())
    }

    /// Left rows look for partners, and are kept.
    fn take_left(
        &self,
        rows: Vec<RecordBatch>,
        state: &mut StateStore,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let side = &self.sides[Side::Left.place()];
        let mut numbers = side.numbers(cx.epoch)?;
        for rows in self.coalesced(rows)? {
            let mut kept = rows;
            let matched = Probe::new(self, Side::Left, &kept, cx).run(state.table(Side::Right.place()), out)?;
            if self.is_one_sided() && matched.true_count() > 0 {
                let released = filter_record_batch(&kept, &matched)?;
                self.emit_alone(side.side, released.num_rows(), side.seen(&self.output, &released), cx, out)?;
                kept = filter_record_batch(&kept, &not(&matched)?)?;
            }
            side.keep(&kept, &matched, &mut numbers, state.table(Side::Left.place()))?;
        }
        Ok(())
    }

    /// Right rows look for partners, and are kept unless they would be dropped at once.
    fn take_right(
        &self,
        rows: Vec<RecordBatch>,
        state: &mut StateStore,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let side = &self.sides[Side::Right.place()];
        let mut numbers = side.numbers(cx.epoch)?;
        for rows in self.coalesced(rows)? {
            let mut kept = rows;
            let mut matched = Probe::new(self, Side::Right, &kept, cx).run(state.table(Side::Left.place()), out)?;
            if let Some(due) = side.due(&kept, cx.evict) {
                // Without a partner, it is yet to come out.
                let useless = if side.outer { and(&due, &matched)? } else { due };
                let useful = not(&useless)?;
                kept = filter_record_batch(&kept, &useful)?;
                matched = filter(&matched, &useful)?.as_boolean().clone();
            }
            side.keep(&kept, &matched, &mut numbers, state.table(Side::Right.place()))?;
        }
        Ok(())
    }

    /// Drops the rows of `side` that can find no partner any more, and puts out those that never had one, where such come out.
    fn end(&self, side: Side, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let kept = &self.sides[side.place()];
        for ended in kept.end(state.table(side.place()), cx.evict)? {
            for start in (0..ended.num_rows()).step_by(self.batch_rows) {
                let rows = ended.slice(start, self.batch_rows.min(ended.num_rows() - start));
                self.emit_alone(side, rows.num_rows(), kept.seen_of_kept(&self.output, &rows), cx, out)?;
            }
        }
        Ok(())
    }

    /// The same rows in fewer batches: what many splits and partitions have cut to pieces is searched for at once.
    pub(super) fn coalesced(&self, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let [first, _, ..] = batches.as_slice() else { return Ok(batches) };
        let mut coalescer = BatchCoalescer::new(first.schema(), self.batch_rows)
            .with_biggest_coalesce_batch_size(Some(self.batch_rows / 2));
        for batch in batches {
            coalescer.push_batch(batch)?;
        }
        coalescer.finish_buffered_batch()?;
        Ok(std::iter::from_fn(|| coalescer.next_completed_batch()).collect())
    }
}

struct Running(Arc<StreamJoin>);

impl Stateful for Running {
    fn tables(&self) -> Vec<TableSchema> {
        self.0.sides.iter().map(KeptSide::table).collect()
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(Entrance(Arc::clone(&self.0))))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let join = &*self.0;
        let mut of_side = [Vec::new(), Vec::new()];
        for (port, batch) in input.batches {
            of_side[port.0].push(batch);
        }
        let [left, right] = of_side;
        join.take_left(left, state, cx, out)?;
        join.take_right(right, state, cx, out)?;
        Side::BOTH.into_iter().try_for_each(|side| join.end(side, state, cx, out))
    }

    fn readable_slot(&self, table: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        if self.0.sides[table].is_bounded() { vec![("slot", slot.time())] } else { Vec::new() }
    }
}
