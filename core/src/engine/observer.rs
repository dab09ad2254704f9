//! What a run tells while it goes on.

use super::progress::Progress;
use crate::epoch::Epoch;

/// Is told of a run by the driver's thread, which waits meanwhile. All does nothing unless said otherwise.
pub trait Observer {
    /// The driver is about to ask the sources what there is. Rows that are there now are in the epochs begun from here on, before
    /// the run [rests](Observer::rests) the next time.
    fn looks_for_input(&mut self) {}

    /// An epoch is about to be run; one without input runs because time has passed. The one before may not be committed yet.
    fn begins(&mut self, epoch: Epoch, has_input: bool) {
        let _ = (epoch, has_input);
    }

    /// An epoch was committed.
    fn committed(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// Since the sources were last asked there was nothing to do, and everything done is committed.
    fn rests(&mut self) {}
}

/// A closure that is told of every epoch.
pub(super) struct OnCommit<'a>(pub(super) &'a mut dyn FnMut(&Progress));

impl Observer for OnCommit<'_> {
    fn committed(&mut self, progress: &Progress) {
        (self.0)(progress);
    }
}

/// Nobody is told.
pub(super) struct Unobserved;

impl Observer for Unobserved {}
