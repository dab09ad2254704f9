//! Finds test files.

use std::path::{Path, PathBuf};

use crate::core::error::{Error, Result};

/// How the name of a test file ends.
pub const SUFFIX: &str = ".test.ron";

/// The files meant by `paths`: a file is itself, whatever its name; a directory is all files in it, and in the
/// directories in it, whose names end with [`SUFFIX`], in the order of their paths. Each file comes once.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
        if !metadata.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut within = Vec::new();
        walk(path, &mut within)?;
        if within.is_empty() {
            return Err(Error::BadInput(format!("`{}` holds no file whose name ends with `{SUFFIX}`", path.display())));
        }
        within.sort();
        found.extend(within);
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| Error::io("read", directory, error);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // Links to directories are not followed, so there is no way round in a circle.
        if entry.file_type().map_err(failed)?.is_dir() {
            if !name.starts_with('.') {
                walk(&path, found)?;
            }
        } else if name.ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_searched_and_a_file_is_taken_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        std::fs::create_dir_all(root.join("b/.hidden")).expect("directories");
        for name in ["z.test.ron", "b/a.test.ron", "b/.hidden/c.test.ron", "plain.ron"] {
            std::fs::write(root.join(name), "").expect("a file");
        }
        let found = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            discover(&paths).map(|found| {
                let name = |path: &PathBuf| path.strip_prefix(root).expect("below the root").display().to_string();
                found.iter().map(name).collect::<Vec<_>>()
            })
        };
        assert_eq!(found(&[""]).expect("files"), ["b/a.test.ron", "z.test.ron"]);
        assert_eq!(found(&["plain.ron", "b", "b/a.test.ron"]).expect("files"), ["plain.ron", "b/a.test.ron"]);
        assert!(found(&["nowhere"]).expect_err("nothing there").to_string().contains("nowhere"));
        assert!(found(&["b/.hidden/../.hidden", "b/.hidden"]).is_ok());
        std::fs::create_dir(root.join("empty")).expect("a directory");
        assert!(found(&["empty"]).expect_err("no tests").to_string().contains(".test.ron"));
    }
}
