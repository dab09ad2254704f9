//! The questions that both sides answer, and how a graph file asks them.

use clap::ValueEnum;

/// The width of a tumbling and of a sliding window, and the step of the latter, in microseconds.
pub(crate) const SIZE: i64 = 600_000_000;
pub(crate) const SLIDE: i64 = 300_000_000;
/// How far apart rows of a session or a pair may be, and the width of the windows that are joined, in microseconds.
pub(crate) const NEAR: i64 = 5_000_000;

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
    /// Rows per user in sessions that five seconds of silence end.
    Session,
    /// Each row whose `x` is not negative with the negative ones of the same user in the five seconds after it.
    JoinInterval,
    /// The same pairs in tumbling windows of five seconds.
    JoinWindow,
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
        !matches!(self, Self::Tumbling | Self::Sliding | Self::Dedup | Self::Session)
    }

    /// Whether `User` is looked at.
    pub(crate) fn reads_user(self) -> bool {
        !matches!(self, Self::Global | Self::TypedMap)
    }

    /// Whether the event time is looked at.
    pub(crate) fn reads_time(self) -> bool {
        match self {
            Self::Tumbling
            | Self::TumblingMeans
            | Self::Sliding
            | Self::Dedup
            | Self::Session
            | Self::JoinInterval
            | Self::JoinWindow => true,
            Self::Global | Self::PerUser | Self::Typed | Self::TypedSerde | Self::TypedMap => false,
        }
    }

    /// The paths from the watermark, or from the source where the time does not matter, to the node that gives the answer.
    pub(crate) fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Dedup => &["unique -> counts"],
            Self::JoinInterval => &["left -> joined.left", "right -> joined.right"],
            Self::JoinWindow => &["left -> left_windows -> joined.left", "right -> right_windows -> joined.right"],
            _ => &["counts"],
        }
    }

    /// The node that gives the answer.
    pub(crate) fn last(self) -> &'static str {
        if matches!(self, Self::JoinInterval | Self::JoinWindow) { "joined" } else { "counts" }
    }

    /// The operators on the paths.
    pub(crate) fn operators(self) -> &'static str {
        match self {
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
            Self::Session => {
                r#""counts": Window(
            window: Session(gap: "5 seconds"),
            keys: ["User"],
            aggregates: ["count(*) AS count"],
            output_mode: Append,
        ),"#
            }
            Self::JoinInterval => {
                r#""left": Filter("x >= 0.0"),
        "right": Filter("x < 0.0"),
        "joined": Join(
            kind: Inner,
            on: "left.User = right.User AND right.event_time BETWEEN left.event_time AND left.event_time + INTERVAL '5 seconds'",
            select: ["left.User AS User", "left.event_time AS at", "right.x AS other"],
        ),"#
            }
            Self::JoinWindow => {
                r#""left": Filter("x >= 0.0"),
        "right": Filter("x < 0.0"),
        "left_windows": AssignWindow(window: Tumbling(size: "5 seconds")),
        "right_windows": AssignWindow(window: Tumbling(size: "5 seconds")),
        "joined": Join(
            kind: Inner,
            on: "left.User = right.User AND left.window_end = right.window_end",
            select: ["left.User AS User", "left.event_time AS at", "right.x AS other"],
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
        }
    }
}
