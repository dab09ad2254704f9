//! How long rows of a side are kept, and why, in words: for `check --explain`, and for warnings and faults.

use watershed_core::fault::Fault;
use watershed_core::time::TimeSpan;

use super::condition::{Condition, Kept, Moment};
use super::scope::Side;
use super::spec::JoinKind;

/// How long rows of `side` are kept.
pub(super) fn note(condition: &Condition, side: Side) -> String {
    let name = side.name();
    match condition.kept(side) {
        Kept::ForEver => {
            let (why, help) = why_for_ever(condition, side);
            format!("{name} rows are kept for ever: {why}; {help}")
        }
        Kept::Until { time: Moment::Key(key), .. } => {
            let key = &condition.keys[key];
            let key = if side == Side::Left { &key.left } else { &key.right };
            format!("{name} rows are kept until the watermark passes their key `{}`", key.text())
        }
        Kept::Until { time: Moment::Column(_), extra, .. } => {
            let time = condition.time(side).map(|time| time.name.as_str()).unwrap_or_default();
            let moved = match extra.micros() {
                0 => String::new(),
                micros @ 1.. => format!(" + {}", TimeSpan::from_micros(micros)),
                micros => format!(" - {}", TimeSpan::from_micros(micros.saturating_neg())),
            };
            format!("{name} rows are kept until the watermark passes `{time}`{moved}")
        }
    }
}

/// That rows of `side` are kept for ever.
pub(super) fn warning(kind: JoinKind, condition: &Condition, side: Side) -> Fault {
    let (why, help) = why_for_ever(condition, side);
    let unseen = if kind.keeps(side) { ", and those without a partner never come out" } else { "" };
    let message = format!("{} rows are kept for ever{unseen}: {why}", side.name());
    Fault::warning("unbounded_state", message).at("on").help(help)
}

/// Why nothing bounds how long rows of `side` are kept, and what would.
pub(super) fn why_for_ever(condition: &Condition, side: Side) -> (String, String) {
    let (name, other) = (side.name(), side.other().name());
    let time = |side: Side| condition.time(side).map(|time| side.column(&time.name));
    match (time(side), time(side.other())) {
        (None, None) => (
            "no watermark is above".to_owned(),
            "put a `Watermark` above each side, and make event time or a window's end a key in `on`, or say how far apart times may be, as in `right.t <= left.t + INTERVAL '1 hour'`".to_owned(),
        ),
        (Some(time), None) => (
            format!("no watermark is above the {other}, so {other} rows may come at any time"),
            format!("put a `Watermark` above `{other}`, or make `{time}` a key in `on`"),
        ),
        (None, Some(time)) => (
            format!("no watermark is above the {name}, so {name} rows have no age"),
            format!("put a `Watermark` above `{name}`, or make `{time}` a key in `on`"),
        ),
        (Some(_), Some(_)) if condition.in_months => (
            "`on` counts in months, which have no fixed length".to_owned(),
            "count in days: `INTERVAL '31 days'`".to_owned(),
        ),
        (Some(time), Some(others)) => (
            format!("`on` does not say how much later than `{time}` a partner's `{others}` may be"),
            format!("add `AND {others} <= {time} + INTERVAL '1 hour'`, or make event time or a window's end a key"),
        ),
    }
}
