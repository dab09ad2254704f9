//! A sink on the simulated disk, so that each step of staging and showing is an operation at which the power may be cut: a
//! part is a hidden file, durable before it is staged, and gets its name at the commit.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;
use watershed::core::checkpoint::FileSystem;
use watershed::core::epoch::Epoch;
use watershed::core::error::{Error, Result};
use watershed::core::node::{Part, Receipt, Sink};

use super::sabotage::Sabotage;
use super::world::OUTPUT;

/// A sink that shows its parts as `out/<sink>/<epoch>-<part>`.
pub(super) struct Shown {
    disk: Arc<dyn FileSystem>,
    directory: PathBuf,
    sabotage: Option<Sabotage>,
    /// What [`Sabotage::ShowsLate`] has put off.
    put_off: Mutex<Option<Vec<Receipt>>>,
}

impl Shown {
    pub(super) fn open(disk: Arc<dyn FileSystem>, sink: &str, sabotage: Option<Sabotage>) -> io::Result<Self> {
        let directory = PathBuf::from(OUTPUT).join(sink);
        let mut above = PathBuf::from(".");
        for folder in [PathBuf::from(OUTPUT), directory.clone()] {
            match disk.create_directory(&folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => disk.sync_directory(&above)?,
            }
            above = folder;
        }
        Ok(Self { disk, directory, sabotage, put_off: Mutex::new(None) })
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> Error + '_ {
        move |source| Error::io(action, &self.directory, source)
    }

    /// Gives the parts of an epoch their names. Those that have them already keep them.
    fn show(&self, receipts: &[Receipt]) -> Result<()> {
        if self.sabotage == Some(Sabotage::ShowsTwice) {
            self.add_copies(receipts)?;
        }
        for receipt in receipts {
            let staged = receipt.0.as_str().unwrap_or_default();
            let (hidden, shown) = (self.directory.join(format!(".{staged}")), self.directory.join(staged));
            match self.disk.rename(&hidden, &shown) {
                Err(error) if error.kind() == ErrorKind::NotFound && self.disk.read(&shown).is_ok() => {}
                renamed => renamed.map_err(self.failed("rename"))?,
            }
        }
        self.disk.sync_directory(&self.directory).map_err(self.failed("sync"))?;
        Ok(())
    }

    /// Shows parts that are shown already once more, under another name: what appending to a log would do.
    fn add_copies(&self, receipts: &[Receipt]) -> Result<()> {
        for receipt in receipts {
            let shown = self.directory.join(receipt.0.as_str().unwrap_or_default());
            if let Ok(content) = self.disk.read(&shown) {
                let copy = shown.with_extension("again");
                self.disk.create_file(&copy, &[content]).map_err(self.failed("write"))?;
            }
        }
        Ok(())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let put_off = self.put_off.lock().map(|mut put_off| put_off.take());
        if let Ok(Some(receipts)) = put_off {
            // A run that was cut off cannot show it any more.
            let _ = self.show(&receipts);
        }
    }
}

impl Sink for Shown {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        let mut writer = LineDelimitedWriter::new(Vec::new());
        for batch in rows {
            writer.write(batch)?;
        }
        writer.finish()?;
        let name = format!("{:04}-{:04}", part.epoch.0, part.index);
        let hidden = self.directory.join(format!(".{name}"));
        self.disk.create_file(&hidden, &[writer.into_inner()]).map_err(self.failed("write"))?;
        self.disk.sync_file(&hidden).map_err(self.failed("sync"))?;
        Ok(Receipt(name.into()))
    }

    fn commit(&self, _: Epoch, receipts: &[Receipt]) -> Result<()> {
        if self.sabotage == Some(Sabotage::ShowsLate) {
            let put_off = self.put_off.lock().expect("no test panics here").replace(receipts.to_vec());
            return put_off.map_or(Ok(()), |receipts| self.show(&receipts));
        }
        self.show(receipts)
    }
}
