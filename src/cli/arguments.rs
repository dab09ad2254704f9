//! The command line: global options and the list of subcommands.

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Parser, Subcommand, ValueEnum};

use super::exit::EXIT_CODES;
use super::terminal::Colour;
#[cfg(feature = "testing")]
use super::test;
use super::{check, checkpoint, completions, describe, graph, list, new, plan, run, schema, state};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const LONG_ABOUT: &str = "\
Event-time stream processing from a RON file.

A graph file names sources, operators and sinks and says in `flow` how rows run between them. Watershed checks it, runs it in epochs \
over Arrow batches, and gives the same answer whatever the threads and the pace of the input.

A first graph, saved as hello.ron:

    Graph(
        name: \"hello\",
        sources: { \"ticks\": Rate(rows_per_second: 5) },
        operators: { \"even\": Filter(\"value % 2 = 0\") },
        sinks: { \"console\": Console() },
        flow: [\"ticks -> even -> console\"],
    )

    watershed run hello.ron";

const EXAMPLES: &str = "\
Examples:
  watershed list                              what can stand in a graph
  watershed describe Window                   the fields of a node, with an example
  watershed check graphs/*.ron                every fault of every graph, nothing is opened
  watershed graph pipeline.ron -o graph.svg   a drawing
  watershed run pipeline.ron                  run it
  watershed plan pipeline.ron                 hold a changed graph against its checkpoint
  watershed test tests/                       run test files
  watershed checkpoint list checkpoints/p     what a checkpoint holds
  watershed state checkpoints/p counts        the rows that a node keeps
  watershed new my-operators                  a crate for operators of your own";

/// What the command was asked to do.
#[derive(Debug, Parser)]
#[command(name = "watershed", version, about = "Event-time stream processing from a RON file", long_about = LONG_ABOUT)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), styles = STYLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = false)]
pub(super) struct Arguments {
    /// When to colour output
    #[arg(long = "color", global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) colour: Colour,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The subcommands, in the order in which a pipeline author meets them.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Run(run::RunArguments),
    Check(check::CheckArguments),
    Plan(plan::PlanArguments),
    #[cfg(feature = "testing")]
    Test(test::TestArguments),
    Graph(graph::GraphArguments),
    Schema(schema::SchemaArguments),
    List(list::ListArguments),
    Describe(describe::DescribeArguments),
    Checkpoint(checkpoint::CheckpointArguments),
    State(state::StateArguments),
    New(new::NewArguments),
    Completions(completions::CompletionsArguments),
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_subcommand_teaches_by_example() {
        for command in Arguments::command().get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{} shows no example:\n{help}", command.get_name());
        }
    }
}
