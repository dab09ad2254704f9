//! `watershed graph`: a drawing of a graph.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use watershed_graphs::SchemaMode;
use watershed_graphs::draw::{dot, mermaid, svg};

use super::exit::{Exit, Failure, Outcome};
use super::files;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed graph pipeline.ron -o pipeline.svg        open it in a browser
  watershed graph pipeline.ron --format mermaid       to paste into a README
  watershed graph pipeline.ron --format dot | dot -Tpdf -o pipeline.pdf";

/// Draw a graph
///
/// Shows every node with what the file says of it, and on every edge the port, the mode when it is not Append, and event time with how
/// far the watermark stays behind it (`event_time − 30m`). Boxes are coloured by kind; those that keep state stand out, and so does
/// state that nothing bounds.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct GraphArguments {
    /// A graph file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to write; left out, what the output file's ending says, or dot
    #[arg(long, value_enum)]
    format: Option<Drawing>,
    /// Where to write it; left out, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Drawing {
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A picture, laid out
    Svg,
}

impl Drawing {
    /// What a file of this name should hold.
    fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "dot" | "gv" => Some(Self::Dot),
            "mmd" | "mermaid" => Some(Self::Mermaid),
            "svg" => Some(Self::Svg),
            _ => None,
        }
    }
}

pub(super) fn run(arguments: &GraphArguments, terminal: Terminal) -> Outcome {
    let drawing = match (arguments.format, &arguments.output) {
        (Some(drawing), _) => drawing,
        (None, None) => Drawing::Dot,
        (None, Some(path)) => Drawing::of_file(path).ok_or_else(|| {
            let message = format!("the name `{}` does not say what to write", path.display());
            Failure::new(Exit::Usage, message).help("end it in `.svg`, `.dot` or `.mmd`, or give `--format`")
        })?,
    };
    let plan = files::plan(&arguments.file, SchemaMode::Infer, terminal)?;
    let text = match drawing {
        Drawing::Dot => dot(&plan),
        Drawing::Mermaid => mermaid(&plan),
        Drawing::Svg => svg(&plan),
    };
    match &arguments.output {
        None => terminal.print(&text)?,
        Some(path) => fs::write(path, text).map_err(|error| Failure::io("write", path.display(), &error))?,
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_what_to_write() {
        assert_eq!(Drawing::of_file(Path::new("a.svg")), Some(Drawing::Svg));
        assert_eq!(Drawing::of_file(Path::new("docs/a.mmd")), Some(Drawing::Mermaid));
        assert_eq!(Drawing::of_file(Path::new("a.png")), None);
    }
}
