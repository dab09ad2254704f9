//! `Window` as a graph file writes it: what it takes, and what it makes of its input.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Distribution, Operator, OperatorSpec, OutputWatermark, Ports, Signature, StateNeed,
};
use watershed_core::register_operator;
use watershed_core::stream::{EventTime, EventTimeKind, Mode, OutputMode, Stream};

use super::fixed::{FixedOperator, FixedWindows};
use super::frame::{END, Frame, START};
use crate::grouping::Grouping;
use crate::inputs::{self, TimeColumn};
use crate::session::{Gap, SessionOperator, Sessions};
use crate::windows::{WindowSpec, Windows};

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

/// How event time is cut, once checked.
enum Cut {
    Fixed(Windows),
    Sessions(Gap),
}

/// A window operator bound to its input.
enum Bound {
    Fixed(FixedWindows),
    Sessions(Sessions),
}

impl Bound {
    fn frame(&self) -> &Frame {
        match self {
            Self::Fixed(windows) => &windows.frame,
            Self::Sessions(sessions) => &sessions.frame,
        }
    }

    fn distribution(&self) -> Distribution {
        match self {
            Self::Fixed(windows) => windows.distribution(),
            Self::Sessions(sessions) => sessions.distribution(),
        }
    }
}

impl Window {
    fn bind(&self, input: &Stream) -> Result<Bound, Faults> {
        let mut faults: Faults = inputs::only_append(input, "Window").err().into_iter().collect();
        let cut = match &self.window {
            WindowSpec::Session { gap, gap_by } => {
                faults.extend(self.impossible_sessions());
                Gap::bind(*gap, gap_by.as_deref(), &input.schema).map(Cut::Sessions)
            }
            fixed => fixed.windows().map(Cut::Fixed),
        };
        let cut = cut.map_err(|found| faults.extend(found.into_iter().map(|fault| fault.under("window")))).ok();
        let time = inputs::time_column(input, self.time.as_deref()).map_err(|fault| faults.push(fault)).ok();
        let grouping = Grouping::bind(&self.keys, &self.aggregates, &input.schema, &[START, END]);
        let grouping = grouping.map_err(|found| faults.extend(found)).ok();
        faults.extend(self.impossible_keys(input));
        if let Some(TimeColumn { name, tag: None, .. }) = &time
            && self.output_mode == OutputMode::Append
        {
            let message = format!("`Append` needs a watermark on `{name}`, which tells when a window is complete");
            let others = if self.has_sessions() { "`Complete`" } else { "`Update` or `Complete`" };
            let help = format!("put `Watermark(column: \"{name}\", delay: …)` above, or use {others}");
            faults.push(Fault::new("append_without_watermark", message).at("output_mode").help(help));
        }
        let (Some(cut), Some(time), Some(grouping), true) = (cut, time, grouping, faults.is_empty()) else {
            return Err(faults);
        };
        let frame = Frame::new(grouping, time, self.output_mode);
        Ok(match cut {
            Cut::Fixed(windows) => Bound::Fixed(FixedWindows::new(frame, windows)),
            Cut::Sessions(gap) => Bound::Sessions(Sessions::new(frame, gap)),
        })
    }

    fn has_sessions(&self) -> bool {
        matches!(self.window, WindowSpec::Session { .. })
    }

    fn impossible_keys(&self, input: &Stream) -> Faults {
        let mut faults = Faults::new();
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
        faults
    }

    /// What sessions cannot be had with.
    fn impossible_sessions(&self) -> Faults {
        let mut faults = Faults::new();
        if self.keys.is_empty() {
            let message = "`keys` is empty, but a session is one of a key: of a user, of a device";
            let help =
                "for the sessions of all rows together, add `1 AS everyone` in a `Select` above, and make it the key";
            faults.push(Fault::new("session_without_key", message).at("keys").help(help));
        }
        if self.output_mode == OutputMode::Update {
            let message = "sessions cannot be given in mode `Update`: one that begins earlier than it did, or meets another, replaces rows that have other bounds";
            let help = "use `Append`, which gives each session once it is closed, or `Complete`, which gives all in every epoch";
            faults.push(Fault::new("update_of_sessions", message).at("output_mode").help(help));
        }
        faults
    }

    fn note(&self, frame: &Frame) -> String {
        let windows = if self.has_sessions() { "session" } else { "window" };
        match (self.output_mode, &frame.event_time) {
            (OutputMode::Complete, _) => format!("every {windows} is kept for ever, and comes out in every epoch"),
            (_, None) => format!("every {windows} is kept for ever"),
            (OutputMode::Append, _) => {
                format!("a {windows} is kept until the watermark passes its end, and comes out then")
            }
            (OutputMode::Update, _) => {
                format!("a {windows} comes out whenever it changes, and is kept until the watermark passes its end")
            }
        }
    }

    fn warnings(&self, frame: &Frame, input: &Stream) -> Vec<Fault> {
        if self.output_mode == OutputMode::Complete {
            let others = if self.has_sessions() { "`Append`" } else { "`Append` or `Update`" };
            let help = format!("with {others} below a `Watermark`, closed windows are dropped");
            return vec![
                Fault::warning("unbounded_state", "`Complete` keeps every window for ever")
                    .at("output_mode")
                    .help(help),
            ];
        }
        if frame.event_time.is_none() {
            let column = input.schema.field(frame.time).name();
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
        let frame = bound.frame();
        let warnings = self.warnings(frame, input);
        let unique: Vec<String> =
            [START, END].map(str::to_owned).into_iter().chain(self.keys.iter().cloned()).collect();
        let event_times = frame.event_time.iter().map(|tag| EventTime {
            column: END.to_owned(),
            kind: EventTimeKind::WindowEnd,
            delay: tag.delay,
        });
        let output = Stream {
            schema: Arc::clone(&frame.output),
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
            distribution: bound.distribution(),
            watermark: OutputWatermark::Input,
            wakes: self.output_mode != OutputMode::Complete && !input.watermarks.is_empty(),
            state: if warnings.is_empty() { StateNeed::Bounded } else { StateNeed::Unbounded },
            warnings,
            notes: vec![self.note(frame)],
        })
    }

    // What is kept is the same in every mode. As in Spark, the results before the change are not told again. A session that is
    // kept has its end, so another gap is that of the rows which come from then on.
    fn free_fields(&self) -> &'static [&'static str] {
        if self.has_sessions() { &["output_mode", "window"] } else { &["output_mode"] }
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(match self.bind(inputs::only(inputs))? {
            Bound::Fixed(windows) => Arc::new(FixedOperator(Arc::new(windows))),
            Bound::Sessions(sessions) => Arc::new(SessionOperator(Arc::new(sessions))),
        }))
    }
}
