//! Opens a plan: takes up its checkpoint, builds its operators, opens its sources and sinks, loads its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::ThreadPool;

use super::calls::Calls;
use super::commit::Committer;
use super::driver::Engine;
use super::durable::Durable;
use super::error::EngineError;
use super::fingerprint::Fingerprint;
use super::found::{Found, Resumed};
use super::intake::Intake;
use super::options::{Connectors, EngineOptions};
use super::planning::{Awaits, OpenSource};
use super::topology::{NodeId, Topology, Work};
use super::watermarks::Watermarks;
use crate::checkpoint::{CheckpointError, CheckpointStorage, LocalDirectory, Wanted};
use crate::epoch::Epoch;
use crate::guard::guarded;
use crate::node::{Offset, OpenContext, Sink};
use crate::plan::{Plan, Role, Trigger};
use crate::state::StateStore;

impl Engine {
    /// Takes up the checkpoint if there is one, builds the operators, opens every source and sink and loads the state. Nothing is
    /// read yet.
    pub fn open(plan: &Plan, mut options: EngineOptions) -> Result<Self, EngineError> {
        let failed = |source| EngineError::Checkpoint { epoch: None, source };
        let storage = storage(plan, &mut options).map_err(failed)?;
        let now = options.clock.now();
        let found = storage.clone().map(|storage| Found::look(storage, plan, &options.adjustments, now)).transpose();
        let mut found = found.map_err(failed)?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let kept = found.as_ref().and_then(|found| found.resumed.partitions());
        let partitions = plan.run.partitions.or(kept).unwrap_or(cores).max(1);
        let topology = Topology::build(plan, partitions, options.batch_rows)?;
        let fingerprint = Fingerprint::of(plan, &topology, partitions);
        if let Some(found) = &mut found {
            found.compare(&fingerprint.nodes)?;
        }
        let pool = match options.pool.take() {
            Some(shared) => shared,
            None => own_pool(options.threads)?,
        };
        let calls = Calls { limit: options.call_limit, activity: options.activity.clone() };
        let went_on = |node: &str| found.as_ref().is_some_and(|found| found.resumed.puts_on(node, &fingerprint.nodes));
        let (mut sources, sinks) = open_connectors(plan, &topology, &mut options, found.is_some(), &went_on)?;
        let stores = load_stores(&topology, &sources, found.as_mut(), &fingerprint, &pool)?;
        let recovery = found.as_ref().map(Found::recovery);
        let (durable, resumed, mut stores) = match found {
            Some(found) => {
                let cut_into = |node: &str| {
                    let id = topology.nodes.iter().position(|other| &*other.name == node);
                    id.map_or(0, |id| stores[id].len())
                };
                let (durable, resumed) = found.take_up(&fingerprint, cut_into, now)?;
                (Some(durable), resumed, stores)
            }
            None => (None, Resumed::default(), stores),
        };
        resume_sources(&topology, &mut sources, &mut stores, &resumed)?;
        let mut watermarks = Watermarks::new(&topology);
        if let Some(version) = &resumed.version {
            let record = |node: &str| version.watermarks.get(resumed.name_of(node)?).copied();
            watermarks.resume(&topology, record, |node| version.reached.get(resumed.name_of(node)?).copied());
        }
        let mut engine = Self {
            committer: Committer::start(
                durable.as_ref().map(Durable::storage).cloned(),
                Arc::clone(&pool),
                calls.clone(),
            )?,
            durable,
            name: plan.name.clone(),
            run: plan.run.clone(),
            watermarks,
            topology,
            sources,
            sinks,
            stores,
            next: resumed.version.as_ref().map_or(Epoch::default(), |commit| commit.epoch.next()),
            replay: resumed.replay,
            recovery,
            ahead: None,
            in_flight: None,
            deferred: None,
            max_epochs: options.max_epochs,
            flushed: false,
            failed: false,
            pool,
            wake: None,
            work_is_due: false,
            ran_at: resumed.ran_at,
            intake: Intake::start(options.threads.max(1), &calls)?,
            calls,
            clock: options.clock,
            stop: options.stop,
        };
        if engine.run.trigger == Trigger::AvailableNow {
            engine.each_source(engine.next, |_, _, open| open.source.freeze())?;
        }
        engine.wake = engine.ask_when_to_wake()?;
        engine.work_is_due = engine.ask_for_due_work()?;
        Ok(engine)
    }
}

fn own_pool(threads: usize) -> Result<Arc<ThreadPool>, EngineError> {
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).thread_name(|number| format!("compute-{number}"));
    Ok(Arc::new(pool.build().map_err(|cause| EngineError::Threads(cause.to_string()))?))
}

/// What the program gave, or else the directory that the graph names.
fn storage(plan: &Plan, options: &mut EngineOptions) -> Result<Option<Arc<dyn CheckpointStorage>>, CheckpointError> {
    match (options.checkpoint.take(), &plan.run.checkpoint) {
        (Some(given), _) => Ok(Some(given)),
        // Else a folder named `s3:` would be made, and nobody would look for the checkpoint there.
        (None, Some(location)) if location.contains("://") => {
            Err(CheckpointError::NotADirectory { location: location.clone() })
        }
        (None, Some(directory)) => Ok(Some(Arc::new(LocalDirectory::new(directory)))),
        (None, None) => Ok(None),
    }
}

type OpenConnectors = (Vec<OpenSource>, BTreeMap<NodeId, Arc<dyn Sink>>);

/// Opens sources and sinks, in the order of the file, so that lanes and with them rows have a fixed order.
fn open_connectors(
    plan: &Plan,
    topology: &Topology,
    options: &mut EngineOptions,
    durable: bool,
    went_on: &dyn Fn(&str) -> bool,
) -> Result<OpenConnectors, EngineError> {
    let Connectors { sources: mut given_sources, sinks: mut given_sinks } = std::mem::take(&mut options.connectors);
    let (mut sources, mut sinks) = (Vec::new(), BTreeMap::new());
    for planned in plan.dag.node_weights() {
        let name = &planned.name;
        let node = topology.nodes.iter().position(|node| node.name == *name).expect("the topology has every node");
        let failed = |source| EngineError::Open { node: Arc::clone(name), source };
        let context = OpenContext {
            node: Arc::clone(name),
            resumes: went_on(name),
            batch_rows: options.batch_rows,
            clock: Arc::clone(&options.clock),
            handles: options.handles.clone(),
        };
        match &planned.role {
            Role::Source(spec, stream) => {
                let source = match given_sources.remove(&**name) {
                    Some(source) => source,
                    None if durable && !spec.replayable() => {
                        let source = CheckpointError::NotReplayable { node: Arc::clone(name) };
                        return Err(EngineError::Checkpoint { epoch: None, source });
                    }
                    None => guarded(|| spec.open(Arc::clone(&stream.schema), &context)).map_err(failed)?,
                };
                let (committed, planned) = (Offset::default(), Offset::default());
                sources.push(OpenSource { node, source, committed, planned, awaits: Awaits::New });
            }
            Role::Sink(spec, stream) => {
                let sink: Arc<dyn Sink> = match given_sinks.remove(&**name) {
                    Some(sink) => sink.into(),
                    None => guarded(|| spec.open(stream, &context)).map_err(failed)?.into(),
                };
                sinks.insert(node, sink);
            }
            Role::Operator { .. } => {}
        }
    }
    Ok((sources, sinks))
}

/// The stores of every node that keeps something, per partition.
fn load_stores(
    topology: &Topology,
    sources: &[OpenSource],
    found: Option<&mut Found>,
    fingerprint: &Fingerprint,
    pool: &ThreadPool,
) -> Result<Vec<Vec<StateStore>>, EngineError> {
    let mut wanted = Vec::new();
    for (id, node) in topology.nodes.iter().enumerate() {
        let (tables, partitions) = match &node.work {
            Work::Stateful(stateful) => (stateful.tables.clone(), stateful.partitions),
            // Without a checkpoint there is nobody to remember for.
            Work::Source if found.is_some() => {
                let open = sources.iter().find(|open| open.node == id);
                let tables = guarded(|| Ok(open.map(|open| open.source.tables()).unwrap_or_default()));
                (tables.map_err(|source| EngineError::Open { node: Arc::clone(&node.name), source })?, 1)
            }
            _ => (Vec::new(), 1),
        };
        let keeps = !tables.is_empty() || matches!(node.work, Work::Stateful(_));
        if keeps {
            wanted.push((id, Wanted { node: Arc::clone(&node.name), tables, partitions, adopted: None }));
        }
    }
    let mut stores: Vec<Vec<StateStore>> = topology.nodes.iter().map(|_| Vec::new()).collect();
    let (ids, wanted): (Vec<NodeId>, Vec<Wanted>) = wanted.into_iter().unzip();
    let loaded = if let Some(found) = found {
        found.load(&wanted, &fingerprint.nodes, pool)?
    } else {
        let empty = |wanted: &Wanted| (0..wanted.partitions).map(|_| StateStore::new(wanted.tables.clone())).collect();
        wanted.iter().map(empty).collect()
    };
    for (id, loaded) in ids.into_iter().zip(loaded) {
        stores[id] = loaded;
    }
    Ok(stores)
}

/// Lets the sources go on where they stopped.
fn resume_sources(
    topology: &Topology,
    sources: &mut [OpenSource],
    stores: &mut [Vec<StateStore>],
    resumed: &Resumed,
) -> Result<(), EngineError> {
    let mut nothing = StateStore::default();
    for open in sources {
        let name = &topology.nodes[open.node].name;
        let Some(offset) = resumed.offset_of(name) else { continue };
        let store = stores[open.node].first_mut().unwrap_or(&mut nothing);
        let went_on = guarded(|| open.source.resume(offset, store));
        went_on.map_err(|source| EngineError::Open { node: Arc::clone(name), source })?;
        (open.committed, open.planned) = (offset.clone(), offset.clone());
    }
    Ok(())
}
