//! `watershed list`: what can stand in a graph.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use serde_json::json;
use watershed_core::node::{Kind, entries};
use watershed_graphs::describe::{kind_word, summary};

use super::arguments::Format;
use super::exit::{Exit, Outcome};
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed list
  watershed list --kind operator
  watershed list --format json | jq -r '.[].name'

`watershed describe NODE` tells the fields of one of them.";

/// List the node types that a graph can use
///
/// Shows every source, operator and sink that is linked into this program, also those of other crates, with the first sentence of
/// its docs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArguments {
    /// Only nodes of this kind
    #[arg(long, value_enum)]
    kind: Option<KindArgument>,
    /// How to write the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArgument {
    /// Brings rows in
    Source,
    /// Turns rows into rows
    Operator,
    /// Takes rows out
    Sink,
}

impl KindArgument {
    const fn kind(self) -> Kind {
        match self {
            Self::Source => Kind::Source,
            Self::Operator => Kind::Operator,
            Self::Sink => Kind::Sink,
        }
    }
}

pub(super) fn run(arguments: &ListArguments, terminal: Terminal) -> Outcome {
    let mut nodes = entries();
    nodes.retain(|entry| arguments.kind.is_none_or(|kind| kind.kind() == entry.kind));
    let text = match arguments.format {
        Format::Json => {
            let node = |entry: &&watershed_core::node::NodeEntry| json!({"name": entry.name, "kind": kind_word(entry.kind), "package": entry.package, "summary": summary(entry)});
            format!("{:#}\n", serde_json::Value::Array(nodes.iter().map(node).collect()))
        }
        Format::Text => {
            let name_width = nodes.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
            let room = Terminal::width().saturating_sub(name_width + 4);
            let mut text = String::new();
            let mut section = None;
            for entry in nodes {
                if section != Some(entry.kind) {
                    let gap = if section.is_some() { "\n" } else { "" };
                    writeln!(text, "{gap}{}", terminal.paint_out(entry.kind.section(), "1"))
                        .expect("writing to a string cannot fail");
                    section = Some(entry.kind);
                }
                let name = terminal.paint_out(&format!("{:name_width$}", entry.name), "36");
                writeln!(text, "  {name}  {}", first_sentence(&summary(entry), room))
                    .expect("writing to a string cannot fail");
            }
            text
        }
    };
    terminal.print(&text)?;
    Ok(Exit::Ok)
}

/// As much of `text` as fits into a line, at best its first sentence.
fn first_sentence(text: &str, room: usize) -> String {
    let sentence = text.split_once(". ").map_or(text, |(sentence, _)| sentence).trim_end_matches('.');
    if sentence.chars().count() <= room {
        sentence.to_owned()
    } else {
        sentence.chars().take(room.saturating_sub(1)).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_the_first_sentence_or_what_fits_of_it() {
        assert_eq!(first_sentence("Keeps rows. Nulls go.", 40), "Keeps rows");
        assert_eq!(first_sentence("Keeps rows.", 40), "Keeps rows");
        assert_eq!(first_sentence("Keeps rows", 6), "Keeps…");
    }
}
