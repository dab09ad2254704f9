//! Standard output and standard error: whether they show colours, how wide they are, and that a reader who leaves early
//! is no accident.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use super::exit::{Exit, Failure};

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where output goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// Whether standard output shows colours.
    pub(super) out_colour: bool,
    /// Whether standard error shows colours.
    pub(super) error_colour: bool,
}

impl Terminal {
    pub(super) fn new(colour: Colour) -> Self {
        let asked = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                is_terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Self { out_colour: asked(io::stdout().is_terminal()), error_colour: asked(io::stderr().is_terminal()) }
    }

    /// Columns of the terminal that shows standard output; 100 when it is none.
    pub(super) fn width() -> usize {
        let width = io::stdout().is_terminal().then(|| comfy_table::Table::new().width()).flatten();
        width.map_or(100, |width| usize::from(width).clamp(60, 120))
    }

    /// Writes the result of a command.
    #[expect(clippy::unused_self, reason = "output goes through the terminal that was set up for it")]
    pub(super) fn print(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::reader_gone(),
            _ => Failure::new(Exit::InputOutput, format!("cannot write to standard output: {error}")),
        })
    }

    /// Writes a line about the work, not its result. When nobody can read it, it is lost: there is nobody to tell.
    #[expect(clippy::unused_self, reason = "output goes through the terminal that was set up for it")]
    pub(super) fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes what the author should know although it stops nothing.
    pub(super) fn warn(self, message: &str, help: &str) {
        self.note(&format!("{} {message}", self.paint("warning:", "1;33")));
        self.note(&format!("  {} {help}", self.paint("help:", "36")));
    }

    /// Writes why the command failed.
    pub(super) fn report(self, failure: &Failure) {
        let Some(message) = &failure.message else { return };
        self.note(&format!("{} {message}", self.paint("error:", "1;31")));
        if let Some(help) = &failure.help {
            self.note(&format!("  {} {help}", self.paint("help:", "36")));
        }
    }

    /// Text for standard error in a colour.
    pub(super) fn paint(self, text: &str, code: &str) -> String {
        if self.error_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Text for standard output in a colour.
    pub(super) fn paint_out(self, text: &str, code: &str) -> String {
        if self.out_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
