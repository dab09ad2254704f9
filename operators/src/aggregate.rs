//! `Aggregate`: aggregates per key, without windows.
//!
//! Where a key is event time, rows and results follow the watermark as those of `Window` do (SEMANTICS §2.3); otherwise
//! nothing is late and nothing is ever dropped.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BeforeExchange, BuildContext, Collector, Distribution, EpochContext, EpochInput, LateCount, Operator, OperatorSpec,
    OutputWatermark, Ports, Signature, StateNeed, Stateful,
};
use watershed_core::register_operator;
use watershed_core::state::{Slot, StateStore, TableSchema};
use watershed_core::stream::{Mode, OutputMode, Stream};
use watershed_core::time::{Timestamp, Watermark};

use crate::grouping::{Grouping, LateGroups, PartialSums};
use crate::inputs;
use crate::time_key::{TimeKey, append_without_time};
use watershed_core::late;

/// Aggregates per key, without windows.
///
/// Without keys there is one row, which `Update` and `Complete` give in every epoch. With an event-time column among the
/// keys, groups are closed and dropped as the watermark passes them, and late rows leave by port `late`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// Columns to group by; left out, all rows are one group. Null is a value like any other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// SQL aggregates, such as `sum(x) AS total`.
    pub aggregates: Vec<String>,
    /// When results come out: `Update` whenever a group changes, `Complete` all of them in every epoch, `Append` once a group
    /// can no longer change, which takes an event-time column among the keys.
    pub output_mode: OutputMode,
}

register_operator!(Aggregate, example: r#"Aggregate(keys: ["User"], aggregates: ["count(*) AS count"], output_mode: Update)"#);

#[derive(Debug)]
struct Bound {
    grouping: Arc<Grouping>,
    mode: OutputMode,
    /// The event-time column among the keys: in the input, and among the keys.
    time: Option<TimeKey>,
    exchanged: SchemaRef,
    output: SchemaRef,
}

impl Aggregate {
    fn bind(&self, input: &Stream) -> Result<Bound, Faults> {
        let mut faults: Faults = inputs::only_append(input, "Aggregate").err().into_iter().collect();
        let time = TimeKey::among(&self.keys, input);
        if time == Ok(None) && self.output_mode == OutputMode::Append {
            faults.push(append_without_time(input, "Window"));
        }
        let time = time.map_err(|fault| faults.push(fault)).unwrap_or_default();
        let grouping = match Grouping::bind(&self.keys, &self.aggregates, &input.schema, &[]) {
            Ok(grouping) if faults.is_empty() => grouping,
            bound => {
                faults.extend(bound.err().into_iter().flatten());
                return Err(faults);
            }
        };
        let keys = grouping.key_fields().iter().map(|field| field.as_ref().clone());
        let output = Schema::new(keys.chain(grouping.result_fields()).collect::<Vec<_>>());
        Ok(Bound {
            exchanged: grouping.exchanged(&[]),
            grouping: Arc::new(grouping),
            mode: self.output_mode,
            time,
            output: Arc::new(output),
        })
    }

    fn note(&self, bound: &Bound) -> String {
        match (self.output_mode, &bound.time) {
            _ if self.keys.is_empty() => "one row is kept for ever".to_owned(),
            (OutputMode::Complete, _) => "every group is kept for ever, and comes out in every epoch".to_owned(),
            (_, None) => "every group is kept for ever".to_owned(),
            (mode, Some(time)) => {
                let out = if mode == OutputMode::Append { ", and comes out then" } else { "" };
                format!("a group is kept until the watermark passes its `{}`{out}", time.tag.column)
            }
        }
    }

    fn warnings(&self, bound: &Bound) -> Vec<Fault> {
        if self.keys.is_empty() || (bound.time.is_some() && self.output_mode != OutputMode::Complete) {
            return Vec::new();
        }
        let help = match self.output_mode {
            OutputMode::Complete => {
                "`Complete` keeps every group for ever; with `Append` or `Update` and an event-time column among the keys, groups are dropped as the watermark passes them"
            }
            _ => {
                "group by an event-time column as well, or use `Window`, so that the watermark drops what is done with"
            }
        };
        vec![Fault::warning("unbounded_state", "the state keeps a row for every key, for ever").at("keys").help(help)]
    }
}

#[typetag::serde]
impl OperatorSpec for Aggregate {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        let bound = self.bind(input)?;
        let warnings = self.warnings(&bound);
        let output = Stream {
            schema: Arc::clone(&bound.output),
            mode: match self.output_mode {
                OutputMode::Append => Mode::Append,
                OutputMode::Update => Mode::Update(self.keys.clone()),
                OutputMode::Complete => Mode::Complete(self.keys.clone()),
            },
            event_times: bound.time.iter().map(|time| time.tag.clone()).collect(),
            watermarks: input.watermarks.clone(),
        };
        Ok(Signature {
            outputs: vec![output, input.clone()],
            distribution: if self.keys.is_empty() {
                Distribution::Single
            } else {
                Distribution::Hash((0..self.keys.len()).collect())
            },
            watermark: OutputWatermark::Input,
            wakes: self.output_mode != OutputMode::Complete && !input.watermarks.is_empty(),
            state: if warnings.is_empty() { StateNeed::Bounded } else { StateNeed::Unbounded },
            warnings,
            notes: vec![self.note(&bound)],
        })
    }

    // What is kept is the same in every mode. As in Spark, the results before the change are not told again.
    fn free_fields(&self) -> &'static [&'static str] {
        &["output_mode"]
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(AggregateOperator(Arc::new(self.bind(inputs::only(inputs))?)))))
    }
}

struct AggregateOperator(Arc<Bound>);

impl Bound {
    fn judging(&self, watermark: Watermark) -> Watermark {
        if self.time.is_none() || self.mode == OutputMode::Complete { Watermark::NONE } else { watermark }
    }

    fn emit(
        &self,
        keys: &[ArrayRef],
        states: &[ArrayRef],
        rows: usize,
        cx: &EpochContext,
        out: &mut Collector,
    ) -> Result<()> {
        let columns = keys.iter().cloned().chain(self.grouping.results(states, cx)?).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        out.emit(Port::FIRST, RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?);
        Ok(())
    }

    fn emit_kept(&self, kept: &RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let (keys, states) = kept.columns().split_at(self.grouping.key_fields().len());
        self.emit(keys, states, kept.num_rows(), cx, out)
    }

    /// The rows of `partial` by slot.
    fn by_slot(&self, partial: RecordBatch) -> Result<Vec<(Slot, RecordBatch)>> {
        let Some(time) = &self.time else {
            return Ok(vec![(Slot::NEVER, partial)]);
        };
        let slots = time.split(&partial, time.key).into_iter();
        slots.map(|(slot, rows)| Ok((slot, take_record_batch(&partial, &UInt32Array::from(rows))?))).collect()
    }
}

impl Stateful for AggregateOperator {
    fn tables(&self) -> Vec<TableSchema> {
        let slots = self.0.time.as_ref().map_or_else(String::new, TimeKey::slots);
        vec![self.0.grouping.table(slots)]
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        let late = LateGroups::new(&self.0.grouping);
        Some(Box::new(Partial { bound: Arc::clone(&self.0), sums: None, late }))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let bound = &*self.0;
        let table = state.table(0);
        let batches: Vec<RecordBatch> = input.batches.into_iter().map(|(_, batch)| batch).collect();
        let global = bound.grouping.key_fields().is_empty();
        if global && table.slots().is_empty() {
            let one = table.group(Slot::NEVER, &[], 1)?;
            table.upsert(&one, bound.grouping.states_of_nothing()?)?;
        }
        if !batches.is_empty() {
            let partial = if let [batch] = batches.as_slice() {
                batch.clone()
            } else {
                concat_batches(&bound.exchanged, &batches)?
            };
            for (slot, partial) in bound.by_slot(partial)? {
                let (groups, states) = bound.grouping.fold(table, slot, &partial, 0)?;
                if bound.mode == OutputMode::Update && !global {
                    bound.emit(&groups.keys, &states, groups.len(), cx, out)?;
                }
            }
        }
        if bound.mode == OutputMode::Complete || (bound.mode == OutputMode::Update && global) {
            for slot in table.slots() {
                bound.emit_kept(&table.scan(slot)?, cx, out)?;
            }
        }
        if let (OutputMode::Append, Some(time)) = (bound.mode, &bound.time) {
            for (_, closed) in time.take_due(table, cx.evict)? {
                bound.emit_kept(&closed, cx, out)?;
            }
        }
        table.drop_slots(bound.judging(cx.evict));
        Ok(())
    }

    fn readable_slot(&self, _: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        if self.0.time.is_some() { vec![("slot", slot.time())] } else { Vec::new() }
    }

    fn readable_values(&self, _: usize, values: RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        self.0.grouping.readable(&values, cx)
    }
}

/// The rows of one split, summed up by key.
struct Partial {
    bound: Arc<Bound>,
    sums: Option<PartialSums>,
    late: LateGroups,
}

impl BeforeExchange for Partial {
    fn process(&mut self, _: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut batch = batch;
        if let Some(time) = &self.bound.time {
            let (on_time, late) = late::split(batch, time.input, self.bound.judging(cx.late))?;
            if let Some(late) = late {
                self.late.add(0, &late)?;
                out.count_late(LateCount { rows: late.num_rows() as u64, dropped: 0 });
                out.emit(late::PORT, late);
            }
            batch = on_time;
        }
        if batch.num_rows() > 0 {
            if self.sums.is_none() {
                self.sums = Some(PartialSums::new(&self.bound.grouping, &[])?);
            }
            if let Some(sums) = &mut self.sums {
                sums.add(&[], &batch, cx)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &EpochContext, out: &mut Collector) -> Result<()> {
        out.count_late(LateCount { rows: 0, dropped: self.late.count() });
        let Some(sums) = self.sums else { return Ok(()) };
        let options = RecordBatchOptions::new().with_row_count(Some(sums.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.bound.exchanged), sums.finish()?, &options)?;
        out.exchange(Port::FIRST, rows);
        Ok(())
    }
}
