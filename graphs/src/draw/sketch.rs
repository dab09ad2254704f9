//! Node types and a plan to draw in tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Error;
use watershed_core::fault::Faults;
use watershed_core::node::{
    BuildContext, Delivery, OpenContext, Operator, OperatorSpec, Ports, Signature, Sink, SinkSpec, Source,
    SourceSchema, SourceSpec, StateNeed,
};
use watershed_core::plan::{Dag, Plan, PlanEdge, PlanNode, Role, RunOptions, Trigger};
use watershed_core::schema::parse_ddl;
use watershed_core::stream::{EventTime, EventTimeKind, Mode, OutputMode, Stream};
use watershed_core::time::TimeSpan;
use watershed_core::{register_operator, register_sink, register_source};

/// Reads files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SketchFiles {
    /// A directory or a glob.
    pub(crate) path: String,
    /// The most files in one epoch.
    #[serde(default = "thousand")]
    pub(crate) max_files: u64,
}

fn thousand() -> u64 {
    1000
}

register_source!(SketchFiles, example: r#"SketchFiles(path: "data/*.json")"#);

#[typetag::serde]
impl SourceSpec for SketchFiles {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        Ok(SourceSchema::Inferred)
    }

    fn infer_schema(&self) -> Result<arrow::datatypes::SchemaRef, Error> {
        Err(Error::Stopped)
    }

    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, _: arrow::datatypes::SchemaRef, _: &OpenContext) -> Result<Box<dyn Source>, Error> {
        Err(Error::Stopped)
    }
}

/// Keeps the rows for which an expression is true.
///
/// A null is not true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SketchFilter(pub(crate) String);

register_operator!(SketchFilter, example: r#"SketchFilter("x > 1")"#);

/// How rows are put into windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) enum SketchShape {
    /// Windows that follow one another.
    Tumbling(TimeSpan),
    /// Windows that overlap.
    Sliding {
        /// The length of a window.
        size: TimeSpan,
        /// From one start to the next.
        slide: TimeSpan,
    },
    /// All of time.
    Everything,
}

/// Counts rows in windows of event time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SketchWindow {
    /// The windows.
    pub(crate) window: SketchShape,
    /// Columns or expressions to group by.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    /// What to compute.
    pub(crate) aggregates: Vec<String>,
    /// The event-time column, where it is not the watermark's own.
    #[serde(default)]
    pub(crate) time: Option<String>,
    /// How results come out.
    pub(crate) output_mode: OutputMode,
}

impl SketchWindow {
    pub(crate) fn sliding() -> Self {
        let minutes = |minutes: i64| TimeSpan::from_seconds(60 * minutes);
        Self {
            window: SketchShape::Sliding { size: minutes(10), slide: minutes(5) },
            keys: vec!["User".to_owned()],
            aggregates: vec!["count(*) AS count".to_owned(), "avg(x) AS mean_x".to_owned()],
            time: None,
            output_mode: OutputMode::Update,
        }
    }
}

register_operator!(SketchWindow, example: r#"SketchWindow(window: Tumbling("10 minutes"), aggregates: ["count(*) AS n"], output_mode: Append)"#);

macro_rules! sketch_operator {
    ($type:ident, $ports:expr) => {
        #[typetag::serde]
        impl OperatorSpec for $type {
            fn ports(&self) -> Ports {
                $ports
            }

            fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
                Ok(Signature::stateless(inputs.concat()))
            }

            fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
                Err(Faults::new())
            }
        }
    };
}

sketch_operator!(SketchFilter, Ports::PLAIN);
sketch_operator!(SketchWindow, Ports::WITH_LATE);

/// Two streams into one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SketchJoin {
    /// When two rows meet.
    pub(crate) on: String,
}

register_operator!(SketchJoin, example: r#"SketchJoin(on: "left.a = right.a")"#);
sketch_operator!(SketchJoin, Ports::of(["left", "right"], ["out", "late"]));

/// Shows rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SketchConsole {}

register_sink!(SketchConsole, example: "SketchConsole()");

#[typetag::serde]
impl SinkSpec for SketchConsole {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>, Error> {
        Err(Error::Stopped)
    }
}

/// A stream of one column.
pub(crate) fn stream() -> Stream {
    Stream::of(parse_ddl("User STRING, event_time TIMESTAMP").expect("a schema"))
}

/// The same stream below a watermark.
pub(crate) fn marked(mode: Mode) -> Stream {
    let delay = TimeSpan::from_seconds(1800);
    let event_times = vec![EventTime { column: "event_time".to_owned(), kind: EventTimeKind::Instant, delay }];
    Stream { mode, event_times, watermarks: BTreeSet::from(["marked".to_owned()]), ..stream() }
}

pub(crate) fn source(dag: &mut Dag, name: &str) -> petgraph::graph::NodeIndex {
    let spec = SketchFiles { path: "data/activity/*.json".to_owned(), max_files: 10 };
    dag.add_node(PlanNode { name: name.into(), role: Role::Source(Arc::new(spec), stream()) })
}

pub(crate) fn operator(
    dag: &mut Dag,
    name: &str,
    spec: impl OperatorSpec + 'static,
    outputs: Vec<Stream>,
    state: StateNeed,
) -> petgraph::graph::NodeIndex {
    let signature = Signature { state, ..Signature::stateless(outputs) };
    dag.add_node(PlanNode {
        name: name.into(),
        role: Role::Operator { spec: Arc::new(spec), inputs: vec![], signature },
    })
}

pub(crate) fn sink(dag: &mut Dag, name: &str) -> petgraph::graph::NodeIndex {
    dag.add_node(PlanNode { name: name.into(), role: Role::Sink(Arc::new(SketchConsole {}), stream()) })
}

pub(crate) const PLAIN: PlanEdge = PlanEdge { from: Port(0), to: Port(0) };

/// The picture of the README: a filter, a watermark, windows and their late rows.
pub(crate) fn activity() -> Plan {
    let mut dag = Dag::new();
    let update = Mode::Update(vec!["User".to_owned()]);
    let activity = source(&mut dag, "activity");
    let timed = operator(
        &mut dag,
        "timed",
        SketchFilter("x > 0 AND gt <> 'null' AND \"a\" < 3".to_owned()),
        vec![stream()],
        StateNeed::None,
    );
    let watermarked =
        operator(&mut dag, "marked", SketchFilter("true".to_owned()), vec![marked(Mode::Append)], StateNeed::None);
    let counts = operator(
        &mut dag,
        "counts",
        SketchWindow::sliding(),
        vec![marked(update), marked(Mode::Append)],
        StateNeed::Bounded,
    );
    let (console, late) = (sink(&mut dag, "console"), sink(&mut dag, "too_late"));
    dag.add_edge(activity, timed, PLAIN);
    dag.add_edge(timed, watermarked, PLAIN);
    dag.add_edge(watermarked, counts, PLAIN);
    dag.add_edge(counts, console, PLAIN);
    dag.add_edge(counts, late, PlanEdge { from: Port(1), to: Port(0) });
    let run = RunOptions {
        trigger: Trigger::AvailableNow,
        checkpoint: Some("checkpoints/activity".to_owned()),
        ..RunOptions::default()
    };
    Plan { name: "activity-windows".to_owned(), text: String::new(), dag, run }
}

/// Fan-out, a join of a stream with itself, an edge past a whole rank, and a part of its own.
pub(crate) fn tangle() -> Plan {
    let mut dag = Dag::new();
    let clicks = source(&mut dag, "clicks");
    let views = source(&mut dag, "views & <impressions>");
    let users = source(&mut dag, "users");
    let filter = |dag: &mut Dag, name: &str| {
        operator(dag, name, SketchFilter("User IS NOT NULL".to_owned()), vec![marked(Mode::Append)], StateNeed::None)
    };
    let (timed_clicks, timed_views) = (filter(&mut dag, "timed_clicks"), filter(&mut dag, "timed_views"));
    let join = |dag: &mut Dag, name: &str| {
        let spec = SketchJoin {
            on: "left.User = right.User AND right.event_time <= left.event_time + INTERVAL '1 hour'".to_owned(),
        };
        operator(dag, name, spec, vec![marked(Mode::Append), marked(Mode::Append)], StateNeed::Bounded)
    };
    let (joined, named) = (join(&mut dag, "clicks_after_views"), join(&mut dag, "named"));
    let complete = marked(Mode::Complete(vec!["User".to_owned()]));
    let totals = operator(
        &mut dag,
        "totals",
        SketchWindow::sliding(),
        vec![complete, marked(Mode::Append)],
        StateNeed::Unbounded,
    );
    let (console, raw, other) = (sink(&mut dag, "console"), sink(&mut dag, "raw"), sink(&mut dag, "other"));
    let right = PlanEdge { from: Port(0), to: Port(1) };
    dag.add_edge(clicks, timed_clicks, PLAIN);
    dag.add_edge(views, timed_views, PLAIN);
    dag.add_edge(timed_clicks, joined, PLAIN);
    dag.add_edge(timed_views, joined, right);
    dag.add_edge(joined, named, PLAIN);
    dag.add_edge(users, named, right);
    dag.add_edge(named, totals, PLAIN);
    dag.add_edge(totals, console, PLAIN);
    dag.add_edge(timed_clicks, raw, PLAIN);
    dag.add_edge(clicks, raw, PLAIN);
    let alone = source(&mut dag, "alone");
    dag.add_edge(alone, other, PLAIN);
    Plan { name: "tangle".to_owned(), text: String::new(), dag, run: RunOptions::default() }
}
