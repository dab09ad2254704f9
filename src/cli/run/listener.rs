//! What is told of each epoch while a graph runs: the progress bar, the log, the file of progress objects.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use watershed_core::engine::{Progress, StopSignal, Waiting};
use watershed_core::plan::{Plan, Role, Trigger};
use watershed_core::time::Watermark;

use super::RunArguments;
use super::numbers::{count, rate, seconds, short};
use super::waiting::{Silence, brief};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;

/// Hears of every epoch. Nothing here can stop an epoch from being committed; an error ends the run after it.
pub(super) struct Listener {
    terminal: Terminal,
    stop: StopSignal,
    log: bool,
    quiet: bool,
    bar: Option<ProgressBar>,
    rows: u64,
    seconds: f64,
    progress: Option<ProgressFile>,
    /// What was wrong with each source in the last epoch.
    troubles: BTreeMap<String, String>,
    silence: Silence,
    failure: Option<Failure>,
}

struct ProgressFile {
    name: String,
    out: Box<dyn Write>,
}

impl Listener {
    /// A listener for a run over `remaining` units of input.
    pub(super) fn new(
        arguments: &RunArguments,
        plan: &Plan,
        remaining: Option<u64>,
        stop: StopSignal,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let progress = match &arguments.progress {
            Some(path) => Some(ProgressFile::open(path)?),
            None => None,
        };
        let bar = if arguments.quiet { None } else { bar(plan, remaining) };
        Ok(Self {
            terminal,
            stop,
            log: arguments.log,
            quiet: arguments.quiet,
            bar,
            rows: 0,
            seconds: 0.0,
            progress,
            troubles: BTreeMap::new(),
            silence: Silence::new(),
            failure: None,
        })
    }

    /// Takes note of an epoch.
    pub(super) fn epoch(&mut self, progress: &Progress) {
        self.tell_troubles(progress);
        let waiting = self.silence.after(progress);
        if self.log {
            self.note(&line(progress, waiting));
        }
        let due = waiting.and_then(|waiting| self.silence.line(waiting, progress.timestamp));
        if let Some(line) = due.filter(|_| !self.quiet) {
            self.note(&line);
        }
        self.rows += progress.input_rows;
        self.seconds += progress.duration_ms.total / 1000.0;
        if let Some(bar) = &self.bar {
            bar.inc(progress.sources.iter().map(|source| source.size).sum());
            let (rows, rate) = (short(self.rows as f64), rate(self.rows, self.seconds));
            let waits = waiting.map_or_else(String::new, |waiting| format!(" · {}", brief(waiting)));
            bar.set_message(format!("epoch {} · {rows} rows · {rate}{waits}", progress.epoch));
        }
        if let Some(file) = &mut self.progress
            && let Err(failure) = file.write(progress)
        {
            self.progress = None;
            self.failure.get_or_insert(failure);
            self.stop.stop();
        }
    }

    /// Tells what is wrong with a source that goes on all the same: once when it begins, and when it is over.
    fn tell_troubles(&mut self, progress: &Progress) {
        for source in &progress.sources {
            let before = self.troubles.remove(&source.node);
            match &source.trouble {
                Some(trouble) => {
                    if before.as_ref() != Some(trouble) {
                        self.note(&format!("warning: source `{}`: {trouble}", source.node));
                    }
                    self.troubles.insert(source.node.clone(), trouble.clone());
                }
                None if before.is_some() => self.note(&format!("source `{}` is read again", source.node)),
                None => {}
            }
        }
    }

    fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.terminal.note(line)),
            None => self.terminal.note(line),
        }
    }

    /// Clears the bar, and tells what went wrong in between.
    pub(super) fn finish(self) -> Result<(), Failure> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.failure.map_or(Ok(()), Err)
    }
}

impl ProgressFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self { name: "standard output".to_owned(), out: Box::new(io::stdout()) });
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|error| Failure::io("write", path.display(), &error))?;
        Ok(Self { name: path.display().to_string(), out: Box::new(file) })
    }

    /// Writes an object in a line, at once: others read along.
    fn write(&mut self, progress: &Progress) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(progress).expect("progress is numbers and names");
        line.push(b'\n');
        self.out.write_all(&line).and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::reader_gone(),
            _ => Failure::io("write", &self.name, &error),
        })
    }
}

/// A bar for input whose end is known, on a terminal that nothing else is drawn on.
fn bar(plan: &Plan, remaining: Option<u64>) -> Option<ProgressBar> {
    let is_bounded = matches!(plan.run.trigger, Trigger::AvailableNow | Trigger::Once);
    let remaining = remaining.filter(|&remaining| is_bounded && remaining > 0)?;
    let draws_tables = |role: &Role| matches!(role, Role::Sink(spec, _) if spec.entry().name == "Console");
    let is_shared = io::stdout().is_terminal() && plan.dag.node_weights().any(|node| draws_tables(&node.role));
    if is_shared || !io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:24.cyan/dim} {percent:>3}% · {msg} · {eta} left")
        .expect("the template is right");
    let bar = ProgressBar::new(remaining).with_style(style.progress_chars("━━─")).with_message("reading");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    Some(bar)
}

/// An epoch in a line of the log. `waiting` is what holds rows back when nothing has come out for some time.
fn line(progress: &Progress, waiting: Option<&Waiting>) -> String {
    let out: u64 = progress.sinks.iter().map(|sink| sink.rows).sum();
    let late: u64 = progress.operators.iter().map(|operator| operator.rows_late).sum();
    let state: u64 = progress.operators.iter().map(|operator| operator.state_rows).sum();
    let mut words = vec![
        format!("epoch {}", progress.epoch),
        format!("{} in", count(progress.input_rows)),
        format!("{} out", count(out)),
    ];
    if late > 0 {
        words.push(format!("{} late", count(late)));
    }
    if state > 0 {
        words.push(format!("{} in state", count(state)));
    }
    if let Some(times) = progress.event_time.as_ref().filter(|times| times.watermark != Watermark::NONE) {
        words.push(format!("watermark {}", times.watermark));
    }
    words.extend(waiting.map(brief));
    words.push(seconds(progress.duration_ms.total / 1000.0));
    words.join(" · ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use watershed_core::engine::{Durations, EventTimeProgress, SinkProgress};
    use watershed_core::epoch::Epoch;
    use watershed_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_line_of_the_log_says_what_is_worth_saying() {
        let mut progress = Progress {
            graph: "g".to_owned(),
            epoch: Epoch(3),
            timestamp: Timestamp::from_micros(0),
            duration_ms: Durations { total: 52.1, ..Durations::default() },
            input_rows: 12_345,
            processed_rows_per_second: 0.0,
            event_time: None,
            sources: vec![],
            operators: vec![],
            sinks: vec![SinkProgress { node: "out".to_owned(), rows: 120 }],
            waiting: vec![],
        };
        assert_eq!(line(&progress, None), "epoch 3 · 12,345 in · 120 out · 52 ms");
        let watermark = Watermark(Some(Timestamp::from_micros(0)));
        progress.event_time = Some(EventTimeProgress { max: watermark, watermark, idle: BTreeSet::new() });
        assert_eq!(line(&progress, None), "epoch 3 · 12,345 in · 120 out · watermark 1970-01-01T00:00:00Z · 52 ms");
    }
}
