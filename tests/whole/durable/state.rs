//! What a checkpoint holds in the end, as text: every row of every table in the order in which it is kept, offsets and
//! watermarks.

use std::fmt::Write as _;

use arrow::json::LineDelimitedWriter;
use watershed::core::checkpoint::inspect::TableVersion;
use watershed::core::checkpoint::{CheckpointStorage, Commit, Holdings};
use watershed::core::epoch::Epoch;

/// The newest version of a checkpoint.
pub(crate) fn newest(storage: &dyn CheckpointStorage) -> Result<Option<Commit>, String> {
    let holdings = Holdings::read(storage).map_err(|error| error.to_string())?;
    match holdings.commits.into_iter().next_back() {
        None => Ok(None),
        Some((_, Ok(commit))) => Ok(Some(commit)),
        Some((epoch, Err(cause))) => Err(format!("commit {epoch} is damaged: {cause:?}")),
    }
}

/// The rows of a version, with offsets and watermarks.
pub(crate) fn text_of(storage: &dyn CheckpointStorage, commit: &Commit) -> Result<String, String> {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string can be written");
    line(format!("epoch {}, offsets {:?}", commit.epoch, commit.offsets));
    line(format!("watermarks {:?}", commit.watermarks));
    for (node, tables) in &commit.state {
        for (table, partitions) in tables {
            for partition in 0..partitions.len() {
                let version = TableVersion::load(storage, commit, node, table, Some(partition));
                let version = version.map_err(|error| format!("{node} {table} {partition}: {error:?}"))?;
                line(format!("{node} {table} {partition}"));
                // A table that nothing was ever written of has no columns to show.
                let Some(version) = version else { continue };
                for slot in version.slots() {
                    let rows = version.scan(slot).map_err(|error| error.to_string())?;
                    let mut writer = LineDelimitedWriter::new(Vec::new());
                    writer.write(&rows).and_then(|()| writer.finish()).map_err(|error| error.to_string())?;
                    line(format!("{slot:?}\n{}", String::from_utf8_lossy(&writer.into_inner())));
                }
            }
        }
    }
    Ok(text)
}

/// Whether a file of output is of an epoch after `epoch`: its name begins with its epoch.
pub(crate) fn is_after(path: &std::path::Path, epoch: Option<Epoch>) -> bool {
    epoch_of(path).is_some_and(|of| epoch.is_none_or(|epoch| of > epoch))
}

/// The epoch of a file of output.
pub(crate) fn epoch_of(path: &std::path::Path) -> Option<Epoch> {
    let name = path.file_name()?.to_str()?;
    name.split('-').next()?.parse().ok().map(Epoch)
}
