//! What there is to say about a node type: from the struct that parses it, so that it is never out of date.
//!
//! [`describe`] reads the registry's JSON Schema (fields, types, defaults, docs) and asks the node that the example makes
//! for its ports. The result is data, for programs as JSON; [`Description::render`] writes it for people.

pub(crate) mod edge;
mod face;
mod node;
mod schema;
mod text;

pub use self::edge::{ColumnDescription, EdgeDescription, EventTimeDescription, describe_edges};
pub use self::node::{NodeDescription, PortDescription, describe_nodes};

use serde::Serialize;
use watershed_core::node::{Kind, NodeEntry, PortName};

use self::face::Face;
use self::schema::SchemaReader;

/// All there is to know of a node type before it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The type's name, as a graph file writes it.
    pub name: &'static str,
    /// `source`, `operator` or `sink`.
    pub kind: &'static str,
    /// The crate it comes from.
    pub package: &'static str,
    /// The first sentence or two of the docs.
    pub summary: String,
    /// The rest of the docs, in paragraphs.
    pub docs: Vec<String>,
    /// What stands between the brackets.
    pub fields: Vec<FieldDescription>,
    /// The ports that edges enter by; none for a source.
    pub inputs: Vec<PortName>,
    /// Those of them that may stay unfed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub optional_inputs: Vec<PortName>,
    /// Whether an input port takes several edges.
    pub many_edges: bool,
    /// The ports that edges leave by; none for a sink.
    pub outputs: Vec<PortName>,
    /// Other things to know: the promise of a sink, whether a source can be read again.
    pub notes: Vec<String>,
    /// A node that loads.
    pub example: &'static str,
}

/// A field of a node, or of a value within it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDescription {
    /// Its name; left out where a type is written without field names, as in `Filter("x > 1")`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its type in words.
    #[serde(rename = "type")]
    pub type_words: String,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is left out, in RON; none when it is then absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What it means, in paragraphs.
    pub docs: Vec<String>,
    /// What can be written there, when it is one of several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantDescription>,
    /// The fields of a value that has fields itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDescription>,
}

/// One of the things that can be written in a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariantDescription {
    /// Its name.
    pub name: String,
    /// What it means, in paragraphs.
    pub docs: Vec<String>,
    /// What stands between its brackets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDescription>,
}

/// The word for a kind, without an article.
pub const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Source => "source",
        Kind::Operator => "operator",
        Kind::Sink => "sink",
    }
}

/// Describes a node type.
pub fn describe(entry: &'static NodeEntry) -> Description {
    let schema = (entry.schema)();
    let reader = SchemaReader::new(schema.as_value());
    let mut paragraphs = SchemaReader::docs(schema.as_value());
    let summary = if paragraphs.is_empty() { String::new() } else { paragraphs.remove(0) };
    let face = Face::of(entry).unwrap_or_default();
    Description {
        name: entry.name,
        kind: kind_word(entry.kind),
        package: entry.package,
        summary,
        docs: paragraphs,
        fields: reader.arguments(schema.as_value()),
        inputs: face.inputs,
        optional_inputs: face.optional_inputs,
        many_edges: face.many_edges,
        outputs: face.outputs,
        notes: face.notes,
        example: entry.example,
    }
}

/// The first paragraph of a node type's docs: its line in a list.
pub fn summary(entry: &NodeEntry) -> String {
    let schema = (entry.schema)();
    SchemaReader::docs(schema.as_value()).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use watershed_core::node::{Node, Ports};

    use super::*;
    use crate::draw::sketch::{SketchConsole, SketchFilter, SketchWindow};

    fn described(node: &dyn Node) -> Description {
        describe(node.entry())
    }

    #[test]
    fn an_operator_tells_its_ports() {
        let window = described(&SketchWindow::sliding());
        let Ports { inputs, outputs, .. } = Ports::WITH_LATE;
        assert_eq!((window.inputs, window.outputs, window.kind), (inputs.to_vec(), outputs.to_vec(), "operator"));
    }

    #[test]
    fn a_sink_tells_its_promise_and_the_modes_it_takes() {
        let console = described(&SketchConsole {});
        assert_eq!(
            console.notes,
            ["A row is delivered at least once.", "Takes streams of the modes `Append`, `Update`, `Complete`."]
        );
    }

    #[test]
    fn the_first_paragraph_is_the_summary() {
        let filter = described(&SketchFilter(String::new()));
        assert_eq!(
            (filter.summary.as_str(), filter.docs),
            ("Keeps the rows for which an expression is true.", vec!["A null is not true.".to_owned()])
        );
        assert_eq!(filter.fields[0].type_words, "string");
    }

    #[test]
    fn a_description_reads_from_top_to_bottom() {
        let text = described(&SketchWindow::sliding()).render(false, 80);
        let expected = r#"SketchWindow, an operator of watershed-graphs

Counts rows in windows of event time.

Fields
  window: one of Tumbling(duration) | Sliding(size, slide) | Everything  (required)
      The windows.
      Tumbling(duration)
          Windows that follow one another.
      Sliding(…)
          Windows that overlap.
          size: duration  (required)
              The length of a window.
          slide: duration  (required)
              From one start to the next.
      Everything
          All of time.
  aggregates: list of strings  (required)
      What to compute.
  output_mode: one of Append | Update | Complete  (required)
      How results come out.
      Append
          A row comes out once, when it can no longer change.
      Update
          Every row that an epoch touched comes out with its new value.
      Complete
          Every epoch brings the whole result.
  keys: list of strings  (default [])
      Columns or expressions to group by.
  time: string  (optional)
      The event-time column, where it is not the watermark's own.

Ports
  inputs:  in
  outputs: out, late

Example
  "name": SketchWindow(window: Tumbling("10 minutes"), aggregates: ["count(*) AS n"], output_mode: Append),
"#;
        assert_eq!(text, expected);
    }
}
