//! The way into the command: arguments, the subcommand, and what is said when something went wrong.

use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use clap::error::ErrorKind;
use watershed_core::guard;

use super::arguments::{Arguments, Command};
use super::exit::{Exit, Outcome};
use super::terminal::Terminal;
#[cfg(feature = "testing")]
use super::test;
use super::{check, checkpoint, completions, describe, graph, list, new, plan, run, schema, state};

/// Runs the `watershed` command with this process's arguments. All nodes that are linked into the program are known.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for is no error; the rest is said on standard error. A closed pipe is nobody's fault.
            let _ = error.print();
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if is_help { Exit::Ok.into() } else { Exit::Usage.into() };
        }
    };
    let terminal = Terminal::new(arguments.colour);
    let panicked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&panicked);
    panic::set_hook(Box::new(move |panic| {
        // The engine reports it as an error of the node, and says where if it is told.
        if guard::in_node_code() {
            let place = panic.location().map(ToString::to_string);
            place.into_iter().for_each(guard::note_panic);
            return;
        }
        // Several threads may run into the same bug; saying it once is enough.
        if !seen.swap(true, Ordering::SeqCst) {
            report_bug(terminal, panic);
        }
    }));
    // State that a panic may have left half-changed is not looked at again: the process ends.
    let outcome = panic::catch_unwind(|| dispatch(&arguments, terminal));
    // A thread may have panicked, and the engine noticed only that it went silent: still a bug.
    if panicked.load(Ordering::SeqCst) {
        return Exit::Bug.into();
    }
    match outcome {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) => {
            terminal.report(&failure);
            failure.exit.into()
        }
        Err(_) => Exit::Bug.into(),
    }
}

fn dispatch(arguments: &Arguments, terminal: Terminal) -> Outcome {
    match &arguments.command {
        Command::Run(options) => run::run(options, terminal),
        Command::Check(options) => check::run(options, terminal),
        Command::Plan(options) => plan::run(options, terminal),
        Command::Graph(options) => graph::run(options, terminal),
        Command::List(options) => list::run(options, terminal),
        Command::Describe(options) => describe::run(options, terminal),
        Command::Schema(options) => schema::run(options, terminal),
        #[cfg(feature = "testing")]
        Command::Test(options) => test::run(options, terminal),
        Command::Checkpoint(options) => checkpoint::run(options, terminal),
        Command::State(options) => state::run(options, terminal),
        Command::New(options) => new::run(options, terminal),
        Command::Completions(options) => completions::run(options, terminal),
    }
}

fn report_bug(terminal: Terminal, panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let message = panic.payload();
    let message =
        message.downcast_ref::<&str>().copied().or_else(|| message.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("no message");
    let thread = std::thread::current();
    terminal.note(&format!("{} {message}", terminal.paint("bug:", "1;31")));
    terminal.note(&format!(
        "  in thread `{}`{place}, watershed {}",
        thread.name().unwrap_or("unnamed"),
        env!("CARGO_PKG_VERSION")
    ));
    terminal.note(&format!(
        "  {} this should never happen, whatever the graph and the data. Please report it with the lines above, the graph file and, \
         if you can, a little input that shows it. Nothing of the epoch in hand was committed.",
        terminal.paint("help:", "36")
    ));
}
