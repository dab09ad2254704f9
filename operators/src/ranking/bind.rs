//! What a ranking is to give, bound to its input: columns, modes, and all that is wrong with them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{Distribution, OutputWatermark, Signature, StateNeed};
use watershed_core::state::{PlacedBy, TableSchema};
use watershed_core::stream::{Mode, OutputMode, Stream};
use watershed_core::time::Watermark;

use super::Ties;
use crate::inputs;
use crate::order::Order;
use crate::time_key::{TimeKey, append_without_time};

/// What a node asks for.
pub(crate) struct Wanted<'a> {
    /// The node's type.
    pub(crate) node: &'static str,
    pub(crate) keys: &'a [String],
    pub(crate) order: Result<Order, Faults>,
    pub(crate) ties: Ties,
    /// How many rows of each key.
    pub(crate) n: u64,
    /// The name of the column that tells a row's rank, where rows replace each other by it.
    pub(crate) rank: Option<&'a str>,
    /// Whether there is such a column where it is not needed.
    pub(crate) always_rank: bool,
    pub(crate) output_mode: OutputMode,
}

/// A ranking bound to its input.
#[derive(Debug)]
pub(crate) struct Ranking {
    pub(super) keys: Vec<usize>,
    pub(super) order: Order,
    pub(super) ties: Ties,
    pub(super) n: u64,
    pub(super) mode: OutputMode,
    /// The event time among the keys.
    pub(super) time: Option<TimeKey>,
    /// Whether the input are facts, which are kept; else it is complete in each epoch.
    pub(super) of_facts: bool,
    /// Whether the output tells ranks.
    pub(super) with_rank: bool,
    pub(super) input: SchemaRef,
    pub(super) output: SchemaRef,
    /// For each column of the input, its place in a kept row: keys, rank, then the rest.
    pub(super) kept_places: Vec<usize>,
    /// The columns by which rows replace each other.
    unique: Vec<String>,
}

impl Ranking {
    /// Binds it, with all that is wrong.
    pub(crate) fn bind(wanted: Wanted<'_>, input: &Stream) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let of_facts = input.mode == Mode::Append;
        faults.extend(refused_mode(&wanted, input));
        let keys = key_columns(wanted.keys, &input.schema, &mut faults);
        let time = TimeKey::among(wanted.keys, input);
        if of_facts && time == Ok(None) && wanted.output_mode == OutputMode::Append {
            faults.push(append_without_time(input, "AssignWindow"));
        }
        let time = time.map_err(|fault| faults.push(fault)).unwrap_or_default();
        let order = wanted.order.map_err(|found| faults.extend(found)).unwrap_or_default();
        let needs_rank = of_facts && wanted.output_mode != OutputMode::Append;
        let rank = wanted.rank.filter(|_| needs_rank || wanted.always_rank);
        if let Some(name) = rank.filter(|name| input.schema.column_with_name(name).is_some()) {
            let message = format!("the input has a column `{name}` already");
            let fault = Fault::new("duplicate_column", message).at("rank");
            faults.push(fault.help("give the column of ranks another name: `rank: \"place\"`"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut fields: Vec<Field> = input.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.extend(rank.map(|name| Field::new(name, DataType::Int64, false)));
        let unique = match &input.mode {
            Mode::Complete(unique) => unique.clone(),
            _ => wanted.keys.iter().cloned().chain(rank.map(str::to_owned)).collect(),
        };
        Ok(Self {
            kept_places: kept_places(&keys, input.schema.fields().len()),
            keys,
            order,
            ties: wanted.ties,
            n: wanted.n,
            mode: wanted.output_mode,
            time,
            of_facts,
            with_rank: rank.is_some(),
            input: Arc::clone(&input.schema),
            output: Arc::new(Schema::new(fields)),
            unique,
        })
    }

    pub(crate) fn signature(&self, input: &Stream) -> Signature {
        let warnings = self.warnings(input);
        let tags = self.time.iter().map(|time| time.tag.clone());
        let output = Stream {
            schema: Arc::clone(&self.output),
            mode: match self.mode {
                OutputMode::Append => Mode::Append,
                OutputMode::Update => Mode::Update(self.unique.clone()),
                OutputMode::Complete => Mode::Complete(self.unique.clone()),
            },
            // Rows that are held back may be older than those that come meanwhile, but for the time that they are held back by.
            event_times: if self.of_facts { tags.collect() } else { input.event_times.clone() },
            watermarks: input.watermarks.clone(),
        };
        Signature {
            outputs: vec![output, input.clone()],
            distribution: if self.keys.is_empty() {
                Distribution::Single
            } else {
                Distribution::Hash(self.keys.clone())
            },
            watermark: OutputWatermark::Input,
            wakes: self.closing().is_some() && !input.watermarks.is_empty(),
            state: match (self.of_facts, warnings.as_slice()) {
                (false, _) => StateNeed::None,
                (true, []) => StateNeed::Bounded,
                (true, _) => StateNeed::Unbounded,
            },
            warnings,
            notes: vec![self.note(input)],
        }
    }

    fn note(&self, input: &Stream) -> String {
        match self.closing() {
            _ if !self.of_facts => "nothing is kept: each complete result is ranked anew".to_owned(),
            Some(time) => {
                let time = input.schema.field(time.input).name();
                format!("the first {} rows of a key are kept until the watermark passes its `{time}`", self.n)
            }
            None => format!("the first {} rows of every key are kept for ever", self.n),
        }
    }

    fn warnings(&self, input: &Stream) -> Vec<Fault> {
        if !self.of_facts || self.keys.is_empty() || self.closing().is_some() {
            return Vec::new();
        }
        let help = match (self.mode, input.event_times.as_slice()) {
            (OutputMode::Complete, _) => {
                "`Complete` keeps every key for ever; with `Append` or `Update` and an event-time column among the keys, keys are dropped as the watermark passes them".to_owned()
            }
            (_, [tag, ..]) => format!("with `{}` or a window among the keys (`AssignWindow`), the watermark drops what is done with", tag.column),
            (_, []) => "with a `Watermark` above, and its column or a window (`AssignWindow`) among the keys, the watermark drops what is done with".to_owned(),
        };
        let message = match self.n {
            1 => "the state keeps a row for every key, for ever".to_owned(),
            n => format!("the state keeps up to {n} rows for every key, for ever"),
        };
        vec![Fault::warning("unbounded_state", message).at("keys").help(help)]
    }

    /// The event time by which keys are closed and dropped.
    pub(super) fn closing(&self) -> Option<&TimeKey> {
        self.time.as_ref().filter(|_| self.of_facts && self.mode != OutputMode::Complete)
    }

    /// The watermark that judges rows: none where nothing is closed.
    pub(super) fn judging(&self, watermark: Watermark) -> Watermark {
        if self.closing().is_some() { watermark } else { Watermark::NONE }
    }

    pub(super) fn keys_of(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.keys.iter().map(|&key| Arc::clone(rows.column(key))).collect()
    }

    /// What is kept: key and rank, and for these the rest of the row.
    pub(super) fn table(&self) -> TableSchema {
        let mut rank = "rank".to_owned();
        while self.input.column_with_name(&rank).is_some() {
            rank.push('_');
        }
        let fields = self.input.fields();
        let keys = self.keys.iter().map(|&key| Arc::clone(&fields[key]));
        let keys: Fields = keys.chain([Arc::new(Field::new(rank, DataType::Int64, false))]).collect();
        let values = (0..fields.len()).filter(|column| !self.keys.contains(column));
        TableSchema {
            name: "best",
            keys,
            values: values.map(|column| Arc::clone(&fields[column])).collect(),
            placed_by: PlacedBy::Leading(self.keys.len()),
            slots: self.time.as_ref().map_or_else(String::new, TimeKey::slots),
        }
    }

    /// The place of the rank in a kept row.
    pub(super) fn kept_rank(&self) -> usize {
        self.keys.len()
    }
}

/// A mode of the input from which that of the output cannot be made.
fn refused_mode(wanted: &Wanted<'_>, input: &Stream) -> Option<Fault> {
    let node = wanted.node;
    match &input.mode {
        Mode::Append => None,
        Mode::Complete(_) if wanted.output_mode == OutputMode::Complete => None,
        Mode::Complete(_) => {
            let message = format!("of a complete result `{node}` gives a complete result again");
            let fault = Fault::new("mode_not_accepted", message).at("output_mode");
            Some(fault.help("write `output_mode: Complete`, or give the node above another `output_mode`"))
        }
        Mode::Update(_) => {
            let message = format!(
                "`{node}` takes facts or a complete result, but its input is in mode `Update`, where rows replace earlier ones"
            );
            let fault = Fault::new("mode_not_accepted", message);
            Some(fault.help("give the node above `output_mode: Append` or `Complete`, or end this path in a sink"))
        }
    }
}

fn key_columns(keys: &[String], schema: &Schema, faults: &mut Faults) -> Vec<usize> {
    let mut places = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        match inputs::column(schema, key) {
            Ok(place) if places.contains(&place) => {
                faults.push(Fault::new("duplicate_key", format!("key `{key}` is listed twice")).at("keys").at(index));
            }
            Ok(place) => places.push(place),
            Err(fault) => faults.push(fault.at("keys").at(index)),
        }
    }
    places
}

fn kept_places(keys: &[usize], columns: usize) -> Vec<usize> {
    let mut next = keys.len() + 1;
    let mut place = |column: usize| {
        keys.iter().position(|key| *key == column).unwrap_or_else(|| {
            next += 1;
            next - 1
        })
    };
    (0..columns).map(&mut place).collect()
}
