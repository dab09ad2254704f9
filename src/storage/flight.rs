//! Several requests on their way at once, never more than a few: what they carry lies in memory.

use std::future::Future;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::reactor::{Reactor, ended};

/// The most requests of one call on their way at once.
pub(super) const AT_ONCE: usize = 16;

/// Requests on their way. All of them have come back when [`land`](Self::land) returns, also after an error: a write that
/// arrives after its failure was told could meet a file of the next run.
pub(super) struct Flight<'a, E> {
    reactor: &'a Reactor,
    done: Sender<Result<(), E>>,
    results: Receiver<Result<(), E>>,
    on_their_way: usize,
    first_error: Option<E>,
}

impl<'a, E: From<io::Error> + Send + 'static> Flight<'a, E> {
    pub(super) fn new(reactor: &'a Reactor) -> Self {
        let (done, results) = channel();
        Self { reactor, done, results, on_their_way: 0, first_error: None }
    }

    /// Whether one has failed: then it is no use to send more.
    pub(super) fn has_failed(&self) -> bool {
        self.first_error.is_some()
    }

    /// Sends a request; waits until one of the others is back where there are too many.
    pub(super) fn send(&mut self, request: impl Future<Output = Result<(), E>> + Send + 'static) {
        while self.on_their_way >= AT_ONCE {
            self.receive();
        }
        let answer = Answer(Some(self.done.clone()));
        self.on_their_way += 1;
        self.reactor.handle().spawn(async move { answer.give(request.await) });
    }

    /// Waits for all; gives the first error.
    pub(super) fn land(mut self) -> Result<(), E> {
        while self.on_their_way > 0 {
            self.receive();
        }
        self.first_error.map_or(Ok(()), Err)
    }

    fn receive(&mut self) {
        let result = self.results.recv().unwrap_or_else(|_| Err(ended().into()));
        self.on_their_way -= 1;
        if let Err(error) = result {
            self.first_error.get_or_insert(error);
        }
    }
}

/// Answers in any case, also when the request is given up half-way.
struct Answer<E: From<io::Error>>(Option<Sender<Result<(), E>>>);

impl<E: From<io::Error>> Answer<E> {
    fn give(mut self, result: Result<(), E>) {
        if let Some(done) = self.0.take() {
            let _ = done.send(result);
        }
    }
}

impl<E: From<io::Error>> Drop for Answer<E> {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let _ = done.send(Err(ended().into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_come_back_and_the_first_error_is_told() {
        let reactor = Reactor::start().expect("started");
        let (now, most, all) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let mut flight: Flight<'_, io::Error> = Flight::new(&reactor);
        for number in 0..3 * AT_ONCE {
            let (now, most, all) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&all));
            flight.send(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                all.fetch_add(1, Ordering::SeqCst);
                if number == 3 { Err(io::Error::other("on purpose")) } else { Ok(()) }
            });
        }
        assert!(flight.has_failed());
        assert_eq!(flight.land().expect_err("one failed").to_string(), "on purpose");
        assert_eq!(all.load(Ordering::SeqCst), 3 * AT_ONCE);
        assert!((2..=AT_ONCE).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn a_request_that_panics_is_an_error() {
        let reactor = Reactor::start().expect("started");
        let mut flight: Flight<'_, io::Error> = Flight::new(&reactor);
        flight.send(async { panic!("on purpose") });
        assert!(flight.land().is_err());
    }
}
