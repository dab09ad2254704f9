//! `Window`: aggregates per key and window of event time.
//!
//! Before the exchange rows are summed up per *pane*, the largest stretch of time whose rows all belong to the same
//! windows, so a sliding window costs hardly more than a tumbling one. After it, each window is a slot of the state: closing
//! a window drops its slot.
//!
//! Late rows and closing windows follow SEMANTICS §1.3 and §2.3: a window is late when its end is at or before the watermark
//! of the epoch before, and closed when its end is at or before this epoch's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
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
use watershed_core::schema::TIMESTAMP;
use watershed_core::state::{Slot, StateStore, StateTable, TableSchema};
use watershed_core::stream::{EventTime, EventTimeKind, Mode, OutputMode, Stream};
use watershed_core::time::{Timestamp, Watermark};

use crate::grouping::{Grouping, LateGroups, PartialSums};
use crate::inputs::{self, TimeColumn};
use crate::windows::{WindowSpec, Windows};
use watershed_core::late;

/// Aggregates per key and window of event time.
///
/// Gives `window_start`, `window_end` (exclusive), the keys, and the aggregates. Rows without an event time belong to no
/// window and are left out. A row that is late for all of its windows leaves by port `late`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The windows.
    pub window: WindowSpec,
    /// Columns to group by, besides the window. Null is a value like any other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// SQL aggregates, such as `count(*) AS count` or `avg(x) FILTER (WHERE x > 0) AS mean`.
    pub aggregates: Vec<String>,
    /// When results come out: `Append` once a window is closed, `Update` whenever it changes, `Complete` all of them in every
    /// epoch.
    pub output_mode: OutputMode,
    /// The event-time column, where the watermark's own is not meant. A column `window_end` of a window above stands for its
    /// last microsecond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

register_operator!(Window, example: r#"Window(
    window: Sliding(size: "10 minutes", slide: "5 minutes"),
    keys: ["User"],
    aggregates: ["count(*) AS count", "avg(x) AS mean_x"],
    output_mode: Update,
)"#);

const START: &str = "window_start";
const END: &str = "window_end";

/// A window operator bound to its input.
#[derive(Debug)]
struct Bound {
    grouping: Arc<Grouping>,
    windows: Windows,
    time: usize,
    /// The tag of the time column; without one nothing is late and no window closes.
    event_time: Option<EventTime>,
    mode: OutputMode,
    exchanged: SchemaRef,
    output: SchemaRef,
}

impl Window {
    fn bind(&self, input: &Stream) -> Result<Bound, Faults> {
        let mut faults: Faults = inputs::only_append(input, "Window").err().into_iter().collect();
        let windows = self
            .window
            .windows()
            .map_err(|found| faults.extend(found.into_iter().map(|fault| fault.under("window"))))
            .ok();
        let time = inputs::time_column(input, self.time.as_deref()).map_err(|fault| faults.push(fault)).ok();
        let grouping = Grouping::bind(&self.keys, &self.aggregates, &input.schema, &[START, END]);
        let grouping = grouping.map_err(|found| faults.extend(found)).ok();
        for (index, key) in self.keys.iter().enumerate() {
            if [START, END].contains(&key.as_str()) {
                let message = format!("key `{key}` has the name of a column that the window gives");
                faults.push(
                    Fault::new("duplicate_column", message).at("keys").at(index).help("rename it in a `Select` above"),
                );
            } else if input.event_time(key).is_some() {
                let message = format!("key `{key}` is event time, and the window already groups by event time");
                faults.push(
                    Fault::new("two_event_times", message)
                        .at("keys")
                        .at(index)
                        .help("copy it to a column of its own in a `Select` above"),
                );
            }
        }
        if let Some(TimeColumn { name, tag: None, .. }) = &time
            && self.output_mode == OutputMode::Append
        {
            let message = format!("`Append` needs a watermark on `{name}`, which tells when a window is complete");
            let help = format!("put `Watermark(column: \"{name}\", delay: …)` above, or use `Update` or `Complete`");
            faults.push(Fault::new("append_without_watermark", message).at("output_mode").help(help));
        }
        let (Some(windows), Some(time), Some(grouping), true) = (windows, time, grouping, faults.is_empty()) else {
            return Err(faults);
        };
        let bounds = [Field::new(START, TIMESTAMP, false), Field::new(END, TIMESTAMP, false)];
        let keys = grouping.key_fields().iter().map(|field| field.as_ref().clone());
        let output =
            Schema::new(bounds.iter().cloned().chain(keys).chain(grouping.result_fields()).collect::<Vec<_>>());
        Ok(Bound {
            exchanged: grouping.exchanged(&bounds[1..]),
            grouping: Arc::new(grouping),
            windows,
            time: time.index,
            event_time: time.tag,
            mode: self.output_mode,
            output: Arc::new(output),
        })
    }

    fn warnings(&self, bound: &Bound, input: &Stream) -> Vec<Fault> {
        if self.output_mode == OutputMode::Complete {
            let help = "with `Append` or `Update` below a `Watermark`, closed windows are dropped";
            return vec![
                Fault::warning("unbounded_state", "`Complete` keeps every window for ever")
                    .at("output_mode")
                    .help(help),
            ];
        }
        if bound.event_time.is_none() {
            let column = input.schema.field(bound.time).name();
            let message = format!("no window is ever closed or dropped: `{column}` carries no watermark");
            let help = format!("put `Watermark(column: \"{column}\", delay: …)` above");
            return vec![Fault::warning("unbounded_state", message).help(help)];
        }
        Vec::new()
    }
}

#[typetag::serde]
impl OperatorSpec for Window {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        let bound = self.bind(input)?;
        let warnings = self.warnings(&bound, input);
        let unique: Vec<String> =
            [START, END].map(str::to_owned).into_iter().chain(self.keys.iter().cloned()).collect();
        let keys = bound.grouping.key_fields().len();
        let event_times = bound.event_time.iter().map(|tag| EventTime {
            column: END.to_owned(),
            kind: EventTimeKind::WindowEnd,
            delay: tag.delay,
        });
        let output = Stream {
            schema: Arc::clone(&bound.output),
            mode: match self.output_mode {
                OutputMode::Append => Mode::Append,
                OutputMode::Update => Mode::Update(unique),
                OutputMode::Complete => Mode::Complete(unique),
            },
            event_times: event_times.collect(),
            watermarks: input.watermarks.clone(),
        };
        Ok(Signature {
            outputs: vec![output, input.clone()],
            // Without keys, windows are shared out instead.
            distribution: Distribution::Hash(if keys == 0 { vec![0] } else { (1..=keys).collect() }),
            watermark: OutputWatermark::Input,
            wakes: self.output_mode != OutputMode::Complete && !input.watermarks.is_empty(),
            state: if warnings.is_empty() { StateNeed::Bounded } else { StateNeed::Unbounded },
            warnings,
        })
    }

    // What is kept is the same in every mode. As in Spark, the results before the change are not told again.
    fn free_fields(&self) -> &'static [&'static str] {
        &["output_mode"]
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(WindowOperator(Arc::new(self.bind(inputs::only(inputs))?)))))
    }
}

/// The watermark that judges the window's rows: none without a tag, and none in complete mode, which keeps everything.
fn judging(bound: &Bound, watermark: Watermark) -> Watermark {
    if bound.event_time.is_none() || bound.mode == OutputMode::Complete { Watermark::NONE } else { watermark }
}

struct WindowOperator(Arc<Bound>);

impl Stateful for WindowOperator {
    fn tables(&self) -> Vec<TableSchema> {
        vec![self.0.grouping.table("ends of windows".to_owned())]
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        let late = LateGroups::new(&self.0.grouping);
        Some(Box::new(Panes { bound: Arc::clone(&self.0), sums: BTreeMap::new(), late }))
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
            let (groups, states) = bound.grouping.fold(table, slot, &partial, 1)?;
            if bound.mode == OutputMode::Update {
                out.emit(Port::FIRST, bound.rows(end, &groups.keys, &states, cx)?);
            }
        }
        let evict = judging(bound, cx.evict);
        match bound.mode {
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
        self.0.grouping.readable(&values, cx)
    }
}

impl Bound {
    fn emit_slots(&self, table: &StateTable, slots: &[Slot], cx: &EpochContext, out: &mut Collector) -> Result<()> {
        for slot in slots {
            let kept = table.scan(*slot)?;
            let (keys, states) = kept.columns().split_at(self.grouping.key_fields().len());
            let end = slot.time().expect("every window has an end").micros();
            out.emit(Port::FIRST, self.rows(end, keys, states, cx)?);
        }
        Ok(())
    }

    /// The output rows of the window that ends at `end`.
    fn rows(&self, end: i64, keys: &[ArrayRef], states: &[ArrayRef], cx: &EpochContext) -> Result<RecordBatch> {
        let results = self.grouping.results(states, cx)?;
        let rows = states.first().map_or(0, Array::len);
        let bounds = [end - self.windows.size().micros(), end]
            .map(|bound| Arc::new(TimestampMicrosecondArray::from_value(bound, rows)) as ArrayRef);
        let columns = bounds.into_iter().chain(keys.iter().cloned()).chain(results).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.output), columns)?)
    }
}

/// The rows of one split, summed up per pane, or per window where the order of rows counts.
struct Panes {
    bound: Arc<Bound>,
    sums: BTreeMap<i64, PartialSums>,
    late: LateGroups,
}

impl BeforeExchange for Panes {
    fn process(&mut self, _: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let bound = Arc::clone(&self.bound);
        let watermark = judging(&bound, cx.late);
        let is_late = |end: i64| watermark.has_passed(Timestamp::from_micros(end));
        let times = batch.column(bound.time).as_primitive::<TimestampMicrosecondType>();
        let of_window_end = bound.event_time.as_ref().is_some_and(|tag| tag.kind == EventTimeKind::WindowEnd);
        // The end of a window stands for its last microsecond.
        let panes = by_pane(times, i64::from(of_window_end), &bound.windows);
        let mut late_rows = Vec::new();
        let mut on_time = Vec::with_capacity(panes.len());
        for (pane, rows) in panes {
            for end in bound.ends(pane).filter(|end| is_late(*end)) {
                self.late.add(end, &rows.of(&batch)?)?;
            }
            if is_late(bound.windows.last_end(pane)) {
                late_rows.extend(rows.indices());
            } else {
                on_time.push((pane, rows));
            }
        }
        if bound.sums_by_window() {
            on_time = by_window(on_time, &bound, is_late);
        }
        for (key, rows) in on_time {
            let sums = match self.sums.entry(key) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(PartialSums::new(&bound.grouping)?),
            };
            sums.add(&rows.of(&batch)?, cx)?;
        }
        if !late_rows.is_empty() {
            late_rows.sort_unstable();
            out.count_late(LateCount { rows: late_rows.len() as u64, dropped: 0 });
            out.emit(late::PORT, take_record_batch(&batch, &UInt32Array::from(late_rows))?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let Self { bound, sums, late } = *self;
        let watermark = judging(&bound, cx.late);
        out.count_late(LateCount { rows: 0, dropped: late.count() });
        for (key, sums) in sums {
            let groups = sums.len();
            let columns = sums.finish()?;
            let ends: Vec<i64> = if bound.sums_by_window() { vec![key] } else { bound.ends(key).collect() };
            for end in ends.into_iter().filter(|end| !watermark.has_passed(Timestamp::from_micros(*end))) {
                let ends: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(end, groups));
                let columns = std::iter::once(ends).chain(columns.iter().cloned()).collect();
                out.exchange(Port::FIRST, RecordBatch::try_new(Arc::clone(&bound.exchanged), columns)?);
            }
        }
        Ok(())
    }
}

impl Bound {
    /// The ends of the windows that hold the pane.
    fn ends(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let windows = self.windows;
        windows.starts(pane).map(move |start| windows.end(start))
    }

    /// Whether rows must be summed up per window, in the order in which they arrive, since panes put together are in the order
    /// of their times.
    fn sums_by_window(&self) -> bool {
        !self.windows.is_tumbling() && self.grouping.looks_at_order()
    }
}

/// The rows of each window that is not late, by the window's end, in the order of arrival.
fn by_window(panes: Vec<(i64, Rows)>, bound: &Bound, is_late: impl Fn(i64) -> bool) -> Vec<(i64, Rows)> {
    let mut windows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (pane, rows) in panes {
        let rows = rows.indices();
        for end in bound.ends(pane).filter(|end| !is_late(*end)) {
            windows.entry(end).or_default().extend(&rows);
        }
    }
    let in_order = |(end, mut rows): (i64, Vec<u32>)| {
        rows.sort_unstable();
        (end, Rows::Listed(rows))
    };
    windows.into_iter().map(in_order).collect()
}

/// Which rows of a batch are meant.
enum Rows {
    Slice(usize, usize),
    Listed(Vec<u32>),
}

impl Rows {
    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match self {
            Self::Slice(start, length) => Ok(batch.slice(*start, *length)),
            Self::Listed(rows) => Ok(take_record_batch(batch, &UInt32Array::from(rows.clone()))?),
        }
    }

    fn indices(self) -> Vec<u32> {
        match self {
            Self::Slice(start, length) => (start as u32..(start + length) as u32).collect(),
            Self::Listed(rows) => rows,
        }
    }
}

/// The rows of each pane, in order. Rows without a time are left out. Free where a pane's rows lie together.
fn by_pane(times: &TimestampMicrosecondArray, shift: i64, windows: &Windows) -> Vec<(i64, Rows)> {
    let mut runs: Vec<(i64, usize, usize)> = Vec::new();
    // The pane of the run in hand; empty where none is.
    let (mut from, mut to) = (0, 0);
    for (row, &time) in times.values().iter().enumerate() {
        if times.is_null(row) {
            (from, to) = (0, 0);
            continue;
        }
        let time = time.saturating_sub(shift);
        match runs.last_mut() {
            Some((_, _, length)) if (from..to).contains(&time) => *length += 1,
            _ => {
                from = windows.pane(time);
                to = windows.pane_end(from);
                runs.push((from, row, 1));
            }
        }
    }
    let mut panes: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
    for (pane, start, length) in runs {
        panes.entry(pane).or_default().push((start, length));
    }
    let joined = |runs: Vec<(usize, usize)>| match runs.as_slice() {
        [(start, length)] => Rows::Slice(*start, *length),
        _ => Rows::Listed(runs.iter().flat_map(|&(start, length)| start as u32..(start + length) as u32).collect()),
    };
    panes.into_iter().map(|(pane, runs)| (pane, joined(runs))).collect()
}
