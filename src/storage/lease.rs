//! A checkpoint that is ours for as long as the lease lasts, and how it is kept.
//!
//! A lock in a store outlives its process, so it is valid for a time only, and its holder renews it while it lives. The
//! promise that rests on it: who writes has renewed a short while ago, and who could not renew because another has the lock
//! writes nothing more. A holder that slept past its lease loses nothing if nobody came: renewing names the version that it
//! wrote last, so the store itself says whether that is still so.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::UpdateVersion;
use tokio::sync::Mutex;
use tokio::time::timeout;
use watershed_core::checkpoint::{CheckpointError, Holder};
use watershed_core::time::{Clock, SystemClock, TimeSpan, Timestamp};

use super::lock_file::{Changed, FoundLock, LOCK, LockFile};
use super::place::Place;

/// How often somebody who wants the lock starts over after another was faster.
const ATTEMPTS: usize = 8;

/// How long others get to replace a stale lock at the same moment, where a store compares no versions.
const SETTLE: Duration = Duration::from_secs(1);

/// How often a lock is renewed within its lease.
const RENEWALS_PER_LEASE: u32 = 3;

/// A lock that this process took.
#[derive(Debug)]
pub(super) struct Lease {
    place: Arc<Place>,
    length: TimeSpan,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lock: LockFile,
    version: UpdateVersion,
    renewed: Moment,
    lost: Option<Lost>,
}

#[derive(Clone, Debug)]
enum Lost {
    To { holder: String },
    Removed,
}

impl Lease {
    /// Takes the lock if it is free or stale.
    pub(super) async fn take(place: Arc<Place>, holder: Holder, length: TimeSpan) -> Result<Self, CheckpointError> {
        let lock = LockFile::new(&holder, length);
        let mut last_seen = None;
        for _ in 0..ATTEMPTS {
            let renewed = Moment::now();
            let changed = match place.find_lock().await? {
                None => place.create_lock(&lock).await?,
                // The store has it, only its answer was lost.
                Some(found) if found.is(&lock) => Changed::Done(found.version()),
                Some(found) if place.is_stale(&found, length).await? => {
                    let changed = place.replace_lock(&lock, &found.version(), SETTLE).await?;
                    last_seen = Some(found);
                    changed
                }
                Some(found) => return Err(held(&place, found.holder())),
            };
            if let Changed::Done(version) = changed {
                let state = Mutex::new(State { lock, version, renewed, lost: None });
                return Ok(Self { place, length, state });
            }
        }
        Err(held(
            &place,
            last_seen.map_or_else(|| "several processes that want it at once".to_owned(), |found| found.holder()),
        ))
    }

    /// Renews the lock again and again, until it is lost.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.length.to_std() / RENEWALS_PER_LEASE).await;
            let mut state = self.state.lock().await;
            // A store that does not answer now may answer next time; whoever writes meanwhile asks for himself.
            let _ = self.renew(&mut state).await;
            if state.lost.is_some() {
                return;
            }
        }
    }

    /// An error when another may have the lock; renews it where it was not renewed lately.
    pub(super) async fn check(&self) -> Result<(), CheckpointError> {
        let mut state = self.state.lock().await;
        // Two renewals have failed, or the process slept.
        if state.lost.is_none() && state.renewed.elapsed() > self.length.to_std() * 2 / RENEWALS_PER_LEASE {
            self.renew(&mut state).await?;
        }
        state.lost.as_ref().map_or(Ok(()), |lost| Err(self.error(lost)))
    }

    /// Gives the lock back; where that fails, the lease runs out. Says whether it was ours to the end.
    pub(super) async fn give_back(&self) -> bool {
        let mut state = self.state.lock().await;
        if state.lost.is_none() {
            let _ = timeout(self.length.to_std(), self.change(&mut state, LockFile::given_back)).await;
        }
        state.lost.is_none()
    }

    /// Leaves `lost` set where another has the lock.
    async fn renew(&self, state: &mut State) -> Result<(), CheckpointError> {
        let limit = self.length.to_std() / RENEWALS_PER_LEASE;
        timeout(limit, self.change(state, LockFile::renewed)).await.unwrap_or_else(|_| {
            let words = format!("no answer in {limit:?}");
            Err(self.place.io("renew", LOCK, io::Error::new(io::ErrorKind::TimedOut, words)))
        })
    }

    async fn change(&self, state: &mut State, change: fn(&LockFile) -> LockFile) -> Result<(), CheckpointError> {
        loop {
            // Before the store is asked: others count from when it wrote.
            let renewed = Moment::now();
            state.lock = change(&state.lock);
            match self.place.replace_lock(&state.lock, &state.version, Duration::ZERO).await? {
                Changed::Done(version) => {
                    (state.version, state.renewed) = (version, renewed);
                    return Ok(());
                }
                Changed::Beaten => match self.place.find_lock().await? {
                    // By ourselves: a change whose answer was lost.
                    Some(found) if found.is(&state.lock) => state.version = found.version(),
                    found => {
                        state.lost = Some(Lost::by(found.as_ref()));
                        return Ok(());
                    }
                },
            }
        }
    }

    fn error(&self, lost: &Lost) -> CheckpointError {
        match lost {
            Lost::To { holder } => {
                held(&self.place, format!("{holder}, and took the lock over when this run had not renewed it in time"))
            }
            Lost::Removed => {
                let words = "somebody removed it while this run had the checkpoint; nothing more is written";
                self.place.io("keep", LOCK, io::Error::other(words))
            }
        }
    }
}

impl Lost {
    fn by(found: Option<&FoundLock>) -> Self {
        found.map_or(Self::Removed, |found| Self::To { holder: found.holder() })
    }
}

fn held(place: &Place, holder: String) -> CheckpointError {
    CheckpointError::Held { location: place.location.clone(), holder }
}

/// An instant by two clocks: the steady one stands still while the machine sleeps, and the other may be set.
#[derive(Clone, Copy, Debug)]
struct Moment {
    steady: Instant,
    wall: Timestamp,
}

impl Moment {
    fn now() -> Self {
        Self { steady: steady(), wall: SystemClock.now() }
    }

    /// The longer of the two: at worst a lock is renewed once too often.
    fn elapsed(self) -> Duration {
        let now = Self::now();
        let by_wall = Duration::from_micros((now.wall.micros() - self.wall.micros()).max(0).unsigned_abs());
        now.steady.duration_since(self.steady).max(by_wall)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a lease still lasts; no answer depends on it")]
fn steady() -> Instant {
    Instant::now()
}
