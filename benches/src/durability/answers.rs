//! Before anything is timed: a run with a checkpoint, and one that is cut in two, answer as one without does, to the byte.

use super::rows::{KeyType, Users, batches};
use super::runs::{Input, Question, Run, plan};
use crate::Failure;
use crate::feed::Kept;

const ROWS: u64 = 20_000;
const BATCH_ROWS: usize = 500;
const EPOCH_ROWS: u64 = 1_500;

/// Compares the answers of small runs; gives the number of runs.
pub(super) fn check(threads: usize) -> Result<usize, Failure> {
    let mut runs = 0;
    for question in Question::KEEPING {
        for (key, users) in [(KeyType::Text, Users::Spread(50)), (KeyType::Integer, Users::Spread(1_000_000))] {
            let plan = plan(question, key, threads, 3)?;
            let input = Input::new(batches(0..ROWS, users, key, BATCH_ROWS), BATCH_ROWS, EPOCH_ROWS);
            let answer = |run: &Run, cuts: &[Option<u64>]| -> Result<_, Failure> {
                let kept = Kept::default();
                for &max_epochs in cuts {
                    Run { max_epochs, kept: Some(kept.clone()), ..run.clone() }.run(&plan, &input)?;
                }
                Ok(kept.take())
            };
            let expected = answer(&Run { threads, ..Run::default() }, &[None])?;
            for cuts in [&[None][..], &[Some(5), Some(1), None]] {
                let directory = tempfile::tempdir()?;
                if answer(&Run::durable(threads, directory.path()), cuts)? != expected {
                    let what = format!("{} with a checkpoint, in {} runs", question.name(), cuts.len());
                    return Err(Failure::Differs(what));
                }
                runs += 1;
            }
            if expected.iter().all(|batch| batch.num_rows() == 0) {
                return Err(Failure::Differs(format!("{} gives nothing", question.name())));
            }
        }
    }
    Ok(runs)
}
