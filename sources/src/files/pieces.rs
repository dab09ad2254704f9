//! Cuts a file into splits, the same ones whenever it is asked.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use watershed_core::error::{Error, Result};
use watershed_core::node::Split;

use super::Files;
use super::columnar::{ArrowSplit, ParquetSplit, batches_of, row_groups_of};
use super::format::{Compression, Kind};
use super::listing::FileEntry;
use super::source::Reading;
use super::text::TextSplit;
use crate::records::Framing;

/// About how many bytes one split reads: a fraction of a second, so that threads end an epoch together.
pub(super) const SPLIT_BYTES: u64 = 16 * 1024 * 1024;

/// Adds the splits of `file`.
pub(super) fn pieces(file: Arc<FileEntry>, reading: &Arc<Reading>, splits: &mut Vec<Box<dyn Split>>) -> Result<()> {
    match Files::kind_of(reading.format.as_ref(), &file.path)? {
        Kind::Records(format) => {
            let compression = Compression::of_name(&file.path);
            // Only where every line break ends a record can a reader begin in the middle.
            let can_be_cut = compression == Compression::None && format.framing() == Framing::Lines;
            let length = if can_be_cut { reading.split_bytes } else { file.size };
            let mut from = 0;
            while from < file.size {
                let to = file.size.min(from.saturating_add(length));
                splits.push(Box::new(TextSplit {
                    file: Arc::clone(&file),
                    bytes: from..to,
                    compression,
                    format: format.clone(),
                    reading: Arc::clone(reading),
                }));
                from = to;
            }
        }
        Kind::Parquet => {
            let metadata = row_groups_of(&file)?;
            for row_groups in shares(metadata.metadata().num_row_groups(), file.size, reading.split_bytes) {
                let (file, metadata, reading) = (Arc::clone(&file), metadata.clone(), Arc::clone(reading));
                splits.push(Box::new(ParquetSplit { file, metadata, row_groups, reading }));
            }
        }
        Kind::Arrow => match batches_of(&file)? {
            Some(batches) => {
                for batches in shares(batches, file.size, reading.split_bytes) {
                    let (file, reading) = (Arc::clone(&file), Arc::clone(reading));
                    splits.push(Box::new(ArrowSplit { file, batches: Some(batches), reading }));
                }
            }
            None => splits.push(Box::new(ArrowSplit { file, batches: None, reading: Arc::clone(reading) })),
        },
    }
    Ok(())
}

/// Deals `parts` of a file of `size` bytes out to splits of about `split_bytes`.
fn shares(parts: usize, size: u64, split_bytes: u64) -> impl Iterator<Item = Range<usize>> {
    let splits = usize::try_from(size.div_ceil(split_bytes.max(1))).unwrap_or(usize::MAX).clamp(1, parts.max(1));
    let splits = if parts == 0 { 0 } else { splits };
    let bound = move |index: usize| (index as u128 * parts as u128 / splits as u128) as usize;
    (0..splits).map(move |index| bound(index)..bound(index + 1))
}

/// Opens a file that was listed, and makes sure that all that was listed of it is there.
pub(super) fn open(entry: &FileEntry) -> Result<File> {
    let path = &entry.path;
    let file = File::open(path).map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            let help = "put it back, or start anew without this checkpoint; files may be removed when their epoch is committed";
            return Error::BadInput(format!("read `{path}`: it was there when it was listed, and is gone; {help}"));
        }
        Error::io("read", path, error)
    })?;
    let size = file.metadata().map_err(|error| Error::io("read", path, error))?.len();
    if size < entry.size {
        let help = "a file must not be written to in place: write it elsewhere and rename it into place";
        let listed = entry.size;
        return Err(Error::BadInput(format!(
            "read `{path}`: it had {listed} bytes when it was listed, and now has {size}; {help}"
        )));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_dealt_out_evenly_and_in_order() {
        let shares = |parts, size| shares(parts, size, 10).map(|share| (share.start, share.end)).collect::<Vec<_>>();
        assert_eq!(shares(5, 5), [(0, 5)]);
        assert_eq!(shares(5, 20), [(0, 2), (2, 5)]);
        assert_eq!(shares(2, 1000), [(0, 1), (1, 2)]);
        assert!(shares(0, 1000).is_empty());
    }
}
