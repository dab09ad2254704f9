//! The object `lock`: who has the checkpoint and for how long, and the only ways in which it changes.
//!
//! Each change names the version that it was made from, and the store lets one of several such changes through. So nobody
//! replaces a lock that he has not seen, and of several who take over one that is stale, one gets it.
//!
//! A store that creates only what is not there, but does not compare versions, is used with care: what is replaced is read
//! before, and read again after the others had time to do the same. The last one has it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{CheckpointError, Holder};
use watershed_core::time::TimeSpan;

use super::place::Place;
use super::process::Process;

/// The name of the lock.
pub(super) const LOCK: &str = "lock";

/// Stores tell times in whole seconds.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// What the lock says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LockFile {
    /// The run that has it; none when it was given back.
    pub(super) holder: Option<Holder>,
    /// How long it is valid after it was written.
    lease: TimeSpan,
    process: Process,
    /// Which of the locks that the process took.
    number: u64,
    /// How often it was renewed; also keeps two contents apart that would otherwise be one version.
    renewal: u64,
}

impl LockFile {
    pub(super) fn new(holder: &Holder, lease: TimeSpan) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { holder: Some(holder.clone()), lease, process: Process::current(), number, renewal: 0 }
    }

    pub(super) fn renewed(&self) -> Self {
        Self { renewal: self.renewal + 1, ..self.clone() }
    }

    pub(super) fn given_back(&self) -> Self {
        Self { holder: None, ..self.renewed() }
    }

    /// Whether both are one lock, at different times.
    fn is(&self, other: &Self) -> bool {
        self.process == other.process && self.number == other.number
    }
}

/// A lock as it was found.
#[derive(Debug)]
pub(super) struct FoundLock {
    /// What it says, where it can be read.
    content: Option<LockFile>,
    meta: ObjectMeta,
}

impl FoundLock {
    pub(super) fn version(&self) -> UpdateVersion {
        UpdateVersion { e_tag: self.meta.e_tag.clone(), version: self.meta.version.clone() }
    }

    /// Whether it is this lock, as it is or as it was at another time.
    pub(super) fn is(&self, lock: &LockFile) -> bool {
        self.content.as_ref().is_some_and(|content| content.is(lock))
    }

    /// Who has it, in words.
    pub(super) fn holder(&self) -> String {
        match self.content.as_ref().and_then(|content| content.holder.as_ref()) {
            Some(holder) => holder.to_string(),
            None => format!("a process that has not said who it is in `{LOCK}`"),
        }
    }
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Changed {
    /// It is made.
    Done(UpdateVersion),
    /// The lock is another than the change was made from.
    Beaten,
}

impl Place {
    pub(super) async fn find_lock(&self) -> Result<Option<FoundLock>, CheckpointError> {
        let found = match self.store.get(&self.object(LOCK)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.store("read", LOCK, &error)),
        };
        let meta = found.meta.clone();
        let content = found.bytes().await.map_err(|error| self.store("read", LOCK, &error))?;
        Ok(Some(FoundLock { content: serde_json::from_slice(&content).ok(), meta }))
    }

    pub(super) async fn create_lock(&self, lock: &LockFile) -> Result<Changed, CheckpointError> {
        match self.put_lock(lock, PutMode::Create).await {
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Changed::Beaten)
            }
            // Without this there is no lock at all, and two processes would ruin the checkpoint.
            Err(error) if is_unsupported(&error) => {
                let words = "the store cannot create an object on condition that it is not there, so a second process \
                             could not be kept off; use another store, or turn its conditional writes on";
                Err(self.io("create", LOCK, io::Error::new(io::ErrorKind::Unsupported, words)))
            }
            Err(error) => Err(self.store("create", LOCK, &error)),
            Ok(version) => Ok(Changed::Done(version)),
        }
    }

    /// Puts `lock` in place of the version that was seen. `settle` is how long the others get to do the same where the store
    /// compares no versions.
    pub(super) async fn replace_lock(
        &self,
        lock: &LockFile,
        seen: &UpdateVersion,
        settle: Duration,
    ) -> Result<Changed, CheckpointError> {
        use object_store::Error as Store;
        if seen.e_tag.is_none() && seen.version.is_none() {
            return self.replace_lock_with_care(lock, seen, settle).await;
        }
        match self.put_lock(lock, PutMode::Update(seen.clone())).await {
            Ok(version) => Ok(Changed::Done(version)),
            Err(Store::Precondition { .. } | Store::NotFound { .. } | Store::AlreadyExists { .. }) => {
                Ok(Changed::Beaten)
            }
            Err(error) if is_unsupported(&error) => self.replace_lock_with_care(lock, seen, settle).await,
            Err(error) => Err(self.store("replace", LOCK, &error)),
        }
    }

    async fn replace_lock_with_care(
        &self,
        lock: &LockFile,
        seen: &UpdateVersion,
        settle: Duration,
    ) -> Result<Changed, CheckpointError> {
        if self.find_lock().await?.is_none_or(|found| found.version() != *seen) {
            return Ok(Changed::Beaten);
        }
        let written = self.put_lock(lock, PutMode::Overwrite).await;
        written.map_err(|error| self.store("replace", LOCK, &error))?;
        tokio::time::sleep(settle).await;
        Ok(match self.find_lock().await? {
            Some(found) if found.is(lock) => Changed::Done(found.version()),
            _ => Changed::Beaten,
        })
    }

    /// Whether nobody has this lock any more: it was given back, its process is dead, or its lease has run out.
    pub(super) async fn is_stale(&self, found: &FoundLock, default_lease: TimeSpan) -> Result<bool, CheckpointError> {
        let lease = match &found.content {
            Some(LockFile { holder: None, .. }) => return Ok(true),
            Some(content) if content.process.is_dead() => return Ok(true),
            Some(content) => content.lease,
            None => default_lease,
        };
        Ok(self.age(&found.meta).await? > lease.to_std() + CLOCK_STEP)
    }

    /// How long ago an object was written, by the clock that gives objects their times: the clocks of two machines may
    /// differ by more than a lease.
    async fn age(&self, of: &ObjectMeta) -> Result<Duration, CheckpointError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // With a dot before it, this is never a file of the checkpoint.
        let name = format!(".clock.{}.{number}", std::process::id());
        let object = self.object(&name);
        let ask = async {
            self.store.put(&object, PutPayload::new()).await?;
            self.store.head(&object).await
        };
        let asked = ask.await;
        // Nobody minds one that stays.
        let _ = self.store.delete(&object).await;
        let now = asked.map_err(|error| self.store("write", &name, &error))?.last_modified;
        Ok((now - of.last_modified).to_std().unwrap_or_default())
    }

    async fn put_lock(&self, lock: &LockFile, mode: PutMode) -> object_store::Result<UpdateVersion> {
        let mut content = serde_json::to_vec_pretty(lock).expect("a lock is text and numbers");
        content.push(b'\n');
        let put = self.store.put_opts(&self.object(LOCK), content.into(), PutOptions::from(mode)).await?;
        Ok(put.into())
    }
}

fn is_unsupported(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. })
}
