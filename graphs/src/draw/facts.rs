//! What the graph file says of a node, a field a line: the facts in a drawing's box.
//!
//! A field that has its default says nothing and is left out.

use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::Serialize;
use serde_json::Value;
use watershed_core::node::NodeEntry;

/// The fields of `node` in RON, as `keys: ["User"]`; the bare value where the type is written without field names.
pub(crate) fn facts<N: Serialize + ?Sized>(node: &N, entry: &NodeEntry) -> Vec<String> {
    let config = PrettyConfig::new()
        .compact_arrays(true)
        .compact_structs(true)
        .compact_maps(true)
        .extensions(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES);
    // A node that cannot be written has no facts: a drawing is no place to fail over it.
    let Ok(text) = ron::ser::to_string_pretty(node, config) else { return Vec::new() };
    let values = serde_json::to_value(node).unwrap_or_default();
    let schema = (entry.schema)();
    let is_default = |field: &str| {
        let value = values.get(entry.name).and_then(|fields| fields.get(field)).unwrap_or(&Value::Null);
        let default = schema.get("properties").and_then(|fields| fields.get(field)?.get("default"));
        value.is_null() || default.is_some_and(|default| default == value)
    };
    // RON escapes a single quote, which SQL is full of and nothing needs.
    let fields = top_level_items(arguments(&text)).into_iter().map(|fact| fact.replace("\\'", "'"));
    fields.filter(|fact| !fact.split_once(": ").is_some_and(|(field, _)| is_default(field))).collect()
}

/// What stands between the outermost brackets of `{"Type": (…)}`, as typetag writes a node: the text without its tag.
fn arguments(text: &str) -> &str {
    // `#![enable(…)]` comes first when extensions are on.
    let text = text.find('{').map_or(text, |start| &text[start..]);
    let value = text.find(':').map_or("", |colon| text[colon + 1..].trim_end_matches('}').trim());
    value.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(value)
}

/// Cuts `a: 1, b: [2, 3]` at the commas that stand in no bracket and no string.
fn top_level_items(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped, mut start) = (0_usize, false, false, 0);
    let mut items = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&text[start..]);
    items.into_iter().map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use watershed_core::node::{Node, OperatorSpec, SourceSpec};

    use super::*;
    use crate::draw::sketch::{SketchFiles, SketchFilter, SketchWindow};

    #[test]
    fn a_fact_reads_as_the_graph_file_does() {
        let window: &dyn OperatorSpec = &SketchWindow::sliding();
        assert_eq!(
            facts(window, window.entry()),
            [
                r#"window: Sliding(size: "10m", slide: "5m")"#,
                r#"keys: ["User"]"#,
                r#"aggregates: ["count(*) AS count", "avg(x) AS mean_x"]"#,
                "output_mode: Update"
            ]
        );
    }

    #[test]
    fn a_field_with_its_default_is_no_fact() {
        let files = SketchFiles { path: "a, \"b\".json".to_owned(), max_files: 1000 };
        let source: &dyn SourceSpec = &files;
        assert_eq!(facts(source, files.entry()), [r#"path: "a, \"b\".json""#]);
    }

    #[test]
    fn a_type_without_field_names_has_its_bare_value_as_fact() {
        let filter: &dyn OperatorSpec = &SketchFilter("a > '1', 2".to_owned());
        assert_eq!(facts(filter, filter.entry()), [r#""a > '1', 2""#]);
    }
}
