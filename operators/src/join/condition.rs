//! What `on` asks of two rows: equal keys, conditions on one of them, and the rest.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_expr::utils::conjunction;
use datafusion_expr::{BinaryExpr, Expr, Operator};
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::stream::{EventTime, EventTimeKind, Stream};
use watershed_core::time::TimeSpan;

use super::bounds;
use super::scope::{Conjunct, Scope, Side, Sides};
use crate::inputs::{self, TimeColumn};
use crate::sql::Expression;

/// A join condition, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The keys that must be equal, in the order in which they are written. There is at least one.
    pub(crate) keys: Vec<KeyPair>,
    /// What a left row must fulfil by itself, over the columns of the left stream.
    pub(crate) left_only: Option<Expression>,
    /// What a right row must fulfil by itself, over the columns of the right stream.
    pub(crate) right_only: Option<Expression>,
    /// What both must fulfil besides, over the [joined](Self::joined) columns.
    pub(crate) rest: Option<Expression>,
    /// The event time of the left stream: what its late rows are told by.
    pub(crate) left_time: Option<TimeColumn>,
    /// The event time of the right stream.
    pub(crate) right_time: Option<TimeColumn>,
    /// How long left rows are of use.
    pub(crate) left_kept: Kept,
    /// How long right rows are of use.
    pub(crate) right_kept: Kept,
    /// Whether the event times are related by months, which bound nothing.
    pub(super) in_months: bool,
    joined: SchemaRef,
}

/// Two expressions of one type, one for each side, that must be equal.
#[derive(Clone, Debug)]
pub(crate) struct KeyPair {
    /// Over the columns of the left stream.
    pub(crate) left: Expression,
    /// Over the columns of the right stream.
    pub(crate) right: Expression,
    /// Whether null equals null (`IS NOT DISTINCT FROM`); under `=` it equals nothing.
    pub(crate) null_safe: bool,
}

/// How long rows of a side are of use, as the condition and the watermark prove (SEMANTICS §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing bounds it.
    ForEver,
    /// Until the watermark has passed this time of the row moved on by `extra`. A row without that time is kept for ever.
    Until {
        /// Which time of the row.
        time: Moment,
        /// What its values mean.
        kind: EventTimeKind,
        /// How much longer; negative, if the row is of no use even before. What is told by a key is kept no longer.
        extra: TimeSpan,
    },
}

/// A time that a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The join key at this place.
    Key(usize),
    /// The column at this place in the schema of its side.
    Column(usize),
}

impl Condition {
    /// Reads `on` over the columns of two streams. Faults are below the field `on`, where they are about it.
    pub(crate) fn bind(on: &str, left: &Stream, right: &Stream) -> Result<Self, Faults> {
        let scope = Scope::new(&left.schema, &right.schema)?;
        let under = |faults: Faults| faults.into_iter().map(|fault| fault.under("on")).collect::<Faults>();
        let conjuncts = scope.conjuncts(on).map_err(under)?;
        let mut faults = Faults::new();
        let [left_time, right_time] = [(Side::Left, left), (Side::Right, right)].map(|(side, stream)| {
            event_time(stream, side, &conjuncts).map_err(|fault| faults.push(fault)).unwrap_or_default()
        });
        let parts = Parts::of(&scope, &conjuncts).map_err(|found| faults.extend(under(found)));
        let (Ok(Parts { keys, one_sided: [left_only, right_only], rest }), true) = (parts, faults.is_empty()) else {
            return Err(faults);
        };
        let times = [left_time, right_time];
        let [left_kept, right_kept] = bounds::kept(&scope, &keys, &conjuncts, &times);
        let in_months = conjuncts.iter().any(|conjunct| bounds::counts_in_months(&scope, conjunct, &times));
        let [left_time, right_time] = times;
        let joined = Arc::clone(scope.joined());
        Ok(Self { keys, left_only, right_only, rest, left_time, right_time, left_kept, right_kept, in_months, joined })
    }

    /// The columns that `rest` is read over: those of the left stream, called `left.…`, and those of the right.
    pub(crate) fn joined(&self) -> &SchemaRef {
        &self.joined
    }

    /// How long rows of `side` are of use.
    pub(crate) fn kept(&self, side: Side) -> Kept {
        match side {
            Side::Left => self.left_kept,
            Side::Right => self.right_kept,
        }
    }

    /// The event time of `side`.
    pub(crate) fn time(&self, side: Side) -> Option<&TimeColumn> {
        match side {
            Side::Left => self.left_time.as_ref(),
            Side::Right => self.right_time.as_ref(),
        }
    }
}

/// The column by which rows of a side are late: the one that is tagged, or of several the one that the condition names.
fn event_time(stream: &Stream, side: Side, conjuncts: &[Conjunct]) -> Result<Option<TimeColumn>, Fault> {
    let is_named = |tag: &&EventTime| {
        let name = side.column(&tag.column);
        conjuncts.iter().any(|conjunct| conjunct.typed.column_refs().iter().any(|column| column.name == name))
    };
    let mut tags: Vec<&EventTime> = stream.event_times.iter().collect();
    if tags.len() > 1 {
        let named: Vec<&EventTime> = tags.iter().copied().filter(is_named).collect();
        if named.len() == 1 {
            tags = named;
        }
    }
    match tags.as_slice() {
        [] => Ok(None),
        [tag] => {
            let index = inputs::column(&stream.schema, &tag.column)?;
            Ok(Some(TimeColumn { index, name: tag.column.clone(), tag: Some((*tag).clone()) }))
        }
        tags => {
            let names = listed(tags.iter().map(|tag| side.column(&tag.column)));
            let message = format!("{names} are all event time, and rows of a side can be late by one only");
            Err(Fault::new("several_event_times", message)
                .help("name the one that is meant in `on`, or leave the others out in a `Select` above"))
        }
    }
}

/// The conditions of an `on`, sorted.
struct Parts {
    keys: Vec<KeyPair>,
    one_sided: [Option<Expression>; 2],
    rest: Option<Expression>,
}

impl Parts {
    fn of(scope: &Scope, conjuncts: &[Conjunct]) -> Result<Self, Faults> {
        let mut keys = Vec::new();
        let (mut one_sided, mut rest): ([Vec<&Conjunct>; 2], Vec<&Conjunct>) = ([Vec::new(), Vec::new()], Vec::new());
        for conjunct in conjuncts {
            if let Some(key) = key_pair(scope, &conjunct.typed)? {
                keys.push(key);
                continue;
            }
            match scope.sides(&conjunct.typed) {
                Sides::One(side) => one_sided[side.place()].push(conjunct),
                Sides::Both | Sides::None => rest.push(conjunct),
            }
        }
        if keys.is_empty() {
            let fault =
                Fault::new("no_join_key", "`on` holds no equality of the two sides, by which rows find each other");
            let help = "add one by `AND`: `left.key = right.key`; an equality inside of `OR` or `NOT` does not count";
            return Err(fault.label("no key").help(help).into());
        }
        let [left, right] = one_sided;
        let all = |conjuncts: &[&Conjunct]| {
            let texts: Vec<&str> = conjuncts.iter().map(|conjunct| conjunct.text.as_str()).collect();
            let typed = conjunction(conjuncts.iter().map(|conjunct| conjunct.typed.clone()))?;
            Some((texts.join(" AND "), typed))
        };
        let one = |side, conjuncts: &[&Conjunct]| {
            all(conjuncts).map(|(text, typed)| scope.over_one(side, &text, &typed)).transpose()
        };
        Ok(Self {
            keys,
            one_sided: [one(Side::Left, &left)?, one(Side::Right, &right)?],
            rest: all(&rest).map(|(text, typed)| scope.over_both(&text, &typed)).transpose()?,
        })
    }
}

/// The key that a condition asks for, if it is an equality of one side with the other.
fn key_pair(scope: &Scope, typed: &Expr) -> Result<Option<KeyPair>, Fault> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Eq | Operator::IsNotDistinctFrom), right }) = typed
    else {
        return Ok(None);
    };
    let (left, right) = match (scope.sides(left), scope.sides(right)) {
        (Sides::One(Side::Left), Sides::One(Side::Right)) => (left, right),
        (Sides::One(Side::Right), Sides::One(Side::Left)) => (right, left),
        _ => return Ok(None),
    };
    let left = scope.over_one(Side::Left, &left.to_string(), left)?;
    let right = scope.over_one(Side::Right, &right.to_string(), right)?;
    // Otherwise DataFusion knows how to compare them, and it is a condition like any other.
    let same = left.data_type() == right.data_type();
    Ok(same.then(|| KeyPair { left, right, null_safe: *op == Operator::IsNotDistinctFrom }))
}
