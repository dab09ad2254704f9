//! Time: of the clock on the wall, and of the processors. And memory.

use std::time::Instant;

/// One run's cost in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// From start to end.
    pub wall: f64,
    /// Of all threads together; `None` where the system does not say.
    pub processor: Option<f64>,
}

/// Runs `work` and says what it cost.
#[expect(clippy::disallowed_methods, reason = "this is what the program is for")]
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (start, before) = (Instant::now(), processor_seconds());
    let done = work();
    let wall = start.elapsed().as_secs_f64();
    let processor = before.zip(processor_seconds()).map(|(before, after)| after - before);
    (done, Cost { wall, processor })
}

/// What this process has used so far, to a hundredth of a second: fields 14 and 15 of `/proc/self/stat`.
fn processor_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold blanks.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The value in the middle; not a number when there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// The value that so many of a hundred do not exceed; not a number when there is none.
pub(crate) fn percentile(values: &[f64], hundredths: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = (values.len() * hundredths).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// The memory of this process in bytes: now, and at the most since [`forget_peak`]. `None` where the system does not say.
pub(crate) fn resident() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
    };
    bytes("VmRSS:").zip(bytes("VmHWM:"))
}

/// Lets the peak of [`resident`] begin anew, where the system allows it.
pub(crate) fn forget_peak() {
    // Where it does not, the peak is that of the whole run, and no answer depends on it.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The cost of several runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs(pub Vec<Cost>);

impl Costs {
    /// The run in the middle, in seconds.
    pub fn median(&self) -> f64 {
        median(&self.0.iter().map(|cost| cost.wall).collect::<Vec<_>>())
    }

    /// How far the slowest and the fastest run lie apart, as a share of the median.
    pub fn spread(&self) -> f64 {
        let walls = || self.0.iter().map(|cost| cost.wall);
        (walls().fold(f64::MIN, f64::max) - walls().fold(f64::MAX, f64::min)) / self.median()
    }

    /// Processor seconds of a run, on average.
    pub fn processor(&self) -> Option<f64> {
        let sum: Option<f64> = self.0.iter().map(|cost| cost.processor).sum();
        sum.filter(|_| !self.0.is_empty()).map(|sum| sum / self.0.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(walls: &[f64]) -> Costs {
        Costs(walls.iter().map(|&wall| Cost { wall, processor: Some(2.0 * wall) }).collect())
    }

    #[test]
    fn the_median_is_in_the_middle_and_the_spread_is_a_share_of_it() {
        let runs = costs(&[4.0, 1.0, 2.0]);
        assert_eq!((runs.median(), runs.spread()), (2.0, 1.5));
        assert_eq!((costs(&[3.0, 1.0]).median(), costs(&[3.0, 1.0]).processor()), (2.0, Some(4.0)));
        assert_eq!(costs(&[]).processor(), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let shown = [50, 99, 100].map(|hundredths| percentile(&values, hundredths).to_string());
        assert_eq!(shown, ["100", "198", "200"]);
        assert_eq!(percentile(&[7.0], 99).to_string(), "7");
        assert!(percentile(&[], 50).is_nan());
    }

    #[test]
    fn work_takes_time() {
        let (done, cost) = measured(|| (0..1_000_u64).sum::<u64>());
        assert_eq!(done, 499_500);
        assert!(cost.wall > 0.0);
    }
}
