//! Takes files epoch by epoch, and remembers which.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use watershed_core::error::{Error, Result};
use watershed_core::node::{Available, Limit, Offset, OffsetRange, Source, Split};
use watershed_core::state::{StateStore, TableSchema};

use super::listing::{FileEntry, Place};
use super::pieces::pieces;
use super::{Files, Format, ledger};
use crate::records::{OnBadRecord, RecordSchema};

/// How files are read: what all splits share.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) format: Option<Format>,
    pub(super) schema: RecordSchema,
    pub(super) on_bad_record: OnBadRecord,
    pub(super) batch_rows: usize,
    /// About how many bytes of a file one split reads, where the format can be cut.
    pub(super) split_bytes: u64,
}

/// The open source. An offset is the number of files taken so far.
pub(super) struct FilesSource {
    spec: Files,
    place: Place,
    reading: Arc<Reading>,
    /// Files offered and not released, in the order in which they were taken.
    taken: VecDeque<FileEntry>,
    /// The offset before the first of them.
    released: u64,
    /// Files listed and not taken.
    pending: VecDeque<FileEntry>,
    /// The path of every file taken, also by the runs before this one. A file that changes afterwards is not read again.
    seen: BTreeSet<String>,
    frozen: bool,
}

impl FilesSource {
    pub(super) fn open(spec: Files, place: Place, reading: Arc<Reading>) -> Result<Self> {
        let mut source = Self {
            spec,
            place,
            reading,
            taken: VecDeque::new(),
            released: 0,
            pending: VecDeque::new(),
            seen: BTreeSet::new(),
            frozen: false,
        };
        source.list()?;
        Ok(source)
    }

    fn list(&mut self) -> Result<()> {
        let files = self.place.list(self.spec.recursive)?;
        self.pending = files.into_iter().filter(|file| !self.seen.contains(&file.path)).collect();
        Ok(())
    }

    /// Where `after` lies among the files that are still known. Counting goes on from an offset of an earlier run.
    fn position(&mut self, after: &Offset) -> Result<usize> {
        let after = files_taken(after)?;
        if after > self.released + self.taken.len() as u64 {
            self.taken.clear();
            self.released = after;
        }
        let position = after.checked_sub(self.released).ok_or_else(|| {
            Error::BadInput(format!("read on after file {after}: everything up to file {} was released", self.released))
        })?;
        Ok(position as usize)
    }

    /// Takes the next pending file that is still there, as it is now.
    fn take_pending(&mut self) -> Result<Option<FileEntry>> {
        while let Some(listed) = self.pending.pop_front() {
            let Some(now) = listed.again()? else { continue };
            // A frozen listing holds for sizes too: what is written to a file after it was frozen is not there.
            return Ok(Some(if self.frozen { listed } else { now }));
        }
        Ok(None)
    }

    /// Remembers the files of a range that was planned before this source was opened.
    fn adopt(&mut self, range: &OffsetRange, files: &[FileEntry]) -> Result<()> {
        let (start, end) = (files_taken(&range.start)?, files_taken(&range.end)?);
        self.seen.extend(files.iter().map(|file| file.path.clone()));
        self.pending.retain(|file| !self.seen.contains(&file.path));
        let known = self.released + self.taken.len() as u64;
        if end > known {
            if start != known {
                self.taken.clear();
                self.released = start;
            }
            self.taken.extend(files.iter().cloned());
        }
        Ok(())
    }
}

/// The files of a range, as they were when it was planned.
fn files_of(range: &OffsetRange) -> Result<Vec<FileEntry>> {
    Vec::deserialize(&range.detail)
        .map_err(|error| Error::BadInput(format!("read the list of files of an epoch: {error}")))
}

fn files_taken(offset: &Offset) -> Result<u64> {
    match &offset.0 {
        Value::Null => Ok(0),
        value => value
            .as_u64()
            .ok_or_else(|| Error::BadInput(format!("read the offset {value} of files: it should be a count"))),
    }
}

impl Source for FilesSource {
    fn tables(&self) -> Vec<TableSchema> {
        vec![ledger::table()]
    }

    fn resume(&mut self, committed: &Offset, state: &mut StateStore) -> Result<()> {
        let paths = ledger::paths(state)?;
        let (read, committed) = (paths.len(), files_taken(committed)?);
        // To go on all the same would read files twice or never.
        if read as u64 != committed {
            return Err(Error::BadInput(format!(
                "go on after file {committed}: the checkpoint names {read} files as read"
            )));
        }
        self.seen = paths;
        self.pending.retain(|file| !self.seen.contains(&file.path));
        self.taken.clear();
        self.released = committed;
        Ok(())
    }

    fn remember(&mut self, range: &OffsetRange, state: &mut StateStore) -> Result<()> {
        ledger::enter(&files_of(range)?, state)
    }

    fn freeze(&mut self) -> Result<()> {
        if !self.frozen {
            self.list()?;
            self.frozen = true;
        }
        Ok(())
    }

    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let position = self.position(after)?;
        // Listing a large directory is slow: it is done again when the last listing is used up.
        if position == self.taken.len() && self.pending.is_empty() && !self.frozen {
            self.list()?;
        }
        let (most_files, most_bytes) = match limit {
            Limit::Epoch => {
                (self.spec.max_files_per_epoch.unwrap_or(u64::MAX), self.spec.max_bytes_per_epoch.unwrap_or(u64::MAX))
            }
            Limit::Everything => (u64::MAX, u64::MAX),
        };
        let mut files: Vec<FileEntry> = Vec::new();
        let mut size: u64 = 0;
        while (files.len() as u64) < most_files {
            // Files that were offered before and asked for again come first.
            let known = self.taken.get(position + files.len()).cloned();
            let Some(file) = known.clone().map_or_else(|| self.take_pending(), |file| Ok(Some(file)))? else { break };
            if !files.is_empty() && size.saturating_add(file.size) > most_bytes {
                if known.is_none() {
                    self.pending.push_front(file);
                }
                break;
            }
            if known.is_none() {
                self.seen.insert(file.path.clone());
                self.taken.push_back(file.clone());
            }
            size = size.saturating_add(file.size);
            files.push(file);
        }
        if files.is_empty() {
            let never_more = self.frozen || (matches!(self.place, Place::File(_)) && !self.seen.is_empty());
            return Ok(if never_more { Available::Finished } else { Available::Nothing });
        }
        let start = self.released + position as u64;
        let detail = serde_json::to_value(&files).map_err(|error| Error::Other(error.into()))?;
        let end = Offset(Value::from(start + files.len() as u64));
        Ok(Available::Range(OffsetRange { start: after.clone(), end, detail, size }))
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        let after = files_taken(after).ok()?;
        let position = after.saturating_sub(self.released) as usize;
        Some(self.taken.iter().skip(position).chain(&self.pending).map(|file| file.size).sum())
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let files = files_of(range)?;
        self.adopt(range, &files)?;
        let mut splits = Vec::new();
        for file in files {
            pieces(Arc::new(file), &self.reading, &mut splits)?;
        }
        Ok(splits)
    }

    fn release(&mut self, offset: &Offset) -> Result<()> {
        let offset = files_taken(offset)?;
        while self.released < offset && self.taken.pop_front().is_some() {
            self.released += 1;
        }
        Ok(())
    }
}
