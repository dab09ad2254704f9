//! Where a new crate takes Watershed from.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};

/// What stands behind `watershed =` in the new crate's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dependency {
    /// A version in the registry.
    Version(String),
    /// A directory with the sources.
    Directory(PathBuf),
    /// A git repository.
    Git(String),
}

impl Dependency {
    /// The sources that this program was built from, if they are still there; else its version.
    pub(super) fn of_this_program() -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        if sources.join("Cargo.toml").is_file() {
            Self::Directory(sources.to_owned())
        } else {
            Self::Version(env!("CARGO_PKG_VERSION").to_owned())
        }
    }

    /// What `--watershed` says.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        if text.contains("://") || text.starts_with("git@") {
            return Ok(Self::Git(text.to_owned()));
        }
        let directory = Path::new(text);
        if !text.is_empty() && directory.join("Cargo.toml").is_file() {
            // Cargo looks for it from the new crate's directory, not from this one.
            let absolute = directory.canonicalize().map_err(|error| Failure::io("find", text, &error))?;
            return Ok(Self::Directory(absolute));
        }
        if text.starts_with(|first: char| first.is_ascii_digit() || "^~=<>".contains(first)) {
            return Ok(Self::Version(text.to_owned()));
        }
        let what =
            format!("`{text}` is no version, no directory with a `Cargo.toml` and no address of a git repository");
        let help = format!(
            "write `--watershed {}`, `--watershed ../watershed` or `--watershed https://example.org/watershed.git`",
            env!("CARGO_PKG_VERSION")
        );
        Err(Failure::new(Exit::Usage, what).help(help))
    }

    /// As the manifest writes it.
    pub(super) fn manifest(&self) -> String {
        match self {
            Self::Version(version) => quoted(version),
            Self::Directory(path) => format!("{{ path = {} }}", quoted(&path.display().to_string())),
            Self::Git(address) => format!("{{ git = {} }}", quoted(address)),
        }
    }

    /// The lock file that comes with the sources.
    pub(super) fn lock_file(&self) -> Option<PathBuf> {
        let Self::Directory(path) = self else { return None };
        Some(path.join("Cargo.lock")).filter(|lock| lock.is_file())
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "the registry, version `{version}`"),
            Self::Directory(path) => write!(f, "`{}`", path.display()),
            Self::Git(address) => write!(f, "`{address}`"),
        }
    }
}

/// `text` as a string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(character)).chars()),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_a_directory_and_a_repository_are_told_apart() {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("Cargo.toml"), "").expect("a file");
        let path = folder.path().canonicalize().expect("the directory is there");
        for (text, expected) in [
            ("0.1", Dependency::Version("0.1".to_owned())),
            ("^1.2.3", Dependency::Version("^1.2.3".to_owned())),
            ("https://example.org/w.git", Dependency::Git("https://example.org/w.git".to_owned())),
            ("git@example.org:w", Dependency::Git("git@example.org:w".to_owned())),
            (&folder.path().display().to_string(), Dependency::Directory(path)),
        ] {
            assert_eq!(Dependency::parse(text).expect(text), expected, "{text}");
        }
        for text in ["latest", "../not-here", ""] {
            assert_eq!(Dependency::parse(text).expect_err(text).exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn the_manifest_takes_any_path() {
        let path = Dependency::Directory(PathBuf::from("C:\\my \"own\"\\watershed"));
        assert_eq!(path.manifest(), r#"{ path = "C:\\my \"own\"\\watershed" }"#);
        assert_eq!(Dependency::Version("0.1.0".to_owned()).manifest(), "\"0.1.0\"");
    }

    #[test]
    fn a_program_whose_sources_are_there_takes_them_with_their_lock_file() {
        let dependency = Dependency::of_this_program();
        assert_eq!(dependency, Dependency::Directory(PathBuf::from(env!("CARGO_MANIFEST_DIR"))));
        assert!(dependency.lock_file().is_some_and(|lock| lock.ends_with("Cargo.lock")));
        assert_eq!(Dependency::Version("0.1.0".to_owned()).lock_file(), None);
    }
}
