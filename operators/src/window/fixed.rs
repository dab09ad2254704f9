//! Windows that tumble or overlap: each window is a slot of the state, and closing a window drops its slot.
//!
//! Late rows and closing windows follow SEMANTICS §1.3 and §2.3: a window is late when its end is at or before the watermark
//! of the epoch before, and closed when its end is at or before this epoch's.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::node::{BeforeExchange, Collector, Distribution, EpochContext, EpochInput, Stateful};
use watershed_core::state::{Slot, StateStore, StateTable, TableSchema};
use watershed_core::stream::OutputMode;
use watershed_core::time::{Timestamp, Watermark};

use super::frame::{self, END, Frame, START};
use super::panes::Panes;
use crate::windows::Windows;

/// Tumbling or sliding windows, bound to the input.
#[derive(Debug)]
pub(super) struct FixedWindows {
    pub(super) frame: Frame,
    pub(super) windows: Windows,
    /// The columns of exchanged rows: the window's end, the keys, the aggregates' states.
    pub(super) exchanged: SchemaRef,
}

impl FixedWindows {
    pub(super) fn new(frame: Frame, windows: Windows) -> Self {
        let exchanged = frame.grouping.exchanged(&frame::bounds()[1..]);
        Self { frame, windows, exchanged }
    }

    pub(super) fn distribution(&self) -> Distribution {
        let keys = self.frame.keys();
        // Without keys, windows are shared out instead.
        Distribution::Hash(if keys == 0 { vec![0] } else { (1..=keys).collect() })
    }

    /// The watermark that judges the windows' rows: none in complete mode, which keeps everything.
    pub(super) fn judging(&self, watermark: Watermark) -> Watermark {
        if self.frame.mode == OutputMode::Complete { Watermark::NONE } else { self.frame.judging(watermark) }
    }

    fn emit_slots(&self, table: &StateTable, slots: &[Slot], cx: &EpochContext, out: &mut Collector) -> Result<()> {
        for slot in slots {
            let kept = table.scan(*slot)?;
            let (keys, states) = kept.columns().split_at(self.frame.keys());
            let end = slot.time().expect("every window has an end").micros();
            out.emit(Port::FIRST, self.rows(end, keys, states, cx)?);
        }
        Ok(())
    }

    /// The output rows of the window that ends at `end`.
    fn rows(&self, end: i64, keys: &[ArrayRef], states: &[ArrayRef], cx: &EpochContext) -> Result<RecordBatch> {
        let rows = states.first().map_or(0, Array::len);
        let bounds = [end - self.windows.size().micros(), end]
            .map(|bound| Arc::new(TimestampMicrosecondArray::from_value(bound, rows)) as ArrayRef);
        self.frame.rows(bounds, keys, states, cx)
    }
}

/// The running operator.
pub(super) struct FixedOperator(pub(super) Arc<FixedWindows>);

impl Stateful for FixedOperator {
    fn tables(&self) -> Vec<TableSchema> {
        vec![self.0.frame.grouping.table("ends of windows".to_owned())]
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(Panes::new(Arc::clone(&self.0))))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let bound = &*self.0;
        let table = state.table(0);
        let mut by_end: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
        for (_, batch) in input.batches {
            // Every exchanged batch belongs to one window.
            let end = batch.column(0).as_primitive::<TimestampMicrosecondType>().value(0);
            by_end.entry(end).or_default().push(batch);
        }
        for (end, batches) in by_end {
            let partial = if let [batch] = batches.as_slice() {
                batch.clone()
            } else {
                concat_batches(&bound.exchanged, &batches)?
            };
            let slot = Slot::at(Timestamp::from_micros(end));
            let (groups, states) = bound.frame.grouping.fold(table, slot, &partial, 1)?;
            if bound.frame.mode == OutputMode::Update {
                out.emit(Port::FIRST, bound.rows(end, &groups.keys, &states, cx)?);
            }
        }
        let evict = bound.judging(cx.evict);
        match bound.frame.mode {
            OutputMode::Append => bound.emit_slots(table, &table.slots_up_to(evict), cx, out)?,
            OutputMode::Complete => bound.emit_slots(table, &table.slots(), cx, out)?,
            OutputMode::Update => {}
        }
        table.drop_slots(evict);
        Ok(())
    }

    fn readable_slot(&self, _: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        let end = slot.time();
        vec![(START, end.map(|end| end.minus(self.0.windows.size()))), (END, end)]
    }

    fn readable_values(&self, _: usize, values: RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        self.0.frame.grouping.readable(&values, cx)
    }
}
