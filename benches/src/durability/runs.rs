//! Graphs that keep something, run with and without a checkpoint.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use watershed::core::checkpoint::{CheckpointStorage, LocalDirectory};
use watershed::core::engine::{Connectors, Engine, EngineOptions, Progress};
use watershed::core::node::Sink;
use watershed::core::plan::Plan;
use watershed::graphs::{SchemaMode, load};

use super::rows::{BATCH_ROWS, KeyType};
use crate::Failure;
use crate::feed::{Feed, Kept};

/// What a graph keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Nothing: its epochs are an intent and a commit.
    Nothing,
    /// Count and average per user in windows of ten minutes, as they change.
    Window,
    /// Count and average per user, as they change.
    Aggregate,
    /// The users and times seen in the last ten minutes.
    Dedup,
}

impl Question {
    pub(super) const KEEPING: [Self; 3] = [Self::Window, Self::Aggregate, Self::Dedup];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing kept",
            Self::Window => "window",
            Self::Aggregate => "aggregate",
            Self::Dedup => "dedup",
        }
    }

    fn operator(self) -> &'static str {
        match self {
            Self::Nothing => r#"Select(["user"])"#,
            Self::Window => {
                r#"Window(
            window: Tumbling(size: "10 minutes"),
            keys: ["user"],
            aggregates: ["count(*) AS count", "avg(x) AS mean"],
            output_mode: Update,
        )"#
            }
            Self::Aggregate => {
                r#"Aggregate(keys: ["user"], aggregates: ["count(*) AS count", "avg(x) AS mean"], output_mode: Update)"#
            }
            Self::Dedup => r#"Dedup(keys: ["user", "event_time"])"#,
        }
    }
}

/// The graph file that asks `question`, and keeps every epoch that can be run here.
pub(super) fn plan(question: Question, key: KeyType, partitions: usize, retain: u64) -> Result<Plan, Failure> {
    // What is late by no more than this is remembered; windows close soon after their end.
    let delay = if question == Question::Dedup { "10 minutes" } else { "10 seconds" };
    let (operator, key) = (question.operator(), key.name());
    let text = format!(
        r#"Graph(
    name: "durability",
    sources: {{
        "rows": Memory(schema: "event_time TIMESTAMP, user {key}, x DOUBLE"),
    }},
    operators: {{
        "marked": Watermark(column: "event_time", delay: "{delay}"),
        "kept": {operator},
    }},
    sinks: {{
        "out": Discard(),
    }},
    flow: ["rows -> marked -> kept -> out"],
    run: (trigger: AvailableNow, at_end: Hold, partitions: {partitions}, retain: {retain}),
)
"#
    );
    let checked = load(&text, "durability.ron", &|_| None).check(SchemaMode::Infer);
    checked.plan.ok_or_else(|| Failure::Graph(format!("{:?}\n{text}", checked.diagnostics)))
}

/// The rows of a run, and how it cuts them.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) batches: Arc<[RecordBatch]>,
    pub(super) batches_per_epoch: usize,
}

impl Input {
    /// `batches` of so many rows, in epochs of so many.
    pub(super) fn new(batches: Vec<RecordBatch>, batch_rows: usize, epoch_rows: u64) -> Self {
        let batches_per_epoch = (epoch_rows as usize).div_ceil(batch_rows.max(1)).max(1);
        Self { batches: batches.into(), batches_per_epoch }
    }
}

/// How a graph is run, besides what it says itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) threads: usize,
    pub(super) storage: Option<Arc<dyn CheckpointStorage>>,
    pub(super) max_epochs: Option<u64>,
    /// Takes the output in place of the graph's sink.
    pub(super) kept: Option<Kept>,
}

impl Run {
    /// On so many threads, with a checkpoint in `directory`.
    pub(super) fn durable(threads: usize, directory: &Path) -> Self {
        Self { threads, storage: Some(Arc::new(LocalDirectory::new(directory))), ..Self::default() }
    }

    pub(super) fn open(&self, plan: &Plan, input: &Input) -> Result<Engine, Failure> {
        let Input { batches, batches_per_epoch } = input.clone();
        let feed = Feed { batches, batches_per_epoch, splits: self.threads };
        let mut connectors = Connectors::default();
        connectors.sources.insert("rows".to_owned(), Box::new(feed));
        if let Some(kept) = &self.kept {
            connectors.sinks.insert("out".to_owned(), Box::new(kept.clone()) as Box<dyn Sink>);
        }
        let options = EngineOptions {
            threads: self.threads,
            batch_rows: BATCH_ROWS,
            checkpoint: self.storage.clone(),
            max_epochs: self.max_epochs,
            connectors,
            ..EngineOptions::default()
        };
        Ok(Engine::open(plan, options)?)
    }

    /// Opens and runs; what every epoch said of itself.
    pub(super) fn run(&self, plan: &Plan, input: &Input) -> Result<Vec<Progress>, Failure> {
        let mut epochs = Vec::new();
        self.open(plan, input)?.run(&mut |progress| epochs.push(progress.clone()))?;
        Ok(epochs)
    }
}
