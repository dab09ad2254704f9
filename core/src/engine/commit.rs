//! Commits: one thread makes epochs durable and shows their output, one after the other, while the next epoch computes;
//! another replaces chains of deltas by snapshots.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::calls::Calls;
use super::error::EngineError;
use super::progress::Stopwatch;
use crate::checkpoint::{
    CheckpointError, CheckpointStorage, Commit, FileName, NewFile, StateFile, TableContent, encode_state, record_file,
};
use crate::epoch::Epoch;
use crate::node::{Receipt, Sink};
use crate::state::TableSchema;

/// What a sink has staged of an epoch.
pub(super) struct Staged {
    pub(super) node: Arc<str>,
    pub(super) sink: Arc<dyn Sink>,
    /// None where what was shown before is to stay.
    pub(super) receipts: Option<Vec<Receipt>>,
}

/// An epoch that has been computed and staged, to be committed.
pub(super) struct EpochCommit {
    pub(super) epoch: Epoch,
    /// What every sink is to show.
    pub(super) output: Vec<Staged>,
    /// What is to be made durable; nothing without a checkpoint.
    pub(super) durable: Option<DurableCommit>,
}

pub(super) struct DurableCommit {
    pub(super) record: Commit,
    pub(super) state: Vec<TableFile>,
    /// Files that nobody needs once this epoch is committed.
    pub(super) remove: Vec<String>,
}

/// A file of state that is to be written.
pub(super) struct TableFile {
    pub(super) file: StateFile,
    pub(super) partitions: usize,
    pub(super) declared: TableSchema,
    pub(super) content: TableContent,
}

impl TableFile {
    fn encode(&self, storage: &dyn CheckpointStorage, compressed: bool) -> Result<NewFile, CheckpointError> {
        encode_state(&self.file, self.partitions, &self.declared, &self.content, compressed).map_err(|source| {
            let (location, file) = (storage.location(), FileName::State(self.file.clone()).to_string());
            CheckpointError::State { location, file, source }
        })
    }
}

/// An epoch that is committed.
pub(super) struct Committed {
    pub(super) record: Option<Commit>,
    pub(super) written: Vec<(StateFile, u64)>,
    /// What came of clearing away what is needed no more: the epoch is done whatever it is.
    pub(super) afterwards: Result<(), EngineError>,
    pub(super) milliseconds: f64,
}

/// The thread that commits.
pub(super) struct Committer {
    worker: Worker<EpochCommit, Result<Committed, EngineError>>,
}

impl Committer {
    pub(super) fn start(
        storage: Option<Arc<dyn CheckpointStorage>>,
        pool: Arc<ThreadPool>,
        calls: Calls,
    ) -> Result<Self, EngineError> {
        let work = move |commit: EpochCommit| commit.run(storage.as_deref(), &pool, &calls);
        Ok(Self { worker: Worker::start("commit", work)? })
    }

    pub(super) fn begin(&self, commit: EpochCommit) {
        self.worker.give(commit);
    }

    /// Waits for the oldest commit under way.
    pub(super) fn finish(&self) -> Result<Committed, EngineError> {
        self.worker.take().unwrap_or_else(|| Err(EngineError::Threads("the thread that commits died".to_owned())))
    }
}

impl EpochCommit {
    fn run(
        self,
        storage: Option<&dyn CheckpointStorage>,
        pool: &ThreadPool,
        calls: &Calls,
    ) -> Result<Committed, EngineError> {
        let watch = Stopwatch::start();
        let epoch = self.epoch;
        let failed = |source| EngineError::Checkpoint { epoch: Some(epoch), source };
        let durable = storage.zip(self.durable);
        let mut written = Vec::new();
        // ORDER: state, sinks, commit record. A crash before the record means that the epoch is run again from its intent.
        if let Some((storage, durable)) = &durable {
            let encode = |table: &TableFile| table.encode(*storage, false);
            let files: Result<Vec<NewFile>, _> = pool.install(|| durable.state.par_iter().map(encode).collect());
            let files = files.map_err(failed)?;
            written =
                durable.state.iter().zip(&files).map(|(table, file)| (table.file.clone(), file.bytes())).collect();
            storage.write(&files).map_err(failed)?;
        }
        for Staged { node, sink, receipts } in &self.output {
            let failed = |source| EngineError::Node { node: Arc::clone(node), epoch, partition: None, source };
            let commit = || match receipts {
                Some(receipts) => sink.commit(epoch, receipts),
                None => sink.keep(epoch),
            };
            calls.call_shown(node, epoch, None, commit).map_err(failed)?;
        }
        let mut afterwards = Ok(());
        if let Some((storage, durable)) = &durable {
            let record = record_file(&FileName::Commit(epoch), &durable.record);
            storage.write(&[record]).map_err(failed)?;
            let removed = storage.remove(&durable.remove);
            afterwards = removed.map_err(|source| EngineError::Checkpoint { epoch: None, source });
        }
        let record = durable.map(|(_, durable)| durable.record);
        Ok(Committed { record, written, afterwards, milliseconds: watch.elapsed().as_secs_f64() * 1000.0 })
    }
}

/// The thread that writes snapshots.
pub(super) struct SnapshotWriter {
    worker: Worker<TableFile, Result<(StateFile, u64), EngineError>>,
    under_way: usize,
}

impl SnapshotWriter {
    pub(super) fn start(storage: Arc<dyn CheckpointStorage>) -> Result<Self, EngineError> {
        let work = move |table: TableFile| {
            let failed = |source| EngineError::Checkpoint { epoch: None, source };
            let file = table.encode(&*storage, true).map_err(failed)?;
            let bytes = file.bytes();
            storage.write(&[file]).map_err(failed)?;
            Ok((table.file, bytes))
        };
        Ok(Self { worker: Worker::start("snapshot", work)?, under_way: 0 })
    }

    pub(super) fn begin(&mut self, table: TableFile) {
        self.under_way += 1;
        self.worker.give(table);
    }

    /// A snapshot that is done; waits for one only if `wait`.
    pub(super) fn finished(&mut self, wait: bool) -> Option<Result<(StateFile, u64), EngineError>> {
        if self.under_way == 0 {
            return None;
        }
        let died = || EngineError::Threads("the thread that writes snapshots died".to_owned());
        let done =
            match if wait { self.worker.take().ok_or(TryRecvError::Disconnected) } else { self.worker.try_take() } {
                Ok(done) => done,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => Err(died()),
            };
        self.under_way -= 1;
        Some(done)
    }
}

/// A thread that does one thing after the other. Dropping it waits for what it was given.
struct Worker<Task, Answer> {
    tasks: Option<Sender<Task>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl<Task: Send + 'static, Answer: Send + 'static> Worker<Task, Answer> {
    fn start(name: &str, work: impl Fn(Task) -> Answer + Send + 'static) -> Result<Self, EngineError> {
        let (tasks, queue) = unbounded::<Task>();
        let (answer, answers) = unbounded();
        let run = move || {
            for task in queue {
                // Nobody listens any more when the engine has failed.
                let _ = answer.send(work(task));
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|cause| EngineError::Threads(cause.to_string()))?;
        Ok(Self { tasks: Some(tasks), answers, thread: Some(thread) })
    }

    fn give(&self, task: Task) {
        // A thread that died is noticed when its answer is waited for.
        let _ = self.tasks.as_ref().expect("the queue is closed by drop only").send(task);
    }

    fn take(&self) -> Option<Answer> {
        self.answers.recv().ok()
    }

    fn try_take(&self) -> Result<Answer, TryRecvError> {
        self.answers.try_recv()
    }
}

impl<Task, Answer> Drop for Worker<Task, Answer> {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the thread itself, and as an answer that never came.
            let _ = thread.join();
        }
    }
}
