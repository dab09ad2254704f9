//! A checkpoint in a store of objects: Amazon S3, Google Cloud Storage, Azure Blob Storage, and what is like them.
//!
//! A store keeps the three promises of a storage in its own way. An object is there as a whole or not at all: putting one
//! is one step, and one that goes up in parts appears when the last is confirmed. What it has confirmed is durable. And
//! of several who change the lock at once, it lets one through.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use tokio::task::AbortHandle;
use watershed_core::checkpoint::{CheckpointError, CheckpointLock, CheckpointStorage, Holder, NewFile, StoredFile};
use watershed_core::time::TimeSpan;

use super::flight::{AT_ONCE, Flight};
use super::lease::Lease;
use super::lock_file::LOCK;
use super::place::{Fault, Place};
use super::reactor::Reactor;

/// How long a lock is valid after it was renewed, unless the program says otherwise.
const LEASE: TimeSpan = TimeSpan::from_seconds(30);

/// A lease shorter than this is lost to every pause.
const SHORTEST_LEASE: TimeSpan = TimeSpan::from_micros(100_000);

/// Objects up to this size go and come as one, larger ones in parts beside each other.
const WHOLE_BYTES: usize = 32 * 1024 * 1024;

/// The size of a part. Stores take 10,000 parts of an object, none of them below 5 MiB but the last, and some want all of one
/// size.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// A checkpoint under a prefix of a store of objects.
///
/// Calls block; they may come from any thread, also from one of a tokio runtime, and several at once are answered side by
/// side.
///
/// ```
/// use std::sync::Arc;
/// use watershed::core::engine::EngineOptions;
/// use watershed::storage::ObjectStorage;
/// use watershed::storage::object_store::{memory::InMemory, path::Path};
///
/// let store = Arc::new(InMemory::new());
/// let storage = ObjectStorage::new(store, &Path::from("visits"), "memory")?.with_lease("1 minute".parse()?);
/// let options = EngineOptions { checkpoint: Some(Arc::new(storage)), ..EngineOptions::default() };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ObjectStorage {
    shared: Arc<Shared>,
    lease: TimeSpan,
    whole_bytes: usize,
    part_bytes: usize,
}

#[derive(Debug)]
struct Shared {
    place: Arc<Place>,
    reactor: Reactor,
    /// The lock that was taken through this storage last, also after it was lost.
    lease: Mutex<Option<Arc<Lease>>>,
}

impl ObjectStorage {
    /// The checkpoint under `prefix` of `store`. `location` is what messages call it. Nothing is asked of the store yet.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &Path, location: impl Into<String>) -> io::Result<Self> {
        let place = Arc::new(Place { store, prefix: prefix.clone(), location: location.into() });
        let shared = Arc::new(Shared { place, reactor: Reactor::start()?, lease: Mutex::default() });
        Ok(Self { shared, lease: LEASE, whole_bytes: WHOLE_BYTES, part_bytes: PART_BYTES })
    }

    /// How long the lock stays valid after this process was heard of last: after a crash, another machine has to wait for so
    /// long. It is renewed three times as often. Left alone, 30 seconds; at least a tenth of one.
    #[must_use]
    pub fn with_lease(mut self, lease: TimeSpan) -> Self {
        self.lease = lease.max(SHORTEST_LEASE);
        self
    }

    /// Sends objects of more than `whole` bytes in parts of `part` bytes.
    #[cfg(test)]
    pub(super) fn with_parts(mut self, whole: usize, part: usize) -> Self {
        (self.whole_bytes, self.part_bytes) = (whole, part);
        self
    }

    fn upload(&self, files: &[(&NewFile, Path)]) -> Result<(), Fault> {
        let mut flight = Flight::new(&self.shared.reactor);
        for (file, object) in files {
            if flight.has_failed() {
                break;
            }
            if file.bytes() as usize > self.whole_bytes {
                // Its parts are as many as may be on their way.
                std::mem::replace(&mut flight, Flight::new(&self.shared.reactor)).land()?;
                self.upload_in_parts(file, object)?;
                continue;
            }
            let (store, object, name) = (Arc::clone(&self.shared.place.store), object.clone(), file.name.clone());
            let content = file.content.concat();
            flight.send(async move {
                let put = store.put(&object, content.into()).await;
                put.map(drop).map_err(|error| Fault::new(&name, &error))
            });
        }
        flight.land()
    }

    fn upload_in_parts(&self, file: &NewFile, object: &Path) -> Result<(), Fault> {
        let reactor = &self.shared.reactor;
        let (store, object) = (Arc::clone(&self.shared.place.store), object.clone());
        let begun = reactor.run(async move { store.put_multipart(&object).await })?;
        let mut upload = begun.map_err(|error| Fault::new(&file.name, &error))?;
        let mut flight = Flight::new(reactor);
        for part in parts(&file.content, self.part_bytes) {
            if flight.has_failed() {
                break;
            }
            let sent = {
                // A store may start something of its own when it is given a part.
                let _inside = reactor.handle().enter();
                upload.put_part(part.into())
            };
            let name = file.name.clone();
            flight.send(async move { sent.await.map_err(|error| Fault::new(&name, &error)) });
        }
        let (sent, name) = (flight.land(), file.name.clone());
        reactor.run(async move {
            let done = match sent {
                Ok(()) => upload.complete().await.map(drop).map_err(|error| Fault::new(&name, &error)),
                Err(fault) => Err(fault),
            };
            if done.is_err() {
                // Else the store keeps the parts, and wants to be paid for them.
                let _ = upload.abort().await;
            }
            done
        })?
    }

    /// An error when this storage had the lock and another has it now.
    fn check_lease(&self) -> Result<(), CheckpointError> {
        match self.shared.lease().clone() {
            Some(lease) => self.run("lock", LOCK, async move { lease.check().await })?,
            None => Ok(()),
        }
    }

    fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        file: &str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, CheckpointError> {
        self.shared.reactor.run(future).map_err(|error| self.shared.place.io(action, file, error))
    }
}

impl CheckpointStorage for ObjectStorage {
    fn location(&self) -> String {
        self.shared.place.location.clone()
    }

    fn list(&self) -> Result<Vec<StoredFile>, CheckpointError> {
        let place = Arc::clone(&self.shared.place);
        self.run("list", "", async move {
            let prefix = Some(&place.prefix).filter(|prefix| !prefix.as_ref().is_empty());
            let mut objects = place.store.list(prefix);
            let mut files = Vec::new();
            while let Some(object) = objects.try_next().await.map_err(|error| place.store("list", "", &error))? {
                let name = place.name(&object.location).map(str::to_owned);
                files.extend(name.map(|name| StoredFile { name, bytes: object.size }));
            }
            files.sort_unstable();
            Ok(files)
        })?
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        let object = self.shared.place.file("read", name)?;
        let (place, whole, part) = (Arc::clone(&self.shared.place), self.whole_bytes as u64, self.part_bytes as u64);
        let read = self.run("read", name, async move { read(&*place.store, &object, whole, part).await })?;
        read.map_err(|error| self.shared.place.store("read", name, &error))
    }

    fn write(&self, files: &[NewFile]) -> Result<(), CheckpointError> {
        let place = &self.shared.place;
        let mut objects = Vec::with_capacity(files.len());
        for file in files {
            objects.push((file, place.file("write", &file.name)?));
        }
        self.check_lease()?;
        self.upload(&objects).map_err(|fault| place.fault("write", fault))?;
        // What took longer than the lease may have been replaced by another since.
        self.check_lease()
    }

    fn remove(&self, names: &[String]) -> Result<(), CheckpointError> {
        let place = &self.shared.place;
        let objects = names.iter().map(|name| place.file("remove", name)).collect::<Result<Vec<_>, _>>()?;
        self.check_lease()?;
        let place = Arc::clone(place);
        self.run("remove", "", async move {
            let objects = futures_util::stream::iter(objects.into_iter().map(Ok)).boxed();
            let mut removed = place.store.delete_stream(objects);
            let mut first_error = None;
            // To the end also after an error: none is to arrive after this has returned.
            while let Some(result) = removed.next().await {
                match result {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => drop(first_error.get_or_insert(error)),
                }
            }
            first_error.map_or(Ok(()), |error| Err(place.store("remove", "", &error)))
        })?
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn CheckpointLock>, CheckpointError> {
        let taken = Lease::take(Arc::clone(&self.shared.place), holder.clone(), self.lease);
        let lease = Arc::new(self.run("lock", LOCK, taken)??);
        let renewal = self.shared.reactor.handle().spawn(Arc::clone(&lease).keep()).abort_handle();
        *self.shared.lease() = Some(Arc::clone(&lease));
        Ok(Box::new(ObjectLock { shared: Arc::clone(&self.shared), lease, renewal }))
    }
}

impl Shared {
    fn lease(&self) -> MutexGuard<'_, Option<Arc<Lease>>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct ObjectLock {
    shared: Arc<Shared>,
    lease: Arc<Lease>,
    renewal: AbortHandle,
}

impl CheckpointLock for ObjectLock {}

impl Drop for ObjectLock {
    fn drop(&mut self) {
        self.renewal.abort();
        let lease = Arc::clone(&self.lease);
        let kept = self.shared.reactor.run(async move { lease.give_back().await }).unwrap_or(false);
        let mut current = self.shared.lease();
        // One that was lost stays: what still wants to write through this storage is not to.
        if kept && current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &self.lease)) {
            *current = None;
        }
    }
}

/// An object's content, a large one in ranges beside each other, all of one version.
async fn read(store: &dyn ObjectStore, object: &Path, whole: u64, part: u64) -> object_store::Result<Option<Vec<u8>>> {
    loop {
        let found = match store.get(object).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (size, version) = (found.meta.size, found.meta.e_tag.clone());
        if size <= whole || version.is_none() {
            return found.bytes().await.map(|content| Some(content.into()));
        }
        drop(found);
        let ranges = (0..size).step_by(part as usize).map(|start| start..(start + part).min(size));
        let reads = ranges.map(|range| {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range)),
                if_match: version.clone(),
                ..GetOptions::default()
            };
            async { store.get_opts(object, options).await?.bytes().await }
        });
        let mut reads = futures_util::stream::iter(reads).buffered(AT_ONCE);
        let mut content = Vec::with_capacity(size as usize);
        loop {
            match reads.next().await {
                Some(Ok(range)) => content.extend_from_slice(&range),
                None => return Ok(Some(content)),
                // Replaced or removed meanwhile: it is read anew.
                Some(Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. })) => break,
                Some(Err(error)) => return Err(error),
            }
        }
    }
}

/// The content in parts of one size, the last as it comes.
fn parts(content: &[Vec<u8>], size: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut left: u64 = content.iter().map(|piece| piece.len() as u64).sum();
    let mut pieces = content.iter();
    let mut piece: &[u8] = &[];
    std::iter::from_fn(move || {
        let bytes = left.min(size as u64) as usize;
        let mut part = Vec::with_capacity(bytes);
        while part.len() < bytes {
            if piece.is_empty() {
                piece = pieces.next()?;
            }
            let (taken, rest) = piece.split_at(piece.len().min(bytes - part.len()));
            part.extend_from_slice(taken);
            piece = rest;
        }
        left -= bytes as u64;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use watershed_core::checkpoint::check_storage;

    use super::*;

    #[test]
    fn large_objects_go_and_come_in_parts() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        check_storage(&|| {
            let storage = ObjectStorage::new(Arc::clone(&store), &Path::from("a/b"), "memory").expect("a thread");
            Arc::new(storage.with_parts(1000, 999_983))
        });
    }

    #[test]
    fn parts_are_of_one_size_but_the_last() {
        let content: Vec<u8> = (0..100).collect();
        for cuts in [&[][..], &[0, 0], &[1], &[7, 7, 8], &[50, 99]] {
            let mut pieces = Vec::new();
            let mut from = 0;
            for &cut in cuts {
                pieces.push(content[from..cut].to_vec());
                from = cut;
            }
            pieces.push(content[from..].to_vec());
            for size in [1, 7, 50, 99, 100, 101] {
                let parts: Vec<Vec<u8>> = parts(&pieces, size).collect();
                assert_eq!(parts.concat(), content);
                let (last, others) = parts.split_last().expect("one or more");
                assert!(others.iter().all(|part| part.len() == size) && (1..=size).contains(&last.len()));
            }
        }
        assert_eq!(parts(&[], 7).count(), 0);
        assert_eq!(parts(&[Vec::new()], 7).count(), 0);
    }
}
