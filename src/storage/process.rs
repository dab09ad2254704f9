//! Which process holds a lock, told so exactly that another on the same machine can know that it is dead.
//!
//! A number alone says little: numbers are used again, and two containers may both have a process 1. So a process is the
//! boot of its machine, the namespace that its number belongs to, the number, and when it started. Where the system does
//! not tell all of these, nobody is ever called dead, and a lease has to run out.

use std::fs;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use watershed_core::time::{Clock, SystemClock};

/// A process, apart from every other that is or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// The boot and the namespace of process numbers; empty where the system does not tell.
    machine: String,
    /// Its number there.
    pid: u32,
    /// When it started, in the machine's own count; where the system does not tell, when it first asked.
    started: u64,
}

impl Process {
    /// This process.
    pub(super) fn current() -> Self {
        static CURRENT: LazyLock<Process> = LazyLock::new(Process::ask);
        CURRENT.clone()
    }

    fn ask() -> Self {
        let pid = std::process::id();
        match (machine(), look(pid)) {
            (Some(machine), Found::Runs { started }) => Self { machine, pid, started },
            _ => Self { machine: String::new(), pid, started: SystemClock.now().micros().unsigned_abs() },
        }
    }

    /// Whether this process is known to have ended. `false` says nothing.
    pub(super) fn is_dead(&self) -> bool {
        if self.machine.is_empty() || machine().as_ref() != Some(&self.machine) {
            return false;
        }
        match look(self.pid) {
            Found::Runs { started } => started != self.started,
            Found::Ended => true,
            Found::Unknown => false,
        }
    }
}

fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

enum Found {
    Runs { started: u64 },
    Ended,
    Unknown,
}

fn look(pid: u32) -> Found {
    let status = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat"));
    match status(pid) {
        Ok(text) => parse(&text),
        // Some systems hide the processes of others; then the first one is hidden as well.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && status(1).is_ok() => Found::Ended,
        Err(_) => Found::Unknown,
    }
}

/// Reads a line such as `41 (a name) S 1 41 …`. The name may hold anything, also brackets.
fn parse(status: &str) -> Found {
    let Some((_, rest)) = status.rsplit_once(')') else { return Found::Unknown };
    let mut fields = rest.split_whitespace();
    // Ended, and its parent has not asked how: it does nothing any more.
    if matches!(fields.next(), Some("Z" | "X" | "x")) {
        return Found::Ended;
    }
    // The state was field 3, and the start is field 22.
    match fields.nth(18).and_then(|started| started.parse().ok()) {
        Some(started) => Found::Runs { started },
        None => Found::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives() {
        let process = Process::current();
        assert_eq!(process, Process::current());
        assert_eq!(process.pid, std::process::id());
        assert!(!process.is_dead());
    }

    #[test]
    fn a_process_is_dead_only_where_that_can_be_known() {
        let current = Process::current();
        if current.machine.is_empty() {
            return;
        }
        // Waited for: its number is free.
        let mut child = std::process::Command::new("true").spawn().expect("started");
        let pid = child.id();
        child.wait().expect("ended");
        assert!(Process { pid, ..current.clone() }.is_dead());
        // Another process has its number by now.
        assert!(Process { started: current.started - 1, ..current.clone() }.is_dead());
        // Another machine, another boot, another namespace: nobody knows.
        assert!(!Process { pid, machine: "another".to_owned(), ..current.clone() }.is_dead());
        assert!(!Process { pid, machine: String::new(), ..current }.is_dead());
    }

    #[test]
    fn the_line_of_a_process_is_read_whatever_its_name() {
        let line = |name: &str, state: &str| {
            format!("41 ({name}) {state} 1 41 41 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8765 2379776 9 0")
        };
        for name in ["sh", "a name", "a) R 1 (b"] {
            assert!(matches!(parse(&line(name, "S")), Found::Runs { started: 8765 }), "{name}");
            assert!(matches!(parse(&line(name, "Z")), Found::Ended), "{name}");
        }
        for line in ["", "41", "41 (sh)", "41 (sh) S 1 2 3"] {
            assert!(matches!(parse(line), Found::Unknown), "{line}");
        }
    }
}
