//! What an edge of the graph carries: columns, how rows replace each other, and which columns are event time.

use std::collections::BTreeSet;
use std::fmt;

use arrow::datatypes::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::TimeSpan;

/// How a stateful node's results reach what follows, as the graph file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OutputMode {
    /// A row comes out once, when it can no longer change.
    Append,
    /// Every row that an epoch touched comes out with its new value.
    Update,
    /// Every epoch brings the whole result.
    Complete,
}

/// How the rows of a stream relate to those of earlier epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Rows are facts: none is taken back.
    Append,
    /// A row replaces the one with equal values in these columns.
    Update(Vec<String>),
    /// An epoch's rows replace all earlier ones; these columns, if there are any, are unique. What comes from a table that is read
    /// now and then replaces them only in the epochs that read it: see
    /// [`EpochInput::replaced`](crate::node::EpochInput::replaced).
    Complete(Vec<String>),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "Append",
            Self::Update(_) => "Update",
            Self::Complete(_) => "Complete",
        })
    }
}

/// What a tagged column's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventTimeKind {
    /// The instant at which the row happened.
    Instant,
    /// The exclusive end of the window the row belongs to.
    WindowEnd,
}

/// The tag that makes a column event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// The column's name.
    pub column: String,
    /// What its values mean.
    pub kind: EventTimeKind,
    /// The delay of the watermark node that set the tag.
    pub delay: TimeSpan,
}

/// What flows along an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its columns. Timestamps are UTC microseconds: `Timestamp(Microsecond, None)`.
    pub schema: SchemaRef,
    /// How rows replace earlier ones.
    pub mode: Mode,
    /// The columns tagged as event time; usually none or one.
    pub event_times: Vec<EventTime>,
    /// The watermark nodes above, by name; empty when there is no watermark.
    pub watermarks: BTreeSet<String>,
}

impl Stream {
    /// A stream of facts without event time.
    pub fn of(schema: SchemaRef) -> Self {
        Self { schema, mode: Mode::Append, event_times: Vec::new(), watermarks: BTreeSet::new() }
    }

    /// The tag on `column`, if it has one.
    pub fn event_time(&self, column: &str) -> Option<&EventTime> {
        self.event_times.iter().find(|tag| tag.column == column)
    }

    /// The same stream with other columns; tags of columns that are gone are lost.
    #[must_use]
    pub fn with_schema(mut self, schema: SchemaRef) -> Self {
        self.event_times.retain(|tag| schema.column_with_name(&tag.column).is_some());
        self.schema = schema;
        self
    }
}

/// The names of a schema's columns.
pub fn column_names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}
