//! Graph files named on the command line: reading them, and saying well why one cannot be read.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use watershed_core::plan::Plan;
use watershed_graphs::{Checked, SchemaMode, environment, load};

use super::exit::{Exit, Failure};
use super::terminal::Terminal;

/// The name for standard input.
const STANDARD_INPUT: &str = "-";
/// The most file names that a help line offers.
const OFFERED: usize = 6;

/// Reads a text file; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    if path == Path::new(STANDARD_INPUT) {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(|error| Failure::io("read", "standard input", &error))?;
        return Ok(text);
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let text = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = text.matches('\n').count() + 1;
        let what = format!("`{}` is not a text in UTF-8: line {line} holds other bytes", path.display());
        Failure::new(Exit::BadGraph, what).help("a graph is written in RON; `watershed --help` shows one")
    })
}

/// Reads and checks a graph.
pub(super) fn check(path: &Path, mode: SchemaMode) -> Result<Checked, Failure> {
    let text = read(path)?;
    let origin =
        if path == Path::new(STANDARD_INPUT) { "standard input".to_owned() } else { path.display().to_string() };
    Ok(load(&text, &origin, &environment).check(mode))
}

/// Reads and checks a graph that is to be used: all that is wrong with it goes to standard error.
pub(super) fn plan(path: &Path, mode: SchemaMode, terminal: Terminal) -> Result<Plan, Failure> {
    let checked = check(path, mode)?;
    if !checked.diagnostics.is_empty() {
        terminal.note(checked.diagnostics.render(terminal.error_colour).trim_end());
    }
    checked.plan.ok_or(Failure { exit: Exit::BadGraph, message: None, help: None })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::io("read", path.display(), error);
    if path.is_dir() {
        let failure = Failure::new(Exit::InputOutput, format!("`{}` is a directory, not a file", path.display()));
        return offer(failure, path, "");
    }
    if error.kind() != io::ErrorKind::NotFound {
        return failure;
    }
    let failure = Failure::new(Exit::InputOutput, format!("there is no file `{}`", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    offer(failure, folder, &path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// Adds the RON files of `folder` to the help, the nearest to `wanted` first.
fn offer(failure: Failure, folder: &Path, wanted: &str) -> Failure {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut names: Vec<String> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .map(|path| path.strip_prefix("./").unwrap_or(&path).display().to_string())
        .collect();
    if names.is_empty() {
        return failure;
    }
    names.sort();
    let distance = |name: &String| {
        strsim::damerau_levenshtein(
            Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default(),
            wanted,
        )
    };
    if let Some(near) =
        names.iter().filter(|name| distance(name) <= (wanted.len() / 3).max(1)).min_by_key(|name| distance(name))
    {
        return failure.help(format!("did you mean `{near}`?"));
    }
    let more = if names.len() > OFFERED { ", …" } else { "" };
    names.truncate(OFFERED);
    failure.help(format!("RON files in `{}` are {}{more}", folder.display(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_nearest_one() {
        let folder = tempfile::tempdir().expect("a directory");
        fs::write(folder.path().join("activity.ron"), "").expect("a file");
        let failure = read(&folder.path().join("activty.ron")).expect_err("there is no such file");
        assert_eq!(failure.exit, Exit::InputOutput);
        assert!(failure.message.is_some_and(|message| message.contains("activty.ron")));
        assert!(failure.help.is_some_and(|help| help.contains("did you mean") && help.contains("activity.ron")));
    }

    #[test]
    fn a_directory_is_no_graph() {
        let folder = tempfile::tempdir().expect("a directory");
        fs::write(folder.path().join("a.ron"), "").expect("a file");
        let failure = read(folder.path()).expect_err("a directory");
        assert!(failure.message.is_some_and(|message| message.contains("is a directory")));
        assert!(failure.help.is_some_and(|help| help.contains("a.ron")));
    }

    #[test]
    fn a_file_that_is_no_text_is_a_bad_graph() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("a.ron");
        fs::write(&path, b"one\ntwo \xff").expect("a file");
        let failure = read(&path).expect_err("not a text");
        assert_eq!(failure.exit, Exit::BadGraph);
        assert!(failure.message.is_some_and(|message| message.contains("line 2")));
    }
}
