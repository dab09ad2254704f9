//! Constant lengths of time.
//!
//! DataFusion compares intervals by their months, then their days, then the rest, so that 48 hours are less than `INTERVAL '1
//! day'`. Here days have 24 hours: an interval that is compared with the time between two instants becomes a length itself.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::Transformed;
use datafusion_expr::{Between, BinaryExpr, Expr, Operator};

const NANOS_A_DAY: i128 = 86_400_000_000_000;

/// A constant length of time in whole microseconds. Months have no length.
pub(crate) fn length_of(value: &ScalarValue) -> Option<i64> {
    let nanos = match value {
        ScalarValue::IntervalMonthDayNano(Some(span)) if span.months == 0 => {
            i128::from(span.days) * NANOS_A_DAY + i128::from(span.nanoseconds)
        }
        ScalarValue::IntervalDayTime(Some(span)) => {
            i128::from(span.days) * NANOS_A_DAY + i128::from(span.milliseconds) * 1_000_000
        }
        ScalarValue::DurationSecond(Some(span)) => i128::from(*span) * 1_000_000_000,
        ScalarValue::DurationMillisecond(Some(span)) => i128::from(*span) * 1_000_000,
        ScalarValue::DurationMicrosecond(Some(span)) => i128::from(*span) * 1_000,
        ScalarValue::DurationNanosecond(Some(span)) => i128::from(*span),
        _ => return None,
    };
    i64::try_from(nanos / 1_000).ok().filter(|_| nanos % 1_000 == 0)
}

/// Replaces the intervals that are compared with lengths of time. `type_of` types a part, `constant` computes one that is constant.
pub(super) fn compared_by_length(
    part: Expr,
    type_of: impl Fn(&Expr) -> Option<DataType>,
    constant: impl Fn(&Expr) -> Option<ScalarValue>,
) -> Transformed<Expr> {
    let is_length = |side: &Expr| matches!(type_of(side), Some(DataType::Duration(_)));
    let as_length = |side: &Expr| {
        let is_interval = matches!(type_of(side), Some(DataType::Interval(_))) && !side.any_column_refs();
        let micros = length_of(&constant(side).filter(|_| is_interval)?)?;
        Some(Box::new(Expr::Literal(ScalarValue::DurationMicrosecond(Some(micros)), None)))
    };
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let (new_left, new_right) =
                (as_length(&left).filter(|_| is_length(&right)), as_length(&right).filter(|_| is_length(&left)));
            let is_new = new_left.is_some() || new_right.is_some();
            let (left, right) = (new_left.unwrap_or(left), new_right.unwrap_or(right));
            let part = Expr::BinaryExpr(BinaryExpr { left, op, right });
            if is_new { Transformed::yes(part) } else { Transformed::no(part) }
        }
        Expr::Between(Between { expr, negated, low, high }) if is_length(&expr) => {
            let (low, high) = (as_length(&low).unwrap_or(low), as_length(&high).unwrap_or(high));
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        other => Transformed::no(other),
    }
}

const fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}
