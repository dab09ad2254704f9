//! How the command ends: codes that scripts can rely on, and failures with what to do about them.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The codes the command ends with, those above 2 as in BSD's `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all is well.
    Ok,
    /// 1: a test failed.
    TestsFailed,
    /// 2: the command line was wrong.
    Usage,
    /// 65: the graph has faults, or does not fit its checkpoint; nothing was started.
    BadGraph,
    /// 70: a bug in Watershed. A node that panics is a node that failed.
    Bug,
    /// 74: something could not be read or written, the data hold what the graph does not allow, or a node failed.
    InputOutput,
    /// 75: it may work when tried again: the machine was short of something, or another process uses the checkpoint.
    TryAgain,
    /// 130: interrupted before the epoch in hand was done.
    Interrupted,
}

impl Exit {
    /// The code as a number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::TestsFailed => 1,
            Self::Usage => 2,
            Self::BadGraph => 65,
            Self::Bug => 70,
            Self::InputOutput => 74,
            Self::TryAgain => 75,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The codes, for the end of every help text.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   all is well
  1   a test failed
  2   the command line was wrong
  65  the graph has faults or does not fit its checkpoint, nothing was started
  70  a bug
  74  something could not be read or written, or a node failed
  75  it may work when tried again
  130 interrupted before the epoch in hand was done";

/// Why a subcommand could not do what it was asked to.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the command ends with.
    pub(super) exit: Exit,
    /// What is wrong; nothing when it has been said already.
    pub(super) message: Option<String>,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// The result of a subcommand: how it ended, also when that is not well but was reported.
pub(super) type Outcome = Result<Exit, Failure>;

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: Some(message.into()), help: None }
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Something at `path` could not be read or written.
    pub(super) fn io(action: &str, path: impl fmt::Display, error: &io::Error) -> Self {
        Self::new(exit_for(error), format!("cannot {action} `{path}`: {error}"))
    }

    /// The reader of standard output has gone, as in `watershed list | head`: no reason to complain.
    pub(super) const fn reader_gone() -> Self {
        Self { exit: Exit::Ok, message: None, help: None }
    }
}

/// The code for an error of the system's: most are final, some pass.
pub(super) fn exit_for(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::TimedOut
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::Interrupted
        | io::ErrorKind::ResourceBusy => Exit::TryAgain,
        _ => Exit::InputOutput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_the_codes_that_are_used() {
        use Exit::{BadGraph, Bug, InputOutput, Interrupted, Ok, TestsFailed, TryAgain, Usage};
        for exit in [Ok, TestsFailed, Usage, BadGraph, Bug, InputOutput, TryAgain, Interrupted] {
            assert!(EXIT_CODES.contains(&format!("\n  {:<3} ", exit.code())), "{exit:?}");
        }
    }

    #[test]
    fn a_busy_file_may_be_free_later() {
        assert_eq!(exit_for(&io::ErrorKind::ResourceBusy.into()), Exit::TryAgain);
        assert_eq!(exit_for(&io::ErrorKind::NotFound.into()), Exit::InputOutput);
    }
}
