//! What happens to rows before they are regrouped by key: late ones leave, and columns that nobody reads stay behind.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::epoch::Port;
use crate::error::Result;
use crate::late;
use crate::node::{BeforeExchange, Collector, EpochContext, LateCount};

/// Which columns of an input go on, and how late rows are told.
#[derive(Debug)]
pub(super) struct Projection {
    /// By input port, the columns that go on: those of the key first.
    pub(super) columns: Vec<Vec<usize>>,
    /// The column of event time, where late rows are dropped.
    pub(super) time: Option<usize>,
}

pub(super) struct LateFilter(pub(super) Arc<Projection>);

impl BeforeExchange for LateFilter {
    fn process(&mut self, port: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let (on_time, rows_late) = match self.0.time {
            Some(time) if port == Port::FIRST => late::split(batch, time, cx.late)?,
            _ => (batch, None),
        };
        if let Some(rows_late) = rows_late {
            let rows = rows_late.num_rows() as u64;
            out.count_late(LateCount { rows, dropped: rows });
            out.emit(late::PORT, rows_late);
        }
        out.exchange(port, on_time.project(&self.0.columns[port.0])?);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &EpochContext, _: &mut Collector) -> Result<()> {
        Ok(())
    }
}
