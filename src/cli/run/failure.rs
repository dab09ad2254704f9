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
        EngineError::Node { .. } if checkpoint.is_some() => failure
            .help("nothing of this epoch was committed; once the cause is gone, run the graph again and it goes on"),
        EngineError::Node { .. } => {
            failure.help("nothing of this epoch was committed; what earlier epochs gave stands")
        }
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
        _ => Exit::InputOutput,
    }
}

/// The message names its direct cause; what lies below that is added.
fn message(error: &EngineError) -> String {
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
    use watershed_core::epoch::Epoch;

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
