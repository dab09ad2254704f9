//! Numbers, truth values, instants and lengths of time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBuilder, PrimitiveArray, PrimitiveBuilder,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::date::Date;
use super::misfit::Misfit;
use super::present::Present;
use super::value::Value;
use crate::error::Result;
use crate::time::{TimeSpan, Timestamp};

/// Whether such a column can be read as a value that is never null.
pub(super) fn check(column: &dyn Array, wanted: &DataType, present: &Present) -> Result<(), Misfit> {
    if column.data_type() != wanted {
        return Err(Misfit::of_type(wanted, column.data_type()));
    }
    if present.has_null(column) {
        return Err(Misfit::of_nulls(wanted));
    }
    Ok(())
}

fn numbers<'a, T: ArrowPrimitiveType>(column: &'a dyn Array, present: &Present) -> Result<&'a [T::Native], Misfit> {
    check(column, &T::DATA_TYPE, present)?;
    let numbers: &PrimitiveArray<T> = column.as_primitive();
    Ok(numbers.values())
}

/// A type that is a number in Arrow.
macro_rules! number {
    ($type:ty, $arrow:ty, $from:expr, $into:expr) => {
        impl Value for $type {
            type Of<'a> = Self;
            type Column<'a> = &'a [<$arrow as ArrowPrimitiveType>::Native];
            type Builder = PrimitiveBuilder<$arrow>;

            fn data_type() -> DataType {
                <$arrow>::DATA_TYPE
            }

            fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
                numbers::<$arrow>(column, present)
            }

            #[inline]
            fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
                $from(column[row])
            }

            fn builder() -> Self::Builder {
                PrimitiveBuilder::new()
            }

            #[inline]
            fn push(builder: &mut Self::Builder, value: Self) {
                builder.append_value($into(value));
            }

            fn push_null(builder: &mut Self::Builder) {
                builder.append_null();
            }

            fn finish(builder: &mut Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    };
    ($($type:ty: $arrow:ty),+) => {
        $(number!($type, $arrow, std::convert::identity, std::convert::identity);)+
    };
}

number!(i8: Int8Type, i16: Int16Type, i32: Int32Type, i64: Int64Type);
number!(u8: UInt8Type, u16: UInt16Type, u32: UInt32Type, u64: UInt64Type);
number!(f32: Float32Type, f64: Float64Type);
number!(Timestamp, TimestampMicrosecondType, Timestamp::from_micros, Timestamp::micros);
number!(Date, Date32Type, Date::from_days, Date::days);
// As microseconds: a type of its own, which Arrow has, neither SQL nor most file formats know.
number!(TimeSpan, Int64Type, TimeSpan::from_micros, TimeSpan::micros);

impl Value for bool {
    type Of<'a> = Self;
    type Column<'a> = &'a BooleanArray;
    type Builder = BooleanBuilder;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn bind<'a>(column: &'a dyn Array, present: &Present) -> Result<Self::Column<'a>, Misfit> {
        check(column, &DataType::Boolean, present)?;
        Ok(column.as_boolean())
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.value(row)
    }

    fn builder() -> Self::Builder {
        BooleanBuilder::new()
    }

    #[inline]
    fn push(builder: &mut Self::Builder, value: Self) {
        builder.append_value(value);
    }

    fn push_null(builder: &mut Self::Builder) {
        builder.append_null();
    }

    fn finish(builder: &mut Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}
