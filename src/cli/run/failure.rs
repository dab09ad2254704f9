//! Which exit code and which advice belongs to an engine's error.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use watershed_core::checkpoint::{CheckpointError, Verdict};
use watershed_core::engine::EngineError;
use watershed_core::error::Error;

use crate::cli::exit::{Exit, Failure, exit_for};

/// An engine's error as the command reports it. `checkpoint`: where the run keeps its own, if it does.
pub(in crate::cli) fn of_engine(error: &EngineError, checkpoint: Option<&str>) -> Failure {
    let failure = Failure::new(exit_code(error), message(error));
    match error {
        EngineError::Node { source, .. } => {
            let stands = if checkpoint.is_some() {
                "nothing of this epoch was committed; once the cause is gone, run the graph again and it goes on"
            } else {
                "nothing of this epoch was committed; what earlier epochs gave stands"
            };
            match advice_on_code(source) {
                Some(advice) => failure.help(format!("{advice}; {stands}")),
                None => failure.help(stands),
            }
        }
        EngineError::Open { source, .. } => match advice_on_code(source) {
            Some(advice) => failure.help(format!("{advice}; nothing was started")),
            None => failure,
        },
        EngineError::Threads(_) => failure.help("`--threads` takes fewer"),
        EngineError::Checkpoint { source, .. } => match advice(source) {
            Some(help) => failure.help(help),
            None => failure,
        },
        EngineError::Adjustments(_) => {
            failure.help("`watershed plan FILE` lists the nodes of the graph and of its checkpoint")
        }
        _ => failure,
    }
}

/// Why the graph does not fit its checkpoint, if it is that.
pub(super) fn misfit(error: &EngineError) -> Option<&Verdict> {
    match error {
        EngineError::Checkpoint { source: CheckpointError::Incompatible { verdict, .. }, .. } => Some(verdict),
        _ => None,
    }
}

fn exit_code(error: &EngineError) -> Exit {
    match error {
        EngineError::Open { source, .. } | EngineError::Node { source, .. } => exit_of(source),
        EngineError::Build { .. } | EngineError::Adjustments(_) => Exit::BadGraph,
        EngineError::Threads(_) => Exit::TryAgain,
        EngineError::Checkpoint { source, .. } => match source {
            CheckpointError::Storage { source, .. } => exit_for(source),
            CheckpointError::Held { .. } => Exit::TryAgain,
            CheckpointError::Incompatible { .. }
            | CheckpointError::NotReplayable { .. }
            | CheckpointError::PlannedForAnother { .. } => Exit::BadGraph,
            CheckpointError::State { source, .. } => exit_of(source),
            _ => Exit::InputOutput,
        },
        _ => Exit::Bug,
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Io { source, .. } => exit_for(source),
        Error::AtKey { source, .. } => exit_of(source),
        _ => Exit::InputOutput,
    }
}

/// The message names its direct cause; what lies below that is added. A graph that does not fit is told about in a table.
fn message(error: &EngineError) -> String {
    if let EngineError::Checkpoint { source: CheckpointError::Incompatible { location, .. }, .. } = error {
        return format!("the graph does not fit checkpoint `{location}`");
    }
    let mut message = error.to_string();
    let mut cause = error.source().and_then(std::error::Error::source);
    while let Some(below) = cause {
        let words = below.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = below.source();
    }
    message
}

/// What to do about a checkpoint that does not do.
fn advice(error: &CheckpointError) -> Option<String> {
    Some(match error {
        CheckpointError::Held { .. } => {
            "wait until it has ended, or stop it; a process that died gives its checkpoint back by itself".to_owned()
        }
        CheckpointError::Damaged { location, remedy, .. } => {
            format!("{remedy}; `watershed checkpoint verify {location}` looks at every file")
        }
        CheckpointError::Incompatible { .. } => {
            "nothing was started or changed; `watershed plan FILE` shows the same without a start".to_owned()
        }
        CheckpointError::PlannedForAnother { epoch, .. } => {
            format!("run the graph as it was until epoch {epoch} is committed (`--max-epochs` ends a run early), then change it")
        }
        CheckpointError::NotReplayable { .. } => {
            "write its rows to files and read them with `Files`, or run without a checkpoint".to_owned()
        }
        CheckpointError::Diverged { .. } => {
            "input that was read already seems to have changed: put it back as it was, or start anew with an empty checkpoint"
                .to_owned()
        }
        CheckpointError::Storage { source, .. } => return advice_on_storage(source),
        _ => return None,
    })
}

/// What to do about code of a node that does not do.
fn advice_on_code(error: &Error) -> Option<&'static str> {
    match error {
        Error::AtKey { source, .. } => advice_on_code(source),
        Error::Panicked { .. } => Some("a panic is a mistake in the code of the node's type, for its author to mend"),
        Error::Slow { .. } => Some("`--call-limit` may allow more"),
        _ => None,
    }
}

fn advice_on_storage(error: &io::Error) -> Option<String> {
    let cause = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room, then run the graph again: it goes on with what is committed"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let this user write there, or name another directory with `--checkpoint`"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a checkpoint is a directory of its own; name another with `--checkpoint`"
        }
        _ => return None,
    };
    Some(cause.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use watershed_core::epoch::{Epoch, Partition};

    use super::*;

    #[test]
    fn a_failing_node_is_named_with_its_epoch() {
        let source = Error::io("read", "data/a.json", io::Error::from(ErrorKind::PermissionDenied));
        let error = EngineError::Node { node: "activity".into(), epoch: Epoch(7), partition: None, source };
        let failure = of_engine(&error, None);
        assert_eq!(failure.exit, Exit::InputOutput);
        let message = failure.message.expect("a message");
        assert!(message.starts_with("node `activity` failed in epoch 7: read `data/a.json`"), "{message}");
        assert_eq!(message.matches("permission denied").count(), 1, "{message}");
        assert!(of_engine(&error, Some("state")).help.is_some_and(|help| help.contains("goes on")));
    }

    #[test]
    fn code_that_panics_or_is_slow_is_a_failure_of_its_node() {
        let panicked = || Error::Panicked { message: "no rows".to_owned(), place: Some("src/lib.rs:7:5".to_owned()) };
        let slow = Error::Slow { took: Duration::from_secs(9), limit: Duration::from_secs(1) };
        let words = "node `sums` failed in epoch 7, partition 2: ";
        for (source, said, help) in [
            (panicked(), "panicked at src/lib.rs:7:5: no rows", "for its author to mend; nothing of this epoch"),
            (
                panicked().at_key("`user` = `a`"),
                "at key `user` = `a`: panicked at src/lib.rs:7:5: no rows",
                "for its author to mend; nothing of this epoch",
            ),
            (slow, "took 9s, and a call may take 1s", "`--call-limit` may allow more; nothing of this epoch"),
        ] {
            let partition = Some(Partition(2));
            let error = EngineError::Node { node: "sums".into(), epoch: Epoch(7), partition, source };
            let failure = of_engine(&error, None);
            assert_eq!((failure.exit, failure.message), (Exit::InputOutput, Some(format!("{words}{said}"))));
            assert!(failure.help.as_ref().is_some_and(|told| told.contains(help)), "{:?}", failure.help);
        }
        let error = EngineError::Open { node: "sums".into(), source: panicked() };
        assert!(of_engine(&error, None).help.is_some_and(|told| told.ends_with("nothing was started")));
    }

    #[test]
    fn too_many_threads_may_be_fewer_next_time() {
        assert_eq!(of_engine(&EngineError::Threads("no more".to_owned()), None).exit, Exit::TryAgain);
    }

    #[test]
    fn every_trouble_with_a_checkpoint_has_its_code_and_its_advice() {
        let location = || "state".to_owned();
        let storage = |kind: ErrorKind| {
            let (file, source) = ("epochs/00000007.intent".to_owned(), io::Error::from(kind));
            CheckpointError::Storage { location: location(), action: "write", file, source }
        };
        let (damages, remedy) = (Vec::new(), "put it back".to_owned());
        for (source, exit, help) in [
            (storage(ErrorKind::StorageFull), Exit::InputOutput, "make room"),
            (storage(ErrorKind::ReadOnlyFilesystem), Exit::InputOutput, "--checkpoint"),
            (storage(ErrorKind::NotADirectory), Exit::InputOutput, "is a directory"),
            (
                CheckpointError::Held { location: location(), holder: "process 1".to_owned() },
                Exit::TryAgain,
                "wait until it has ended",
            ),
            (
                CheckpointError::Damaged { location: location(), damages, remedy },
                Exit::InputOutput,
                "put it back; `watershed checkpoint verify state`",
            ),
            (
                CheckpointError::Incompatible { location: location(), verdict: Box::default() },
                Exit::BadGraph,
                "watershed plan",
            ),
            (CheckpointError::NotReplayable { node: "lines".into() }, Exit::BadGraph, "`Files`"),
        ] {
            let failure = of_engine(&EngineError::Checkpoint { epoch: None, source }, Some("state"));
            assert_eq!(failure.exit, exit, "{failure:?}");
            assert!(failure.help.as_ref().is_some_and(|told| told.contains(help)), "{failure:?}");
        }
        let wrong = EngineError::Adjustments(vec!["`--reset a`: the checkpoint holds no node `a`".to_owned()]);
        assert_eq!(of_engine(&wrong, Some("state")).exit, Exit::BadGraph);
    }
}
