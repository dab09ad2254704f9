//! What is found out about a keyed operator before the start: its faults, its ports, its streams.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};

use super::calls::FIRST_SIDE;
use super::declare::{Declare, DeclaredSide};
use super::exchange::Projection;
use super::layout::{Layout, RESERVED};
use super::stateful::RowOrder;
use super::timers::Clock;
use crate::epoch::Port;
use crate::fault::{Fault, Faults, listed};
use crate::node::{Distribution, OutputWatermark, PortName, Ports, Signature, StateNeed};
use crate::row::{Misfit, ReadRow, Row, RowField, misfits};
use crate::schema::type_to_ddl;
use crate::stream::{EventTime, EventTimeKind, Mode, OutputMode, Stream};
use crate::time::TimeSpan;

/// All that the checks and the kernel know of an operator, whatever trait it was written with.
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) rows: RowTypes,
    pub(super) output_mode: OutputMode,
    pub(super) order: RowOrder,
    pub(super) hold_back: Option<TimeSpan>,
    pub(super) clocks: &'static [Clock],
    pub(super) declared: Declare,
    pub(super) initial: Option<Initial>,
    /// What the operator itself says of its fields.
    pub(super) own_faults: Faults,
}

/// The types of rows.
pub(super) struct RowTypes {
    keys: Fields,
    keys_with_default: Vec<String>,
    key_misfits: fn(&Schema) -> Vec<Misfit>,
    input_misfits: fn(&Schema) -> Vec<Misfit>,
    input_columns: fn(&Schema) -> Vec<usize>,
    output: Vec<RowField>,
}

/// What port `initial` is read as.
pub(super) struct Initial {
    pub(super) columns: Fields,
    pub(super) misfits: fn(&Fields) -> Vec<Misfit>,
}

impl RowTypes {
    pub(super) fn of<Key: Row, Input: ReadRow, Output: Row>() -> Self {
        Self {
            keys: Key::arrow_fields(),
            keys_with_default: Key::fields()
                .iter()
                .filter(|field| field.has_default)
                .map(|field| field.field.name().clone())
                .collect(),
            key_misfits: misfits::<Key>,
            input_misfits: Input::misfits,
            input_columns: Input::columns,
            output: Output::fields(),
        }
    }

    fn output_fields(&self) -> Fields {
        self.output.iter().map(|field| field.field.clone()).collect()
    }
}

/// An operator bound to its inputs.
pub(super) struct Bound {
    pub(super) projection: Projection,
    /// Where the column of event time is among those that go on.
    pub(super) order: Option<usize>,
    /// Where event time is in the output, and how far it is held back.
    pub(super) event_time: Option<(usize, TimeSpan)>,
    pub(super) has_watermark: bool,
    outputs: Vec<Stream>,
}

impl Description {
    pub(super) fn ports(&self) -> Ports {
        let outputs = ["out", "late"].into_iter().chain(self.declared.sides.iter().map(|side| side.name));
        let outputs: Vec<PortName> = outputs.map(PortName::from).collect();
        match self.initial {
            Some(_) => Ports::of(["in", "initial"], outputs).optional(Port(1)),
            None => Ports::of(["in"], outputs),
        }
    }

    pub(super) fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let bound = self.bind(inputs)?;
        let keys: Vec<usize> = (0..self.rows.keys.len()).collect();
        let variables = &self.declared.variables;
        let shrinks = !self.clocks.is_empty() || variables.iter().all(|variable| variable.ttl.is_some());
        Ok(Signature {
            distribution: if keys.is_empty() { Distribution::Single } else { Distribution::Hash(keys) },
            watermark: self.hold_back.map_or(OutputWatermark::None, OutputWatermark::HeldBack),
            wakes: self.clocks.contains(&Clock::Event),
            state: if shrinks { StateNeed::Bounded } else { StateNeed::Unbounded },
            ..Signature::stateless(bound.outputs)
        })
    }

    /// The tables.
    pub(super) fn layout(&self) -> Layout {
        Layout::of(&self.rows.keys, &self.declared.variables, self.clocks)
    }

    pub(super) fn bind(&self, inputs: &[Vec<Stream>]) -> Result<Bound, Faults> {
        let input = only_input(inputs);
        let initial = inputs.get(1).and_then(|port| port.first());
        let mut faults = self.own_faults.clone();
        self.check_declared(&mut faults);
        self.check_reads(input, initial, &mut faults);
        let time = self.time_column(input, &mut faults);
        let (event_time, mode) = self.check_output(input, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let keys = places(&self.rows.keys, &input.schema);
        let mut columns = keys.clone();
        let ordered = time.filter(|_| self.order == RowOrder::EventTime);
        for column in (self.rows.input_columns)(&input.schema).into_iter().chain(ordered) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let order = ordered.and_then(|time| columns.iter().position(|column| *column == time));
        let mut projected = vec![columns];
        if let (Some(initial), Some(read)) = (initial, &self.initial) {
            let keys = places(&self.rows.keys, &initial.schema);
            projected.push(keys.into_iter().chain(places(&read.columns, &initial.schema)).collect());
        }
        // What puts out event time does not see rows that are late already: they would make it put out late ones.
        let time = time.filter(|_| self.clocks.contains(&Clock::Event) || self.hold_back.is_some());
        Ok(Bound {
            projection: Projection { columns: projected, time },
            order,
            outputs: self.outputs(input, event_time.as_ref(), mode),
            event_time: event_time.map(|(column, back, _)| (column, back)),
            has_watermark: !input.watermarks.is_empty(),
        })
    }

    fn outputs(&self, input: &Stream, event_time: Option<&(usize, TimeSpan, EventTime)>, mode: Mode) -> Vec<Stream> {
        let stream = |fields: Fields| Stream::of(Arc::new(Schema::new(fields)));
        let mut out = Stream { mode, ..stream(self.rows.output_fields()) };
        if let Some((_, _, tag)) = event_time {
            out.event_times.push(tag.clone());
            out.watermarks.clone_from(&input.watermarks);
        }
        let mut outputs = vec![out, input.clone()];
        debug_assert_eq!(outputs.len(), FIRST_SIDE);
        let of_side = |side: &DeclaredSide| (side.fields)().into_iter().map(|field| field.field).collect();
        outputs.extend(self.declared.sides.iter().map(|side| stream(of_side(side))));
        outputs
    }

    /// Variables and ports have names of their own, and time to live is time.
    fn check_declared(&self, faults: &mut Faults) {
        let name = self.name;
        let mut seen = BTreeSet::from(RESERVED);
        for variable in &self.declared.variables {
            if !seen.insert(variable.name) {
                let message = format!("`{name}` declares state `{}` twice", variable.name);
                let help = format!("every variable has a name of its own; {} are taken", listed(RESERVED));
                faults.push(Fault::new("duplicate_state", message).help(help));
            }
            if variable.ttl.is_some_and(|ttl| ttl <= TimeSpan::ZERO) {
                let message =
                    format!("state `{}` of `{name}` expires at once: its `ttl` must be longer than 0", variable.name);
                faults.push(Fault::new("bad_ttl", message));
            }
            let fields = (variable.fields)(variable.ttl);
            for field in fields.iter().filter(|field| self.rows.keys.find(field.name()).is_some()) {
                let message = format!(
                    "state `{}` of `{name}` has a column `{}`, and so has the key",
                    variable.name,
                    field.name()
                );
                let help = "leave it out, for the key is there in every call, or name it otherwise with `#[row(name = \"…\")]`";
                faults.push(Fault::new("duplicate_state", message).help(help));
            }
        }
        for key in &self.rows.keys_with_default {
            let message =
                format!("`{name}` has a default for `{key}`, a column of its key: rows cannot be told apart by it");
            faults.push(Fault::new("key_with_default", message).help("leave `default` out there"));
        }
        let mut seen = BTreeSet::from(["out", "late"]);
        for side in self.declared.sides.iter().filter(|side| !seen.insert(side.name)) {
            let message = format!("`{name}` declares port `{}` twice", side.name);
            faults.push(Fault::new("duplicate_port", message).help("`out` and `late` are there already"));
        }
        for side in &self.declared.sides {
            for field in (side.fields)().iter().filter(|field| field.event_time) {
                let message = format!(
                    "`{name}` marks `{}` of port `{}` as event time, and only what leaves by `out` has event time",
                    field.field.name(),
                    side.name
                );
                faults.push(Fault::new("event_time_of_side", message).help("leave `#[row(event_time)]` out there"));
            }
        }
    }

    /// All columns that are read are there.
    fn check_reads(&self, input: &Stream, initial: Option<&Stream>, faults: &mut Faults) {
        let name = self.name;
        for (stream, port) in [(Some(input), "in"), (initial, "initial")] {
            let Some(stream) = stream else { continue };
            faults.extend(only_append(name, port, stream));
            let schema = &stream.schema;
            let mut misfits = (self.rows.key_misfits)(schema);
            for field in &self.rows.keys {
                let seen = schema.field_with_name(field.name()).ok().map(Field::data_type);
                let fits = misfits.iter().all(|misfit| misfit.column != *field.name());
                if let Some(seen) = seen.filter(|seen| fits && *seen != field.data_type()) {
                    faults.push(key_type(name, field.name(), field.data_type(), seen));
                }
            }
            match (&self.initial, port) {
                (Some(initial), "initial") => misfits.extend((initial.misfits)(schema.fields())),
                _ => misfits.extend((self.rows.input_misfits)(schema)),
            }
            let mut told: Vec<Misfit> = Vec::new();
            for misfit in misfits {
                if !told.contains(&misfit) {
                    faults.push(of_misfit(name, &misfit));
                    told.push(misfit);
                }
            }
        }
    }

    /// The column of event time, where the operator goes by it.
    fn time_column(&self, input: &Stream, faults: &mut Faults) -> Option<usize> {
        let by_clock = self.clocks.contains(&Clock::Event);
        if !by_clock && self.order == RowOrder::Arrival {
            // Without a watermark to hold back, there is a fault about that.
            let tag = input.event_times.first().filter(|_| self.hold_back.is_some() && !input.watermarks.is_empty());
            return tag.and_then(|tag| input.schema.index_of(&tag.column).ok());
        }
        match input.event_times.as_slice() {
            [tag] if !by_clock || !input.watermarks.is_empty() => input.schema.index_of(&tag.column).ok(),
            tags @ [_, _, ..] => {
                let tags = listed(tags.iter().map(|tag| &tag.column));
                let message = format!("{tags} are all event time, and only one column may be");
                let help = "leave all but one out in a `Select` above, or compute them: `col + INTERVAL '0 seconds'`";
                faults.push(Fault::new("several_event_times", message).help(help));
                None
            }
            _ => {
                let what = if by_clock { "times out by event time" } else { "sees rows in the order of event time" };
                let message = format!("`{}` {what}, and no column of its input is event time", self.name);
                let help = "put `Watermark(column: …, delay: …)` above";
                faults.push(Fault::new("no_watermark", message).help(help));
                None
            }
        }
    }

    /// Event time and mode of what is put out.
    fn check_output(&self, input: &Stream, faults: &mut Faults) -> (Option<(usize, TimeSpan, EventTime)>, Mode) {
        let name = self.name;
        let marked = self.rows.output.iter().position(|field| field.event_time);
        let event_time = match (marked, self.hold_back) {
            (None, None) => None,
            (Some(column), Some(hold_back)) => {
                if hold_back < TimeSpan::ZERO {
                    let message = format!("`hold_back` of `{name}` is `{hold_back}`: it must be 0 or longer");
                    faults.push(Fault::new("bad_hold_back", message));
                }
                if input.watermarks.is_empty() {
                    let message = format!("`{name}` puts out event time, and its input has no watermark to hold back");
                    faults.push(Fault::new("no_watermark", message).help("put `Watermark(column: …, delay: …)` above"));
                }
                let delay = input.event_times.iter().map(|tag| tag.delay.micros()).max().unwrap_or(0);
                let tag = EventTime {
                    column: self.rows.output[column].field.name().clone(),
                    kind: EventTimeKind::Instant,
                    delay: TimeSpan::from_micros(delay.saturating_add(hold_back.micros())),
                };
                Some((column, hold_back, tag))
            }
            (Some(column), None) => {
                let column = self.rows.output[column].field.name();
                let message = format!(
                    "`{name}` puts out `{column}` as event time, and does not say how far behind the watermark it may be"
                );
                let help = "let `hold_back` be `Some(…)`: `Some(TimeSpan::ZERO)` if it is never earlier than the input's watermark";
                faults.push(Fault::new("no_hold_back", message).help(help));
                None
            }
            (None, Some(_)) => {
                let message = format!("`{name}` has a `hold_back`, and no field of what it puts out is event time");
                faults.push(Fault::new("no_hold_back", message).help("mark one with `#[row(event_time)]`"));
                None
            }
        };
        let mode = match self.output_mode {
            OutputMode::Append => Mode::Append,
            OutputMode::Update => {
                let output = self.rows.output_fields();
                let absent = self.rows.keys.iter().filter(|key| {
                    output.find(key.name()).is_none_or(|(_, field)| field.data_type() != key.data_type())
                });
                let absent: Vec<&String> = absent.map(|key| key.name()).collect();
                if !absent.is_empty() {
                    let message = format!(
                        "`{name}` puts out rows in mode `Update`, which take each other's place by key, without the key's {}",
                        listed(&absent)
                    );
                    faults
                        .push(Fault::new("key_not_put_out", message).help("add the key's columns to what is put out"));
                }
                Mode::Update(self.rows.keys.iter().map(|key| key.name().clone()).collect())
            }
            OutputMode::Complete => {
                let message = format!("`{name}` has output mode `Complete`: it must be `Append` or `Update`");
                faults.push(Fault::new("bad_output_mode", message));
                Mode::Append
            }
        };
        (event_time, mode)
    }
}

/// The stream at the first port.
pub(super) fn only_input(inputs: &[Vec<Stream>]) -> &Stream {
    inputs.first().and_then(|port| port.first()).expect("a node is asked only when its ports are fed")
}

/// Refuses a stream whose rows replace earlier ones: an operator cannot take a row back.
pub(super) fn only_append(name: &str, port: &str, stream: &Stream) -> Option<Fault> {
    let message = format!(
        "`{name}` takes facts, but its input `{port}` is in mode `{}`, where rows replace earlier ones",
        stream.mode
    );
    let help = "give the node above `output_mode: Append`, or end this path in a sink";
    (stream.mode != Mode::Append).then(|| Fault::new("mode_not_accepted", message).help(help))
}

/// A fault about a column that cannot be read.
pub(super) fn of_misfit(name: &str, misfit: &Misfit) -> Fault {
    let code = match misfit.problem {
        crate::row::Problem::Missing { .. } => "unknown_column",
        _ => "wrong_type",
    };
    let fault = Fault::new(code, format!("`{name}`: {}", misfit.message()));
    match misfit.help() {
        Some(help) => fault.help(help),
        None => fault,
    }
}

fn key_type(name: &str, column: &str, wanted: &DataType, seen: &DataType) -> Fault {
    let (wanted, seen) = (type_to_ddl(wanted), type_to_ddl(seen));
    let message = format!("`{name}`: key column `{column}` is {wanted}, and the input has {seen}");
    Fault::new("wrong_type", message).help("a key's columns are all of its rows' columns: write out the whole type")
}

/// Where columns of these names stand; those that are not there are left out.
fn places(fields: &Fields, schema: &Schema) -> Vec<usize> {
    fields.iter().filter_map(|field| schema.index_of(field.name()).ok()).collect()
}
