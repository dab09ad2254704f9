//! What happens to rows of either side before they are exchanged: late ones leave, and so do those that find no partner
//! whatever comes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{filter_record_batch, not};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::late;
use watershed_core::node::{BeforeExchange, Collector, EpochContext, LateCount};

use super::operator::StreamJoin;
use super::scope::Side;

/// The way of rows into a join of streams.
pub(super) struct Entrance(pub(super) Arc<StreamJoin>);

impl BeforeExchange for Entrance {
    fn process(&mut self, port: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let join = &*self.0;
        let side = &join.sides[port.0];
        let (mut rows, late) = match side.time {
            Some(time) => late::split(batch, time, cx.late)?,
            None => (batch, None),
        };
        if let Some(late) = late {
            let rows = late.num_rows() as u64;
            out.count_late(LateCount { rows, dropped: rows });
            out.emit(late_port(side.side), late);
        }
        if let Some(only) = &side.only {
            let fulfil = only.evaluate_condition(&rows, cx)?;
            if fulfil.true_count() < rows.num_rows() {
                if side.outer {
                    let alone = filter_record_batch(&rows, &not(&fulfil)?)?;
                    let seen = join.output.of(side.side).map(|column| Arc::clone(alone.column(column))).collect();
                    join.emit_alone(side.side, alone.num_rows(), seen, cx, out)?;
                }
                rows = filter_record_batch(&rows, &fulfil)?;
            }
        }
        let mut rows = side.exchanged(&rows, cx)?;
        if !side.outer
            && let Some(may_match) = side.may_match(&rows)
        {
            rows = filter_record_batch(&rows, &may_match)?;
        }
        out.exchange(port, rows);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &EpochContext, _: &mut Collector) -> Result<()> {
        Ok(())
    }
}

/// The port by which late rows of a side leave: behind that of the result.
const fn late_port(side: Side) -> Port {
    Port(1 + side.place())
}
