//! The `watershed` command: all of it is in the library, so that a program with nodes of its own can be the same command.

use std::process::ExitCode;

fn main() -> ExitCode {
    watershed::cli::main()
}
