//! Ctrl-C and the signals that mean the same: a clean end after the epoch in hand; a second one ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

use watershed_core::engine::StopSignal;

use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;

/// Lets an interrupt stop the run.
pub(super) fn stop_on_interrupt(stop: &StopSignal, terminal: Terminal) -> Result<(), Failure> {
    let stop = stop.clone();
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::SeqCst) {
            // Wherever the epoch in hand stands: with a checkpoint the next run does it again, without one it was never shown.
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        terminal.note("stopping after the epoch in hand; press Ctrl-C again to stop at once");
        stop.stop();
    };
    match ctrlc::set_handler(handler) {
        // A program that embeds the command may handle signals itself.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        Err(error) => Err(Failure::new(Exit::TryAgain, format!("cannot listen for Ctrl-C: {error}"))),
    }
}
