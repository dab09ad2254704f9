//! `watershed describe`: the fields, ports and an example of a node type.

use clap::Args;
use watershed_core::node::{NodeEntry, entries};
use watershed_graphs::describe::describe;

use super::arguments::Format;
use super::exit::{Exit, Failure, Outcome};
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed describe Window
  watershed describe Files                 the source and the sink of that name
  watershed describe Window --format json

`watershed list` shows the names.";

/// Describe a node type: fields, defaults, ports, an example
///
/// All of it comes from the type that reads the graph file, so it is what this very program understands. The example loads as it
/// stands.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DescribeArguments {
    /// The names of node types, as a graph file writes them
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// How to write the description
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &DescribeArguments, terminal: Terminal) -> Outcome {
    let known = entries();
    let mut found = Vec::new();
    for name in &arguments.nodes {
        // A source and a sink may have the same name.
        let same: Vec<&'static NodeEntry> = known.iter().copied().filter(|entry| entry.name == name).collect();
        if same.is_empty() {
            return Err(unknown(name, &known));
        }
        found.extend(same);
    }
    let descriptions = found.into_iter().map(describe);
    let text = match arguments.format {
        Format::Json => {
            let descriptions: Vec<_> = descriptions.collect();
            let text = serde_json::to_string_pretty(&descriptions).expect("a description is plain text and lists");
            format!("{text}\n")
        }
        Format::Text => {
            let pages: Vec<String> =
                descriptions.map(|description| description.render(terminal.out_colour, Terminal::width())).collect();
            pages.join("\n\n")
        }
    };
    terminal.print(&text)?;
    Ok(Exit::Ok)
}

fn unknown(name: &str, known: &[&NodeEntry]) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("there is no node type `{name}` in this program"));
    let distance = |entry: &&&NodeEntry| strsim::damerau_levenshtein(&entry.name.to_lowercase(), &name.to_lowercase());
    let nearest = known.iter().filter(|entry| distance(entry) <= (name.len() / 3).max(1)).min_by_key(distance);
    failure.help(match nearest {
        Some(nearest) => format!("did you mean `{}`? `watershed list` shows all", nearest.name),
        None => "`watershed list` shows all; a type of another crate is known when the program names that crate: `use my_nodes as _;`".to_owned(),
    })
}
