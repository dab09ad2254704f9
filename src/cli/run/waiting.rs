//! Why nothing comes out, in words: who waits for which watermark, and what would bring it on.

use watershed_core::engine::{Progress, Summary, Waiting};
use watershed_core::plan::{AtEnd, Plan, Role, Trigger};
use watershed_core::stream::Mode;
use watershed_core::time::{TimeSpan, Timestamp};

use super::numbers::count;

/// Epochs in a row that read rows and brought nothing out, until it is worth a word.
const EPOCHS: u64 = 3;

/// How long nothing has to come out until it is worth a line of its own. The next is after twice as long.
const PATIENCE: TimeSpan = TimeSpan::from_seconds(10);

/// How long a run has read rows and brought nothing out.
pub(super) struct Silence {
    /// Epochs that read rows.
    epochs: u64,
    rows: u64,
    /// The processing time of the first of them.
    since: Timestamp,
    /// How long it has to last until it is told the next time.
    patience: TimeSpan,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self { epochs: 0, rows: 0, since: Timestamp::MIN, patience: PATIENCE }
    }

    /// Takes note of an epoch. Gives the first node that holds rows back, if nothing has come out for some epochs.
    pub(super) fn after<'a>(&mut self, progress: &'a Progress) -> Option<&'a Waiting> {
        if progress.sinks.iter().any(|sink| sink.rows > 0) {
            *self = Self::new();
            return None;
        }
        if progress.input_rows > 0 {
            if self.epochs == 0 {
                self.since = progress.timestamp;
            }
            self.epochs += 1;
            self.rows += progress.input_rows;
        }
        // A node that lets rows through is not the one that keeps them from coming out.
        let puts_out =
            |node: &str| progress.operators.iter().any(|operator| operator.node == node && operator.rows_out > 0);
        progress.waiting.iter().find(|waiting| self.epochs >= EPOCHS && !puts_out(&waiting.node))
    }

    /// The line that is due when `waiting` is what holds rows back at the processing time `now`.
    pub(super) fn line(&mut self, waiting: &Waiting, now: Timestamp) -> Option<String> {
        if now.since(self.since) < self.patience {
            return None;
        }
        while now.since(self.since) >= self.patience {
            self.patience = TimeSpan::from_micros(self.patience.micros().saturating_mul(2));
        }
        let (rows, epochs, node) = (rows(self.rows), count(self.epochs), &waiting.node);
        Some(format!("nothing has come out of {rows} in {epochs} epochs: `{node}` {}", reason(waiting)))
    }
}

/// Who waits for whom, in a few words.
pub(super) fn brief(waiting: &Waiting) -> String {
    format!("`{}` waits for `{}`", waiting.node, waiting.held_by)
}

/// What is held at the end of a run: a line per node whose rows have not been shown.
pub(super) fn at_the_end(summary: &Summary, plan: &Plan) -> Vec<String> {
    let can_flush = plan.run.at_end == AtEnd::Hold && plan.run.trigger != Trigger::Once && !summary.stopped;
    let way_out = if can_flush { "; `at_end: Flush` lets go of what is held at the end of the input" } else { "" };
    let line = |waiting: &Waiting| {
        let Waiting { node, watermark, next, state_rows, .. } = waiting;
        let on = watermark.0.map_or_else(String::new, |watermark| format!(", {} on", next.since(watermark)));
        let first = if *state_rows == 1 { "" } else { ", the first" };
        let (held, reason) = (rows(*state_rows), reason(waiting));
        format!("`{node}` holds {held}{first} until the watermark reaches {next}{on}; it {reason}{way_out}")
    };
    summary.waiting.iter().filter(|waiting| !is_shown_already(plan, &waiting.node)).map(line).collect()
}

/// Whether what a node holds has come out, to be replaced by newer rows.
fn is_shown_already(plan: &Plan, name: &str) -> bool {
    plan.dag.node_weights().filter(|node| *node.name == *name).any(|node| match &node.role {
        Role::Operator { signature, .. } => {
            signature.outputs.first().is_some_and(|stream| matches!(stream.mode, Mode::Update(_)))
        }
        Role::Source(..) | Role::Sink(..) => false,
    })
}

/// For whom a node waits, and what would release its rows.
fn reason(waiting: &Waiting) -> String {
    let Waiting { held_by, sources, behind, needs, .. } = waiting;
    let names = |between: &str| sources.iter().map(|source| format!("`{source}`")).collect::<Vec<_>>().join(between);
    let Some(behind) = behind else {
        return format!("waits for `{held_by}`, which has seen no row of {} yet", names(" or "));
    };
    let plural = if sources.len() == 1 { "" } else { "s" };
    let needs = needs.map_or_else(String::new, |needs| format!(", to see one of {needs} or later"));
    format!("waits for `{held_by}` (source{plural} {}), {behind} behind the newest row{needs}", names(", "))
}

fn rows(number: u64) -> String {
    if number == 1 { "1 row".to_owned() } else { format!("{} rows", count(number)) }
}

#[cfg(test)]
mod tests {
    use watershed_core::engine::{Durations, OperatorProgress, SinkProgress};
    use watershed_core::epoch::Epoch;
    use watershed_core::time::Watermark;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus(TimeSpan::from_seconds(seconds))
    }

    fn waiting() -> Waiting {
        Waiting {
            node: "counts".to_owned(),
            watermark: Watermark(Some(at(360))),
            held_by: "marked".to_owned(),
            sources: vec!["activity".to_owned()],
            behind: Some(TimeSpan::from_minutes(10)),
            next: at(600),
            state_rows: 12,
            needs: Some(at(1200)),
        }
    }

    fn progress(seconds: i64, rows_in: u64, rows_out: u64) -> Progress {
        Progress {
            graph: "g".to_owned(),
            epoch: Epoch(0),
            timestamp: at(seconds),
            duration_ms: Durations::default(),
            input_rows: rows_in,
            processed_rows_per_second: 0.0,
            event_time: None,
            sources: vec![],
            operators: vec![],
            sinks: vec![SinkProgress { node: "out".to_owned(), rows: rows_out }],
            waiting: vec![waiting()],
        }
    }

    #[test]
    fn the_reason_names_who_is_waited_for_and_what_would_help() {
        let two = vec!["a".to_owned(), "b".to_owned()];
        for (waiting, words) in [
            (
                waiting(),
                "waits for `marked` (source `activity`), 10m behind the newest row, to see one of 1970-01-01T00:20:00Z or later",
            ),
            (
                Waiting { sources: two.clone(), needs: None, ..waiting() },
                "waits for `marked` (sources `a`, `b`), 10m behind the newest row",
            ),
            (Waiting { behind: None, ..waiting() }, "waits for `marked`, which has seen no row of `activity` yet"),
            (
                Waiting { behind: None, sources: two, ..waiting() },
                "waits for `marked`, which has seen no row of `a` or `b` yet",
            ),
        ] {
            assert_eq!(reason(&waiting), words);
        }
    }

    #[test]
    fn silence_is_told_when_it_lasts_and_less_and_less_often() {
        let mut silence = Silence::new();
        let mut told = |progress: &Progress| {
            let waiting = silence.after(progress);
            (waiting.is_some(), waiting.and_then(|waiting| silence.line(waiting, progress.timestamp)))
        };
        for (seconds, rows_in, holds) in
            [(100, 7, false), (101, 0, false), (101, 7, false), (109, 7, true), (109, 0, true)]
        {
            assert_eq!(told(&progress(seconds, rows_in, 0)), (holds, None), "at {seconds}");
        }
        let (_, line) = told(&progress(110, 1_000, 0));
        let line = line.expect("ten seconds are over");
        assert!(
            line.starts_with("nothing has come out of 1,021 rows in 4 epochs: `counts` waits for `marked` (source"),
            "{line}"
        );
        let lines: Vec<i64> = (111..200).filter(|seconds| told(&progress(*seconds, 1, 0)).1.is_some()).collect();
        assert_eq!(lines, [120, 140, 180]);
        assert_eq!(told(&progress(200, 1, 5)), (false, None), "something came out");
        assert_eq!(told(&progress(300, 1, 0)), (false, None), "it begins anew");
    }

    #[test]
    fn a_node_that_lets_rows_through_holds_nothing_back() {
        let mut silence = Silence::new();
        let mut passing = progress(0, 1, 0);
        for rows_out in [0, 3] {
            passing.operators = vec![OperatorProgress {
                node: "counts".to_owned(),
                rows_in: 3,
                rows_out,
                rows_late: 0,
                dropped_by_watermark: 0,
                rows_bad_time: 0,
                state_rows: 12,
                state_bytes: 0,
                watermark: Watermark::NONE,
            }];
            for _ in 0..EPOCHS {
                silence.after(&passing);
            }
            assert_eq!(silence.after(&passing).is_some(), rows_out == 0);
        }
    }
}
