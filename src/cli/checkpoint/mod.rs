//! `watershed checkpoint`: what a checkpoint holds, whether it is whole, and what of it may go.

mod list;
mod prune;
mod verify;

use clap::{Args, Subcommand};
use watershed_core::checkpoint::{CheckpointError, CheckpointStorage, Decision, Holdings};
use watershed_core::epoch::Epoch;

use super::exit::{Exit, Failure, Outcome, exit_for};
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed checkpoint list checkpoints/visits       its epochs, watermarks and sizes
  watershed checkpoint verify checkpoints/visits     read every file to its last byte
  watershed checkpoint prune checkpoints/visits      keep the newest version alone

`watershed state` shows the rows.";

/// Look after a checkpoint: list, verify, prune
///
/// A checkpoint is the directory that a graph names in `run: (checkpoint: …)`. It keeps a version of the state for each of the last
/// epochs, as small files with what each epoch changed and now and then a file with all rows.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckpointArguments {
    #[command(subcommand)]
    command: CheckpointCommand,
}

#[derive(Debug, Subcommand)]
enum CheckpointCommand {
    List(list::ListArguments),
    Verify(verify::VerifyArguments),
    Prune(prune::PruneArguments),
}

pub(super) fn run(arguments: &CheckpointArguments, terminal: Terminal) -> Outcome {
    match &arguments.command {
        CheckpointCommand::List(arguments) => list::run(arguments, terminal),
        CheckpointCommand::Verify(arguments) => verify::run(arguments, terminal),
        CheckpointCommand::Prune(arguments) => prune::run(arguments, terminal),
    }
}

/// What a checkpoint holds that must be there; a run may be using it.
pub(super) fn holdings(storage: &dyn CheckpointStorage) -> Result<Holdings, Failure> {
    let holdings = Holdings::read_in_use(storage).map_err(|error| failed(&error))?;
    if holdings.is_empty() { Err(nothing_there(storage)) } else { Ok(holdings) }
}

/// There is no checkpoint where one is named.
fn nothing_there(storage: &dyn CheckpointStorage) -> Failure {
    let failure = Failure::new(Exit::InputOutput, format!("there is no checkpoint in `{}`", storage.location()));
    failure.help("a graph says in `run: (checkpoint: …)` where its checkpoint lies; a relative path is relative to where it is run")
}

/// An error of a checkpoint as the command reports it.
pub(super) fn failed(error: &CheckpointError) -> Failure {
    let exit = match error {
        CheckpointError::Storage { source, .. } => exit_for(source),
        CheckpointError::Held { .. } => Exit::TryAgain,
        _ => Exit::InputOutput,
    };
    let failure = Failure::new(exit, error.to_string());
    match error {
        CheckpointError::Held { .. } => failure.help("try again when it has ended, or stop it"),
        CheckpointError::Damaged { remedy, .. } => failure.help(remedy),
        _ => failure,
    }
}

/// How a run would go on, in a sentence.
fn goes_on(decision: &Decision) -> String {
    match decision {
        Decision::Fresh => "a run starts with epoch 0".to_owned(),
        Decision::GoOn { version, replay, .. } => {
            let from = match version {
                None => "a run goes on from the beginning".to_owned(),
                Some(version) => format!("a run goes on after epoch {version}"),
            };
            match replay.as_slice() {
                [] => from,
                [one] => format!("{from}; epoch {one} is run again"),
                [first, .., last] => format!("{from}; epochs {first} to {last} are run again"),
            }
        }
        Decision::Damaged { damages, remedy } => {
            let files: Vec<String> = damages.iter().map(|damage| format!("`{}`", damage.file)).collect();
            format!("no run can go on without {}: {remedy}", files.join(", "))
        }
    }
}

/// Epochs that follow each other, in words: `epoch 3`, `epochs 3 to 7`.
pub(super) fn epochs(epochs: &[Epoch]) -> String {
    match epochs {
        [] => "no epoch".to_owned(),
        [one] => format!("epoch {one}"),
        [first, .., last] if last.0 - first.0 + 1 == epochs.len() as u64 => format!("epochs {first} to {last}"),
        several => {
            let all: Vec<String> = several.iter().map(Epoch::to_string).collect();
            format!("epochs {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_run_goes_on_is_said_in_a_sentence() {
        let go_on = |version: Option<u64>, replay: &[u64]| Decision::GoOn {
            version: version.map(Epoch),
            replay: replay.iter().copied().map(Epoch).collect(),
            damages: Vec::new(),
        };
        for (decision, sentence) in [
            (Decision::Fresh, "a run starts with epoch 0"),
            (go_on(Some(3), &[]), "a run goes on after epoch 3"),
            (go_on(Some(3), &[4]), "a run goes on after epoch 3; epoch 4 is run again"),
            (go_on(None, &[0, 1]), "a run goes on from the beginning; epochs 0 to 1 are run again"),
        ] {
            assert_eq!(goes_on(&decision), sentence);
        }
    }

    #[test]
    fn epochs_with_gaps_are_told_one_by_one() {
        for (numbers, text) in [(&[3][..], "epoch 3"), (&[3, 4, 5], "epochs 3 to 5"), (&[3, 5], "epochs 3, 5")] {
            assert_eq!(epochs(&numbers.iter().copied().map(Epoch).collect::<Vec<_>>()), text);
        }
    }
}
