//! What `run` and `plan` share: which checkpoint a graph is run with, what was asked for about its state, and how what is
//! found in it is told.

use std::sync::Arc;

use clap::Args;
use watershed_core::checkpoint::{Adjustments, Change, CheckpointStorage};
use watershed_core::engine::{EngineError, Recovery, foresee};
use watershed_core::plan::Plan;
use watershed_core::time::{Timestamp, Watermark};

use super::exit::{Exit, Failure};
use super::run::failure;
use super::storage;
use super::terminal::Terminal;

/// Where help lists these options.
const HEADING: &str = "Checkpoint";

/// The checkpoint, and what becomes of state in it that does not fit the graph.
#[derive(Args, Debug, Default)]
pub(super) struct CheckpointArguments {
    /// The checkpoint's directory, in place of the file's `run.checkpoint`
    #[arg(long, value_name = "DIR", help_heading = HEADING)]
    checkpoint: Option<String>,
    /// Drop what the checkpoint keeps of this node, named as in the checkpoint; may be given again for another
    #[arg(long, value_name = "NODE", help_heading = HEADING)]
    reset: Vec<String>,
    /// Carry what the checkpoint keeps of node OLD over to node NEW of the graph; may be given again for another
    #[arg(long, value_name = "OLD=NEW", help_heading = HEADING, value_parser = parse_rename)]
    rename: Vec<(String, String)>,
}

impl CheckpointArguments {
    /// Where the graph's checkpoint lies, if it has one. What the command line says goes into the plan as well.
    pub(super) fn open(&self, plan: &mut Plan) -> Result<Option<Arc<dyn CheckpointStorage>>, Failure> {
        let is_of_file = self.checkpoint.is_none();
        if let Some(place) = &self.checkpoint {
            plan.run.checkpoint = Some(place.clone());
        }
        let Some(place) = &plan.run.checkpoint else {
            let option = if self.reset.is_empty() { "--rename" } else { "--reset" };
            if self.reset.is_empty() && self.rename.is_empty() {
                return Ok(None);
            }
            let failure = Failure::new(Exit::Usage, format!("`{option}` is about a checkpoint, and there is none"));
            return Err(
                failure.help("give it with `--checkpoint DIR`, or as `run: (checkpoint: \"DIR\")` in the graph")
            );
        };
        let opened = storage::open(place);
        // What the graph says is the graph's fault.
        opened
            .map(Some)
            .map_err(|failure| if is_of_file { Failure { exit: Exit::BadGraph, ..failure } } else { failure })
    }

    pub(super) fn adjustments(&self) -> Result<Adjustments, Failure> {
        let mut adjustments = Adjustments { reset: self.reset.iter().cloned().collect(), ..Adjustments::default() };
        for (old, new) in &self.rename {
            if let Some(other) = adjustments.renamed.insert(new.clone(), old.clone()).filter(|other| other != old) {
                let message = format!("`--rename`: `{new}` cannot go on with what both `{other}` and `{old}` kept");
                return Err(Failure::new(Exit::Usage, message));
            }
            if adjustments.reset.contains(old) {
                let message = format!("`{old}` can be renamed or reset, not both");
                return Err(Failure::new(Exit::Usage, message));
            }
        }
        Ok(adjustments)
    }
}

fn parse_rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=').map(|(old, new)| (old.trim(), new.trim())) {
        Some((old, new)) if !old.is_empty() && !new.is_empty() && !new.contains('=') => {
            Ok((old.to_owned(), new.to_owned()))
        }
        _ => Err("write `OLD=NEW`: the name in the checkpoint, then the one in the graph".to_owned()),
    }
}

/// Where a run goes on, in a sentence without a subject: `goes on after epoch 41; epochs 42 and 43 are run again`.
pub(super) fn whence(recovery: &Recovery) -> String {
    if recovery.is_fresh() {
        return "starts with epoch 0".to_owned();
    }
    let from = match recovery.version {
        Some(epoch) => format!("goes on after epoch {epoch}"),
        None => "goes on from the beginning".to_owned(),
    };
    match recovery.replay.as_slice() {
        [] => from,
        [one] => format!("{from}; epoch {one} is run again"),
        [first, .., last] => format!("{from}; epochs {first} to {last} are run again"),
    }
}

/// Says what the author should know of the checkpoint although it does not stop the run.
pub(super) fn warn(recovery: &Recovery, plan: &Plan, terminal: Terminal) {
    for (message, help) in warnings(recovery, plan) {
        terminal.warn(&message, &help);
    }
}

/// What is the matter, and what to do.
fn warnings(recovery: &Recovery, plan: &Plan) -> Vec<(String, String)> {
    let mut warnings = Vec::new();
    let location = &recovery.location;
    if let Some(other) = recovery.graph.as_ref().filter(|name| **name != plan.name) {
        let message = format!("checkpoint `{location}` was made by graph `{other}`, and this is `{}`", plan.name);
        warnings
            .push((message, "two graphs need two checkpoints; where this one has a new name, all is well".to_owned()));
    }
    if !recovery.damages.is_empty() {
        let files: Vec<String> = recovery.damages.iter().map(|damage| format!("\n  {damage}")).collect();
        let message = format!(
            "checkpoint `{location}` is damaged; the run does without this, and no answer changes by it{}",
            files.concat()
        );
        warnings.push((message, format!("`watershed checkpoint verify {location}` looks at every file")));
    }
    let at_end = |watermark: &Watermark| watermark.0 == Some(Timestamp::END);
    for (node, _) in recovery.watermarks.iter().filter(|(_, watermark)| at_end(watermark)) {
        let message = format!(
            "an earlier run ended with `at_end: Flush`: the watermark of `{node}` is at the end of time, and every further row is late"
        );
        let help = format!(
            "where more rows are to come, run with `at_end: Hold`; `--reset {node}` lets this watermark begin anew"
        );
        warnings.push((message, help));
    }
    warnings
}

/// Why a run of the plan cannot go on from its checkpoint; with the names to choose from where a wrong one was given.
pub(super) fn explain(error: &EngineError, plan: &Plan, storage: &dyn CheckpointStorage) -> Failure {
    let failure = failure::of_engine(error, plan.run.checkpoint.as_deref());
    if !matches!(error, EngineError::Adjustments(_)) {
        return failure;
    }
    match foresee(plan, storage, &Adjustments::default()) {
        Ok(Recovery { verdict: Some(verdict), .. }) => {
            let kept = verdict.nodes.iter().filter(|node| node.change != Change::New);
            let names: Vec<String> = kept.map(|node| format!("`{}`", node.node)).collect();
            failure
                .help(format!("the checkpoint holds {}; `watershed plan` holds the graph against it", names.join(", ")))
        }
        _ => failure,
    }
}

/// The number of partitions before and now, where it is another.
pub(super) fn shared_out_anew(recovery: &Recovery, plan: &Plan) -> Option<(usize, usize)> {
    recovery.partitions.zip(plan.run.partitions).filter(|(before, now)| before != now)
}

#[cfg(test)]
mod tests {
    use watershed_core::epoch::Epoch;

    use super::*;

    #[test]
    fn a_rename_has_two_names() {
        assert_eq!(parse_rename("counts=per_user"), Ok(("counts".to_owned(), "per_user".to_owned())));
        for wrong in ["counts", "counts=", "=per_user", "a=b=c", ""] {
            assert!(parse_rename(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_node_goes_on_with_one_past_or_none() {
        let arguments = |reset: &[&str], rename: &[(&str, &str)]| CheckpointArguments {
            checkpoint: None,
            reset: reset.iter().map(|&name| name.to_owned()).collect(),
            rename: rename.iter().map(|&(old, new)| (old.to_owned(), new.to_owned())).collect(),
        };
        let adjustments = arguments(&["a"], &[("b", "c")]).adjustments().expect("two nodes");
        assert!(adjustments.reset.contains("a"));
        assert_eq!(adjustments.renamed.get("c").map(String::as_str), Some("b"));
        for wrong in [arguments(&["a"], &[("a", "c")]), arguments(&[], &[("a", "c"), ("b", "c")])] {
            assert_eq!(wrong.adjustments().expect_err("two wishes").exit, Exit::Usage);
        }
    }

    #[test]
    fn a_start_says_where_it_goes_on() {
        let recovery = |version: Option<u64>, replay: &[u64]| Recovery {
            version: version.map(Epoch),
            replay: replay.iter().copied().map(Epoch).collect(),
            ..Recovery::default()
        };
        for (recovery, expected) in [
            (recovery(None, &[]), "starts with epoch 0"),
            (recovery(None, &[0]), "goes on from the beginning; epoch 0 is run again"),
            (recovery(Some(41), &[]), "goes on after epoch 41"),
            (recovery(Some(41), &[42, 43]), "goes on after epoch 41; epochs 42 to 43 are run again"),
        ] {
            assert_eq!(whence(&recovery), expected);
        }
    }
}
