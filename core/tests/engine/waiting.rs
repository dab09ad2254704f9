//! Why nothing comes out: who waits for which watermark, and what brings it on.

use std::sync::Arc;

use arrow::array::RecordBatch;
use petgraph::graph::NodeIndex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watershed_core::checkpoint::MemoryStorage;
use watershed_core::engine::{Engine, Progress, Summary, Waiting};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::Faults;
use watershed_core::node::{
    BuildContext, Collector, EpochContext, Operator, OperatorSpec, OutputWatermark, Signature, Stateless,
};
use watershed_core::plan::{AtEnd, Plan, Trigger};
use watershed_core::register_operator;
use watershed_core::stream::Stream;
use watershed_core::time::{TimeSpan, Timestamp, Watermark};

use super::nodes::{Collected, Mark, Row, Sum};
use super::{Plans, options, windows};

/// Lets rows through and holds their watermark back, or takes it away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Back {
    micros: Option<i64>,
}
register_operator!(Back, example: "Back(micros: 1)");

#[typetag::serde]
impl OperatorSpec for Back {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let back = |micros| OutputWatermark::HeldBack(TimeSpan::from_micros(micros));
        let watermark = self.micros.map_or(OutputWatermark::None, back);
        Ok(Signature { watermark, ..Signature::stateless(inputs[0].clone()) })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(self.clone())))
    }
}

impl Stateless for Back {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1000)
}

fn span(millis: i64) -> TimeSpan {
    TimeSpan::from_millis(millis)
}

/// Runs a plan to its end: what was waiting after each epoch that read rows, and the whole run.
fn run(plan: &Plan, inputs: &[(&str, Vec<Vec<Row>>)], sinks: &[&str]) -> (Vec<Vec<Waiting>>, Summary, Collected) {
    let (options, collected) = options(inputs, sinks, 2);
    let mut engine = Engine::open(plan, options).expect("the plan opens");
    let mut waiting = Vec::new();
    let mut listener = |progress: &Progress| {
        if progress.input_rows > 0 {
            waiting.push(progress.waiting.clone());
        }
    };
    let summary = engine.run(&mut listener).expect("the run succeeds");
    (waiting, summary, collected)
}

fn names(waiting: &[Waiting]) -> Vec<(&str, &str)> {
    waiting.iter().map(|waiting| (&*waiting.node, &*waiting.held_by)).collect()
}

#[test]
fn an_open_window_tells_which_row_would_close_it() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 3);
    let rows = vec![(1, 5, 1), (2, 25, 1), (3, 7, 1)];
    let (waiting, summary, collected) = run(&plan, &[("in", vec![rows])], &["out", "late"]);
    // The watermark stands at 15: the window up to 10 is closed by the epoch that follows, and nobody waits for it.
    let open = |state_rows| Waiting {
        node: "sums".to_owned(),
        watermark: Watermark(Some(at(15))),
        held_by: "marked".to_owned(),
        sources: vec!["in".to_owned()],
        behind: Some(span(10)),
        next: at(30),
        state_rows,
        needs: Some(at(40)),
    };
    assert_eq!(waiting, [vec![open(3)]]);
    assert_eq!(summary.waiting, [open(1)]);
    assert_eq!(collected.of("out").len(), 1);
    let flushed = windows(Trigger::AvailableNow, AtEnd::Flush, 3);
    let (_, summary, _) = run(&flushed, &[("in", vec![vec![(1, 5, 1)]])], &["out", "late"]);
    assert_eq!(summary.waiting, [], "at the end of time nothing is open");
}

#[test]
fn programs_read_it_in_the_progress_and_only_if_there_is_something() {
    let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 1);
    let (_, summary, _) = run(&plan, &[("in", vec![vec![(1, 5, 1)]])], &["out", "late"]);
    let told = serde_json::to_value(&summary).expect("a summary is numbers and names");
    let expected = json!([{
        "node": "sums", "watermark": "1969-12-31T23:59:59.995Z", "held_by": "marked", "sources": ["in"], "behind": "10ms",
        "next": "1970-01-01T00:00:00.01Z", "state_rows": 1, "needs": "1970-01-01T00:00:00.02Z",
    }]);
    assert_eq!(told["waiting"], expected);
    let (_, summary, _) = run(&plan, &[("in", vec![])], &["out", "late"]);
    assert_eq!(serde_json::to_value(&summary).expect("a summary")["waiting"], Value::Null);
}

/// `quick` and `slow`, each behind a source of its own, meet in `sums`.
fn meeting() -> Plan {
    let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 2);
    let (left, right) = (plans.source("left"), plans.source("right"));
    let quick = plans.operator("quick", Mark { delay: 0 }, &[(left, 0)]);
    let slow = plans.operator("slow", Mark { delay: 3 }, &[(right, 0)]);
    let sums = plans.operator("sums", Sum {}, &[(quick, 0), (slow, 0)]);
    plans.sink("out", (sums, 0));
    plans.0
}

#[test]
fn of_two_inputs_the_slower_one_holds_the_watermark() {
    let inputs = |slow: Vec<Row>| [("left", vec![vec![(1, 100, 1)]]), ("right", vec![slow])];
    let (_, summary, _) = run(&meeting(), &inputs(vec![(1, 18, 1)]), &["out"]);
    let [waiting] = &summary.waiting[..] else { panic!("{:?}", summary.waiting) };
    assert_eq!((&*waiting.held_by, &waiting.sources), ("slow", &vec!["right".to_owned()]));
    assert_eq!((waiting.watermark, waiting.behind), (Watermark(Some(at(15))), Some(span(85))));
    assert_eq!((waiting.next, waiting.needs), (at(20), Some(at(23))));
    let (_, summary, _) = run(&meeting(), &inputs(vec![(1, 500, 1)]), &["out"]);
    assert_eq!(names(&summary.waiting), [("sums", "quick")]);
}

#[test]
fn an_input_that_is_silent_from_the_beginning_is_named_and_not_behind_anything() {
    let (_, summary, collected) = run(&meeting(), &[("left", vec![vec![(1, 100, 1)]]), ("right", vec![])], &["out"]);
    let [waiting] = &summary.waiting[..] else { panic!("{:?}", summary.waiting) };
    assert_eq!((&*waiting.held_by, waiting.watermark, waiting.behind), ("slow", Watermark::NONE, None));
    assert_eq!((waiting.next, waiting.needs), (at(110), Some(at(113))));
    assert_eq!(collected.of("out"), []);
}

/// marked (delay 10) → back, each in turn → sums, and again behind the first sums.
fn chain(micros: &[i64]) -> Plan {
    let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 1);
    let source = plans.source("in");
    let marked = plans.operator("marked", Mark { delay: 10 }, &[(source, 0)]);
    let back = |plans: &mut Plans, from: NodeIndex, named: &str| {
        micros.iter().enumerate().fold(from, |from, (place, &micros)| {
            plans.operator(&format!("{named}{place}"), Back { micros: Some(micros) }, &[(from, 0)])
        })
    };
    let held = back(&mut plans, marked, "first");
    let sums = plans.operator("sums", Sum {}, &[(held, 0)]);
    let held = back(&mut plans, sums, "second");
    let again = plans.operator("again", Sum {}, &[(held, 0)]);
    plans.sink("out", (sums, 0));
    plans.sink("twice", (again, 0));
    plans.0
}

#[test]
fn the_row_that_is_said_to_be_needed_is_needed_and_is_enough() {
    for micros in [&[][..], &[0], &[-5_000], &[30_000], &[1_500], &[1_500, 700], &[1, 1, 1]] {
        let plan = chain(micros);
        // Closes the first window of `sums`, whose row is in a window of `again` that is open then.
        let closing = 25 + micros.iter().map(|micros| (micros.max(&0) + 999) / 1000).sum::<i64>();
        for (node, sink, before) in
            [("sums", "out", vec![(1, 5, 1)]), ("again", "twice", vec![(1, 5, 1), (1, closing, 1)])]
        {
            let (_, summary, _) = run(&plan, &[("in", vec![before.clone()])], &["out", "twice"]);
            let waiting = summary.waiting.iter().find(|waiting| waiting.node == node).expect("it holds a row");
            assert_eq!(waiting.held_by, "marked");
            let needs = waiting.needs.expect("such rows there may be").micros() / 1000;
            for (time, comes_out) in [(needs - 1, false), (needs, true)] {
                let epochs = vec![before.clone(), vec![(2, time, 1)]];
                let (_, _, collected) = run(&plan, &[("in", epochs)], &["out", "twice"]);
                let ends: Vec<i64> =
                    collected.of(sink).into_iter().flat_map(|(_, rows)| rows).map(|row| row.1).collect();
                let is_out = ends.contains(&(waiting.next.micros() / 1000));
                assert_eq!(is_out, comes_out, "{micros:?}: {node}: {time} of {waiting:?}");
            }
        }
    }
}

#[test]
fn what_no_watermark_reaches_does_not_wait_for_one() {
    let mut plans = Plans::new(Trigger::AvailableNow, AtEnd::Hold, 1);
    let source = plans.source("in");
    let marked = plans.operator("marked", Mark { delay: 10 }, &[(source, 0)]);
    let bare = plans.operator("bare", Back { micros: None }, &[(marked, 0)]);
    let (unmarked, sums) =
        (plans.operator("unmarked", Sum {}, &[(source, 0)]), plans.operator("sums", Sum {}, &[(bare, 0)]));
    let both = plans.operator("both", Sum {}, &[(bare, 0), (marked, 0)]);
    for (sink, from) in [("a", unmarked), ("b", sums), ("c", both)] {
        plans.sink(sink, (from, 0));
    }
    let (_, summary, _) = run(&plans.0, &[("in", vec![vec![(1, 5, 1)]])], &["a", "b", "c"]);
    assert_eq!(names(&summary.waiting), [("both", "marked")]);
}

#[test]
fn after_a_restart_the_same_is_waited_for() {
    let storage = MemoryStorage::new();
    let epochs = vec![vec![(1, 5, 1), (2, 25, 1)], vec![(1, 26, 1)]];
    let resumed = |most| {
        let plan = windows(Trigger::AvailableNow, AtEnd::Hold, 2);
        let (mut options, _) = options(&[("in", epochs.clone())], &["out", "late"], 2);
        options.checkpoint = Some(Arc::new(storage.clone()));
        options.max_epochs = Some(most);
        Engine::open(&plan, options).expect("the plan opens").run(&mut |_| {}).expect("the run succeeds")
    };
    let first = resumed(1);
    let [waiting] = &first.waiting[..] else { panic!("{:?}", first.waiting) };
    assert_eq!((waiting.behind, waiting.needs), (Some(span(10)), Some(at(40))));
    let nothing_run = resumed(0);
    assert_eq!((nothing_run.epochs, &nothing_run.waiting), (0, &first.waiting));
    let undisturbed = windows(Trigger::AvailableNow, AtEnd::Hold, 2);
    let (_, undisturbed, _) = run(&undisturbed, &[("in", epochs.clone())], &["out", "late"]);
    assert_eq!(resumed(9).waiting, undisturbed.waiting);
}
