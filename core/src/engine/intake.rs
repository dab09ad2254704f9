//! Intake: threads that read and decode splits and hand batches over a bounded channel.
//!
//! Each epoch has a channel of its own, so the next one can be read ahead while this one computes: as far as its
//! channel's bound lets it. Splits wait in one queue in their order, so an epoch's are all under way before the next one's.

use std::sync::Arc;
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::calls::Calls;
use super::error::EngineError;
use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::guard::{Pace, guarded};
use crate::node::{RowOutput, Split};

/// The reading threads.
pub(super) struct Intake {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// A split to be read, and the source it is a piece of.
pub(super) struct SplitOf {
    pub(super) source: Arc<str>,
    pub(super) split: Box<dyn Split>,
}

struct Job {
    epoch: Epoch,
    lane: usize,
    split: SplitOf,
    messages: Sender<Message>,
}

/// What a reading thread tells of a lane.
pub(super) enum Message {
    Batch(usize, RecordBatch),
    /// The split is at its end; so many of its records were bad.
    End(usize, u64),
    Failed(usize, Error),
}

/// The rows of one epoch as they come.
pub(super) struct Reading {
    pub(super) messages: Receiver<Message>,
}

impl Intake {
    pub(super) fn start(threads: usize, calls: &Calls) -> Result<Self, EngineError> {
        let (jobs, queue) = unbounded::<Job>();
        let start = |number| {
            let queue: Receiver<Job> = queue.clone();
            let calls = calls.clone();
            let read_on = move || queue.iter().for_each(|job| job.read(&calls));
            std::thread::Builder::new().name(format!("intake-{number}")).spawn(read_on)
        };
        let threads = (0..threads).map(start).collect::<std::io::Result<Vec<_>>>();
        let threads = threads.map_err(|cause| EngineError::Threads(cause.to_string()))?;
        Ok(Self { jobs: Some(jobs), threads })
    }

    /// Begins to read `splits` for `epoch`; lane *i* is split *i*.
    pub(super) fn read(&self, epoch: Epoch, splits: Vec<SplitOf>) -> Reading {
        let (sender, messages) = bounded(2 * self.threads.len() + 2);
        for (lane, split) in splits.into_iter().enumerate() {
            let job = Job { epoch, lane, split, messages: sender.clone() };
            let jobs = self.jobs.as_ref().expect("the queue is closed by drop only");
            // The threads live as long as the queue; a queue without threads would leave the channel closed, which is seen.
            let _ = jobs.send(job);
        }
        Reading { messages }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic was reported by the thread itself, and as a lane that never ended.
            let _ = thread.join();
        }
    }
}

impl Job {
    fn read(self, calls: &Calls) {
        let Self { epoch, lane, split: SplitOf { source, split }, messages } = self;
        let mut output = Output { lane, messages, bad_records: 0, pace: Pace::start(calls.limit) };
        let _shown = calls.activity.show(&source, epoch, None);
        // Waiting for the engine does not count: a split is measured from batch to batch.
        let read = guarded(|| split.read(&mut output)).and_then(|()| output.pace.keep());
        let message = match read {
            Ok(()) => Message::End(output.lane, output.bad_records),
            Err(error) => Message::Failed(output.lane, error),
        };
        // Nobody listens any more when the run has ended.
        let _ = output.messages.send(message);
    }
}

struct Output {
    lane: usize,
    messages: Sender<Message>,
    bad_records: u64,
    pace: Pace,
}

impl RowOutput for Output {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.pace.keep()?;
        let handed_on = self.messages.send(Message::Batch(self.lane, batch)).map_err(|_| Error::Stopped);
        self.pace.start_anew();
        handed_on
    }

    fn count_bad_records(&mut self, records: u64) {
        self.bad_records += records;
    }
}
