//! Which threads are in code that a query waits for, so that this code can be kept from waiting for the query.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The threads that are in a query's listeners or in the closures of its sinks.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside(Arc<Mutex<Vec<ThreadId>>>);

impl Inside {
    /// This thread is, until the answer is dropped.
    pub(super) fn enter(&self) -> Entered<'_> {
        self.threads().push(thread::current().id());
        Entered(self)
    }

    /// Whether this thread is.
    pub(super) fn is_here(&self) -> bool {
        self.threads().contains(&thread::current().id())
    }

    fn threads(&self) -> MutexGuard<'_, Vec<ThreadId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that is in such code.
pub(super) struct Entered<'a>(&'a Inside);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut threads = self.0.threads();
        let this = thread::current().id();
        if let Some(place) = threads.iter().rposition(|thread| *thread == this) {
            threads.swap_remove(place);
        }
    }
}
