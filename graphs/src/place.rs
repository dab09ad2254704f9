//! From a path within a node to the bytes of the file: where a fault found by a node stands in its text.

use watershed_core::fault::Step;

use crate::syntax::{Body, Span, Tree, Value};

/// The bytes that `path`, and within the string there `within`, mean in `node`, a whole `Type(…)`. Where the path leads
/// to something that is not written, such as a default, the last thing on the way is meant.
pub(crate) fn locate(node: &Tree, path: &[Step], within: Option<&Span>) -> Span {
    let mut at = node;
    for step in path {
        match child(at, step) {
            Some(found) => at = found,
            None => return at.head(),
        }
    }
    let value = unwrapped(at);
    match (&value.value, within) {
        (Value::Text(text), Some(within)) => text.locate(within),
        (Value::Text(_), None) if std::ptr::eq(at, value) => value.span.clone(),
        _ if path.is_empty() => node.head(),
        _ => at.span.clone(),
    }
}

/// The value in the brackets of `Filter("…")` and `Some(…)`, which a path does not mention.
fn unwrapped(tree: &Tree) -> &Tree {
    match &tree.value {
        Value::Struct(_, Body::Values(values)) if values.len() == 1 => unwrapped(&values[0]),
        _ => tree,
    }
}

fn child<'a>(tree: &'a Tree, step: &Step) -> Option<&'a Tree> {
    let direct = match (step, &tree.value) {
        (Step::Field(name), _) if tree.field(name).is_some() => tree.field(name).map(|(_, value)| value),
        (Step::Field(name), Value::Map(entries)) => entries
            .iter()
            .find(|(key, _)| matches!(&key.value, Value::Text(text) if text.value == *name))
            .map(|(_, value)| value),
        // The variant's own name: `("window", "Sliding", "size")` and `("window", "size")` mean the same.
        (Step::Field(name), _) if tree.tag().is_some_and(|(tag, _)| tag == name) => Some(tree),
        (Step::Index(index), Value::List(items)) => items.get(*index),
        (Step::Index(index), Value::Struct(_, Body::Values(values))) if values.len() > 1 => values.get(*index),
        _ => None,
    };
    direct.or_else(|| {
        let inner = unwrapped(tree);
        if std::ptr::eq(inner, tree) { None } else { child(inner, step) }
    })
}

/// A path as people write it: `window.size`, `aggregates[1]`.
pub(crate) fn path_text(path: &[Step]) -> Option<String> {
    let parts: Vec<String> = path
        .iter()
        .enumerate()
        .map(|(index, step)| match step {
            Step::Field(name) if index == 0 => name.clone(),
            Step::Field(name) => format!(".{name}"),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect();
    (!parts.is_empty()).then(|| parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax;

    #[test]
    fn a_path_leads_to_the_text_it_means() {
        let node =
            r##"Window(window: Sliding(size: "1m", slide: Some("5s")), keys: ["a", r#"b "c" + d"#], on: {"x": 1})"##;
        let (tree, faults) = syntax::parse(node, 0..node.len(), None);
        assert!(faults.is_empty(), "{faults:?}");
        let tree = tree.expect("a tree");
        let field = |name: &str| Step::from(name);
        for (path, within, meant) in [
            (vec![], None, "Window"),
            (vec![field("keys")], None, r##"["a", r#"b "c" + d"#]"##),
            (vec![field("keys"), Step::Index(0)], None, "\"a\""),
            (vec![field("keys"), Step::Index(1)], Some(2..5), "\"c\""),
            (vec![field("keys"), Step::Index(7)], None, r##"["a", r#"b "c" + d"#]"##),
            (vec![field("window"), field("size")], None, "\"1m\""),
            (vec![field("window"), field("Sliding"), field("slide")], Some(0..1), "5"),
            (vec![field("window"), field("offset")], None, "Sliding"),
            (vec![field("output_mode")], None, "Window"),
            (vec![field("on"), field("x")], None, "1"),
        ] {
            assert_eq!(&node[locate(&tree, &path, within.as_ref())], meant, "{path:?}");
        }
    }

    #[test]
    fn a_type_without_field_names_needs_no_step() {
        for (node, path, within, meant) in [
            ("Filter(\"a > 1\")", vec![], Some(0..1), "a"),
            ("Filter(\"a\\t> 1\")", vec![], Some(1..2), "\\t"),
            ("Select([\"a\", \"b\"])", vec![Step::Index(1)], None, "\"b\""),
            ("Select([\"a\", \"b\"])", vec![], None, "Select"),
        ] {
            let (tree, _) = syntax::parse(node, 0..node.len(), None);
            assert_eq!(&node[locate(&tree.expect("a tree"), &path, within.as_ref())], meant, "{node}");
        }
    }
}
