//! `watershed run`: runs a graph until its trigger's end or an interrupt.

pub(super) mod failure;
mod interrupt;
mod listener;
pub(super) mod numbers;
mod summary;
mod waiting;

pub(super) use self::numbers::bytes;

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use watershed_core::checkpoint::Change;
use watershed_core::engine::{Engine, EngineError, EngineOptions, Recovery, StopSignal, foresee};
use watershed_core::node::StateNeed;
use watershed_core::plan::{AtEnd, Plan, Role, Trigger};
use watershed_core::time::TimeSpan;
use watershed_graphs::SchemaMode;

use self::listener::Listener;
use super::arguments::Format;
use super::checkpointed::{CheckpointArguments, explain, shared_out_anew, warn, whence};
use super::exit::{Exit, Outcome};
use super::files;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed run pipeline.ron
  watershed run pipeline.ron --log                        a line per epoch
  watershed run pipeline.ron --trigger available-now      what is there now, then stop
  watershed run pipeline.ron --trigger '10 seconds'       an epoch every ten seconds
  watershed run pipeline.ron --progress progress.json     one JSON object per epoch
  watershed run pipeline.ron --format json | tail -1      the summary, for a program
  watershed run pipeline.ron --checkpoint state/visits    go on where the last run with it stopped
  watershed run pipeline.ron --reset counts               begin `counts` anew, all else goes on

Ctrl-C and SIGTERM end the run after the epoch in hand; sent again, at once. With a checkpoint
neither that nor a crash loses a row or brings one twice: run the graph again, and it goes on.";

/// Run a graph
///
/// Checks the graph as `watershed check` does, looks at the data for columns that are not declared, then runs epoch after epoch until
/// the trigger's end, the end of all sources, or Ctrl-C. The result does not depend on the threads or the batch size.
///
/// With a checkpoint (`run.checkpoint` in the file, or `--checkpoint`) the run goes on where the last one stopped, however that ended.
/// A graph that has changed so that its state does not fit any more is refused; `watershed plan` shows that before a start.
///
/// What sinks write to standard output stays clean: the progress bar (on a terminal, for input whose end is known), `--log` and the
/// final table go to standard error.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArguments {
    /// A graph file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    /// When an epoch starts, in place of the file's `run.trigger`: `continuous`, `available-now`, `once` or a duration such as `10 seconds`
    #[arg(long, value_name = "TRIGGER", value_parser = parse_trigger)]
    trigger: Option<Trigger>,
    /// What happens to open windows at the end of bounded input, in place of the file's `run.at_end`
    #[arg(long, value_enum, value_name = "END")]
    at_end: Option<AtEndArgument>,
    /// Stop after this many epochs
    #[arg(long, value_name = "N")]
    max_epochs: Option<NonZero<u64>>,
    /// Threads that compute, and threads that read; left out, as many as there are cores
    #[arg(long, value_name = "N", env = "WATERSHED_THREADS")]
    threads: Option<NonZero<usize>>,
    /// The most rows in a batch
    #[arg(long, value_name = "N")]
    batch_rows: Option<NonZero<usize>>,
    /// How long a node may take for a batch, or for the rows of a partition in an epoch, such as `30 seconds`; a longer call fails
    /// its epoch. Left out, nothing limits it
    #[arg(long, value_name = "DURATION", value_parser = parse_limit)]
    call_limit: Option<Duration>,
    /// Write a line per epoch to standard error
    #[arg(long)]
    log: bool,
    /// Append one JSON object per epoch to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    progress: Option<PathBuf>,
    /// No progress bar and no final table
    #[arg(short, long)]
    quiet: bool,
    /// How to write the final summary: a table on standard error, or JSON in a line on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AtEndArgument {
    /// They stay open
    Hold,
    /// They come out
    Flush,
}

pub(super) fn run(arguments: &RunArguments, terminal: Terminal) -> Outcome {
    let mut plan = files::plan(&arguments.file, SchemaMode::Infer, terminal)?;
    if let Some(trigger) = arguments.trigger {
        plan.run.trigger = trigger;
    }
    if let Some(at_end) = arguments.at_end {
        plan.run.at_end = match at_end {
            AtEndArgument::Hold => AtEnd::Hold,
            AtEndArgument::Flush => AtEnd::Flush,
        };
    }
    let storage = arguments.checkpoint.open(&mut plan)?;
    let stop = StopSignal::default();
    interrupt::stop_on_interrupt(&stop, terminal)?;
    let mut options = EngineOptions {
        stop: stop.clone(),
        checkpoint: storage.clone(),
        adjustments: arguments.checkpoint.adjustments()?,
        max_epochs: arguments.max_epochs.map(NonZero::get),
        call_limit: arguments.call_limit,
        ..EngineOptions::default()
    };
    options.threads = arguments.threads.map_or(options.threads, NonZero::get);
    options.batch_rows = arguments.batch_rows.map_or(options.batch_rows, NonZero::get);
    let adjustments = options.adjustments.clone();
    let failed = |error: &EngineError| match &storage {
        Some(storage) => explain(error, &plan, &**storage),
        None => failure::of_engine(error, None),
    };
    let mut engine = Engine::open(&plan, options).map_err(|error| {
        if let (Some(verdict), Some(storage)) = (failure::misfit(&error), &storage) {
            let recovery = foresee(&plan, &**storage, &adjustments);
            let recovery =
                recovery.unwrap_or_else(|_| Recovery { verdict: Some(verdict.clone()), ..Recovery::default() });
            terminal.note(&super::plan::render(&recovery, &plan));
            warn(&recovery, &plan, terminal);
        }
        failed(&error)
    })?;
    announce(&plan, engine.recovery(), arguments.quiet, terminal);
    let mut listener = Listener::new(arguments, &plan, engine.remaining(), stop, terminal)?;
    let result = engine.run(&mut |progress| listener.epoch(progress));
    listener.finish()?;
    let summary = result.map_err(|error| failed(&error))?;
    match arguments.format {
        Format::Json => {
            let text = serde_json::to_string(&summary).expect("a summary is numbers and names");
            terminal.print(&format!("{text}\n"))?;
        }
        Format::Text if arguments.quiet => {}
        Format::Text => terminal.note(summary::render(&summary, &plan, terminal).trim_end()),
    }
    Ok(Exit::Ok)
}

/// Says what the author should know before the first row.
fn announce(plan: &Plan, recovery: Option<&Recovery>, is_quiet: bool, terminal: Terminal) {
    let note = |text: &str| {
        if !is_quiet {
            terminal.note(&format!("{} {text}", terminal.paint("note:", "36")));
        }
    };
    let Some(recovery) = recovery else {
        if keeps_state(plan) {
            note(&format!("`{}` has no `run.checkpoint`: its state is lost when the run ends", plan.name));
        }
        return;
    };
    note(&format!("checkpoint `{}`: the run {}", recovery.location, whence(recovery)));
    if let Some((before, now)) = shared_out_anew(recovery, plan) {
        note(&format!("{before} partitions become {now}: the state is shared out anew"));
    }
    for node in recovery.verdict.iter().flat_map(|verdict| &verdict.nodes) {
        let name = &node.node;
        match &node.change {
            Change::Reset => note(&format!("`{name}` is reset: what the checkpoint keeps of it is dropped")),
            Change::Renamed { from } => note(&format!("`{name}` goes on as what was `{from}`")),
            _ => {}
        }
    }
    warn(recovery, plan, terminal);
}

fn keeps_state(plan: &Plan) -> bool {
    let keeps = |role: &Role| matches!(role, Role::Operator { signature, .. } if signature.state != StateNeed::None);
    plan.dag.node_weights().any(|node| keeps(&node.role))
}

/// A length of time that is some time.
fn parse_limit(text: &str) -> Result<Duration, String> {
    let limit = text.parse::<TimeSpan>()?.to_std();
    if limit.is_zero() { Err("write a duration such as `30 seconds`".to_owned()) } else { Ok(limit) }
}

/// A trigger as the command line writes it.
fn parse_trigger(text: &str) -> Result<Trigger, String> {
    match text.to_ascii_lowercase().replace(['_', ' '], "-").as_str() {
        "continuous" => Ok(Trigger::Continuous),
        "available-now" | "availablenow" => Ok(Trigger::AvailableNow),
        "once" => Ok(Trigger::Once),
        _ => match text.parse::<TimeSpan>() {
            Ok(period) if period > TimeSpan::ZERO => Ok(Trigger::Every(period)),
            _ => Err("write `continuous`, `available-now`, `once` or a duration such as `10 seconds`".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_some_time() {
        assert_eq!(parse_limit("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["0s", "-3s", "soon"] {
            assert!(parse_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn triggers_read_as_words_or_durations() {
        for (text, trigger) in [
            ("once", Some(Trigger::Once)),
            ("available-now", Some(Trigger::AvailableNow)),
            ("AvailableNow", Some(Trigger::AvailableNow)),
            ("continuous", Some(Trigger::Continuous)),
            ("10 seconds", Some(Trigger::Every(TimeSpan::from_seconds(10)))),
            ("0 seconds", None),
            ("sometimes", None),
        ] {
            assert_eq!(parse_trigger(text).ok(), trigger, "{text}");
        }
    }
}
