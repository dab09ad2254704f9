//! One side: the engine, run on a graph file as a person would write it.

use watershed::core::engine::{Connectors, Engine, EngineOptions};
use watershed::core::plan::Plan;
use watershed::graphs::{SchemaMode, load};

use super::answer::Answer;
use super::medium::{BATCH_ROWS, Data};
use super::workload::Workload;
use crate::Failure;
use crate::feed::{Feed, Kept};

/// The graph file that asks `workload` of `data`. The watermark's delay is longer than any row is late, so that no row is dropped
/// and a plain loop gives the same answer.
pub(crate) fn text(workload: Workload, data: &Data, partitions: usize) -> String {
    let (source, select) = data.source(workload);
    let (mut operators, mut top) = (Vec::new(), vec!["activity"]);
    if let Some(select) = select {
        operators.push(format!(r#""timed": Select([{select}]),"#));
        top.push("timed");
    }
    if workload.reads_time() {
        operators.push(r#""marked": Watermark(column: "event_time", delay: "61 minutes"),"#.to_owned());
        top.push("marked");
    }
    operators.push(workload.operators().to_owned());
    // Several paths have what is above them in common.
    let mut flow = vec![top.join(" -> "), format!("{} -> out", workload.last())];
    if top.len() == 1 {
        flow.remove(0);
    }
    flow.extend(workload.paths().iter().map(|path| format!("{} -> {path}", top[top.len() - 1])));
    let flow = flow.iter().map(|path| format!(r#""{path}""#)).collect::<Vec<_>>().join(", ");
    let (name, operators) = (workload.name(), operators.join("\n        "));
    format!(
        r#"Graph(
    name: "{name}",
    sources: {{
        "activity": {source},
    }},
    operators: {{
        {operators}
    }},
    sinks: {{
        "out": Discard(),
    }},
    flow: [{flow}],
    run: (trigger: AvailableNow, at_end: Flush, partitions: {partitions}),
)
"#
    )
}

/// The graph, checked.
pub(crate) fn plan(workload: Workload, data: &Data, settings: Settings) -> Result<Plan, Failure> {
    // As many partitions as threads: what a person would write.
    let text = text(workload, data, settings.threads);
    let checked = load(&text, "compare.ron", &|_| None).check(SchemaMode::Infer);
    checked.plan.ok_or_else(|| Failure::Graph(format!("{:?}\n{text}", checked.diagnostics)))
}

/// How the engine is to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) threads: usize,
    /// Rows of an epoch of batches in memory.
    pub(crate) epoch_rows: usize,
}

/// Runs the graph over all rows; what came out is read after the clock has stopped.
pub(crate) fn run(plan: &Plan, data: &Data, settings: Settings) -> Result<Kept, Failure> {
    let kept = Kept::default();
    let mut connectors = Connectors::default();
    connectors.sinks.insert("out".to_owned(), Box::new(kept.clone()));
    if let Data::Memory(batches) = data {
        let feed = Feed {
            batches: std::sync::Arc::clone(batches),
            batches_per_epoch: settings.epoch_rows.div_ceil(BATCH_ROWS),
            splits: settings.threads,
        };
        connectors.sources.insert("activity".to_owned(), Box::new(feed));
    }
    let options =
        EngineOptions { threads: settings.threads, batch_rows: BATCH_ROWS, connectors, ..EngineOptions::default() };
    Engine::open(plan, options)?.run(&mut |_| ())?;
    Ok(kept)
}

/// What a run put out.
pub(crate) fn answer(kept: &Kept) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    for batch in kept.take() {
        answer.replace(&batch)?;
    }
    Ok(answer)
}
