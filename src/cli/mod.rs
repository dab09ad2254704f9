//! The `watershed` command, one file per subcommand.
//!
//! It lives in the library so that a program with nodes of its own can be the whole command:
//!
//! ```no_run
//! // use my_operators as _;  // links the nodes: without a line that names the crate, it is left out
//!
//! fn main() -> std::process::ExitCode {
//!     watershed::cli::main()
//! }
//! ```
//!
//! Results go to standard output; progress, logs and diagnostics go to standard error. What the command ends with is one
//! of the constants in [`Exit`].

mod arguments;
mod check;
mod checkpoint;
mod checkpointed;
mod completions;
mod delivery;
mod describe;
mod entry;
mod exit;
mod explain;
mod files;
mod graph;
mod list;
mod new;
mod plan;
mod run;
mod schema;
mod state;
mod storage;
mod table;
mod terminal;
#[cfg(feature = "testing")]
mod test;

pub use entry::main;
pub use exit::Exit;
