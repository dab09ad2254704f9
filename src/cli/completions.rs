//! `watershed completions`: scripts that complete the command in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::arguments::Arguments;
use super::exit::{Exit, Outcome};
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed completions bash > ~/.local/share/bash-completion/completions/watershed
  watershed completions zsh > ~/.zfunc/_watershed      (with ~/.zfunc in $fpath)
  watershed completions fish > ~/.config/fish/completions/watershed.fish";

/// Write a completion script for a shell
///
/// The script completes subcommands, options, their values and file names. Write it where your shell looks for such scripts and
/// start a new shell.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArguments, terminal: Terminal) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "watershed", &mut script);
    terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
