//! Runs the graph of a query over events in memory.

use std::sync::Arc;

use watershed::core::engine::{Connectors, Engine, EngineOptions};
use watershed::core::plan::{Plan, Role};
use watershed::core::stream::Stream;
use watershed::core::time::{ManualClock, Timestamp};
use watershed::graphs::{SchemaMode, load};

use super::answer::lines_of;
use super::columns::Events;
use super::generator::START_MICROS;
use super::query::{Query, SOURCES};
use super::side::SideInput;
use crate::Failure;
use crate::feed::{Feed, Kept};

/// The name of the sink in the graph files.
const SINK: &str = "out";

/// The variable in which the graph of query 13 is told where its file is.
const SIDE_INPUT: &str = "SIDE_INPUT";

/// How the engine is to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) threads: usize,
    /// Events of an epoch.
    pub(crate) epoch_events: u64,
}

impl Settings {
    /// How many events a batch in memory stands for: enough for an epoch to be cut into a batch for each thread.
    pub(crate) fn batch_events(self) -> u64 {
        self.epoch_events.div_ceil(self.threads as u64).min(20_000)
    }
}

/// The graph, checked, with as many partitions as threads.
pub(crate) fn plan(query: Query, side: &SideInput, settings: Settings) -> Result<Plan, Failure> {
    let variables = |name: &str| (name == SIDE_INPUT).then(|| side.path().display().to_string());
    let checked = load(query.text(), &format!("{}.ron", query.name()), &variables).check(SchemaMode::Offline);
    let mut plan = checked.plan.ok_or_else(|| Failure::Graph(format!("{:?}", checked.diagnostics)))?;
    plan.run.partitions = Some(settings.threads);
    Ok(plan)
}

/// Runs the graph, all of whose rows are thrown away, and gives the number of rows that it read.
pub(crate) fn run(plan: &Plan, events: &Events, settings: Settings) -> Result<u64, Failure> {
    run_into(plan, events, settings, None)
}

/// Runs the graph and gives its answer, line by line.
pub(crate) fn lines(plan: &Plan, events: &Events, settings: Settings) -> Result<Vec<String>, Failure> {
    let kept = Kept::default();
    run_into(plan, events, settings, Some(kept.clone()))?;
    lines_of(&kept.take(), into_sink(plan)?)
}

fn run_into(plan: &Plan, events: &Events, settings: Settings, kept: Option<Kept>) -> Result<u64, Failure> {
    let mut connectors = Connectors::default();
    let is_there = |name: &str| plan.dag.node_weights().any(|node| &*node.name == name);
    for (name, kind) in SOURCES.into_iter().filter(|(name, _)| is_there(name)) {
        let feed = Feed {
            batches: Arc::clone(events.batches(kind)),
            batches_per_epoch: settings.epoch_events.div_ceil(settings.batch_events()) as usize,
            splits: settings.threads,
        };
        connectors.sources.insert(name.to_owned(), Box::new(feed));
    }
    if let Some(kept) = kept {
        connectors.sinks.insert(SINK.to_owned(), Box::new(kept));
    }
    let options = EngineOptions {
        threads: settings.threads,
        connectors,
        // What a query makes of processing time is the same in every run.
        clock: Arc::new(ManualClock::at(Timestamp::from_micros(START_MICROS))),
        ..EngineOptions::default()
    };
    Ok(Engine::open(plan, options)?.run(&mut |_| ())?.input_rows)
}

/// What comes to the sink.
fn into_sink(plan: &Plan) -> Result<&Stream, Failure> {
    let sink = plan.dag.node_weights().find_map(|node| match &node.role {
        Role::Sink(_, input) if &*node.name == SINK => Some(input),
        _ => None,
    });
    sink.ok_or_else(|| Failure::Graph(format!("`{}` has no sink `{SINK}`", plan.name)))
}
