//! Nodes that do nothing but type: named as the built-in ones, so that the snapshots read like real life.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::node::{
    BuildContext, Delivery, Distribution, OpenContext, Operator, OperatorSpec, OutputWatermark, Ports, Signature, Sink,
    SinkSpec, Source, SourceSchema, SourceSpec, StateNeed,
};
use watershed_core::schema::{Ddl, TIMESTAMP};
use watershed_core::stream::{EventTime, EventTimeKind, Mode, OutputMode, Stream, column_names};
use watershed_core::time::TimeSpan;
use watershed_core::{register_operator, register_sink, register_source};

/// Files, in a module of their own because the sink has the same name.
pub(crate) mod sources {
    use super::*;

    /// How a file's rows are written.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub(crate) enum Format {
        /// A JSON object a line.
        Json,
        /// Values between delimiters.
        Csv {
            /// Between two values.
            delimiter: char,
            /// Whether the first line names the columns.
            #[serde(default)]
            header: bool,
        },
    }

    /// Reads files.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct Files {
        /// A directory or a glob.
        pub(crate) path: String,
        /// How rows are written.
        pub(crate) format: Format,
        /// The columns.
        #[serde(default)]
        pub(crate) schema: Option<Ddl>,
        /// The most files an epoch takes.
        #[serde(default)]
        pub(crate) max_files_per_epoch: Option<u32>,
        /// Columns to read by another name.
        #[serde(default)]
        pub(crate) renamed: BTreeMap<String, String>,
    }

    #[typetag::serde]
    impl SourceSpec for Files {
        fn schema(&self) -> Result<SourceSchema, Faults> {
            let Some(schema) = &self.schema else { return Ok(SourceSchema::Inferred) };
            schema.schema().map(SourceSchema::Declared).map_err(|fault| fault.under("schema").into())
        }

        fn infer_schema(&self) -> Result<SchemaRef> {
            if self.path.contains("missing") {
                let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such directory");
                return Err(Error::io("read", &self.path, cause));
            }
            Ok(Arc::new(Schema::new(vec![Field::new("found", DataType::Int64, true)])))
        }

        fn replayable(&self) -> bool {
            true
        }

        fn open(&self, _: SchemaRef, _: &OpenContext) -> Result<Box<dyn Source>> {
            Err(Error::BadInput("not for running".to_owned()))
        }
    }

    register_source!(Files, example: r#"Files(path: "data/*.csv", format: Csv(delimiter: ';'), schema: "user STRING, x DOUBLE")"#);
}

/// Reads a pipe, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stdin {
    /// The columns.
    pub(crate) schema: Ddl,
}

#[typetag::serde]
impl SourceSpec for Stdin {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        self.schema.schema().map(SourceSchema::Declared).map_err(|fault| fault.under("schema").into())
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        Err(Error::BadInput("not for running".to_owned()))
    }

    fn replayable(&self) -> bool {
        false
    }

    fn open(&self, _: SchemaRef, _: &OpenContext) -> Result<Box<dyn Source>> {
        Err(Error::BadInput("not for running".to_owned()))
    }
}

register_source!(Stdin, example: r#"Stdin(schema: "user STRING, x DOUBLE")"#);

fn not_for_running() -> Result<Operator, Faults> {
    Err(Fault::new("not_built", "not for running").into())
}

fn unknown_column(name: &str, schema: &Schema) -> Fault {
    Fault::new("unknown_column", format!("there is no column `{name}`"))
        .label("no such column")
        .help(format!("columns are {}", listed(column_names(schema))))
}

fn only(inputs: &[Vec<Stream>]) -> &Stream {
    &inputs[0][0]
}

/// Picks columns: `*`, `name`, or `name AS other`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Select(pub(crate) Vec<String>);

#[typetag::serde]
impl OperatorSpec for Select {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = only(inputs);
        let (mut fields, mut faults): (Vec<Arc<Field>>, Faults) = (Vec::new(), Vec::new());
        let mut tags = Vec::new();
        for (index, item) in self.0.iter().enumerate() {
            if item == "*" {
                fields.extend(input.schema.fields().iter().cloned());
                tags.extend(input.event_times.iter().cloned());
                continue;
            }
            let (name, alias) = item.split_once(" AS ").unwrap_or((item, item));
            let name = name.trim();
            let start = item.find(name).unwrap_or(0);
            match input.schema.field_with_name(name) {
                Ok(field) => {
                    fields.push(Arc::new(field.clone().with_name(alias.trim())));
                    tags.extend(
                        input.event_time(name).map(|tag| EventTime { column: alias.trim().to_owned(), ..tag.clone() }),
                    );
                }
                Err(_) => faults.push(unknown_column(name, &input.schema).at(index).within(start..start + name.len())),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let output = Stream { schema: Arc::new(Schema::new(fields)), event_times: tags, ..input.clone() };
        Ok(Signature::stateless(vec![output]))
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Select, example: r#"Select(["*", "ts AS event_time"])"#);

/// Marks the event time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watermark {
    /// The event-time column.
    pub(crate) column: String,
    /// How late a row may be.
    pub(crate) delay: TimeSpan,
}

#[typetag::serde]
impl OperatorSpec for Watermark {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let mut output = only(inputs).clone();
        match output.schema.field_with_name(&self.column) {
            Err(_) => {
                return Err(unknown_column(&self.column, &output.schema)
                    .at("column")
                    .within(0..self.column.len())
                    .into());
            }
            Ok(field) if field.data_type() != &TIMESTAMP => {
                let message = format!("column `{}` is {}, not a timestamp", self.column, field.data_type());
                return Err(Fault::new("not_a_timestamp", message).at("column").label("not a timestamp").into());
            }
            Ok(_) => {}
        }
        output.event_times.push(EventTime {
            column: self.column.clone(),
            kind: EventTimeKind::Instant,
            delay: self.delay,
        });
        Ok(Signature { watermark: OutputWatermark::own(self.delay), ..Signature::stateless(vec![output]) })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Watermark, example: r#"Watermark(column: "ts", delay: "10 minutes")"#);

/// A window's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) enum Shape {
    /// Side by side.
    Tumbling {
        /// From start to end.
        size: TimeSpan,
        /// Moves all starts.
        #[serde(default)]
        offset: TimeSpan,
    },
    /// Overlapping.
    Sliding {
        /// From start to end.
        size: TimeSpan,
        /// From start to start.
        slide: TimeSpan,
    },
}

/// Counts per window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the field is called so in graph files")]
pub(crate) struct Window {
    /// The windows.
    pub(crate) window: Shape,
    /// Columns to group by.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    /// What comes out when.
    #[serde(default = "append")]
    pub(crate) output_mode: OutputMode,
    /// The event-time column.
    #[serde(default)]
    pub(crate) time: Option<String>,
}

fn append() -> OutputMode {
    OutputMode::Append
}

#[typetag::serde]
impl OperatorSpec for Window {
    fn ports(&self) -> Ports {
        Ports::WITH_LATE
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = only(inputs);
        let mut faults: Faults = Vec::new();
        if input.mode != Mode::Append {
            let message =
                format!("a stateful operator takes rows that stay, and this stream is in mode `{}`", input.mode);
            faults.push(
                Fault::new("mode", message).label("fed by a stream of changes").help("use `output_mode: Append` above"),
            );
        }
        if self.output_mode == OutputMode::Append && input.watermarks.is_empty() {
            let fault =
                Fault::new("append_without_watermark", "mode `Append` needs a watermark above").at("output_mode");
            faults.push(fault.label("never comes out").help("put a `Watermark` above, or use `Update` or `Complete`"));
        }
        let mut fields = vec![Field::new("window_end", TIMESTAMP, false)];
        for (index, key) in self.keys.iter().enumerate() {
            match input.schema.field_with_name(key) {
                Ok(field) => fields.push(field.clone()),
                Err(_) => faults.push(unknown_column(key, &input.schema).at("keys").at(index).within(0..key.len())),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        fields.push(Field::new("count", DataType::Int64, false));
        let keys: Vec<String> = std::iter::once("window_end".to_owned()).chain(self.keys.iter().cloned()).collect();
        let mode = match self.output_mode {
            OutputMode::Append => Mode::Append,
            OutputMode::Update => Mode::Update(keys),
            OutputMode::Complete => Mode::Complete(keys),
        };
        let output = Stream { mode, ..input.clone().with_schema(Arc::new(Schema::new(fields))) };
        let unbounded = input.watermarks.is_empty();
        let warning = Fault::warning("unbounded_state", "its state can never shrink")
            .label("grows for ever")
            .help("a `Watermark` above would bound it");
        Ok(Signature {
            distribution: Distribution::Hash(vec![0]),
            state: if unbounded { StateNeed::Unbounded } else { StateNeed::Bounded },
            warnings: if unbounded { vec![warning] } else { Vec::new() },
            wakes: true,
            ..Signature::stateless(vec![output, input.clone()])
        })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Window, example: r#"Window(window: Sliding(size: "10 minutes", slide: "5 minutes"), keys: ["user"], output_mode: Update)"#);

/// Merges streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Union {}

#[typetag::serde]
impl OperatorSpec for Union {
    fn ports(&self) -> Ports {
        Ports { many: true, ..Ports::PLAIN }
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let mut output = only(inputs).clone();
        output.watermarks = inputs[0].iter().flat_map(|input| input.watermarks.clone()).collect();
        Ok(Signature::stateless(vec![output]))
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Union, example: "Union()");

/// Puts two streams side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Join {
    /// When two rows match.
    pub(crate) on: String,
}

#[typetag::serde]
impl OperatorSpec for Join {
    fn ports(&self) -> Ports {
        Ports::of(["left", "right"], ["out", "late"])
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let output = only(inputs).clone();
        Ok(Signature::stateless(vec![output.clone(), output]))
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Join, example: r#"Join(on: "left.k = right.k")"#);

/// Keeps something per key: what an operator of a user's own may say of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keyed {
    /// Side outputs.
    #[serde(default)]
    pub(crate) sides: Vec<String>,
    /// How far the watermark is held back; left out, none comes out.
    #[serde(default)]
    pub(crate) held_back: Option<TimeSpan>,
    /// Panics when it is asked.
    #[serde(default)]
    pub(crate) faulty: bool,
}

#[typetag::serde]
impl OperatorSpec for Keyed {
    fn ports(&self) -> Ports {
        let outputs = std::iter::once("out".to_owned()).chain(self.sides.iter().cloned());
        Ports::of(["in", "initial"], outputs).optional(Port(1))
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        assert!(!self.faulty, "nobody thought of this");
        let output = Stream { mode: Mode::Append, ..inputs[0][0].clone() };
        let mut fields = output.schema.fields().to_vec();
        if !inputs[1].is_empty() {
            fields.push(Arc::new(Field::new("was_fed", DataType::Boolean, true)));
        }
        let output = output.with_schema(Arc::new(Schema::new(fields)));
        Ok(Signature {
            distribution: Distribution::Hash(vec![0]),
            state: StateNeed::Bounded,
            watermark: self.held_back.map_or(OutputWatermark::None, OutputWatermark::HeldBack),
            ..Signature::stateless(vec![output; 1 + self.sides.len()])
        })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Keyed, example: r#"Keyed(sides: ["alerts"])"#);

/// Keeps the first rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Limit(pub(crate) u32);

#[typetag::serde]
impl OperatorSpec for Limit {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature::stateless(vec![only(inputs).clone()]))
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Limit, example: "Limit(10)");

/// A trait of the operator's own, with types of its own.
#[typetag::serde]
pub(crate) trait Codec: Debug + Send + Sync {}

/// A codec.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delimited {
    delimiter: char,
    #[serde(default)]
    quote: Option<char>,
}

#[typetag::serde]
impl Codec for Delimited {}

/// A codec without fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plain;

#[typetag::serde]
impl Codec for Plain {}

/// Decodes text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Decode {
    /// How.
    #[schemars(with = "serde_json::Value")]
    pub(crate) codec: Box<dyn Codec>,
    /// What else.
    #[serde(default)]
    #[schemars(with = "Vec<serde_json::Value>")]
    pub(crate) others: Vec<Box<dyn Codec>>,
    /// A pair.
    #[serde(default)]
    pub(crate) limits: (u8, f64),
}

#[typetag::serde]
impl OperatorSpec for Decode {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature::stateless(vec![only(inputs).clone()]))
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Decode, example: "Decode(codec: Delimited(delimiter: ','), others: [Plain, Delimited(delimiter: '\\t', quote: '\\'')])");

/// A number that a type of its own reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(crate) struct Even(u32);

impl TryFrom<u32> for Even {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if number.is_multiple_of(2) { Ok(Self(number)) } else { Err(format!("`{number}` is odd; use an even number")) }
    }
}

impl From<Even> for u32 {
    fn from(even: Even) -> Self {
        even.0
    }
}

/// Keeps a share of the rows; its type forgot to deny unknown fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sample {
    /// One of how many.
    #[schemars(with = "u32")]
    pub(crate) every: Even,
}

#[typetag::serde]
impl OperatorSpec for Sample {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature::stateless(vec![only(inputs).clone()]))
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        not_for_running()
    }
}

register_operator!(Sample, example: "Sample(every: 2)");

fn no_sink() -> Result<Box<dyn Sink>> {
    Err(Error::BadInput("not for running".to_owned()))
}

/// Writes files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    /// The directory.
    pub(crate) path: String,
}

#[typetag::serde]
impl SinkSpec for Parts {
    fn check(&self, input: &Stream) -> Result<(), Faults> {
        if input.mode == Mode::Append {
            return Ok(());
        }
        let message = format!("files can only be added to, and this stream is in mode `{}`", input.mode);
        Err(Fault::new("mode", message)
            .label("takes `Append` only")
            .help("use `output_mode: Append`, or a sink that can change rows")
            .into())
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>> {
        no_sink()
    }
}

register_sink!(Parts, example: r#"Parts(path: "out")"#);

/// Shows rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Console {}

#[typetag::serde]
impl SinkSpec for Console {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>> {
        no_sink()
    }
}

register_sink!(Console, example: "Console()");
