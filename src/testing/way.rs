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
}

impl Way {
    /// One thread, one partition, all rows in one batch.
    pub const SEQUENTIAL: Self = Self { threads: 1, partitions: 1, batch_rows: 32_768, splits: 1 };

    /// Several of everything, and small batches.
    pub const PARALLEL: Self = Self { threads: 4, partitions: 3, batch_rows: 2, splits: 2 };

    /// Ways that differ in one thing at a time and in all of them: for a graph that is to be tested to the bone.
    pub const ALL: [Self; 8] = [
        Self::SEQUENTIAL,
        Self { batch_rows: 1, ..Self::SEQUENTIAL },
        Self { threads: 2, ..Self::SEQUENTIAL },
        Self { partitions: 5, ..Self::SEQUENTIAL },
        Self { partitions: 5, threads: 8, batch_rows: 3, ..Self::SEQUENTIAL },
        Self { splits: 3, ..Self::SEQUENTIAL },
        Self { splits: 3, threads: 8, batch_rows: 1, ..Self::SEQUENTIAL },
        Self::PARALLEL,
    ];

    /// Whether the output of both must be the same to the bit and in the same order: partitions and splits may show in
    /// the order of rows and in the last digits of a sum, threads and batches may not.
    pub(super) fn must_agree_with(self, other: Self) -> bool {
        (self.partitions, self.splits) == (other.partitions, other.splits)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let Self { threads, partitions, batch_rows, splits } = *self;
        write!(
            f,
            "{}, {}, {}, batches of {}",
            counted(threads, "thread"),
            counted(partitions, "partition"),
            counted(splits, "split"),
            counted(batch_rows, "row")
        )
    }
}
