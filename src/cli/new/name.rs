//! Names that a crate can have.

use std::str::FromStr;

/// Words that no crate can be called by, because Rust means something else by them.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "watershed",
    "where",
    "while",
    "yield",
];

/// A name that Cargo takes, and Rust too once its hyphens are underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CrateName(String);

impl CrateName {
    /// As `Cargo.toml` writes it.
    pub(super) fn package(&self) -> &str {
        &self.0
    }

    /// As Rust code writes it.
    pub(super) fn library(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for CrateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err("a crate's name begins with a letter, as `my-operators` does".to_owned());
        }
        if let Some(other) = text.chars().find(|character| !is_word(*character)) {
            return Err(format!("`{other}` cannot stand in a crate's name: letters, digits, `-` and `_` can"));
        }
        if TAKEN.contains(&text.replace('-', "_").as_str()) {
            return Err(format!("`{text}` means something else in a Rust program: take another, such as `my-{text}`"));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_cargo_and_rust_take() {
        for name in ["my-operators", "m", "Fraud_2"] {
            assert!(name.parse::<CrateName>().is_ok(), "{name}");
        }
        for (name, said) in [
            ("", "begins with a letter"),
            ("2nd", "begins with a letter"),
            ("-x", "begins with a letter"),
            ("my operators", "` ` cannot stand"),
            ("../mine", "begins with a letter"),
            ("a/b", "`/` cannot stand"),
            ("größen", "`ö` cannot stand"),
            ("match", "means something else"),
            ("proc-macro", "means something else"),
            ("watershed", "such as `my-watershed`"),
        ] {
            let error = name.parse::<CrateName>().expect_err(name);
            assert!(error.contains(said), "{name}: {error}");
        }
    }

    #[test]
    fn hyphens_are_underscores_in_rust() {
        let name: CrateName = "my-own-operators".parse().expect("a name");
        assert_eq!((name.package(), name.library().as_str()), ("my-own-operators", "my_own_operators"));
    }
}
