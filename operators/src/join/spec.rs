//! The node `Join` as a graph file writes it, and what it is once its inputs are known.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Distribution, Operator, OperatorSpec, OutputWatermark, Ports, Signature, StateNeed,
};
use watershed_core::register_operator;
use watershed_core::stream::{Mode, OutputMode, Stream};
use watershed_core::time::TimeSpan;

use super::condition::{Condition, Kept, Moment};
use super::output::Joined;
use super::scope::Side;
use super::{operator, table, words};
use crate::inputs;

/// Rows of two streams that belong together, side by side.
///
/// Every pair of a row that came by port `left` and one that came by `right`, and that fulfil `on`, comes out once, as soon as the
/// second of them is there. Rows are kept until the watermark proves that no partner can come any more: where event time (or the
/// end of a window) is a key of `on`, or `on` says how far apart the event times of two partners may be. `watershed check
/// --explain` tells for each side how long that is. Rows that come too late are dropped before, and leave by `late_left` and
/// `late_right`.
///
/// Where `right` is fed by a table, whose rows replace each other as a whole, each left row is looked up in it as it comes. The table
/// is kept, nothing of the left is, and no row is late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Which rows come out.
    pub kind: JoinKind,
    /// What two rows must fulfil to belong together, in SQL over columns `left.x` and `right.x`. It takes at least one equality of
    /// the two sides; null equals null under `IS NOT DISTINCT FROM` only.
    pub on: String,
    /// The columns that come out: `left.x`, `right.x AS y`, expressions over both sides, `left.*`. Left out, all columns of both
    /// sides, whose names must differ then. Event time stays event time where it is passed on or renamed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    /// `Append`, or for `Inner` also `Update`, which is the same: a pair that has come out never changes.
    #[serde(default = "append", skip_serializing_if = "is_append")]
    pub output_mode: OutputMode,
}

register_operator!(Join, example: r#"Join(
    kind: Inner,
    on: "left.ad = right.ad AND right.clicked BETWEEN left.shown AND left.shown + INTERVAL '1 hour'",
    select: ["left.ad AS ad", "left.shown AS shown", "right.clicked AS clicked"],
)"#);

/// Which rows come out of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without a partner, with null for the right.
    LeftOuter,
    /// Pairs, and right rows without a partner, with null for the left.
    RightOuter,
    /// Pairs, and rows of both sides without a partner.
    FullOuter,
    /// Left rows that have a partner, once each.
    LeftSemi,
    /// Left rows that have no partner. Only against a table.
    LeftAnti,
}

impl JoinKind {
    /// Whether rows of `side` without a partner come out with null for the other side.
    pub(crate) const fn keeps(self, side: Side) -> bool {
        match side {
            Side::Left => matches!(self, Self::LeftOuter | Self::FullOuter),
            Side::Right => matches!(self, Self::RightOuter | Self::FullOuter),
        }
    }

    /// Whether only columns of the left side come out.
    pub(crate) const fn is_one_sided(self) -> bool {
        matches!(self, Self::LeftSemi | Self::LeftAnti)
    }
}

const fn append() -> OutputMode {
    OutputMode::Append
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_append(mode: &OutputMode) -> bool {
    *mode == OutputMode::Append
}

/// What rows are joined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// A stream of facts: both sides are kept until no partner can come any more.
    Stream,
    /// A table that is replaced as a whole: left rows are looked up in it as they come.
    Table,
}

/// A join bound to its inputs.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) kind: JoinKind,
    pub(crate) right: Right,
    pub(crate) condition: Condition,
    pub(crate) joined: Joined,
    /// The streams that enter; of a table, without event time.
    pub(crate) inputs: [Stream; 2],
}

impl Join {
    pub(super) fn bind(&self, inputs: &[Vec<Stream>]) -> Result<Bound, Faults> {
        let [left, right] = inputs else { unreachable!("a join has two ports") };
        let [left, right] =
            [left, right].map(|port| port.first().expect("a node is asked only when its ports are fed"));
        let mut right = right.clone();
        let partner = if matches!(right.mode, Mode::Complete(_)) {
            right.event_times.clear();
            right.watermarks.clear();
            Right::Table
        } else {
            Right::Stream
        };
        let mut faults = self.misfits(left, &right, partner);
        let condition = Condition::bind(&self.on, left, &right).map_err(|found| faults.extend(found));
        let joined = Joined::bind(&self.select, self.kind, left, &right).map_err(|found| faults.extend(found));
        if let (Ok(condition), Right::Stream) = (&condition, partner) {
            faults.extend(unbounded(self.kind, condition));
        }
        match (condition, joined) {
            (Ok(condition), Ok(joined)) if faults.is_empty() => {
                Ok(Bound { kind: self.kind, right: partner, condition, joined, inputs: [left.clone(), right] })
            }
            _ => Err(faults),
        }
    }

    /// What kind and mode of join are not to be had of these inputs.
    fn misfits(&self, left: &Stream, right: &Stream, partner: Right) -> Faults {
        let mut faults = Faults::new();
        if let Err(fault) = inputs::only_append(left, "Join") {
            let is_table = matches!(left.mode, Mode::Complete(_)) && partner == Right::Stream;
            faults.push(if is_table { fault.help("to look rows up in a table, feed it to `right`") } else { fault });
        }
        if partner == Right::Stream {
            faults.extend(inputs::only_append(right, "Join").err());
        }
        let kind = self.kind;
        if kind == JoinKind::LeftAnti && partner == Right::Stream {
            let help = "use `kind: LeftOuter` with a key of the right in `select`, and below it `Filter(\"that_key IS NULL\")`: a left row comes through when no partner can come any more";
            let fault = Fault::new("anti_join_of_streams", "`LeftAnti` is for tables, and `right` is a stream");
            faults.push(fault.at("kind").label("not for two streams").help(help));
        }
        if matches!(kind, JoinKind::RightOuter | JoinKind::FullOuter) && partner == Right::Table {
            let message = format!("`{kind:?}` cannot be told of a table: a row of it may find a partner at any time");
            let help = "with a table on `right`, kinds are `Inner`, `LeftOuter`, `LeftSemi` and `LeftAnti`";
            faults.push(Fault::new("outer_join_of_table", message).at("kind").label("not for a table").help(help));
        }
        match self.output_mode {
            OutputMode::Append => {}
            OutputMode::Update if kind == JoinKind::Inner => {}
            mode => {
                let message =
                    format!("a `{kind:?}` join has no mode `{mode:?}`: a row that has come out never changes");
                let help =
                    "leave `output_mode` out, which is `Append`; `Inner` takes `Update` as well, to the same effect";
                faults.push(Fault::new("bad_output_mode", message).at("output_mode").label("not to be had").help(help));
            }
        }
        faults
    }
}

/// A row without a partner comes out once none can come any more, which takes a bound.
fn unbounded(kind: JoinKind, condition: &Condition) -> Option<Fault> {
    let is_bounded = |side: Side| condition.kept(side) != Kept::ForEver;
    let side = match kind {
        JoinKind::Inner | JoinKind::LeftAnti => return None,
        JoinKind::FullOuter if is_bounded(Side::Right) => return None,
        JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::FullOuter => Side::Left,
        JoinKind::RightOuter => Side::Right,
    };
    if is_bounded(side) {
        return None;
    }
    let (why, help) = words::why_for_ever(condition, side);
    let message = format!("`{kind:?}` needs a time after which a {} row can find no partner: {why}", side.name());
    Some(Fault::new("unbounded_outer_join", message).at("on").label("sets no such time").help(help))
}

#[typetag::serde]
impl OperatorSpec for Join {
    fn ports(&self) -> Ports {
        Ports::of(["left", "right"], ["out", "late_left", "late_right"])
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let bound = self.bind(inputs)?;
        let [left, right] = &bound.inputs;
        let output = Stream {
            schema: Arc::clone(&bound.joined.schema),
            mode: Mode::Append,
            event_times: bound.joined.event_times(left, right),
            watermarks: left.watermarks.union(&right.watermarks).cloned().collect(),
        };
        let outputs = vec![output, left.clone(), inputs[1][0].clone()];
        let condition = &bound.condition;
        let distribution = Distribution::Hash((0..condition.keys.len()).collect());
        if bound.right == Right::Table {
            let note = "the table at `right` is kept as it was last read; left rows are looked up in it as they come, and not kept";
            let notes = vec![note.to_owned()];
            return Ok(Signature { distribution, state: StateNeed::Bounded, notes, ..Signature::stateless(outputs) });
        }
        let for_ever = |side: &Side| condition.kept(*side) == Kept::ForEver;
        let warnings: Vec<Fault> =
            Side::BOTH.into_iter().filter(for_ever).map(|side| words::warning(bound.kind, condition, side)).collect();
        Ok(Signature {
            outputs,
            distribution,
            watermark: output_watermark(condition),
            wakes: !Side::BOTH.iter().all(for_ever),
            state: if warnings.is_empty() { StateNeed::Bounded } else { StateNeed::Unbounded },
            warnings,
            notes: Side::BOTH.map(|side| words::note(condition, side)).into(),
        })
    }

    // What is kept are the rows of both sides as they came.
    fn free_fields(&self) -> &'static [&'static str] {
        &["select", "output_mode"]
    }

    fn build(&self, inputs: &[Vec<Stream>], cx: &BuildContext) -> Result<Operator, Faults> {
        let bound = self.bind(inputs)?;
        match bound.right {
            Right::Stream => Ok(operator::build(bound, cx)),
            Right::Table => Ok(table::build(bound, cx)),
        }
    }
}

/// A row may come out with a partner that has been kept: as old as the state that is kept longest.
fn output_watermark(condition: &Condition) -> OutputWatermark {
    let extra = |side: Side| match condition.kept(side) {
        Kept::Until { time: Moment::Column(_), extra, .. } => extra,
        Kept::Until { time: Moment::Key(_), .. } | Kept::ForEver => TimeSpan::ZERO,
    };
    match extra(Side::Left).max(extra(Side::Right)) {
        held_back if held_back > TimeSpan::ZERO => OutputWatermark::HeldBack(held_back),
        _ => OutputWatermark::Input,
    }
}
