//! `watershed new`: a crate with an operator of one's own, ready to be built, tested and changed.

mod dependency;
mod files;
mod name;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use self::dependency::Dependency;
use self::name::CrateName;
use super::exit::{Exit, Failure, Outcome};
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  watershed new my-operators
  watershed new my-operators --path plugins/mine
  watershed new my-operators --watershed 0.1                       from the registry
  watershed new my-operators --watershed ../watershed              from a copy of the sources
  watershed new my-operators --watershed https://example.org/watershed.git";

/// Make a crate for operators of your own
///
/// The crate holds an operator with its docs, a graph that uses it, tests of both, and a `main.rs` that is the whole `watershed`
/// command with the operator linked in. It builds and passes its tests as it is: change it from there.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArguments {
    /// The crate's name
    name: CrateName,
    /// Where to make it; the crate's name, if nothing is said
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where the crate takes Watershed from: a version, a directory or the address of a git repository. If nothing is said, it is the
    /// sources that this program was built from, or, where they are gone, this program's version
    #[arg(long, value_name = "VERSION|DIR|URL")]
    watershed: Option<String>,
}

pub(super) fn run(arguments: &NewArguments, terminal: Terminal) -> Outcome {
    let place = arguments.path.clone().unwrap_or_else(|| PathBuf::from(arguments.name.package()));
    let dependency = match &arguments.watershed {
        Some(text) => Dependency::parse(text)?,
        None => Dependency::of_this_program(),
    };
    refuse_what_is_there(&place)?;
    let files = files::all(&arguments.name, &dependency);
    for (path, text) in &files {
        write(&place.join(path), text)?;
    }
    if let Some(lock) = dependency.lock_file() {
        // The versions that Watershed was tested with; without the file, the newest that fit are taken.
        let copy = place.join("Cargo.lock");
        fs::copy(&lock, &copy).map_err(|error| Failure::io("write", copy.display(), &error))?;
    }
    terminal.print(&format!(
        "made crate `{}` in `{}`, with watershed from {dependency}\n\nnext:\n  cd {}\n{}",
        arguments.name.package(),
        place.display(),
        place.display(),
        files::NEXT_STEPS,
    ))?;
    Ok(Exit::Ok)
}

/// Nothing of anybody's is written over: the directory must be new or empty.
fn refuse_what_is_there(place: &Path) -> Result<(), Failure> {
    let used = match fs::read_dir(place) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => true,
        Err(error) => return Err(Failure::io("look into", place.display(), &error)),
    };
    if used {
        let what = format!("`{}` is there already, and nothing is written over", place.display());
        return Err(Failure::new(Exit::Usage, what).help("take another name, or another place with `--path DIR`"));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder.display(), &error))?;
    }
    fs::write(path, text).map_err(|error| Failure::io("write", path.display(), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_holds_something_is_left_alone() {
        let folder = tempfile::tempdir().expect("a directory");
        assert!(refuse_what_is_there(folder.path()).is_ok(), "empty");
        assert!(refuse_what_is_there(&folder.path().join("new")).is_ok(), "not there yet");
        let file = folder.path().join("notes.txt");
        fs::write(&file, "mine").expect("a file");
        for used in [folder.path(), &file] {
            let failure = refuse_what_is_there(used).expect_err("there is something");
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.help.is_some_and(|help| help.contains("--path")));
        }
        assert_eq!(fs::read_to_string(&file).expect("still there"), "mine");
    }
}
