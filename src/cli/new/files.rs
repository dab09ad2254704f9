//! The files of a new crate. They lie in `template/` as a crate named `my-operators`; only names and the dependency are put
//! in.

use super::dependency::Dependency;
use super::name::CrateName;

/// The name that the template has, as a package and in Rust.
const PACKAGE: &str = "my-operators";
const LIBRARY: &str = "my_operators";
/// What stands for the dependency in the template's manifest.
const DEPENDENCY: &str = "watershed = \"*\"";

/// What to try in the new crate.
pub(super) const NEXT_STEPS: &str = "  \
  cargo test                                    its tests; the first build takes some minutes
  cargo run -- describe RunningTotals           what the operator says of itself
  cargo run -- run graphs/example.ron           a graph that uses it
";

/// Where a file goes, and its text in the template. The manifest and the list of ignored files have other names there, or
/// Cargo and git would take them for their own.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/manifest.toml")),
    (".gitignore", include_str!("template/ignored")),
    ("README.md", include_str!("template/README.md")),
    ("src/lib.rs", include_str!("template/src/lib.rs")),
    ("src/main.rs", include_str!("template/src/main.rs")),
    ("src/running_totals.rs", include_str!("template/src/running_totals.rs")),
    ("graphs/example.ron", include_str!("template/graphs/example.ron")),
    ("graphs/example.test.ron", include_str!("template/graphs/example.test.ron")),
    ("graphs/data/payments/1.json", include_str!("template/graphs/data/payments/1.json")),
    ("graphs/data/payments/2.json", include_str!("template/graphs/data/payments/2.json")),
    ("tests/operators.rs", include_str!("template/tests/operators.rs")),
];

/// The files of crate `name`, by their path in it.
pub(super) fn all(name: &CrateName, dependency: &Dependency) -> Vec<(&'static str, String)> {
    let filled = |path, text: &str| {
        let text = text.replace(PACKAGE, name.package()).replace(LIBRARY, &name.library());
        if path == "Cargo.toml" {
            text.replace(DEPENDENCY, &format!("watershed = {}", dependency.manifest()))
        } else {
            text
        }
    };
    FILES.iter().map(|&(path, text)| (path, filled(path, text))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn files() -> Vec<(&'static str, String)> {
        all(&"their-own".parse().expect("a name"), &Dependency::Version("0.1.0".to_owned()))
    }

    #[test]
    fn names_and_the_dependency_are_put_in_everywhere() {
        let files = files();
        for (path, text) in &files {
            assert!(
                !text.contains(PACKAGE) && !text.contains(LIBRARY) && !text.contains(DEPENDENCY),
                "{path}:\n{text}"
            );
        }
        let of = |wanted: &str| &files.iter().find(|(path, _)| *path == wanted).expect("a file of the template").1;
        assert!(
            of("Cargo.toml").contains("name = \"their-own\"") && of("Cargo.toml").contains("watershed = \"0.1.0\"")
        );
        assert!(of("src/main.rs").contains("use their_own as _;"));
    }

    #[test]
    fn every_file_of_the_template_is_made() {
        fn count(folder: &Path) -> usize {
            let entries =
                fs::read_dir(folder).expect("a folder of the template").map(|entry| entry.expect("an entry").path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/new/template");
        assert_eq!(count(&template), FILES.len());
    }

    #[test]
    fn builds_take_the_settings_of_this_project() {
        let settings = |manifest: &str| -> Vec<String> {
            let lines = manifest.lines().skip_while(|line| !line.starts_with("[profile."));
            lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
        };
        let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("the manifest");
        let made = &files()[0].1;
        assert!(!settings(made).is_empty());
        assert_eq!(settings(made), settings(&own));
    }
}
