//! Whatever stands in a file, there is an answer: no panic, no overflow, and places that lie in the file.

use proptest::prelude::*;
use watershed_graphs::{SchemaMode, load, load_fragment};

use crate::invalid::variables;
use crate::typing::ACTIVITY;

fn assert_answers(text: &str) {
    let loaded = load(text, "hostile.ron", &variables);
    let checked = loaded.check(SchemaMode::Infer);
    assert_eq!(checked.plan.is_some(), !checked.diagnostics.has_errors(), "{text}\n{}", checked.diagnostics);
    for item in checked.diagnostics.iter() {
        let place = item.place.as_ref().expect("a file has places");
        assert!(text.get(place.bytes()).is_some(), "{item:?}");
        for (place, _) in &item.related {
            assert!(text.get(place.bytes()).is_some(), "{item:?}");
        }
    }
    assert_eq!(checked.diagnostics.render(true).is_empty(), checked.diagnostics.is_empty());
    checked.diagnostics.to_json();
}

/// A file with one stretch replaced, near enough to a valid one that every part of the loader is reached.
fn mutated() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "->",
        ".",
        "${",
        "${X}",
        "${X:-y}",
        "\\",
        "\\x",
        "r#\"",
        "//",
        "/*",
        "'",
        "b\"",
        "é",
        "\n",
        "Some(",
        "None",
        "Window",
        "Update",
        "1",
        "-0x",
        "1e",
        "in",
        "counts",
        "\"in\": Files(),",
        "late",
        "\u{0}",
        "#![enable(x)]",
    ]);
    (0..ACTIVITY.len(), 0..12_usize, pieces).prop_map(|(at, length, piece)| {
        let boundary = |mut at: usize| {
            at = at.min(ACTIVITY.len());
            while !ACTIVITY.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (boundary(at), boundary(at + length));
        format!("{}{piece}{}", &ACTIVITY[..start], &ACTIVITY[end.max(start)..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_has_an_answer(text in mutated()) {
        assert_answers(&text);
    }

    #[test]
    fn any_text_has_an_answer(text in "(Graph|\\(|\\)|\\[|\\]|\\{|\\}|name|:|,|\"|\\PC| |\n){0,60}") {
        assert_answers(&text);
    }

    #[test]
    fn any_fragment_has_an_answer(start in 0..1200_usize, end in 0..1200_usize) {
        load_fragment(ACTIVITY, start..end, "hostile.ron", &variables).check(SchemaMode::Infer);
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{\"a\":", "}"), ("Some(", ")"), ("Graph(name: ", ")")] {
        for depth in [100, 200, 100_000] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_answers(&nested);
            assert_answers(&ACTIVITY.replace("\"User\"", &nested));
        }
    }
    assert_answers(&"/*".repeat(100_000));
}
