//! Keys as values: what makes two keys equal, and which partition a key belongs to.
//!
//! Null equals null, -0.0 equals 0.0, and all NaNs are equal, as in Spark's grouping. Hashes are seeded and stable: the same
//! key lands in the same partition on every machine and in every run.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, downcast_integer_array};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit};
use arrow::datatypes::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::row::{RowConverter, SortField};
use foldhash::fast::FixedState;

use crate::error::Result;

/// The seed of the exchange. It differs from the interner's, so that one partition's keys do not share hash bits.
const EXCHANGE_SEED: u64 = 0x5eed_0f0e_ac4a_11ce;

/// The hash of a null.
const NULL_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// `keys` with -0.0 made 0.0 and every NaN made the same one. Other columns are shared.
pub fn canonical(keys: &[ArrayRef]) -> Vec<ArrayRef> {
    fn same_zero_and_nan<T: ArrowPrimitiveType>(
        array: &ArrayRef,
        nan: T::Native,
        is_nan: impl Fn(T::Native) -> bool,
    ) -> ArrayRef
    where
        T::Native: std::ops::Add<Output = T::Native> + Default,
    {
        let canonical = |value: T::Native| if is_nan(value) { nan } else { value + T::Native::default() };
        let canonical: PrimitiveArray<T> = array.as_primitive::<T>().unary(canonical);
        Arc::new(canonical)
    }
    let one = |key: &ArrayRef| match key.data_type() {
        DataType::Float64 => same_zero_and_nan::<Float64Type>(key, f64::NAN, f64::is_nan),
        DataType::Float32 => same_zero_and_nan::<Float32Type>(key, f32::NAN, f32::is_nan),
        _ => Arc::clone(key),
    };
    keys.iter().map(one).collect()
}

/// For each of `rows` rows the partition, of `partitions`, that its key belongs to.
pub fn partition_of_rows(keys: &[ArrayRef], rows: usize, partitions: usize) -> Result<Vec<u32>> {
    let mut hashes = vec![0_u64; rows];
    for key in &canonical(keys) {
        hash_column(key, &mut hashes)?;
    }
    let scale = |hash: u64| ((u128::from(hash) * partitions as u128) >> 64) as u32;
    Ok(hashes.into_iter().map(scale).collect())
}

/// Mixes a column's values into the rows' hashes.
fn hash_column(column: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    let state = FixedState::with_seed(EXCHANGE_SEED);
    let hash_bytes = |before: u64, bytes: &[u8]| {
        let mut hasher = state.build_hasher();
        hasher.write_u64(before);
        hasher.write(bytes);
        hasher.finish()
    };
    let hash_word = |before: u64, word: u64| {
        let mut hasher = state.build_hasher();
        hasher.write_u64(before);
        hasher.write_u64(word);
        hasher.finish()
    };
    macro_rules! mix {
        ($array:expr, $value:ident => $hash:expr) => {{
            let array = $array;
            for (row, hash) in hashes.iter_mut().enumerate() {
                let before = *hash;
                *hash = if array.is_null(row) {
                    hash_word(before, NULL_HASH)
                } else {
                    let $value = array.value(row);
                    $hash(before, $value)
                };
            }
        }};
    }
    downcast_integer_array!(
        column => mix!(column, value => |before, value| hash_word(before, i128::from(value) as u64)),
        DataType::Utf8 => mix!(column.as_string::<i32>(), value => |before, value: &str| hash_bytes(before, value.as_bytes())),
        DataType::Binary => mix!(column.as_binary::<i32>(), value => hash_bytes),
        DataType::Boolean => mix!(column.as_boolean(), value => |before, value| hash_word(before, u64::from(value))),
        DataType::Float64 => mix!(column.as_primitive::<Float64Type>(), value => |before, value: f64| hash_word(before, value.to_bits())),
        DataType::Float32 => mix!(column.as_primitive::<Float32Type>(), value => |before, value: f32| hash_word(before, u64::from(value.to_bits()))),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => mix!(column.as_primitive::<TimestampSecondType>(), value => |before, value: i64| hash_word(before, value as u64)),
            TimeUnit::Millisecond => mix!(column.as_primitive::<TimestampMillisecondType>(), value => |before, value: i64| hash_word(before, value as u64)),
            TimeUnit::Microsecond => mix!(column.as_primitive::<TimestampMicrosecondType>(), value => |before, value: i64| hash_word(before, value as u64)),
            TimeUnit::Nanosecond => mix!(column.as_primitive::<TimestampNanosecondType>(), value => |before, value: i64| hash_word(before, value as u64)),
        },
        other => {
            let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
            let encoded = converter.convert_columns(&[Arc::clone(column)])?;
            for (row, hash) in hashes.iter_mut().enumerate() {
                *hash = hash_bytes(*hash, encoded.row(row).as_ref());
            }
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn equal_keys_share_a_partition_and_the_answer_never_changes() {
        let keys: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from(vec![Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), None])),
            Arc::new(StringArray::from(vec![Some("a"), Some("a"), None, None, Some("b")])),
        ];
        let partitions = partition_of_rows(&keys, 5, 1000).expect("hashable");
        assert_eq!(partitions[0], partitions[1]);
        assert_eq!(partitions[2], partitions[3]);
        let fixed: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(
            partition_of_rows(&[fixed], 8, 5).expect("hashable"),
            vec![4, 4, 0, 4, 0, 0, 3, 0],
            "a change here moves keys to other partitions of existing checkpoints"
        );
    }

    #[test]
    fn partitions_share_the_keys_evenly() {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let mut counts = [0; 4];
        for partition in partition_of_rows(&[keys], 10_000, 4).expect("hashable") {
            counts[partition as usize] += 1;
        }
        assert!(counts.iter().all(|count| (2_300..2_700).contains(count)), "{counts:?}");
    }
}
