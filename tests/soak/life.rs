//! One life of a process: started, followed by what it says of its epochs, and ended in one way or another.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A process that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(120);
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// What the command ends with when it was asked to end at once.
const INTERRUPTED: i32 = 130;

/// A process at work.
pub(crate) struct Life<'a> {
    folder: &'a Path,
    child: Child,
    /// An item for each epoch that was committed.
    epochs: Receiver<()>,
    /// Closed when the process ends.
    ended: Receiver<Infallible>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was killed while it lived.
    Killed,
    /// It was asked to end, and did so at once: it was asked twice, or before it listened.
    Stopped,
    /// It was asked to end, and ended as if it had done all there was to do.
    StoppedCleanly,
    /// It had done all there was to do.
    Finished,
}

/// Runs `graph` in `folder` to its end.
pub(crate) fn undisturbed(folder: &Path, graph: &str, arguments: &[&str]) {
    let mut life = Life::begin(folder, graph, arguments);
    while life.wait_for_epochs(1) {}
    assert_eq!(life.wait_for_end(), End::Finished);
}

impl<'a> Life<'a> {
    /// Starts the command on `graph` in `folder`.
    pub(crate) fn begin(folder: &'a Path, graph: &str, arguments: &[&str]) -> Self {
        let errors = File::create(folder.join("stderr.txt")).expect("a file for what it says");
        let mut child = Command::new(env!("CARGO_BIN_EXE_watershed"))
            .current_dir(folder)
            .args(["run", "--quiet", "--progress", "-", graph])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the command starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (said, epochs) = channel();
        let (alive, ended) = channel();
        std::thread::spawn(move || {
            let _alive = alive;
            for _ in lines.lines().map_while(Result::ok) {
                if said.send(()).is_err() {
                    break;
                }
            }
        });
        Self { folder, child, epochs, ended }
    }

    /// Waits until so many epochs more were committed; false if it ended before.
    pub(crate) fn wait_for_epochs(&mut self, epochs: u64) -> bool {
        (0..epochs).all(|_| match self.epochs.recv_timeout(SILENCE) {
            Ok(()) => true,
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => {
                self.child.kill().ok();
                panic!("it hangs: {}", self.errors())
            }
        })
    }

    /// Lets it live for a while.
    pub(crate) fn wait(&self, micros: u64) {
        let _ended_early = self.ended.recv_timeout(Duration::from_micros(micros));
    }

    /// Kills it.
    pub(crate) fn kill(mut self) -> End {
        self.child.kill().expect("a process of ours can be killed");
        self.wait_for_end()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status();
        status.expect("there is `kill`");
    }

    /// Waits until it is gone. Any end that is neither its own nor ours is a failure.
    pub(crate) fn wait_for_end(mut self) -> End {
        if self.ended.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
            self.child.kill().ok();
            panic!("it does not end: {}", self.errors());
        }
        let status = self.child.wait().expect("a process of ours can be waited for");
        match (status.code(), status.signal()) {
            (_, Some(SIGKILL)) => End::Killed,
            (_, Some(SIGTERM)) | (Some(INTERRUPTED), _) => End::Stopped,
            (Some(0), _) => End::Finished,
            _ => panic!("it ended with {}: {}", status, self.errors()),
        }
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.join("stderr.txt")).unwrap_or_default()
    }
}
