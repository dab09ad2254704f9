//! The guard around node code: a panic there is an error of that node, as is a call that takes too long, and the process lives on.
//!
//! What a call left half-changed is never looked at again: the engine gives up the epoch with everything that belongs to it.
//!
//! A panic's place is known to the process's panic hook only, and a library installs none. A program that has one tells a
//! node's panic from a bug of its own by [`in_node_code`], and hands the place over by [`note_panic`]:
//!
//! ```
//! use watershed_core::error::Error;
//! use watershed_core::guard;
//!
//! std::panic::set_hook(Box::new(|panic| match panic.location() {
//!     Some(place) if guard::in_node_code() => guard::note_panic(place.to_string()),
//!     _ => eprintln!("{panic}"),
//! }));
//! let failed = guard::guarded::<()>(|| panic!("no such sensor"));
//! assert!(matches!(failed, Err(Error::Panicked { place: Some(_), .. })));
//! ```

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

thread_local! {
    /// How many guarded calls this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where node code panicked last on this thread, until its guard takes it.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Calls node code. A panic becomes [`Error::Panicked`].
pub fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    DEPTH.set(DEPTH.get() + 1);
    PLACE.take();
    // What the call may have left half-changed belongs to its epoch, which is given up.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    DEPTH.set(DEPTH.get() - 1);
    outcome.unwrap_or_else(|payload| Err(Error::Panicked { message: message(&*payload), place: PLACE.take() }))
}

/// Whether this thread is in a guarded call, so that a panic will be reported as a node's error.
pub fn in_node_code() -> bool {
    DEPTH.get() > 0
}

/// For a program's panic hook: where the code that this thread is in has just panicked, as `file:line:column`.
pub fn note_panic(place: String) {
    PLACE.set(Some(place));
}

/// Measures what a node takes for a call, or from one batch to the next.
pub(crate) struct Pace(Option<(Duration, Instant)>);

impl Pace {
    /// Nothing is measured where there is no limit.
    pub(crate) fn start(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| (limit, now())))
    }

    /// Whether what was done since the start, or the last new start, took no longer than it may.
    pub(crate) fn keep(&self) -> Result<()> {
        match self.0 {
            Some((limit, start)) if start.elapsed() > limit => Err(Error::Slow { took: start.elapsed(), limit }),
            _ => Ok(()),
        }
    }

    pub(crate) fn start_anew(&mut self) {
        if let Some((_, start)) = &mut self.0 {
            *start = now();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what a call takes decides only whether the run fails")]
fn now() -> Instant {
    Instant::now()
}

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> String {
    let words = payload.downcast_ref::<&str>().copied();
    words.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked<T: std::fmt::Debug>(outcome: Result<T>) -> (String, Option<String>) {
        match outcome {
            Err(Error::Panicked { message, place }) => (message, place),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_panic_said_is_kept() {
        for (outcome, said) in [
            (guarded::<()>(|| panic!("plain words")), "plain words"),
            (guarded(|| panic!("row {}", 7)), "row 7"),
            (guarded(|| std::panic::panic_any(7)), "without a message"),
        ] {
            assert_eq!(panicked(outcome), (said.to_owned(), None));
        }
        assert_eq!(guarded(|| Ok(7)).ok(), Some(7));
        assert!(matches!(guarded(|| Err::<(), _>(Error::Stopped)), Err(Error::Stopped)));
    }

    #[test]
    fn node_code_is_where_a_guard_is_around() {
        assert!(!in_node_code());
        let inner = guarded(|| {
            let _ = guarded::<()>(|| panic!("inside"));
            Ok(in_node_code())
        });
        assert_eq!(inner.ok(), Some(true), "a guard within one leaves the outer in place");
        assert!(!in_node_code());
    }

    #[test]
    fn a_place_belongs_to_the_panic_it_was_noted_of() {
        let place = || Some("src/lib.rs:1:1".to_owned());
        let noted = || -> Result<()> {
            // What a hook does.
            note_panic("src/lib.rs:1:1".to_owned());
            panic!("here")
        };
        assert_eq!(panicked(guarded(noted)), ("here".to_owned(), place()));
        let caught_by_the_node = guarded(|| {
            let _ = catch_unwind(|| {
                note_panic("src/lib.rs:1:1".to_owned());
                panic!("caught")
            });
            Ok(())
        });
        assert!(caught_by_the_node.is_ok());
        assert_eq!(panicked(guarded::<()>(|| panic!("there"))), ("there".to_owned(), None));
    }
}
