//! Which exit code and which advice belongs to an engine's error.

use std::error::Error as _;

use watershed_core::engine::EngineError;
use watershed_core::error::Error;

use crate::cli::exit::{Exit, Failure, exit_for};

/// An engine's error as the command reports it.
pub(super) fn of_engine(error: &EngineError) -> Failure {
    let exit = match error {
        EngineError::Open { source, .. } | EngineError::Node { source, .. } => exit_of(source),
        EngineError::Build { .. } => Exit::BadGraph,
        EngineError::Threads(_) => Exit::TryAgain,
        _ => Exit::Bug,
    };
    let mut message = error.to_string();
    // The message names its direct cause; what lies below that is added.
    let mut cause = error.source().and_then(std::error::Error::source);
    while let Some(below) = cause {
        let words = below.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = below.source();
    }
    let failure = Failure::new(exit, message);
    match error {
        EngineError::Node { .. } => {
            failure.help("nothing of this epoch was committed; what earlier epochs gave stands")
        }
        EngineError::Threads(_) => failure.help("`--threads` takes fewer"),
        _ => failure,
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Io { source, .. } => exit_for(source),
        _ => Exit::InputOutput,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use watershed_core::epoch::Epoch;

    use super::*;

    #[test]
    fn a_failing_node_is_named_with_its_epoch() {
        let source = Error::io("read", "data/a.json", io::Error::from(io::ErrorKind::PermissionDenied));
        let failure =
            of_engine(&EngineError::Node { node: "activity".into(), epoch: Epoch(7), partition: None, source });
        assert_eq!(failure.exit, Exit::InputOutput);
        let message = failure.message.expect("a message");
        assert!(message.starts_with("node `activity` failed in epoch 7: read `data/a.json`"), "{message}");
        assert_eq!(message.matches("permission denied").count(), 1, "{message}");
    }

    #[test]
    fn too_many_threads_may_be_fewer_next_time() {
        assert_eq!(of_engine(&EngineError::Threads("no more".to_owned())).exit, Exit::TryAgain);
    }
}
