//! What a program says of a query before it starts, and the start.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::driver::drive;
use super::error::RuntimeError;
use super::explain::explain;
use super::inside::Inside;
use super::listener::{Listeners, QueryInfo, QueryListener};
use super::pool::Runtime;
use super::query::Query;
use super::shared::Shared;
use crate::arrow::array::RecordBatch;
use crate::core::checkpoint::{Adjustments, CheckpointStorage};
use crate::core::engine::{Activity, Connectors, Engine, EngineOptions, StopSignal};
use crate::core::epoch::Epoch;
use crate::core::fault::listed;
use crate::core::names::nearest;
use crate::core::node::{Handles, Part, Sink, Source};
use crate::core::plan::{AtEnd, Plan, Trigger};
use crate::core::row::ReadRow;
use crate::core::time::{Clock, SystemClock};
use crate::graphs::{Checked, Graph, SchemaMode, environment, load};
use crate::sinks::{ForeachBatchHandler, ForeachError, ForeachHandler, ForeachWriter};
use crate::storage;

/// Where a query's graph comes from.
#[derive(Debug)]
pub(super) enum GraphFrom {
    Graph(Box<Graph>),
    Text(String),
    File(PathBuf),
}

/// A query that is about to be started. What is said here goes before what the graph says.
#[must_use = "nothing runs before `start`"]
pub struct QueryBuilder {
    runtime: Runtime,
    graph: GraphFrom,
    variables: BTreeMap<String, String>,
    name: Option<String>,
    checkpoint: Option<Checkpoint>,
    trigger: Option<Trigger>,
    at_end: Option<AtEnd>,
    partitions: Option<usize>,
    batch_rows: usize,
    clock: Arc<dyn Clock>,
    call_limit: Option<Duration>,
    recent_progress: usize,
    listeners: Vec<Arc<dyn QueryListener>>,
    reset: Vec<String>,
    renamed: Vec<(String, String)>,
    handles: Handles,
    connectors: Connectors,
    /// What was handed over, and for which node.
    given: Vec<(&'static str, String)>,
    inside: Inside,
}

enum Checkpoint {
    Place(String),
    Storage(Arc<dyn CheckpointStorage>),
}

impl fmt::Debug for QueryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryBuilder").field("name", &self.name).field("given", &self.given).finish_non_exhaustive()
    }
}

impl QueryBuilder {
    pub(super) fn new(runtime: Runtime, graph: GraphFrom) -> Self {
        let (batch_rows, recent_progress) = (runtime.batch_rows(), runtime.recent_progress());
        let listeners = runtime.listeners();
        Self {
            runtime,
            graph,
            variables: BTreeMap::new(),
            name: None,
            checkpoint: None,
            trigger: None,
            at_end: None,
            partitions: None,
            batch_rows,
            clock: Arc::new(SystemClock),
            call_limit: None,
            recent_progress,
            listeners,
            reset: Vec::new(),
            renamed: Vec::new(),
            handles: Handles::default(),
            connectors: Connectors::default(),
            given: Vec::new(),
            inside: Inside::default(),
        }
    }

    /// What the program calls the query; the graph's name unless said otherwise.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The value of `${name}` in the text of the graph; a variable that is not given is looked for in the environment.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Where the checkpoint lies: a directory, or the URL of a store of objects as [`storage::open`] reads it.
    pub fn checkpoint(mut self, place: impl Into<String>) -> Self {
        self.checkpoint = Some(Checkpoint::Place(place.into()));
        self
    }

    /// The checkpoint itself, for a store of one's own.
    pub fn checkpoint_storage(mut self, storage: Arc<dyn CheckpointStorage>) -> Self {
        self.checkpoint = Some(Checkpoint::Storage(storage));
        self
    }

    /// When an epoch starts.
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger);
        self
    }

    /// What happens to open windows at the end of bounded input.
    pub fn at_end(mut self, at_end: AtEnd) -> Self {
        self.at_end = Some(at_end);
        self
    }

    /// The number of state partitions.
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.partitions = Some(partitions.max(1));
        self
    }

    /// The most rows in a batch that a source makes.
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// Where processing time comes from.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long a call of a node's code may take; one that took longer ends the query once it returns. No limit unless said otherwise.
    /// [`Query::status`] shows calls that do not return.
    pub fn call_limit(mut self, limit: Duration) -> Self {
        self.call_limit = Some(limit);
        self
    }

    /// How many of its last epochs the query remembers.
    pub fn recent_progress(mut self, epochs: usize) -> Self {
        self.recent_progress = epochs;
        self
    }

    /// Is told of this query, after the listeners of the runtime.
    pub fn listener(mut self, listener: impl QueryListener + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Drops what the checkpoint keeps of this node, named as in the checkpoint.
    pub fn reset(mut self, node: impl Into<String>) -> Self {
        self.reset.push(node.into());
        self
    }

    /// Carries what the checkpoint keeps of node `old` over to node `new` of the graph.
    pub fn rename(mut self, old: impl Into<String>, new: impl Into<String>) -> Self {
        self.renamed.push((old.into(), new.into()));
        self
    }

    /// Hands something over to a node before it is opened: a [`MemoryFeed`](crate::sources::MemoryFeed) that holds rows already, a
    /// [`MemoryTable`](crate::sinks::MemoryTable) that is looked at elsewhere, or what connectors of one's own look for.
    pub fn handle<T: Send + Sync + 'static>(self, node: &str, handle: Arc<T>) -> Self {
        self.handles.publish(node, handle);
        self.gives("a handle", node)
    }

    /// Uses this source in place of the one that the graph names.
    pub fn source(mut self, node: &str, source: impl Source + 'static) -> Self {
        self.connectors.sources.insert(node.to_owned(), Box::new(source));
        self.gives("a source", node)
    }

    /// Uses this sink in place of the one that the graph names.
    pub fn sink(mut self, node: &str, sink: impl Sink + 'static) -> Self {
        self.connectors.sinks.insert(node.to_owned(), Box::new(sink));
        self.gives("a sink", node)
    }

    /// Hands the rows of the `ForeachBatch` sink `node` to a closure, epoch by epoch: at least once, see
    /// [`ForeachBatch`](crate::sinks::ForeachBatch).
    pub fn foreach_batch(
        self,
        node: &str,
        mut closure: impl FnMut(Epoch, &[RecordBatch]) -> Result<(), ForeachError> + Send + 'static,
    ) -> Self {
        let inside = self.inside.clone();
        let handler = ForeachBatchHandler::new(move |epoch, rows| {
            let _inside = inside.enter();
            closure(epoch, rows)
        });
        self.handles.publish(node, Arc::new(handler));
        self.gives("`foreach_batch`", node)
    }

    /// Hands every row of the `Foreach` sink `node` to a closure, read as `R`: at least once, see
    /// [`Foreach`](crate::sinks::Foreach).
    pub fn foreach<R: ReadRow + 'static>(
        self,
        node: &str,
        mut closure: impl FnMut(Epoch, R::Item<'_>) -> Result<(), ForeachError> + Send + 'static,
    ) -> Self {
        let inside = self.inside.clone();
        let handler = ForeachHandler::each::<R, _>(move |epoch, row| {
            let _inside = inside.enter();
            closure(epoch, row)
        });
        self.handles.publish(node, Arc::new(handler));
        self.gives("`foreach`", node)
    }

    /// Hands every row of the `Foreach` sink `node` to a writer, which opens and closes something around the rows of a part.
    pub fn foreach_writer(self, node: &str, writer: impl ForeachWriter) -> Self {
        let writer = Watched { writer, inside: self.inside.clone() };
        self.handles.publish(node, Arc::new(ForeachHandler::new(writer)));
        self.gives("`foreach_writer`", node)
    }

    fn gives(mut self, given: &'static str, node: &str) -> Self {
        self.given.push((given, node.to_owned()));
        self
    }

    /// Checks the graph, takes up its checkpoint, opens its sources and sinks, and sets it running on a thread of its own. Where this
    /// fails nothing runs.
    pub fn start(self) -> Result<Query, RuntimeError> {
        let checked = self.check()?;
        let diagnostics = checked.diagnostics;
        let Some(mut plan) = checked.plan else { return Err(RuntimeError::Graph(Box::new(diagnostics))) };
        self.find_nodes(&plan)?;
        plan.run.trigger = self.trigger.unwrap_or(plan.run.trigger);
        plan.run.at_end = self.at_end.unwrap_or(plan.run.at_end);
        plan.run.partitions = self.partitions.or(plan.run.partitions);
        let checkpoint = self.open_checkpoint(&mut plan)?;
        let (run_id, started_at) = self.runtime.next_run();
        let info = QueryInfo {
            name: self.name.clone().unwrap_or_else(|| plan.name.clone()),
            graph: plan.name.clone(),
            id: checkpoint.as_ref().map_or_else(|| run_id.clone(), |storage| storage.location()),
            run_id,
            started_at,
        };
        let adjustments = self.adjustments()?;
        let (stop, activity) = (StopSignal::default(), Activity::default());
        let options = EngineOptions {
            threads: self.runtime.threads(),
            pool: Some(self.runtime.pool()),
            batch_rows: self.batch_rows,
            clock: self.clock,
            handles: self.handles.clone(),
            checkpoint,
            adjustments,
            stop: stop.clone(),
            call_limit: self.call_limit,
            activity: activity.clone(),
            connectors: self.connectors,
            max_epochs: None,
        };
        let engine = Engine::open(&plan, options)?;
        let recovery = engine.recovery().cloned();
        let mut listeners = Listeners { listeners: self.listeners, inside: self.inside.clone() };
        listeners.tell(|listener| listener.on_started(&info));
        let thread = std::thread::Builder::new().name(format!("query-{}", info.name));
        let shared = Arc::new(Shared::new(info, stop, activity, self.inside));
        let (known, kept) = (Arc::clone(&shared), self.recent_progress);
        let thread = thread.spawn(move || drive(engine, &known, listeners, kept));
        let thread = thread.map_err(|cause| RuntimeError::Threads(cause.to_string()))?;
        let (thread, explanation) = (Some(thread), explain(&plan));
        Ok(Query { shared, thread, handles: self.handles, explanation, recovery, diagnostics })
    }

    fn check(&self) -> Result<Checked, RuntimeError> {
        let variable = |name: &str| self.variables.get(name).cloned().or_else(|| environment(name));
        Ok(match &self.graph {
            GraphFrom::Graph(graph) => graph.check(SchemaMode::Infer),
            GraphFrom::Text(text) => load(text, "the graph", &variable).check(SchemaMode::Infer),
            GraphFrom::File(path) => {
                let read = fs::read_to_string(path);
                let text =
                    read.map_err(|source| RuntimeError::File { path: path.clone(), source: Arc::new(source) })?;
                load(&text, &path.display().to_string(), &variable).check(SchemaMode::Infer)
            }
        })
    }

    /// Whether everything that was handed over finds its node.
    fn find_nodes(&self, plan: &Plan) -> Result<(), RuntimeError> {
        let names = || plan.dag.node_weights().map(|node| &*node.name);
        let Some((given, node)) = self.given.iter().find(|(_, node)| names().all(|name| name != node)) else {
            return Ok(());
        };
        let help = match nearest(node, names()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => format!("; it has {}", listed(names())),
        };
        Err(RuntimeError::NoSuchNode { given, node: node.clone(), graph: plan.name.clone(), help })
    }

    fn open_checkpoint(&self, plan: &mut Plan) -> Result<Option<Arc<dyn CheckpointStorage>>, RuntimeError> {
        match &self.checkpoint {
            Some(Checkpoint::Storage(storage)) => return Ok(Some(Arc::clone(storage))),
            Some(Checkpoint::Place(place)) => plan.run.checkpoint = Some(place.clone()),
            None => {}
        }
        let opened = plan.run.checkpoint.as_deref().map(storage::open).transpose();
        opened.map_err(|error| RuntimeError::Checkpoint(Arc::new(error)))
    }

    fn adjustments(&self) -> Result<Adjustments, RuntimeError> {
        let mut adjustments = Adjustments { reset: self.reset.iter().cloned().collect(), ..Adjustments::default() };
        for (old, new) in &self.renamed {
            if let Some(other) = adjustments.renamed.insert(new.clone(), old.clone()).filter(|other| other != old) {
                let message = format!("`rename`: `{new}` cannot go on with what both `{other}` and `{old}` kept");
                return Err(RuntimeError::Adjustments(message));
            }
            if adjustments.reset.contains(old) {
                let message = format!("`{old}` can be renamed or reset, not both");
                return Err(RuntimeError::Adjustments(message));
            }
        }
        Ok(adjustments)
    }
}

/// A writer whose calls are known to be code that the query waits for.
struct Watched<W> {
    writer: W,
    inside: Inside,
}

impl<W: ForeachWriter> ForeachWriter for Watched<W> {
    type Row = W::Row;

    fn open(&mut self, part: Part) -> Result<bool, ForeachError> {
        let _inside = self.inside.enter();
        self.writer.open(part)
    }

    fn process(&mut self, row: <Self::Row as ReadRow>::Item<'_>) -> Result<(), ForeachError> {
        let _inside = self.inside.enter();
        self.writer.process(row)
    }

    fn close(&mut self, failure: Option<&ForeachError>) -> Result<(), ForeachError> {
        let _inside = self.inside.enter();
        self.writer.close(failure)
    }
}
