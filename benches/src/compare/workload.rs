//! The questions that both sides answer, and how a graph file asks them.

use clap::ValueEnum;

/// The width of a tumbling and of a sliding window, and the step of the latter, in microseconds.
pub(crate) const SIZE: i64 = 600_000_000;
pub(crate) const SLIDE: i64 = 300_000_000;

/// A question over activity rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Rows per user in tumbling windows of ten minutes.
    Tumbling,
    /// Rows, sum and average of `x` per user in the same windows.
    TumblingMeans,
    /// Rows per user in windows of ten minutes, one every five.
    Sliding,
    /// Rows per user in tumbling windows, each user and time once.
    Dedup,
    /// Rows and sum of `x` of all.
    Global,
    /// Rows, sum and average of `x` per user.
    PerUser,
    /// The same by an operator of one's own.
    Typed,
    /// The same by one whose rows serde reads.
    TypedSerde,
    /// The square of `x`, row by row, by an operator of one's own.
    TypedMap,
}

impl Workload {
    /// As the command names it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether `x` is looked at.
    pub(crate) fn reads_x(self) -> bool {
        !matches!(self, Self::Tumbling | Self::Sliding | Self::Dedup)
    }

    /// Whether `User` is looked at.
    pub(crate) fn reads_user(self) -> bool {
        !matches!(self, Self::Global | Self::TypedMap)
    }

    /// Whether the event time is looked at.
    pub(crate) fn reads_time(self) -> bool {
        matches!(self, Self::Tumbling | Self::TumblingMeans | Self::Sliding | Self::Dedup)
    }

    /// The operators below the watermark, or below the source where the time does not matter, and their part of the flow.
    pub(crate) fn operators(self) -> (&'static str, &'static str) {
        let operators = match self {
            Self::Tumbling => {
                r#""counts": Window(
            window: Tumbling(size: "10 minutes"),
            keys: ["User"],
            aggregates: ["count(*) AS count"],
            output_mode: Append,
        ),"#
            }
            Self::TumblingMeans => {
                r#""counts": Window(
            window: Tumbling(size: "10 minutes"),
            keys: ["User"],
            aggregates: ["count(*) AS count", "sum(x) AS sum", "avg(x) AS mean"],
            output_mode: Append,
        ),"#
            }
            Self::Sliding => {
                r#""counts": Window(
            window: Sliding(size: "10 minutes", slide: "5 minutes"),
            keys: ["User"],
            aggregates: ["count(*) AS count"],
            output_mode: Append,
        ),"#
            }
            Self::Dedup => {
                r#""unique": Dedup(keys: ["User", "event_time"]),
        "counts": Window(
            window: Tumbling(size: "10 minutes"),
            keys: ["User"],
            aggregates: ["count(*) AS count"],
            output_mode: Append,
        ),"#
            }
            Self::Global => {
                r#""counts": Aggregate(aggregates: ["count(*) AS count", "sum(x) AS sum"], output_mode: Complete),"#
            }
            Self::PerUser => {
                r#""counts": Aggregate(
            keys: ["User"],
            aggregates: ["count(*) AS count", "sum(x) AS sum", "avg(x) AS mean"],
            output_mode: Update,
        ),"#
            }
            Self::Typed => r#""counts": RowCounts(),"#,
            Self::TypedSerde => r#""counts": SerdeCounts(),"#,
            Self::TypedMap => r#""counts": Squares(),"#,
        };
        (operators, if self == Self::Dedup { "unique -> counts" } else { "counts" })
    }
}
