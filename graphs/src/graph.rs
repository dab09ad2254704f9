//! A graph as plain data: what a file says, or what a program builds.

use std::sync::Arc;

use watershed_core::node::{Kind, OperatorSpec, SinkSpec, SourceSpec};
use watershed_core::plan::RunOptions;

use crate::check::{Checked, SchemaMode, check};
use crate::document::Source;
use crate::print;
use crate::syntax::{Span, Text, Tree};

/// A graph that has been read or built, and not yet checked. Two graphs are equal when they print alike.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// The sources by name, in the order of the file.
    pub sources: Vec<(String, Arc<dyn SourceSpec>)>,
    /// The operators by name.
    pub operators: Vec<(String, Arc<dyn OperatorSpec>)>,
    /// The sinks by name.
    pub sinks: Vec<(String, Arc<dyn SinkSpec>)>,
    /// The edges, a chain a line: `"in -> counts -> out"`.
    pub flow: Vec<String>,
    /// How it is to be run.
    pub run: RunOptions,
    /// Where everything stands in the file, when there is one.
    pub(crate) written: Option<Arc<Written>>,
}

impl Graph {
    /// Starts a graph that a program builds.
    ///
    /// ```
    /// # use watershed_graphs::Graph;
    /// let graph = Graph::builder("empty").flow("in -> out").build();
    /// assert_eq!(graph.flow, ["in -> out"]);
    /// ```
    pub fn builder(name: impl Into<String>) -> GraphBuilder {
        GraphBuilder(Self {
            name: name.into(),
            sources: Vec::new(),
            operators: Vec::new(),
            sinks: Vec::new(),
            flow: Vec::new(),
            run: RunOptions::default(),
            written: None,
        })
    }

    /// The graph in RON, in one canonical form; [`load`](crate::load()) reads the same graph from it.
    pub fn to_ron(&self) -> String {
        print::graph(self)
    }

    /// The graph of a draft without holes.
    pub(crate) fn of(draft: &Draft) -> Self {
        let mut graph = Self::builder(draft.name.clone()).run(draft.run.clone()).build();
        graph.flow.clone_from(&draft.flow);
        graph.written.clone_from(&draft.written);
        for node in &draft.nodes {
            match &node.spec {
                Some(Spec::Source(spec)) => graph.sources.push((node.name.clone(), Arc::clone(spec))),
                Some(Spec::Operator(spec)) => graph.operators.push((node.name.clone(), Arc::clone(spec))),
                Some(Spec::Sink(spec)) => graph.sinks.push((node.name.clone(), Arc::clone(spec))),
                None => {}
            }
        }
        graph
    }

    /// Resolves the flow and types every edge. Faults are placed in the file that the graph was read from; without a
    /// file they name node and field.
    pub fn check(&self, mode: SchemaMode) -> Checked {
        check(&Draft::of(self), Vec::new(), mode)
    }
}

impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.to_ron() == other.to_ron()
    }
}

/// Builds a [`Graph`] node by node; nothing is checked before [`Graph::check`].
#[derive(Clone, Debug)]
#[must_use]
pub struct GraphBuilder(Graph);

impl GraphBuilder {
    /// Adds a source.
    pub fn source(mut self, name: impl Into<String>, source: impl SourceSpec + 'static) -> Self {
        self.0.sources.push((name.into(), Arc::new(source)));
        self
    }

    /// Adds an operator.
    pub fn operator(mut self, name: impl Into<String>, operator: impl OperatorSpec + 'static) -> Self {
        self.0.operators.push((name.into(), Arc::new(operator)));
        self
    }

    /// Adds a sink.
    pub fn sink(mut self, name: impl Into<String>, sink: impl SinkSpec + 'static) -> Self {
        self.0.sinks.push((name.into(), Arc::new(sink)));
        self
    }

    /// Adds a chain of edges, `"a -> b.port -> c"`.
    pub fn flow(mut self, chain: impl Into<String>) -> Self {
        self.0.flow.push(chain.into());
        self
    }

    /// Says how the graph is to be run.
    pub fn run(mut self, run: RunOptions) -> Self {
        self.0.run = run;
        self
    }

    /// The graph.
    pub fn build(self) -> Graph {
        self.0
    }
}

/// A node's descriptor, of whichever section.
#[derive(Clone, Debug)]
pub(crate) enum Spec {
    Source(Arc<dyn SourceSpec>),
    Operator(Arc<dyn OperatorSpec>),
    Sink(Arc<dyn SinkSpec>),
}

/// Where the parts of a graph stand in a file.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) source: Source,
    /// The word `Graph`.
    pub(crate) head: Span,
    /// The names of the fields of `Graph`.
    pub(crate) fields: Vec<(String, Span)>,
    pub(crate) nodes: Vec<WrittenNode>,
    pub(crate) flow: Vec<(Text, Span)>,
    /// The value of `run`.
    pub(crate) run: Option<Tree>,
}

#[derive(Clone, Debug)]
pub(crate) struct WrittenNode {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) text: Arc<NodeText>,
}

/// A node's entry in its section.
#[derive(Debug)]
pub(crate) struct NodeText {
    pub(crate) key: Span,
    pub(crate) tree: Tree,
}

/// What checking works on: a graph that may have holes where something could not be read.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) nodes: Vec<DraftNode>,
    pub(crate) flow: Vec<String>,
    /// Whether all of the flow could be read, so that what it does not name is not named at all.
    pub(crate) flow_is_whole: bool,
    pub(crate) run: RunOptions,
    pub(crate) written: Option<Arc<Written>>,
}

#[derive(Debug)]
pub(crate) struct DraftNode {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// `None`: it could not be read, which has been reported.
    pub(crate) spec: Option<Spec>,
    pub(crate) text: Option<Arc<NodeText>>,
}

impl Draft {
    fn of(graph: &Graph) -> Self {
        let sources = graph.sources.iter().map(|(name, spec)| (name, Kind::Source, Spec::Source(Arc::clone(spec))));
        let operators =
            graph.operators.iter().map(|(name, spec)| (name, Kind::Operator, Spec::Operator(Arc::clone(spec))));
        let sinks = graph.sinks.iter().map(|(name, spec)| (name, Kind::Sink, Spec::Sink(Arc::clone(spec))));
        let written = |kind: Kind, name: &str| {
            let nodes = &graph.written.as_ref()?.nodes;
            nodes.iter().find(|node| node.kind == kind && node.name == name).map(|node| Arc::clone(&node.text))
        };
        let nodes = sources
            .chain(operators)
            .chain(sinks)
            .map(|(name, kind, spec)| DraftNode {
                name: name.clone(),
                kind,
                spec: Some(spec),
                text: written(kind, name),
            })
            .collect();
        Self {
            name: graph.name.clone(),
            nodes,
            flow: graph.flow.clone(),
            flow_is_whole: true,
            run: graph.run.clone(),
            written: graph.written.clone(),
        }
    }
}
