//! Mermaid: for documents that draw it themselves, such as a README.

use std::fmt::Write;

use watershed_core::plan::Plan;

use super::picture::{Look, Picture};
use super::style::{LOOKS, class, light};

/// The plan as a Mermaid flowchart.
pub fn mermaid(plan: &Plan) -> String {
    let picture = Picture::of(plan, 48);
    let mut text = format!("---\ntitle: \"{}\"\n---\nflowchart TB\n", escaped(&picture.title));
    let mut put = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("writing to a string cannot fail");
    // Node names may hold what Mermaid does not allow in an id, so ids are counted.
    for (id, node) in picture.boxes.iter().enumerate() {
        let badge = node.look.badge().map(|badge| format!(" · {badge}")).unwrap_or_default();
        let facts: String = node
            .facts
            .iter()
            .flat_map(|fact| ["<br/><small>".to_owned(), escaped(fact), "</small>".to_owned()])
            .collect();
        let label = format!("<b>{}</b> · <i>{}{badge}</i>{facts}", escaped(&node.name), node.type_name);
        let (open, close) = brackets(node.look);
        put(format_args!("    n{id}{open}\"{label}\"{close}:::{}\n", class(node.look)));
    }
    for arrow in &picture.arrows {
        let line = if arrow.side { "-.->" } else { "-->" };
        let label = if arrow.label.is_empty() {
            String::new()
        } else {
            format!("|\"{}\"|", escaped(&arrow.label.join(" · ")))
        };
        put(format_args!("    n{} {line}{label} n{}\n", arrow.from, arrow.to));
    }
    for (look, _) in LOOKS {
        let colours = light(look);
        put(format_args!(
            "    classDef {} fill:{},stroke:{},color:#1b1f24\n",
            class(look),
            colours.ground,
            colours.line
        ));
    }
    text
}

const fn brackets(look: Look) -> (&'static str, &'static str) {
    match look {
        Look::Source => ("([", "])"),
        Look::Stateless => ("[", "]"),
        Look::Stateful | Look::Growing => ("[[", "]]"),
        Look::Sink => ("[/", "/]"),
    }
}

/// Text within quotes: what would end them or be taken for markup is written as an entity code.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '<' | '>' | '#' | '&' | '`' | '*' | '_' | '\\' => {
                write!(escaped, "#{};", u32::from(c)).expect("writing to a string cannot fail");
            }
            '\n' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::sketch;

    #[test]
    fn what_mermaid_would_take_for_markup_is_written_as_code() {
        let text = mermaid(&sketch::tangle());
        assert!(text.contains(r#"n1(["<b>views #38; #60;impressions#62;</b> · <i>SketchFiles</i>"#), "{text}");
        assert!(text.contains(r#"n4 -->|"→ right · event#95;time − 30m"| n5"#), "{text}");
    }

    #[test]
    fn a_side_output_is_dotted() {
        assert!(mermaid(&sketch::activity()).contains("n3 -.->|\"late"), "{}", mermaid(&sketch::activity()));
    }
}
