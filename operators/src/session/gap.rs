//! The gap of a session: one for all rows, or each row's own.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, IntervalDayTime, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, Schema, TimeUnit,
};
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::EpochContext;
use watershed_core::schema::type_to_ddl;
use watershed_core::time::TimeSpan;

use crate::sql::{Expression, cause_of};

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// How long after a row its session goes on.
#[derive(Debug)]
pub(crate) enum Gap {
    /// So many microseconds, more than none.
    Fixed(i64),
    /// What this expression gives, an interval.
    ByRow(Expression),
}

impl Gap {
    /// Reads what a graph file says of the gap; every fault is below the field that it is about.
    pub(crate) fn bind(gap: Option<TimeSpan>, gap_by: Option<&str>, schema: &Schema) -> Result<Self, Faults> {
        match (gap, gap_by) {
            (Some(gap), None) if gap > TimeSpan::ZERO => Ok(Self::Fixed(gap.micros())),
            (Some(gap), None) => {
                let message = format!("a session's `gap` must be more than zero, not `{gap}`");
                Err(Fault::new("bad_window", message).at("gap").into())
            }
            (None, Some(text)) => {
                let below = |fault: Fault| fault.under("gap_by");
                let parsed = Expression::parse(text, schema).and_then(|gap| check(&gap).map(|()| Self::ByRow(gap)));
                parsed.map_err(|faults| faults.into_iter().map(below).collect())
            }
            (None, None) => {
                let message = "a session needs `gap` or `gap_by`, which say when it ends";
                let help = "write `Session(gap: \"10 minutes\")`";
                Err(Fault::new("bad_window", message).help(help).into())
            }
            (Some(_), Some(_)) => {
                let message = "a session has either `gap`, one for all rows, or `gap_by`, each row's own, not both";
                Err(Fault::new("bad_window", message).at("gap_by").into())
            }
        }
    }

    /// The gap of each row of `batch` in microseconds. Without one, or with one that is not more than zero, a row is of no session.
    pub(crate) fn of(&self, batch: &RecordBatch, cx: &EpochContext) -> Result<Int64Array> {
        match self {
            Self::Fixed(gap) => Ok(Int64Array::from_value(*gap, batch.num_rows())),
            Self::ByRow(expression) => in_micros(&expression.evaluate(batch, cx)?)
                .map_err(|cause| Error::Evaluation { expression: expression.text().to_owned(), cause }),
        }
    }
}

/// Refuses what gives no intervals, or the same useless one to every row.
fn check(gap: &Expression) -> Result<(), Faults> {
    let refused = |code, message: String| Fault::new(code, message).within(0..gap.text().len());
    match gap.data_type() {
        DataType::Interval(IntervalUnit::DayTime | IntervalUnit::MonthDayNano) | DataType::Duration(_) => {}
        other => {
            let message = format!("`gap_by` gives `{}`, and a gap must be an `INTERVAL`", type_to_ddl(other));
            let help = "write it as `INTERVAL '10 seconds'`, for example in `CASE WHEN … THEN … ELSE … END`";
            return Err(refused("not_an_interval", message).label("not a length of time").help(help).into());
        }
    }
    let Some(constant) = gap.constant() else { return Ok(()) };
    let micros = constant.to_array().map_err(|cause| cause_of(&cause)).and_then(|gap| in_micros(&gap));
    match micros.map_err(|cause| refused("bad_window", cause))?.iter().next().flatten() {
        Some(gap) if gap > 0 => Ok(()),
        _ => Err(refused("bad_window", "a gap must be more than zero, or every row is left out".to_owned()).into()),
    }
}

/// Intervals as microseconds, a day being 24 hours. What is too long for them is as long as they can say.
fn in_micros(gaps: &ArrayRef) -> Result<Int64Array, String> {
    fn each<T: ArrowPrimitiveType>(gaps: &ArrayRef, micros: impl Fn(T::Native) -> i64) -> Int64Array {
        let gaps: &PrimitiveArray<T> = gaps.as_primitive();
        gaps.unary(micros)
    }
    let days = |days: i32| i64::from(days).saturating_mul(MICROS_PER_DAY);
    Ok(match gaps.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals = gaps.as_primitive::<IntervalMonthDayNanoType>();
            if let Some(months) = intervals.iter().flatten().map(|gap| gap.months).find(|months| *months != 0) {
                return Err(format!("a gap in months, here {months}, has no fixed length; write it in days"));
            }
            each::<IntervalMonthDayNanoType>(gaps, |gap: IntervalMonthDayNano| {
                days(gap.days).saturating_add(gap.nanoseconds.div_euclid(1_000))
            })
        }
        DataType::Interval(IntervalUnit::DayTime) => each::<IntervalDayTimeType>(gaps, |gap: IntervalDayTime| {
            days(gap.days).saturating_add(i64::from(gap.milliseconds) * 1_000)
        }),
        DataType::Duration(TimeUnit::Second) => each::<DurationSecondType>(gaps, |gap| gap.saturating_mul(1_000_000)),
        DataType::Duration(TimeUnit::Millisecond) => {
            each::<DurationMillisecondType>(gaps, |gap| gap.saturating_mul(1_000))
        }
        DataType::Duration(TimeUnit::Microsecond) => each::<DurationMicrosecondType>(gaps, |gap| gap),
        DataType::Duration(TimeUnit::Nanosecond) => each::<DurationNanosecondType>(gaps, |gap| gap.div_euclid(1_000)),
        other => return Err(format!("a gap must be an interval, and this is `{other}`")),
    })
}
