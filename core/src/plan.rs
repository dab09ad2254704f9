//! A checked graph: a petgraph DAG of nodes that know their streams, and how it is to be run.

use std::sync::Arc;

use petgraph::graph::DiGraph;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::epoch::Port;
use crate::node::{OperatorSpec, Signature, SinkSpec, SourceSpec};
use crate::stream::Stream;
use crate::time::TimeSpan;

/// A graph that has been checked and may be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The graph's name.
    pub name: String,
    /// The graph in its own language: what a checkpoint keeps of it. Opaque to the engine.
    pub text: String,
    /// Nodes and edges.
    pub dag: Dag,
    /// How it is to be run.
    pub run: RunOptions,
}

/// The nodes of a plan and the streams between them. Edges enter a node in the order in which `flow` lists them.
pub type Dag = DiGraph<PlanNode, PlanEdge>;

/// A node of a plan.
#[derive(Clone, Debug)]
pub struct PlanNode {
    /// Its name in the graph.
    pub name: Arc<str>,
    /// What it is.
    pub role: Role,
}

/// What a node of a plan is, with what checking found out.
#[derive(Clone, Debug)]
pub enum Role {
    /// Brings in this stream.
    Source(Arc<dyn SourceSpec>, Stream),
    /// Turns these streams (a list per input port) into those of its signature.
    Operator {
        /// What the file says.
        spec: Arc<dyn OperatorSpec>,
        /// Its inputs: per port, one per edge.
        inputs: Vec<Vec<Stream>>,
        /// What it makes of them.
        signature: Signature,
    },
    /// Takes this stream.
    Sink(Arc<dyn SinkSpec>, Stream),
}

/// An edge of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanEdge {
    /// The output port it leaves by.
    pub from: Port,
    /// The input port it enters by.
    pub to: Port,
}

/// The `run` section of a graph file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunOptions {
    /// When an epoch starts.
    pub trigger: Trigger,
    /// The checkpoint's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// How many of the last epochs a checkpoint keeps, so that one can go back to them or look into them; left out, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain: Option<u64>,
    /// The number of state partitions; left out, the number of cores at the first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<usize>,
    /// What happens to open windows at the end of bounded input.
    pub at_end: AtEnd,
}

/// When an epoch starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Trigger {
    /// As soon as there is input; runs until it is stopped or every source is at its end.
    #[default]
    Continuous,
    /// At multiples of this length of time of the clock.
    Every(TimeSpan),
    /// Epoch after epoch until what was there at the start is used up and no window is left to close.
    AvailableNow,
    /// One epoch with all there is.
    Once,
}

/// What happens to open windows at the end of bounded input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AtEnd {
    /// They stay open, as in Spark.
    #[default]
    Hold,
    /// Every watermark moves to the end of time after the last row, so that the last windows come out.
    Flush,
}
