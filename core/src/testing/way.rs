//! The ways in which a case is run: what must not show in its answer.

use std::fmt;

/// How the engine runs a case. The answer is the same in every way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Threads that compute, and threads that read.
    pub threads: usize,
    /// State partitions, where the graph's `run` section does not say how many.
    pub partitions: usize,
    /// The most rows in a batch.
    pub batch_rows: usize,
    /// The number of pieces into which a source cuts the rows of an epoch, each read by one thread.
    pub splits: usize,
    /// Where the run is stopped and goes on from its checkpoint, besides the places that the script names.
    pub restarts: Restarts,
}

/// Where a run is stopped to go on from its checkpoint, which is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// Nowhere but where the script says so.
    AsWritten,
    /// Before every epoch and after the last.
    EveryEpoch,
    /// Before every epoch and after the last, and each time the commit of the epoch before is lost: that epoch is run again
    /// first, from its intent, and its output must be what it was.
    CommitLost,
    /// Before every epoch and after the last, each time into another number of state partitions, where the graph's `run`
    /// section does not say how many.
    SharedOutAnew,
}

/// The numbers of partitions that [`Restarts::SharedOutAnew`] goes through, one after the other.
const SHARES: [usize; 4] = [3, 2, 5, 1];

impl Way {
    /// One thread, one partition, all rows in one batch.
    pub const SEQUENTIAL: Self =
        Self { threads: 1, partitions: 1, batch_rows: 32_768, splits: 1, restarts: Restarts::AsWritten };

    /// Several of everything, and small batches.
    pub const PARALLEL: Self =
        Self { threads: 4, partitions: 3, batch_rows: 2, splits: 2, restarts: Restarts::AsWritten };

    /// As `SEQUENTIAL`, but killed and recovered between all epochs.
    pub const RECOVERED: Self = Self { restarts: Restarts::CommitLost, ..Self::SEQUENTIAL };

    /// Restored with another number of partitions between all epochs.
    pub const SHARED_OUT_ANEW: Self =
        Self { threads: 2, partitions: 1, batch_rows: 3, splits: 1, restarts: Restarts::SharedOutAnew };

    /// Ways that differ in one thing at a time and in all of them: for a graph that is to be tested to the bone.
    pub const ALL: [Self; 12] = [
        Self::SEQUENTIAL,
        Self { batch_rows: 1, ..Self::SEQUENTIAL },
        Self { threads: 2, ..Self::SEQUENTIAL },
        Self { partitions: 5, ..Self::SEQUENTIAL },
        Self { partitions: 5, threads: 8, batch_rows: 3, ..Self::SEQUENTIAL },
        Self { splits: 3, ..Self::SEQUENTIAL },
        Self { splits: 3, threads: 8, batch_rows: 1, ..Self::SEQUENTIAL },
        Self::PARALLEL,
        Self::RECOVERED,
        Self { restarts: Restarts::EveryEpoch, ..Self::SEQUENTIAL },
        Self { restarts: Restarts::CommitLost, ..Self::PARALLEL },
        Self::SHARED_OUT_ANEW,
    ];

    /// This way for a graph that says how many partitions there are.
    #[must_use]
    pub fn with_partitions(self, pinned: Option<usize>) -> Self {
        let Some(partitions) = pinned else { return self };
        let restarts = match self.restarts {
            Restarts::SharedOutAnew => Restarts::EveryEpoch,
            other => other,
        };
        Self { partitions, restarts, ..self }
    }

    /// The number of partitions after so many restarts.
    pub fn partitions_after(self, restarts: usize) -> usize {
        match (self.restarts, restarts.checked_sub(1)) {
            (Restarts::SharedOutAnew, Some(turn)) => SHARES[turn % SHARES.len()],
            _ => self.partitions,
        }
    }

    /// Whether the output of both must be the same to the bit and in the same order: partitions and splits may show in
    /// the order of rows and in the last digits of a sum, threads, batches and restarts may not.
    pub fn must_agree_with(self, other: Self) -> bool {
        let shares = |way: Self| way.restarts == Restarts::SharedOutAnew;
        (self.partitions, self.splits, shares(self)) == (other.partitions, other.splits, shares(other))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let Self { threads, partitions, batch_rows, splits, restarts } = *self;
        write!(
            f,
            "{}, {}, {}, batches of {}",
            counted(threads, "thread"),
            counted(partitions, "partition"),
            counted(splits, "split"),
            counted(batch_rows, "row")
        )?;
        f.write_str(match restarts {
            Restarts::AsWritten => "",
            Restarts::EveryEpoch => ", a restart before every epoch",
            Restarts::CommitLost => ", a crash after every epoch",
            Restarts::SharedOutAnew => ", a restart into other partitions before every epoch",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_change_at_a_restart_unless_the_graph_says_how_many_there_are() {
        let shares = |way: Way| (0..6).map(|restarts| way.partitions_after(restarts)).collect::<Vec<_>>();
        assert_eq!(shares(Way::SHARED_OUT_ANEW), [1, 3, 2, 5, 1, 3]);
        assert_eq!(shares(Way::RECOVERED), [1; 6]);
        let pinned = Way::SHARED_OUT_ANEW.with_partitions(Some(4));
        assert_eq!((shares(pinned), pinned.restarts), (vec![4; 6], Restarts::EveryEpoch));
    }

    #[test]
    fn a_restart_may_not_show_but_in_another_number_of_partitions() {
        assert!(Way::RECOVERED.must_agree_with(Way::SEQUENTIAL));
        assert!(!Way::SHARED_OUT_ANEW.must_agree_with(Way::SEQUENTIAL));
        assert!(!Way::PARALLEL.must_agree_with(Way::SEQUENTIAL));
    }
}
