//! The thread that waits for a store of objects, so that everything outside of it may call and block.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Runs futures on a thread of its own, many at a time. What still runs when it is dropped is given up.
#[derive(Debug)]
pub(super) struct Reactor {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reactor {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            // Either way there is nobody left who asks.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("object-store".to_owned()).spawn(serve)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future on the thread and waits for it. It is handed over, rather than polled here, because the caller may be
    /// inside a runtime of its own, where nothing may block on another.
    pub(super) fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        let (done, result) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            let _ = done.send(future.await);
        });
        result.recv().map_err(|_| ended())
    }
}

/// Why there is no answer when a task on the thread was given up.
pub(super) fn ended() -> io::Error {
    io::Error::other("the thread that talks to the store has ended")
}

impl Drop for Reactor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_are_served_at_once() {
        let reactor = Reactor::start().expect("started");
        let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(3));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let barrier = std::sync::Arc::clone(&barrier);
                // None of them comes back before all are there.
                scope.spawn(|| reactor.run(async move { barrier.wait().await.is_leader() }).expect("all are there"));
            }
        });
    }

    #[test]
    fn it_serves_a_caller_inside_another_runtime() {
        let outer = Builder::new_current_thread().build().expect("a runtime");
        let answer = outer.block_on(async { Reactor::start().and_then(|reactor| reactor.run(async { 7 })) });
        assert_eq!(answer.expect("an answer"), 7);
    }

    #[test]
    fn what_panics_is_an_error() {
        let reactor = Reactor::start().expect("started");
        let result: io::Result<()> = reactor.run(async { panic!("on purpose") });
        assert_eq!(result.expect_err("no answer").to_string(), ended().to_string());
        assert_eq!(reactor.run(async { 7 }).expect("goes on"), 7);
    }
}
