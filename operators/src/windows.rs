//! How event time is cut into windows, and tumbling and sliding windows as arithmetic on microseconds.
//!
//! Where sessions begin and end depends on the rows: they are in `session`. Any other window is `[start, start + size)`. Starts are `offset + k × slide` for every whole `k`, counted from
//! 1970-01-01T00:00:00Z and also before it (Spark's `TimeWindowing`). A *pane* is the longest span whose times all belong
//! to the same windows: rows are summed up by pane once, and windows are put together from panes.
//!
//! ```text
//! size 10, slide 4          windows  ├─────────┤
//!                                        ├─────────┤
//!                                            ├─────────┤
//!                           panes    ├─┼─┼─┼─┼─┼─┼─┼─┤
//!                                    0 2 4 6 8 …
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::{Fault, Faults};
use watershed_core::time::{TimeSpan, Timestamp};

/// The most windows that one row may belong to. More is a slip of a unit, and would fill the memory.
const MOST_WINDOWS_PER_ROW: i64 = 10_000;

/// How event time is cut into windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum WindowSpec {
    /// Windows that follow each other without gap or overlap: each row belongs to one.
    Tumbling {
        /// The length of a window.
        size: TimeSpan,
        /// By how much windows start after full multiples of their length since 1970; may be negative.
        #[serde(default, skip_serializing_if = "is_zero")]
        offset: TimeSpan,
    },
    /// Windows that start every `slide` and may overlap: a row belongs to each that it falls into.
    Sliding {
        /// The length of a window.
        size: TimeSpan,
        /// The time from the start of a window to the start of the next; at most `size`.
        slide: TimeSpan,
        /// By how much windows start after full multiples of `slide` since 1970; may be negative.
        #[serde(default, skip_serializing_if = "is_zero")]
        offset: TimeSpan,
    },
    /// Windows that follow the rows of a key: a row begins a session, and those that come at most a gap after it go on with it. Rows
    /// exactly a gap apart are in one session, which ends a gap after its last row.
    Session {
        /// How long after its last row a session ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap: Option<TimeSpan>,
        /// Instead of `gap`, the gap of each row: an SQL expression that gives an `INTERVAL`. A row whose gap is null, zero or negative
        /// is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap_by: Option<String>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(span: &TimeSpan) -> bool {
    *span == TimeSpan::ZERO
}

impl WindowSpec {
    /// The windows that a row's time alone tells, or all that is wrong with them, each fault below the field that it is about.
    pub fn windows(&self) -> Result<Windows, Faults> {
        let (size, slide, offset, step) = match *self {
            Self::Tumbling { size, offset } => (size, size, offset, "size"),
            Self::Sliding { size, slide, offset } => (size, slide, offset, "slide"),
            Self::Session { .. } => {
                let message = "which session a row belongs to depends on the rows around it";
                let help = "only `Window` gives sessions; here use `Tumbling` or `Sliding`";
                return Err(Fault::new("bad_window", message).help(help).into());
            }
        };
        let mut faults = Faults::new();
        let mut refuse =
            |field: &'static str, message: String| faults.push(Fault::new("bad_window", message).at(field));
        if size <= TimeSpan::ZERO {
            refuse("size", format!("a window's `size` must be more than zero, not `{size}`"));
        } else if slide <= TimeSpan::ZERO {
            refuse("slide", format!("`slide` must be more than zero, not `{slide}`"));
        } else if slide > size {
            refuse(
                "slide",
                format!(
                    "`slide` is `{slide}`, but it must be at most the `size`, `{size}`, or rows would fall between windows"
                ),
            );
        } else if size.micros() / slide.micros() > MOST_WINDOWS_PER_ROW {
            let windows = size.micros() / slide.micros();
            refuse(
                "slide",
                format!(
                    "with `size` `{size}` and `slide` `{slide}` each row is in {windows} windows; at most {MOST_WINDOWS_PER_ROW} are allowed"
                ),
            );
        } else if offset.micros().unsigned_abs() >= slide.micros().unsigned_abs() {
            refuse(
                "offset",
                format!("`offset` is `{offset}`, but it must be less than the `{step}`, `{slide}`, either way"),
            );
        }
        if faults.is_empty() { Ok(Windows::new(size, slide, offset)) } else { Err(faults) }
    }
}

/// Windows that have been checked, ready to compute with. All times are microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    size: i64,
    slide: i64,
    /// Where windows start within a slide, from 0 to below `slide`.
    phase: i64,
    /// Where within a slide a window ends, if not where another starts: there a pane ends.
    seam: i64,
}

impl Windows {
    fn new(size: TimeSpan, slide: TimeSpan, offset: TimeSpan) -> Self {
        let (size, slide) = (size.micros(), slide.micros());
        Self { size, slide, phase: offset.micros().rem_euclid(slide), seam: size % slide }
    }

    /// The length of a window.
    pub fn size(&self) -> TimeSpan {
        TimeSpan::from_micros(self.size)
    }

    /// Whether no two windows overlap.
    pub fn is_tumbling(&self) -> bool {
        self.size == self.slide
    }

    /// The most windows that a row can be in.
    pub fn most_per_row(&self) -> usize {
        (self.size / self.slide + i64::from(self.seam > 0)) as usize
    }

    /// The start of the last window that starts at or before `time`. At the very ends of time it stays there.
    pub fn last_start(&self, time: i64) -> i64 {
        let since = time.rem_euclid(self.slide) - self.phase;
        time.saturating_sub(if since < 0 { since + self.slide } else { since })
    }

    /// The exclusive end of the window that starts at `start`; at the latest the end of time.
    pub fn end(&self, start: i64) -> i64 {
        start.saturating_add(self.size).min(Timestamp::END.micros())
    }

    /// The starts of all windows that hold `time`, the latest first. Never empty, except at the very ends of time.
    pub fn starts(&self, time: i64) -> impl Iterator<Item = i64> + use<> {
        let (last, size, slide) = (self.last_start(time), self.size, self.slide);
        (0..self.most_per_row() as i64)
            .map_while(move |back| last.checked_sub(back * slide))
            .take_while(move |start| time < start.saturating_add(size))
    }

    /// The start of the pane that holds `time`.
    pub fn pane(&self, time: i64) -> i64 {
        let start = self.last_start(time);
        let seam = start.saturating_add(self.seam);
        if self.seam > 0 && time >= seam { seam } else { start }
    }

    /// The exclusive end of the pane that starts at `pane`.
    pub fn pane_end(&self, pane: i64) -> i64 {
        let start = self.last_start(pane);
        if self.seam > 0 && pane == start { start.saturating_add(self.seam) } else { start.saturating_add(self.slide) }
    }

    /// The end of the last window that holds the pane that starts at `pane`: when a watermark reaches it, the pane is
    /// done with.
    pub fn last_end(&self, pane: i64) -> i64 {
        self.end(self.last_start(pane))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn windows(size: i64, slide: i64, offset: i64) -> Windows {
        Windows::new(TimeSpan::from_micros(size), TimeSpan::from_micros(slide), TimeSpan::from_micros(offset))
    }

    /// Spark's rule, written down word for word.
    fn starts_by_spark(time: i64, size: i64, slide: i64, offset: i64) -> Vec<i64> {
        let rest = (time - offset) % slide;
        let rest = if rest < 0 { rest + slide } else { rest };
        let last = time - rest;
        let count = size / slide + i64::from(size % slide > 0);
        (0..count).map(|back| last - back * slide).filter(|start| *start <= time && time < start + size).collect()
    }

    #[test]
    fn the_documented_windows_of_a_time() {
        for (time, size, slide, offset, starts) in [
            (12, 10, 10, 0, vec![10]),
            (10, 10, 10, 0, vec![10]),
            (9, 10, 10, 0, vec![0]),
            (-1, 10, 10, 0, vec![-10]),
            (12, 10, 5, 0, vec![10, 5]),
            (12, 10, 4, 0, vec![12, 8, 4]),
            (11, 10, 4, 0, vec![8, 4]),
            (12, 10, 10, -3, vec![7]),
            (-12, 10, 4, 1, vec![-15, -19]),
        ] {
            assert_eq!(
                windows(size, slide, offset).starts(time).collect::<Vec<_>>(),
                starts,
                "{time} {size} {slide} {offset}"
            );
        }
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let windows = windows(10, 4, 3);
            assert!(windows.starts(time).count() <= 3);
            let pane = windows.pane(time);
            assert!(windows.pane_end(pane) >= pane);
            assert!(windows.last_end(pane) <= Timestamp::END.micros());
        }
    }

    #[test]
    fn impossible_windows_are_refused_at_their_field() {
        let span = TimeSpan::from_seconds;
        let tumbling = |size, offset| WindowSpec::Tumbling { size: span(size), offset: span(offset) };
        let sliding =
            |size, slide, offset| WindowSpec::Sliding { size: span(size), slide: span(slide), offset: span(offset) };
        for (spec, field) in [
            (tumbling(0, 0), "size"),
            (tumbling(-5, 0), "size"),
            (tumbling(5, 5), "offset"),
            (tumbling(5, -5), "offset"),
            (sliding(5, 0, 0), "slide"),
            (sliding(5, 6, 0), "slide"),
            (sliding(6, 5, 5), "offset"),
            (sliding(86_400, 1, 0), "slide"),
        ] {
            let faults = spec.windows().expect_err("refused");
            assert_eq!(faults.len(), 1, "{spec:?}");
            assert_eq!(faults[0].path, [field.into()], "{spec:?}: {}", faults[0].message);
        }
        for spec in [tumbling(5, -4), sliding(5, 5, 4), sliding(7, 5, 0)] {
            assert!(spec.windows().is_ok(), "{spec:?}");
        }
    }

    proptest! {
        #[test]
        fn windows_are_sparks(time in -200_i64..200, slide in 1_i64..20, longer in 0_i64..40, offset in -19_i64..20) {
            prop_assume!(offset.abs() < slide);
            let size = slide + longer;
            let windows = windows(size, slide, offset);
            prop_assert_eq!(windows.starts(time).collect::<Vec<_>>(), starts_by_spark(time, size, slide, offset));
        }

        #[test]
        fn a_pane_is_the_longest_span_in_the_same_windows(time in -200_i64..200, slide in 1_i64..20, longer in 0_i64..40, offset in -19_i64..20) {
            prop_assume!(offset.abs() < slide);
            let windows = windows(slide + longer, slide, offset);
            let starts = |time| windows.starts(time).collect::<Vec<_>>();
            let pane = windows.pane(time);
            let end = windows.pane_end(pane);
            prop_assert!(pane <= time && time < end);
            for other in pane..end {
                prop_assert_eq!(windows.pane(other), pane);
                prop_assert_eq!(starts(other), starts(time));
            }
            prop_assert_ne!(starts(pane - 1), starts(time));
            prop_assert_ne!(starts(end), starts(time));
            prop_assert_eq!(windows.last_end(pane), starts(time)[0] + windows.size().micros());
        }
    }
}
