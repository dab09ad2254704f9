//! Graphviz dot: for those who want to lay the graph out themselves.

use std::fmt::Write;

use watershed_core::plan::Plan;

use super::picture::{Look, NodeBox, Picture};
use super::style::light;

/// The plan in dot, as `dot -Tsvg` reads it.
pub fn dot(plan: &Plan) -> String {
    let picture = Picture::of(plan, 60);
    let mut text = format!("digraph \"{}\" {{\n", escaped(&picture.title));
    text.push_str(
        "  rankdir=TB;\n  node [fontname=\"Helvetica\", fontsize=11, style=\"rounded,filled\", shape=box];\n",
    );
    text.push_str("  edge [fontname=\"Helvetica\", fontsize=10, color=\"#5c6673\"];\n");
    let mut put = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("writing to a string cannot fail");
    for node in &picture.boxes {
        let colours = light(node.look);
        let (name, shape) = (escaped(&node.name), shape(node.look));
        put(format_args!(
            "  \"{name}\" [label=\"{}\", {shape}, fillcolor=\"{}\", color=\"{}\"];\n",
            label(node),
            colours.ground,
            colours.line
        ));
    }
    for arrow in &picture.arrows {
        let (from, to) = (escaped(&picture.boxes[arrow.from].name), escaped(&picture.boxes[arrow.to].name));
        let style = if arrow.side { ", style=dashed" } else { "" };
        put(format_args!("  \"{from}\" -> \"{to}\" [label=\"{}\"{style}];\n", escaped(&arrow.label.join(" · "))));
    }
    text.push_str("}\n");
    text
}

/// Name and type centred, then the facts to the left.
fn label(node: &NodeBox) -> String {
    let badge = node.look.badge().map(|badge| format!(" · {badge}")).unwrap_or_default();
    let facts: String = node.facts.iter().flat_map(|fact| [escaped(fact), "\\l".to_owned()]).collect();
    format!("{}\\n{}{badge}\\n{facts}", escaped(&node.name), node.type_name)
}

const fn shape(look: Look) -> &'static str {
    match look {
        Look::Source => "shape=cds, style=filled, margin=\"0.25,0.1\"",
        Look::Stateless => "shape=box",
        Look::Stateful | Look::Growing => "shape=box, peripheries=2",
        Look::Sink => "shape=folder, style=filled",
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::sketch;

    #[test]
    fn names_are_quoted_and_quotes_escaped() {
        let text = dot(&sketch::activity());
        assert!(text.contains(r#""counts" -> "too_late" [label="late · event_time − 30m", style=dashed];"#), "{text}");
        assert!(text.contains(r#"SketchFilter\n\"x > 0 AND gt <> 'null' AND \\\"a\\\" < 3\"\l"#), "{text}");
        assert!(text.contains("SketchWindow · state"), "{text}");
    }
}
