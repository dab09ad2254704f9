//! A store of objects that fails as it is told to.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use watershed::storage::object_store::memory::InMemory;
use watershed::storage::object_store::path::Path;
use watershed::storage::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// One way to a store in memory, with faults of its own: other ways to the same store go on.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    store: Arc<InMemory>,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    cut_off: AtomicBool,
    /// How many changes of files are still made; below zero, all are.
    changes_left: AtomicI64,
    /// How many changes of files were asked for.
    changes: AtomicI64,
    /// How many changes of the lock are made and not confirmed.
    answers_to_lose: AtomicI64,
    unconditional: AtomicBool,
}

impl Faulty {
    pub(crate) fn over(store: &Arc<InMemory>) -> (Self, Arc<dyn ObjectStore>) {
        let faults = Faults { changes_left: AtomicI64::new(-1), ..Faults::default() };
        let faulty = Self { store: Arc::clone(store), faults: Arc::new(faults) };
        (faulty.clone(), Arc::new(faulty))
    }

    /// Nothing is answered any more.
    pub(crate) fn cut_off(&self, cut_off: bool) {
        self.faults.cut_off.store(cut_off, Ordering::SeqCst);
        self.faults.changes_left.store(-1, Ordering::SeqCst);
    }

    /// No file is put or removed any more after so many; the lock still is.
    pub(crate) fn break_off_after(&self, changes: i64) {
        self.faults.changes_left.store(changes, Ordering::SeqCst);
    }

    pub(crate) fn changes(&self) -> i64 {
        self.faults.changes.load(Ordering::SeqCst)
    }

    /// The next changes of the lock are made, but whoever asked for them is told of a fault.
    pub(crate) fn lose_answers(&self, answers: i64) {
        self.faults.answers_to_lose.store(answers, Ordering::SeqCst);
    }

    pub(crate) fn answers_to_lose(&self) -> i64 {
        self.faults.answers_to_lose.load(Ordering::SeqCst)
    }

    /// Nothing is put on a condition any more.
    pub(crate) fn without_conditions(&self) {
        self.faults.unconditional.store(true, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<()> {
        if self.faults.cut_off.load(Ordering::SeqCst) { Err(no_answer()) } else { Ok(()) }
    }

    fn change(&self, object: &Path) -> Result<()> {
        self.answer()?;
        if is_ours(object) {
            return Ok(());
        }
        self.faults.changes.fetch_add(1, Ordering::SeqCst);
        let left = self
            .faults
            .changes_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then_some(left - 1));
        if left == Err(0) { Err(no_answer()) } else { Ok(()) }
    }
}

fn no_answer() -> Error {
    let source = io::Error::new(io::ErrorKind::NotConnected, "the store does not answer");
    Error::Generic { store: "Faulty", source: Box::new(source) }
}

/// Whether it is the lock, or what helps with it.
fn is_ours(object: &Path) -> bool {
    object.filename().is_some_and(|name| name == "lock" || name.starts_with(".clock."))
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, object: &Path, content: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.change(object)?;
        let unconditional = self.faults.unconditional.load(Ordering::SeqCst);
        if unconditional && options.mode != PutMode::Overwrite {
            return Err(Error::NotImplemented { operation: "conditions".to_owned(), implementer: "Faulty".to_owned() });
        }
        let put = self.store.put_opts(object, content, options).await?;
        let lost = || {
            self.faults
                .answers_to_lose
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then_some(left - 1))
        };
        if is_ours(object) && lost().is_ok() { Err(no_answer()) } else { Ok(put) }
    }

    async fn put_multipart_opts(
        &self,
        object: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.change(object)?;
        self.store.put_multipart_opts(object, options).await
    }

    async fn get_opts(&self, object: &Path, options: GetOptions) -> Result<GetResult> {
        self.answer()?;
        self.store.get_opts(object, options).await
    }

    fn delete_stream(&self, objects: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let remove = move |object: Result<Path>| {
            let this = this.clone();
            async move {
                let object = object?;
                this.change(&object)?;
                let mut removed = this.store.delete_stream(stream::once(async { Ok(object) }).boxed());
                removed.next().await.expect("an answer for each")
            }
        };
        objects.then(remove).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.answer() {
            Ok(()) => self.store.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.answer()?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.change(to)?;
        self.store.copy_opts(from, to, options).await
    }
}
