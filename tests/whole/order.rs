//! The order in which a run does things, on which recovery rests: an intent is durable before an operator sees a row of its
//! epoch, state before a sink shows anything, the commit record after all sinks have, and what is thrown away goes last.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use watershed::core::checkpoint::{
    CheckpointError, CheckpointLock, CheckpointStorage, FileName, Holder, MemoryStorage, NewFile, StoredFile,
};
use watershed::core::engine::{Connectors, Engine, EngineOptions, Step};
use watershed::core::epoch::Epoch;
use watershed::core::error::Result;
use watershed::core::fault::Faults;
use watershed::core::node::{
    Available, BeforeExchange, BuildContext, Collector, EpochContext, EpochInput, Limit, Node, NodeEntry, Offset,
    OffsetRange, Operator, OperatorSpec, Part, Ports, Receipt, Signature, Sink, Source, Split, Stateful, Stateless,
};
use watershed::core::plan::{Plan, Role};
use watershed::core::state::{StateStore, TableSchema};
use watershed::core::stream::Stream;

use crate::durable::graphs::{self, Sample};
use crate::durable::source::Replayable;
use crate::durable::world::World;

/// Something that a run did.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// The checkpoint is asked to write a file …
    Writes(FileName),
    /// … and has.
    Wrote(FileName),
    Removed(FileName),
    /// An operator is given rows of the epoch, or its end.
    Computes(Epoch),
    /// A sink is asked to show the epoch …
    Shows(Epoch),
    /// … and has.
    Showed(Epoch),
    /// A source may throw away all inputs before this one.
    Released(u64),
}

/// What was done, in order. Clones share it.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    fn add(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct NotedStorage(MemoryStorage, Log);

impl NotedStorage {
    fn note(&self, files: &[NewFile], event: fn(FileName) -> Event) {
        files.iter().filter_map(|file| FileName::parse(&file.name)).for_each(|name| self.1.add(event(name)));
    }
}

impl CheckpointStorage for NotedStorage {
    fn location(&self) -> String {
        self.0.location()
    }

    fn list(&self) -> Result<Vec<StoredFile>, CheckpointError> {
        self.0.list()
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.0.read(name)
    }

    fn write(&self, files: &[NewFile]) -> Result<(), CheckpointError> {
        self.note(files, Event::Writes);
        self.0.write(files)?;
        self.note(files, Event::Wrote);
        Ok(())
    }

    fn remove(&self, names: &[String]) -> Result<(), CheckpointError> {
        names.iter().filter_map(|name| FileName::parse(name)).for_each(|name| self.1.add(Event::Removed(name)));
        self.0.remove(names)
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn CheckpointLock>, CheckpointError> {
        self.0.lock(holder)
    }
}

struct NotedSink(Log);

impl Sink for NotedSink {
    fn stage(&self, _: Part, _: &[RecordBatch]) -> Result<Receipt> {
        Ok(Receipt::default())
    }

    fn commit(&self, epoch: Epoch, _: &[Receipt]) -> Result<()> {
        self.0.add(Event::Shows(epoch));
        self.0.add(Event::Showed(epoch));
        Ok(())
    }

    fn keep(&self, epoch: Epoch) -> Result<()> {
        self.commit(epoch, &[])
    }
}

struct NotedSource(Replayable, Log);

impl Source for NotedSource {
    fn tables(&self) -> Vec<TableSchema> {
        self.0.tables()
    }

    fn resume(&mut self, committed: &Offset, state: &mut StateStore) -> Result<()> {
        self.0.resume(committed, state)
    }

    fn remember(&mut self, range: &OffsetRange, state: &mut StateStore) -> Result<()> {
        self.0.remember(range, state)
    }

    fn freeze(&mut self) -> Result<()> {
        self.0.freeze()
    }

    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        self.0.available(after, limit)
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        self.0.remaining(after)
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        self.0.splits(range)
    }

    fn release(&mut self, offset: &Offset) -> Result<()> {
        self.1.add(Event::Released(offset.0.as_u64().unwrap_or(0)));
        self.0.release(offset)
    }
}

/// Any operator, with a note of each call.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Noted {
    #[serde(skip)]
    inner: Option<Arc<dyn OperatorSpec>>,
    #[serde(skip)]
    log: Log,
}

impl Noted {
    fn inner(&self) -> &dyn OperatorSpec {
        &**self.inner.as_ref().expect("nobody reads it from a file")
    }
}

impl Node for Noted {
    fn entry(&self) -> &'static NodeEntry {
        self.inner().entry()
    }
}

#[typetag::serde]
impl OperatorSpec for Noted {
    fn ports(&self) -> Ports {
        self.inner().ports()
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        self.inner().signature(inputs)
    }

    fn build(&self, inputs: &[Vec<Stream>], cx: &BuildContext) -> Result<Operator, Faults> {
        let log = self.log.clone();
        Ok(match self.inner().build(inputs, cx)? {
            Operator::Stateless(inner) => Operator::Stateless(Arc::new(NotedStateless(inner, log))),
            Operator::Stateful(inner) => Operator::Stateful(Arc::new(NotedStateful(inner, log))),
        })
    }
}

struct NotedStateless(Arc<dyn Stateless>, Log);

impl Stateless for NotedStateless {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        self.1.add(Event::Computes(cx.epoch));
        self.0.process(batch, cx, out)
    }
}

struct NotedStateful(Arc<dyn Stateful>, Log);

impl Stateful for NotedStateful {
    fn tables(&self) -> Vec<TableSchema> {
        self.0.tables()
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        self.0.before_exchange()
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        self.1.add(Event::Computes(cx.epoch));
        self.0.run(input, state, cx, out)
    }
}

/// A graph that notes what it does, on a checkpoint that is kept between runs.
struct Noting {
    plan: Plan,
    sample: Sample,
    world: World,
    storage: MemoryStorage,
    log: Log,
}

impl Noting {
    fn new(sample: Sample) -> Self {
        let (mut plan, log) = (sample.plan(), Log::default());
        for node in plan.dag.node_weights_mut() {
            if let Role::Operator { spec, .. } = &mut node.role {
                *spec = Arc::new(Noted { inner: Some(Arc::clone(spec)), log: log.clone() });
            }
        }
        Self { plan, sample, world: World::default(), storage: MemoryStorage::new(), log }
    }

    fn open(&self) -> Engine {
        let mut connectors = Connectors::default();
        for (name, inputs) in self.sample.inputs(&self.plan) {
            let source = Replayable { name: name.clone(), inputs, world: self.world.clone(), sabotage: None };
            connectors.sources.insert(name, Box::new(NotedSource(source, self.log.clone())));
        }
        for node in self.plan.dag.node_weights().filter(|node| matches!(node.role, Role::Sink(..))) {
            connectors.sinks.insert(node.name.to_string(), Box::new(NotedSink(self.log.clone())));
        }
        let checkpoint = Arc::new(NotedStorage(self.storage.clone(), self.log.clone()));
        let options =
            EngineOptions { threads: 2, checkpoint: Some(checkpoint), connectors, ..EngineOptions::default() };
        Engine::open(&self.plan, options).expect("the graph opens")
    }

    /// What a crash leaves that comes before the last commits.
    fn lose_commits(&self, epochs: usize) {
        let files = self.storage.list().expect("memory answers");
        let mut commits: Vec<String> = files.into_iter().map(|file| file.name).collect();
        commits.retain(|name| matches!(FileName::parse(name), Some(FileName::Commit(_))));
        self.storage.remove(&commits.split_off(commits.len() - epochs)).expect("memory forgets");
    }
}

/// What is wrong with the order of what was done. `replays`: epochs whose intents were there before.
fn disorder(events: &[Event], sinks: usize, replays: &[Epoch]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut epochs: BTreeMap<Epoch, Vec<(usize, &Event)>> = BTreeMap::new();
    let mut committed = None;
    for (at, event) in events.iter().enumerate() {
        let epoch = match event {
            Event::Writes(FileName::State(file)) if file.content.extension() == "snapshot" => continue,
            Event::Wrote(FileName::State(file)) if file.content.extension() == "snapshot" => continue,
            Event::Wrote(FileName::Commit(epoch)) => {
                committed = Some(*epoch);
                *epoch
            }
            Event::Writes(FileName::State(file)) | Event::Wrote(FileName::State(file)) => file.epoch,
            Event::Writes(FileName::Intent(epoch) | FileName::Commit(epoch))
            | Event::Wrote(FileName::Intent(epoch))
            | Event::Computes(epoch)
            | Event::Shows(epoch)
            | Event::Showed(epoch) => *epoch,
            // One input an epoch: what is before this one was read by the epochs before it.
            Event::Released(place) => {
                if committed.is_none_or(|committed| committed.0 + 1 < *place) {
                    faults.push(format!("inputs before {place} are released when {committed:?} is committed"));
                }
                continue;
            }
            Event::Removed(FileName::Intent(epoch) | FileName::Commit(epoch)) => {
                if committed.is_some_and(|committed| *epoch >= committed) {
                    faults.push(format!("a record of epoch {epoch} is removed when {committed:?} is committed"));
                }
                continue;
            }
            _ => continue,
        };
        epochs.entry(epoch).or_default().push((at, event));
    }
    for (epoch, events) in epochs {
        let places = |wanted: &dyn Fn(&Event) -> bool| -> Vec<usize> {
            events.iter().filter(|(_, event)| wanted(event)).map(|(at, _)| *at).collect()
        };
        let intent = places(&|event| matches!(event, Event::Wrote(FileName::Intent(_))));
        let computes = places(&|event| matches!(event, Event::Computes(_)));
        let state = places(&|event| matches!(event, Event::Wrote(FileName::State(_))));
        let shows = places(&|event| matches!(event, Event::Shows(_)));
        let showed = places(&|event| matches!(event, Event::Showed(_)));
        let record = places(&|event| matches!(event, Event::Writes(FileName::Commit(_))));
        let is_replay = replays.contains(&epoch);
        if intent.len() != usize::from(!is_replay) {
            faults.push(format!("epoch {epoch} is planned {} times", intent.len()));
        }
        if shows.len() != sinks || record.len() != 1 {
            faults.push(format!(
                "epoch {epoch} is shown by {} sinks and committed {} times",
                shows.len(),
                record.len()
            ));
        }
        let steps: [(&str, &[usize]); 6] = [
            ("the intent", &intent),
            ("computing", &computes),
            ("state", &state),
            ("showing", &shows),
            ("having shown", &showed),
            ("the record", &record),
        ];
        for (number, (before, earlier)) in steps.iter().enumerate() {
            for (after, later) in &steps[number + 1..] {
                let overlaps = *before == "showing" && *after == "having shown";
                if let (false, Some(last), Some(first)) = (overlaps, earlier.last(), later.first())
                    && last > first
                {
                    faults.push(format!("epoch {epoch}: {after} comes before {before} is done"));
                }
            }
        }
    }
    faults
}

fn count(events: &[Event], wanted: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| wanted(event)).count()
}

#[test]
fn a_run_plans_computes_writes_shows_and_commits_in_this_order() {
    for sample in graphs::ALL {
        let noting = Noting::new(sample);
        let sinks = noting.plan.dag.node_weights().filter(|node| matches!(node.role, Role::Sink(..))).count();
        let mut engine = noting.open();
        // Some epochs one by one, the others while the ones before are committed.
        for _ in 0..2 {
            assert!(matches!(engine.step(), Ok(Step::Ran(_))));
        }
        engine.run(&mut |_| ()).expect("the run succeeds");
        drop(engine);
        let events = noting.log.take();
        let faults = disorder(&events, sinks, &[]);
        assert!(faults.is_empty(), "{}: {faults:#?}\n{events:#?}", sample.name);
        let commits = count(&events, |event| matches!(event, Event::Wrote(FileName::Commit(_))));
        assert!(commits >= 4, "{}: {commits} epochs", sample.name);
        assert!(count(&events, |event| matches!(event, Event::Computes(_))) > commits);
        assert!(count(&events, |event| matches!(event, Event::Released(_))) >= 4);
        assert!(count(&events, |event| matches!(event, Event::Removed(FileName::Intent(_)))) > 0);
    }
}

#[test]
fn a_recovery_plans_nothing_anew_that_was_planned() {
    let noting = Noting::new(graphs::LONG);
    let mut engine = noting.open();
    for _ in 0..7 {
        assert!(matches!(engine.step(), Ok(Step::Ran(_))));
    }
    drop(engine);
    noting.lose_commits(1);
    noting.log.take();
    // A source has thrown away what it was told to, and so cannot be asked for it: the world forgets that.
    let noting = Noting { world: World::default(), ..noting };
    let mut engine = noting.open();
    assert_eq!(engine.epochs_to_replay(), 1);
    engine.run(&mut |_| ()).expect("the run succeeds");
    drop(engine);
    let events = noting.log.take();
    let faults = disorder(&events, 2, &[Epoch(6)]);
    assert!(faults.is_empty(), "{faults:#?}\n{events:#?}");
    assert!(count(&events, |event| *event == Event::Computes(Epoch(6))) > 0);
    assert_eq!(count(&events, |event| *event == Event::Computes(Epoch(5))), 0);
}

#[test]
fn disorder_is_found() {
    let noting = Noting::new(graphs::LONG);
    noting.open().run(&mut |_| ()).expect("the run succeeds");
    let events = noting.log.take();
    assert!(disorder(&events, 2, &[]).is_empty());
    // Whatever of an epoch is moved before what must come first is noticed.
    let (epoch, mut found) = (Epoch(5), 0);
    let of_epoch = |event: &Event| match event {
        Event::Wrote(FileName::Intent(of)) | Event::Writes(FileName::Commit(of)) | Event::Shows(of) => *of == epoch,
        Event::Wrote(FileName::State(file)) => file.epoch == epoch && file.content.extension() == "delta",
        _ => false,
    };
    let places: Vec<usize> = (0..events.len()).filter(|&at| of_epoch(&events[at])).collect();
    for pair in places.windows(2) {
        let mut events = events.clone();
        let later = events.remove(pair[1]);
        // Two sinks, or two files of state, may come in any order.
        if std::mem::discriminant(&later) == std::mem::discriminant(&events[pair[0]])
            && !matches!(later, Event::Wrote(_) if pair[0] == places[0])
        {
            continue;
        }
        events.insert(pair[0], later);
        found += 1;
        assert!(!disorder(&events, 2, &[]).is_empty(), "{:?} before {:?}", events[pair[0]], events[pair[0] + 1]);
    }
    assert!(found >= 3, "{found}");
}
