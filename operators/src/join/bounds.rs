//! How long rows of each side are of use (SEMANTICS §2.6).
//!
//! No row at or before the watermark `w` is to come any more, on either side. So a row is of no use
//! - if a key is event time: once its own value of that key is at or before `w`, since its partners have the same;
//! - if a condition says that a partner is no more than so much older or younger: once that, counted from its own event time,
//!   is at or before `w`. `left.t > right.t - 5 s` proves left rows useless that are at or before `w - 5 s`; the other way
//!   round it proves nothing. With `>=` it is a millisecond earlier, as in Spark.
//!
//! Of several conditions the tightest counts.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Between, BinaryExpr, Cast, Expr, Operator};
use watershed_core::stream::EventTimeKind;
use watershed_core::time::TimeSpan;

use super::condition::{Kept, KeyPair, Moment};
use super::scope::{Conjunct, Scope, Side};
use crate::inputs::TimeColumn;
use crate::sql::length_of;

/// What `>=` takes more than `>`.
const STRICTER: TimeSpan = TimeSpan::from_millis(1);

/// How long rows of the left and of the right side are of use; `times` are their event times.
pub(super) fn kept(
    scope: &Scope,
    keys: &[KeyPair],
    conjuncts: &[Conjunct],
    times: &[Option<TimeColumn>; 2],
) -> [Kept; 2] {
    if let Some((key, kind)) = time_key(keys, times) {
        return [Kept::Until { time: Moment::Key(key), kind, extra: TimeSpan::ZERO }; 2];
    }
    let [Some(left), Some(right)] = times else { return [Kept::ForEver; 2] };
    let names = [Side::Left.column(&left.name), Side::Right.column(&right.name)];
    let mut extras: [Option<i64>; 2] = [None; 2];
    for conjunct in conjuncts {
        let simple = scope.simplified(&conjunct.typed);
        for found in split_conjunction(&simple).into_iter().flat_map(comparisons) {
            for (extra, proven) in extras.iter_mut().zip(proven(&found, &names)) {
                *extra = [*extra, proven].into_iter().flatten().min();
            }
        }
    }
    let kept = |time: &TimeColumn, extra: Option<i64>| match (extra, kind_of(time)) {
        (Some(extra), Some(kind)) => {
            Kept::Until { time: Moment::Column(time.index), kind, extra: TimeSpan::from_micros(extra) }
        }
        _ => Kept::ForEver,
    };
    [kept(left, extras[0]), kept(right, extras[1])]
}

fn kind_of(time: &TimeColumn) -> Option<EventTimeKind> {
    time.tag.as_ref().map(|tag| tag.kind)
}

/// The first key that is the left side's event time, or else the right side's.
fn time_key(keys: &[KeyPair], times: &[Option<TimeColumn>; 2]) -> Option<(usize, EventTimeKind)> {
    Side::BOTH.into_iter().find_map(|side| {
        let time = times[side.place()].as_ref()?;
        let name = side.column(&time.name);
        let expression = |key: &KeyPair| match side {
            Side::Left => key.left.as_column() == Some(&name),
            Side::Right => key.right.as_column() == Some(&name),
        };
        Some((keys.iter().position(expression)?, kind_of(time)?))
    })
}

/// `left op right`.
struct Comparison<'a> {
    left: &'a Expr,
    op: Operator,
    right: &'a Expr,
}

fn comparisons(condition: &Expr) -> Vec<Comparison<'_>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => vec![Comparison { left, op: *op, right }],
        Expr::Between(Between { expr, negated: false, low, high }) => vec![
            Comparison { left: expr, op: Operator::GtEq, right: low },
            Comparison { left: expr, op: Operator::LtEq, right: high },
        ],
        _ => Vec::new(),
    }
}

/// How much longer than its event time a row of each side is of use, in microseconds, if the comparison tells.
fn proven(comparison: &Comparison<'_>, names: &[String; 2]) -> [Option<i64>; 2] {
    let nothing = [None; 2];
    let (Some(left), Some(right)) = (Linear::of(comparison.left, names), Linear::of(comparison.right, names)) else {
        return nothing;
    };
    let Some(difference) = left.plus(right.negated()) else { return nothing };
    // From here on: left's time - right's time + `micros` op 0.
    let (micros, op) = match difference.times {
        [1, -1] => (difference.micros, Some(comparison.op)),
        [-1, 1] => (difference.negated().micros, comparison.op.swap()),
        _ => return nothing,
    };
    let stricter = STRICTER.micros();
    match op {
        Some(Operator::Gt) => [Some(micros), None],
        Some(Operator::GtEq) => [micros.checked_add(stricter), None],
        Some(Operator::Lt) => [None, micros.checked_neg()],
        Some(Operator::LtEq) => [None, micros.checked_neg().and_then(|micros| micros.checked_add(stricter))],
        Some(Operator::Eq) => {
            [micros.checked_add(stricter), micros.checked_neg().and_then(|micros| micros.checked_add(stricter))]
        }
        _ => nothing,
    }
}

/// A sum of the two event times, each so many times, and a constant.
#[derive(Clone, Copy, Debug)]
struct Linear {
    times: [i8; 2],
    micros: i64,
}

impl Linear {
    fn constant(micros: i64) -> Self {
        Self { times: [0; 2], micros }
    }

    fn of(expression: &Expr, names: &[String; 2]) -> Option<Self> {
        match expression {
            Expr::Column(column) => {
                let side = names.iter().position(|name| *name == column.name)?;
                let mut times = [0; 2];
                times[side] = 1;
                Some(Self { times, micros: 0 })
            }
            Expr::Literal(value, _) => length_of(value).map(Self::constant),
            Expr::Negative(inner) => Self::of(inner, names).map(Self::negated),
            Expr::Cast(Cast { expr, field, .. }) if is_exact(field.data_type()) => Self::of(expr, names),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (left, right) = (Self::of(left, names)?, Self::of(right, names)?);
                match op {
                    Operator::Plus => left.plus(right),
                    Operator::Minus => left.plus(right.negated()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn negated(self) -> Self {
        Self { times: self.times.map(i8::saturating_neg), micros: self.micros.saturating_neg() }
    }

    fn plus(self, other: Self) -> Option<Self> {
        let times = |side: usize| self.times[side].checked_add(other.times[side]);
        Some(Self { times: [times(0)?, times(1)?], micros: self.micros.checked_add(other.micros)? })
    }
}

/// Whether a cast to this type leaves lengths of time and instants as they are.
fn is_exact(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)
            | DataType::Duration(TimeUnit::Microsecond | TimeUnit::Nanosecond)
            | DataType::Interval(IntervalUnit::MonthDayNano)
    )
}

/// Whether a condition that relates the two event times holds months, whose length nobody knows.
pub(super) fn counts_in_months(scope: &Scope, conjunct: &Conjunct, times: &[Option<TimeColumn>; 2]) -> bool {
    let [Some(left), Some(right)] = times else { return false };
    let names = [Side::Left.column(&left.name), Side::Right.column(&right.name)];
    let (mut seen, mut months) = ([false; 2], false);
    // The closure never fails.
    let _ = scope.simplified(&conjunct.typed).apply(|part| {
        match part {
            Expr::Column(column) => {
                for (seen, name) in seen.iter_mut().zip(&names) {
                    *seen |= *name == column.name;
                }
            }
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(span)), _) => months |= span.months != 0,
            Expr::Literal(ScalarValue::IntervalYearMonth(Some(span)), _) => months |= *span != 0,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    months && seen == [true; 2]
}
