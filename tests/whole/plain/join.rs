//! Joins: every row is held against every row of the other side.

use std::fmt::Write as _;

use super::graph::{Node, Row, passed, place};
use super::nodes::Running;
use crate::oracle::Micros;

const MILLISECOND: Micros = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A column of both sides that must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) column: &'static str,
    /// Whether null equals null.
    pub(crate) null_safe: bool,
}

/// A bound on how much later the left row's `t` is than the right row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) millis: i64,
    /// Whether the bound itself is out.
    pub(crate) strict: bool,
}

/// A range of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) least: Option<Bound>,
    pub(crate) most: Option<Bound>,
    /// Whether it is written with the right side first.
    pub(crate) mirrored: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) kind: Kind,
    pub(crate) keys: Vec<Key>,
    pub(crate) range: Option<Range>,
    /// `v` of a side must be greater than this.
    pub(crate) greater: [Option<i64>; 2],
    /// Whether the left row's `v` must not be greater than the right row's.
    pub(crate) ordered: bool,
    pub(crate) select: Vec<(Side, &'static str, &'static str)>,
}

/// How long rows of a side are kept: until the watermark has passed the value of `column` and `extra` more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) column: usize,
    pub(super) extra: Micros,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Inner, Self::LeftOuter, Self::RightOuter, Self::FullOuter, Self::LeftSemi];

    /// Whether rows of a side come out that found no partner.
    fn preserves(self, side: Side) -> bool {
        match side {
            Side::Left => matches!(self, Self::LeftOuter | Self::FullOuter),
            Side::Right => matches!(self, Self::RightOuter | Self::FullOuter),
        }
    }
}

impl Join {
    /// On `k`, with all columns of both sides.
    pub(crate) fn on(kind: Kind, range: Option<Range>) -> Self {
        let key = Key { column: "k", null_safe: false };
        let select = [(Side::Left, "k", "lk"), (Side::Left, "t", "lt"), (Side::Left, "v", "lv")];
        let right = [(Side::Right, "k", "rk"), (Side::Right, "t", "rt"), (Side::Right, "v", "rv")];
        let right = if kind == Kind::LeftSemi { &[][..] } else { &right };
        let select = [&select[..], right].concat();
        Self { kind, keys: vec![key], range, greater: [None; 2], ordered: false, select }
    }

    /// How long rows are kept, by side.
    pub(super) fn kept(&self, left: &Node, right: &Node) -> [Option<Kept>; 2] {
        let is_time = |node: &Node, name| node.time().is_some_and(|time| node.columns[time.column].name == name);
        let key = self.keys.iter().find(|key| is_time(left, key.column) || is_time(right, key.column));
        if let Some(key) = key {
            return [left, right].map(|node| Some(Kept { column: place(&node.columns, key.column), extra: 0 }));
        }
        let related = is_time(left, "t") && is_time(right, "t");
        let Some(range) = self.range.filter(|_| related) else { return [None; 2] };
        // A left row is of no use when no right row later than the watermark is early enough for it. The engine subtracts a
        // millisecond from a bound that is itself in.
        let extra = |bound: Bound, sign| sign * bound.millis * MILLISECOND + if bound.strict { 0 } else { MILLISECOND };
        let kept = |node: &Node, bound: Option<Bound>, sign| {
            bound.map(|bound| Kept { column: place(&node.columns, "t"), extra: extra(bound, sign) })
        };
        [kept(left, range.least, -1), kept(right, range.most, 1)]
    }

    /// Whether the rows that wait for a partner wait for an end.
    pub(crate) fn is_allowed(&self, bounded: [bool; 2]) -> bool {
        let [left, right] = bounded;
        match self.kind {
            Kind::Inner => true,
            Kind::LeftOuter | Kind::LeftSemi => left,
            Kind::RightOuter => right,
            Kind::FullOuter => left || right,
        }
    }

    /// The condition as the graph file has it.
    pub(super) fn text(&self) -> String {
        let mut all: Vec<String> = Vec::new();
        for Key { column, null_safe } in &self.keys {
            let equals = if *null_safe { "IS NOT DISTINCT FROM" } else { "=" };
            all.push(format!("left.{column} {equals} right.{column}"));
        }
        all.extend(self.range.map(Range::text));
        for (side, least) in ["left", "right"].into_iter().zip(self.greater) {
            all.extend(least.map(|least| format!("{side}.v > {least}")));
        }
        if self.ordered {
            all.push("left.v <= right.v".to_owned());
        }
        all.join(" AND ")
    }
}

impl Range {
    pub(crate) fn seconds(least: i64, most: i64) -> Self {
        let bound = |seconds: i64| Some(Bound { millis: seconds * 1_000, strict: false });
        Self { least: bound(least), most: bound(most), mirrored: false }
    }

    fn text(self) -> String {
        let moved = |side: &str, millis: i64| {
            let (sign, span) = if millis < 0 { ('-', -millis) } else { ('+', millis) };
            match (span, span % 1_000) {
                (0, _) => format!("{side}.t"),
                (_, 0) => format!("{side}.t {sign} INTERVAL '{} seconds'", span / 1_000),
                _ => format!("{side}.t {sign} INTERVAL '{span} milliseconds'"),
            }
        };
        if let (Self { mirrored: false, .. }, Some(least), Some(most)) = (self, self.least, self.most)
            && !least.strict
            && !most.strict
        {
            return format!("left.t BETWEEN {} AND {}", moved("right", least.millis), moved("right", most.millis));
        }
        let mut text = String::new();
        for (bound, greater) in [(self.least, true), (self.most, false)] {
            let Some(Bound { millis, strict }) = bound else { continue };
            let joiner = if text.is_empty() { "" } else { " AND " };
            let equal = if strict { "" } else { "=" };
            let (greater, less) = if greater { (">", "<") } else { ("<", ">") };
            if self.mirrored {
                write!(text, "{joiner}right.t {less}{equal} {}", moved("left", -millis)).expect("a string");
            } else {
                write!(text, "{joiner}left.t {greater}{equal} {}", moved("right", millis)).expect("a string");
            }
        }
        text
    }

    fn holds(self, left: Option<Micros>, right: Option<Micros>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return false };
        let by = left - right;
        let least = self.least.is_none_or(
            |Bound { millis, strict }| {
                if strict { by > millis * MILLISECOND } else { by >= millis * MILLISECOND }
            },
        );
        let most = self.most.is_none_or(
            |Bound { millis, strict }| {
                if strict { by < millis * MILLISECOND } else { by <= millis * MILLISECOND }
            },
        );
        least && most
    }
}

/// A row that waits, and whether it has found a partner.
struct Waiting {
    row: Row,
    matched: bool,
}

/// What a side keeps, and where its columns are.
struct Half {
    keys: Vec<usize>,
    t: usize,
    v: usize,
    time: Option<usize>,
    kept: Option<Kept>,
    greater: Option<i64>,
    waiting: Vec<Waiting>,
}

impl Half {
    fn is_wanted(&self, row: &Row) -> bool {
        self.greater.is_none_or(|least| row[self.v].is_some_and(|v| v > least))
    }

    /// Takes out what the watermark has made useless.
    fn evict(&mut self, watermark: Option<Micros>) -> Vec<Waiting> {
        let is_useless = |waiting: &Waiting| {
            let until = self.kept.and_then(|kept| Some(waiting.row[kept.column]? + kept.extra));
            passed(watermark, until)
        };
        let (gone, left) = std::mem::take(&mut self.waiting).into_iter().partition(is_useless);
        self.waiting = left;
        gone
    }
}

pub(super) struct RunningJoin {
    join: Join,
    select: Vec<(Side, usize)>,
    left: Half,
    right: Half,
}

impl RunningJoin {
    pub(super) fn new(join: &Join, left: &Node, right: &Node) -> Self {
        let [left_kept, right_kept] = join.kept(left, right);
        let half = |side: Side, node: &Node, kept| Half {
            keys: join.keys.iter().map(|key| place(&node.columns, key.column)).collect(),
            t: node.columns.iter().position(|column| column.name == "t").unwrap_or(usize::MAX),
            v: node.columns.iter().position(|column| column.name == "v").unwrap_or(usize::MAX),
            time: node.time().map(|time| time.column),
            kept,
            greater: join.greater[side as usize],
            waiting: Vec::new(),
        };
        let select = join.select.iter().map(|(side, name, _)| {
            let node = if *side == Side::Left { left } else { right };
            (*side, place(&node.columns, name))
        });
        Self {
            join: join.clone(),
            select: select.collect(),
            left: half(Side::Left, left, left_kept),
            right: half(Side::Right, right, right_kept),
        }
    }

    fn joined(&self, left: Option<&Row>, right: Option<&Row>) -> Row {
        let value = |&(side, column): &(Side, usize)| {
            let row = if side == Side::Left { left } else { right };
            row.and_then(|row| row[column])
        };
        self.select.iter().map(value).collect()
    }

    fn alone(&self, side: Side, row: &Row) -> Row {
        if side == Side::Left { self.joined(Some(row), None) } else { self.joined(None, Some(row)) }
    }

    fn is_match(&self, left: &Row, right: &Row) -> bool {
        let keys = self.join.keys.iter().zip(self.left.keys.iter().zip(&self.right.keys));
        let are_equal = keys.into_iter().all(|(key, (&of_left, &of_right))| {
            left[of_left] == right[of_right] && (key.null_safe || left[of_left].is_some())
        });
        let in_range = || self.join.range.is_none_or(|range| range.holds(left[self.left.t], right[self.right.t]));
        let in_order = || match (left.get(self.left.v), right.get(self.right.v)) {
            _ if !self.join.ordered => true,
            (Some(Some(left)), Some(Some(right))) => left <= right,
            _ => false,
        };
        are_equal && in_range() && in_order()
    }

    fn half(&mut self, side: Side) -> &mut Half {
        if side == Side::Left { &mut self.left } else { &mut self.right }
    }

    /// Takes the rows of one side, each of which meets what the other side keeps by now.
    fn take(&mut self, side: Side, rows: &[Row], late: Option<Micros>, out: &mut Vec<Row>) -> Vec<Row> {
        let is_semi = self.join.kind == Kind::LeftSemi;
        let mut dropped = Vec::new();
        for row in rows {
            let mine = self.half(side);
            if mine.time.is_some_and(|time| passed(late, row[time])) {
                dropped.push(row.clone());
                continue;
            }
            if !mine.is_wanted(row) {
                if self.join.kind.preserves(side) {
                    out.push(self.alone(side, row));
                }
                continue;
            }
            let other = if side == Side::Left { Side::Right } else { Side::Left };
            let mut partners = std::mem::take(&mut self.half(other).waiting);
            let mut matched = false;
            for partner in &mut partners {
                let (left, right) = if side == Side::Left { (row, &partner.row) } else { (&partner.row, row) };
                if self.is_match(left, right) {
                    // Of a semi join a left row comes out once.
                    if !(is_semi && (matched && side == Side::Left || partner.matched && side == Side::Right)) {
                        out.push(self.joined(Some(left), Some(right)));
                    }
                    matched = true;
                    partner.matched = true;
                }
            }
            self.half(other).waiting = partners;
            self.half(side).waiting.push(Waiting { row: row.clone(), matched });
        }
        dropped
    }
}

impl Running for RunningJoin {
    fn run(&mut self, inputs: &[Vec<Row>], late: Option<Micros>, evict: Option<Micros>) -> Vec<Vec<Row>> {
        let mut out = Vec::new();
        let late_left = self.take(Side::Left, &inputs[0], late, &mut out);
        let late_right = self.take(Side::Right, &inputs[1], late, &mut out);
        for side in [Side::Left, Side::Right] {
            let gone = self.half(side).evict(evict);
            let alone = gone.iter().filter(|waiting| !waiting.matched && self.join.kind.preserves(side));
            out.extend(alone.map(|waiting| self.alone(side, &waiting.row)));
        }
        vec![out, late_left, late_right]
    }
}
