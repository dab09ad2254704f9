//! The whole `watershed` command, with the operators of this crate linked in.

use std::process::ExitCode;

// A crate that no line names is left out of the program, and its operators with it.
use activity_operators as _;

fn main() -> ExitCode {
    watershed::cli::main()
}
