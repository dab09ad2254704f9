//! `Dedup`: the first row of each key.
//!
//! The plain form remembers keys; those that hold an event time are forgotten when the watermark passes it (SEMANTICS §2.4).
//! `within_watermark` remembers a key until the watermark reaches the first row's event time plus the delay (§2.5).

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Field, FieldRef, Fields, TimestampMicrosecondType};
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
use watershed_core::state::{PlacedBy, Slot, StateStore, StateTable, TableSchema};
use watershed_core::stream::Stream;
use watershed_core::time::{TimeSpan, Timestamp, Watermark};

use crate::buckets::Buckets;
use crate::inputs;
use watershed_core::late;

/// The first row of each key; later ones are dropped.
///
/// Rows that come too late are dropped before, and leave by port `late`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dedup {
    /// Columns that make two rows the same; left out, all columns. Null equals null.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Remember a key only until the watermark reaches its first row's event time plus the delay. Duplicates further apart than
    /// the delay may come through; the state stays small whatever the keys.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub within_watermark: bool,
}

register_operator!(Dedup, example: r#"Dedup(keys: ["User", "event_time"])"#);

/// Keys to tell duplicates by, bound to an input: what `Dedup` and `Distinct` run.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Their places in the rows that pass.
    keys: Vec<usize>,
    key_fields: Vec<FieldRef>,
    /// The input's event-time column.
    time: Option<usize>,
    memory: Memory,
    /// The columns of the input that pass; left out, all.
    passes: Option<Vec<usize>>,
}

/// How long keys are remembered.
#[derive(Clone, Copy, Debug)]
enum Memory {
    /// For ever.
    Ever,
    /// Until the watermark passes the event time in this key.
    UntilPassed { key: usize, buckets: Buckets },
    /// Until the watermark reaches the event time of the first row plus the delay.
    Within(Within),
}

/// The table of keys that were seen.
const SEEN: usize = 0;
/// With `within_watermark`, the table that says when keys are to be forgotten: the same keys by the bucket of their expiry.
const DUE: usize = 1;

/// How a key is forgotten some time after its first row.
#[derive(Clone, Copy, Debug)]
struct Within {
    time: usize,
    /// In microseconds.
    delay: i64,
    buckets: Buckets,
}

impl Dedup {
    fn bind(&self, input: &Stream) -> Result<Bound, Faults> {
        let mut faults: Faults = inputs::only_append(input, "Dedup").err().into_iter().collect();
        match Bound::by(&self.keys, self.within_watermark, input) {
            Ok(bound) if faults.is_empty() => Ok(bound),
            bound => {
                faults.extend(bound.err().into_iter().flatten());
                Err(faults)
            }
        }
    }
}

impl Bound {
    /// Duplicates by these columns, or by all if there are none.
    fn by(columns: &[String], within_watermark: bool, input: &Stream) -> Result<Self, Faults> {
        let (mut keys, mut faults) = (Vec::new(), Faults::new());
        for (index, key) in columns.iter().enumerate() {
            match inputs::column(&input.schema, key) {
                Ok(place) => keys.push(place),
                Err(fault) => faults.push(fault.at("keys").at(index)),
            }
        }
        if columns.is_empty() {
            keys = (0..input.schema.fields().len()).collect();
        }
        let time = inputs::event_time(input).map_err(|fault| faults.push(fault)).unwrap_or_default();
        let tag = time.as_ref().and_then(|time| time.tag.as_ref());
        if within_watermark && tag.is_none() {
            let fault = Fault::new("no_watermark", "`within_watermark` needs an event-time column with a watermark");
            faults.push(fault.at("within_watermark").help("put `Watermark(column: …, delay: …)` above"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let time = time.as_ref().map(|time| time.index);
        let time_key = keys.iter().position(|key| Some(*key) == time);
        let memory = match (tag.zip(time), time_key) {
            (Some((tag, time)), _) if within_watermark => {
                Memory::Within(Within { time, delay: tag.delay.micros(), buckets: Buckets::of(tag) })
            }
            (Some((tag, _)), Some(key)) => Memory::UntilPassed { key, buckets: Buckets::of(tag) },
            _ => Memory::Ever,
        };
        let key_fields = keys.iter().map(|&key| Arc::clone(&input.schema.fields()[key])).collect();
        Ok(Self { keys, key_fields, time, memory, passes: None })
    }

    fn note(&self, input: &Stream) -> String {
        let time = self.time.map(|time| input.schema.field(time).name().as_str()).unwrap_or_default();
        match self.memory {
            Memory::Ever => "every key is kept for ever".to_owned(),
            Memory::UntilPassed { .. } => format!("a key is kept until the watermark passes its `{time}`"),
            Memory::Within(within) => {
                let delay = TimeSpan::from_micros(within.delay);
                format!("a key is kept until the watermark passes `{time}` + {delay} of its first row")
            }
        }
    }

    /// Duplicates among rows of which only these columns of `input` pass: the stream that they make, and how it is run.
    pub(crate) fn of_columns(columns: Vec<usize>, input: &Stream) -> Result<(Stream, Self), Faults> {
        let passing =
            input.clone().with_schema(Arc::new(input.schema.project(&columns).expect("columns of the input")));
        let bound = Self::by(&[], false, &passing)?;
        let time = bound.time.map(|time| columns[time]);
        Ok((passing, Self { time, passes: Some(columns), ..bound }))
    }

    /// The signature of a node that is run like this, and passes rows of `output`. `help` says how to bound what is remembered.
    pub(crate) fn signature(&self, input: &Stream, output: Stream, help: &dyn Fn(Option<&str>) -> String) -> Signature {
        let tagged = input.event_times.first().map(|tag| tag.column.as_str());
        let unbounded = Fault::warning("unbounded_state", "the state remembers every key, for ever");
        let warnings = match self.memory {
            Memory::Ever => vec![unbounded.help(help(tagged))],
            Memory::UntilPassed { .. } | Memory::Within(_) => Vec::new(),
        };
        Signature {
            wakes: !output.watermarks.is_empty(),
            outputs: vec![output, input.clone()],
            distribution: Distribution::Hash(self.keys.clone()),
            watermark: OutputWatermark::Input,
            state: if warnings.is_empty() { StateNeed::Bounded } else { StateNeed::Unbounded },
            warnings,
            notes: vec![self.note(input)],
        }
    }

    /// The running operator.
    pub(crate) fn operator(self) -> Operator {
        Operator::Stateful(Arc::new(DedupOperator(Arc::new(self))))
    }
}

#[typetag::serde]
impl OperatorSpec for Dedup {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        let help = |tagged: Option<&str>| match tagged {
            Some(column) => format!("add `{column}` to the keys, or set `within_watermark: true`"),
            None => "put a `Watermark` above, and its column among the keys or set `within_watermark: true`".to_owned(),
        };
        Ok(self.bind(input)?.signature(input, input.clone(), &help))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(self.bind(inputs::only(inputs))?.operator())
    }
}

struct DedupOperator(Arc<Bound>);

impl Stateful for DedupOperator {
    fn tables(&self) -> Vec<TableSchema> {
        let keys: Fields = self.0.key_fields.iter().cloned().collect();
        let table = |name, values: Vec<Field>, slots: String| TableSchema {
            name,
            keys: keys.clone(),
            values: values.into(),
            placed_by: PlacedBy::Keys,
            slots,
        };
        match self.0.memory {
            Memory::Ever => vec![table("seen", Vec::new(), String::new())],
            Memory::UntilPassed { key, buckets } => vec![table("seen", Vec::new(), buckets.slots(key))],
            Memory::Within(_) => vec![
                table("seen", vec![Field::new("expires_at", TIMESTAMP, true)], String::new()),
                table("due", Vec::new(), "minutes of expiry".to_owned()),
            ],
        }
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(LateFilter(Arc::clone(&self.0))))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        for (_, batch) in input.batches {
            let first = self.0.first_rows(state, &batch, cx)?;
            out.emit(Port::FIRST, filter_record_batch(&batch, &BooleanArray::from(first))?);
        }
        if let Memory::Within(_) = self.0.memory {
            Within::forget(state, cx.evict)?;
        } else {
            state.table(SEEN).drop_slots(cx.evict);
        }
        Ok(())
    }

    fn readable_slot(&self, table: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        match (self.0.memory, table) {
            (Memory::Ever, _) | (Memory::Within(_), SEEN) => Vec::new(),
            _ => vec![("slot", slot.time())],
        }
    }
}

impl Bound {
    /// Which rows are the first of their key; their keys are remembered.
    fn first_rows(&self, state: &mut StateStore, batch: &RecordBatch, cx: &EpochContext) -> Result<Vec<bool>> {
        let keys: Vec<ArrayRef> = self.keys.iter().map(|&key| Arc::clone(batch.column(key))).collect();
        let mut first = vec![false; batch.num_rows()];
        match self.memory {
            Memory::Ever => remember(state.table(SEEN), Slot::NEVER, &keys, None, &mut first)?,
            Memory::UntilPassed { key, buckets } => {
                for (slot, rows) in buckets.split(keys[key].as_primitive()) {
                    remember(state.table(SEEN), slot, &keys, Some(rows), &mut first)?;
                }
            }
            Memory::Within(within) => {
                let times = batch.column(within.time).as_primitive();
                within.first_rows(state, &keys, times, cx.late, &mut first)?;
            }
        }
        Ok(first)
    }
}

impl Within {
    fn first_rows(
        &self,
        state: &mut StateStore,
        keys: &[ArrayRef],
        times: &TimestampMicrosecondArray,
        late: Watermark,
        first: &mut [bool],
    ) -> Result<()> {
        let seen = state.table(SEEN);
        let groups = seen.group(Slot::NEVER, keys, times.len())?;
        let mut new = vec![true; groups.len()];
        let kept = seen.gather(&groups)?;
        for (group, expiry) in kept.groups.into_iter().zip(kept.values[0].as_primitive::<TimestampMicrosecondType>()) {
            // A key may stay a little longer than it counts: its bucket ends later.
            new[group] = expiry.is_some_and(|expiry| late.has_passed(Timestamp::from_micros(expiry)));
        }
        let groups = groups.only(&new)?;
        let expiries: TimestampMicrosecondArray = times.unary(|time| time.saturating_add(self.delay));
        let expiries = take(&expiries, &groups.first_rows, None)?;
        seen.upsert(&groups, vec![Arc::clone(&expiries)])?;
        for &row in groups.first_rows.values() {
            first[row as usize] = true;
        }
        let due = state.table(DUE);
        for (slot, rows) in self.buckets.split(expiries.as_primitive()) {
            if slot == Slot::NEVER {
                continue;
            }
            let rows = UInt32Array::from(rows);
            let keys = groups.keys.iter().map(|key| take(key, &rows, None)).collect::<Result<Vec<_>, _>>()?;
            let groups = due.group(slot, &keys, rows.len())?;
            due.upsert(&groups, Vec::new())?;
        }
        Ok(())
    }

    /// Forgets the keys of buckets that the watermark has passed, but for those that were seen anew since.
    fn forget(state: &mut StateStore, evict: Watermark) -> Result<()> {
        for slot in state.table(DUE).slots_up_to(evict) {
            let keys = state.table(DUE).scan(slot)?;
            let seen = state.table(SEEN);
            let groups = seen.group(Slot::NEVER, keys.columns(), keys.num_rows())?;
            let kept = seen.gather(&groups)?;
            let mut gone = vec![false; groups.len()];
            for (group, expiry) in
                kept.groups.into_iter().zip(kept.values[0].as_primitive::<TimestampMicrosecondType>())
            {
                gone[group] = expiry.is_some_and(|expiry| evict.has_passed(Timestamp::from_micros(expiry)));
            }
            seen.remove(&groups, &gone)?;
        }
        state.table(DUE).drop_slots(evict);
        Ok(())
    }
}

/// Marks those of `rows` (left out: all) whose keys are new to `slot`, and keeps the keys there.
fn remember(
    table: &mut StateTable,
    slot: Slot,
    keys: &[ArrayRef],
    rows: Option<Vec<u32>>,
    first: &mut [bool],
) -> Result<()> {
    let rows = rows.filter(|rows| rows.len() < first.len()).map(UInt32Array::from);
    let groups = match &rows {
        Some(rows) => {
            let keys = keys.iter().map(|key| take(key, rows, None)).collect::<Result<Vec<_>, _>>()?;
            table.group(slot, &keys, rows.len())?
        }
        None => table.group(slot, keys, first.len())?,
    };
    let new: Vec<bool> = table.holds(&groups).into_iter().map(|held| !held).collect();
    for (&row, _) in groups.first_rows.values().iter().zip(&new).filter(|(_, new)| **new) {
        let row = rows.as_ref().map_or(row, |rows| rows.value(row as usize));
        first[row as usize] = true;
    }
    table.upsert(&groups.only(&new)?, Vec::new())
}

/// Takes late rows out before the exchange, and columns that do not pass.
struct LateFilter(Arc<Bound>);

impl BeforeExchange for LateFilter {
    fn process(&mut self, port: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let (on_time, late) = match self.0.time {
            Some(time) => late::split(batch, time, cx.late)?,
            None => (batch, None),
        };
        if let Some(late) = late {
            let rows = late.num_rows() as u64;
            out.count_late(LateCount { rows, dropped: rows });
            out.emit(late::PORT, late);
        }
        out.exchange(
            port,
            match &self.0.passes {
                Some(columns) => on_time.project(columns)?,
                None => on_time,
            },
        );
        Ok(())
    }

    fn finish(self: Box<Self>, _: &EpochContext, _: &mut Collector) -> Result<()> {
        Ok(())
    }
}
