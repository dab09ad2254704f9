//! Which names a file of a checkpoint may have, in every storage alike.

use std::io;

/// Refuses a name that some storage could not keep, or that would lead out of the checkpoint: folders and file are one
/// character or more each, with `/` between, and none starts with a dot or holds a `\`, a `:` or a control character. `lock`
/// is not a name of a file.
pub fn check_file_name(name: &str) -> io::Result<()> {
    let fault = if name == LOCK {
        "this name is the lock's"
    } else if name.split('/').any(str::is_empty) {
        "an empty name"
    } else if name.split('/').any(|part| part.starts_with('.')) {
        "a name that starts with a dot"
    } else if name.contains(|character: char| matches!(character, '\\' | ':') || character.is_control()) {
        "a character that is not for file names"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("not a name of a file of a checkpoint: {fault}")))
}

/// The file that is the lock of a checkpoint.
pub(crate) const LOCK: &str = "lock";
