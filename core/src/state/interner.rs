//! Keys to dense ids: the hash index of a slot.
//!
//! Ids count up from 0 in the order in which keys first appear, so what is kept by id needs no hashing. One integer or
//! string column is indexed by its raw value; anything else by its `arrow-row` bytes.

use std::hash::{BuildHasher, Hasher};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::error::Result;
use crate::keys;

/// The seed of the index; it may change from version to version, since no order depends on it.
const INDEX_SEED: u64 = 0x1d_5eed;

/// The distinct keys of a slot, each with a dense id.
#[derive(Debug)]
pub struct Interner {
    table: HashTable<Entry>,
    keys: Keys,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    id: u32,
}

/// The keys by id, for comparing.
#[derive(Debug)]
enum Keys {
    /// No key columns: every row has the same key.
    Unit(u32),
    /// One integer column: 64 bits each.
    Words { values: Vec<i64>, null: Option<u32> },
    /// One string column.
    Strings { bytes: Arena, null: Option<u32> },
    /// Anything else, as `arrow-row` encodes it.
    Rows { bytes: Arena, converter: RowConverter },
}

/// Byte strings end to end.
#[derive(Debug, Default)]
struct Arena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    fn get(&self, id: u32) -> &[u8] {
        let start = if id == 0 { 0 } else { self.ends[id as usize - 1] };
        &self.bytes[start..self.ends[id as usize]]
    }

    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }
}

fn hash_word(value: i64) -> u64 {
    let mut hasher = FixedState::with_seed(INDEX_SEED).build_hasher();
    hasher.write_i64(value);
    hasher.finish()
}

fn hash_bytes(value: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(INDEX_SEED).build_hasher();
    hasher.write(value);
    hasher.finish()
}

impl Interner {
    /// What a key that was never seen has in place of an id.
    pub const UNKNOWN: u32 = u32::MAX;

    /// An index of keys of these types.
    pub fn new(types: &[DataType]) -> Result<Self> {
        let keys = match types {
            [] => Keys::Unit(0),
            [DataType::Int64 | DataType::Timestamp(_, None)] => Keys::Words { values: Vec::new(), null: None },
            [DataType::Utf8] => Keys::Strings { bytes: Arena::default(), null: None },
            _ => {
                let fields = types.iter().cloned().map(SortField::new).collect();
                Keys::Rows { bytes: Arena::default(), converter: RowConverter::new(fields)? }
            }
        };
        Ok(Self { table: HashTable::new(), keys })
    }

    /// The number of distinct keys so far.
    pub fn len(&self) -> usize {
        match &self.keys {
            Keys::Unit(len) => *len as usize,
            Keys::Words { values, .. } => values.len(),
            Keys::Strings { bytes, .. } | Keys::Rows { bytes, .. } => bytes.ends.len(),
        }
    }

    /// Whether no key was seen yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of memory held.
    pub fn memory(&self) -> usize {
        let keys = match &self.keys {
            Keys::Unit(_) => 0,
            Keys::Words { values, .. } => values.capacity() * size_of::<i64>(),
            Keys::Strings { bytes, .. } | Keys::Rows { bytes, .. } => {
                bytes.bytes.capacity() + bytes.ends.capacity() * size_of::<usize>()
            }
        };
        keys + self.table.allocation_size()
    }

    /// Makes room for so many more keys.
    pub fn reserve(&mut self, keys: usize) {
        self.table.reserve(keys, |entry| entry.hash);
    }

    /// Appends to `ids` the id of each of `rows` keys, [`UNKNOWN`](Self::UNKNOWN) where it has none.
    pub fn look_up(&self, keys: &[ArrayRef], rows: usize, ids: &mut Vec<u32>) -> Result<()> {
        ids.reserve(rows);
        let Self { table, keys: index } = self;
        let known = |entry: Option<&Entry>| entry.map_or(Self::UNKNOWN, |entry| entry.id);
        match index {
            Keys::Unit(len) => ids.resize(ids.len() + rows, if *len > 0 { 0 } else { Self::UNKNOWN }),
            Keys::Words { values, null } => {
                let (words, is_null) = words(&keys[0]);
                for (row, &word) in words.iter().enumerate() {
                    ids.push(if is_null(row) {
                        null.unwrap_or(Self::UNKNOWN)
                    } else {
                        known(find_word(table, values, hash_word(word), word, *null))
                    });
                }
            }
            Keys::Strings { bytes, null } => {
                let strings = keys[0].as_string::<i32>();
                for row in 0..rows {
                    ids.push(if strings.is_null(row) {
                        null.unwrap_or(Self::UNKNOWN)
                    } else {
                        let value = strings.value(row).as_bytes();
                        known(find_bytes(table, bytes, hash_bytes(value), value, *null))
                    });
                }
            }
            Keys::Rows { bytes, converter } => {
                let encoded = encode(converter, keys)?;
                for row in 0..rows {
                    let value = encoded.value(row);
                    ids.push(known(find_bytes(table, bytes, hash_bytes(value), value, None)));
                }
            }
        }
        Ok(())
    }

    /// Appends to `ids` the id of each of `rows` keys, giving new keys the next ids.
    pub fn intern(&mut self, keys: &[ArrayRef], rows: usize, ids: &mut Vec<u32>) -> Result<()> {
        ids.reserve(rows);
        let Self { table, keys: index } = self;
        match index {
            Keys::Unit(len) => {
                *len = (*len).max(u32::from(rows > 0));
                ids.resize(ids.len() + rows, 0);
            }
            Keys::Words { values, null } => {
                let (words, is_null) = words(&keys[0]);
                for (row, &word) in words.iter().enumerate() {
                    if is_null(row) {
                        ids.push(*null.get_or_insert_with(|| {
                            values.push(0);
                            values.len() as u32 - 1
                        }));
                        continue;
                    }
                    let hash = hash_word(word);
                    if let Some(entry) = find_word(table, values, hash, word, *null) {
                        ids.push(entry.id);
                        continue;
                    }
                    values.push(word);
                    ids.push(insert(table, hash, values.len() as u32 - 1));
                }
            }
            Keys::Strings { bytes, null } => {
                let strings = keys[0].as_string::<i32>();
                for row in 0..rows {
                    if strings.is_null(row) {
                        ids.push(*null.get_or_insert_with(|| {
                            bytes.push(&[]);
                            bytes.ends.len() as u32 - 1
                        }));
                        continue;
                    }
                    ids.push(intern_bytes(table, bytes, strings.value(row).as_bytes(), *null));
                }
            }
            Keys::Rows { bytes, converter } => {
                let encoded = encode(converter, keys)?;
                for row in 0..rows {
                    ids.push(intern_bytes(table, bytes, encoded.value(row), None));
                }
            }
        }
        Ok(())
    }
}

fn insert(table: &mut HashTable<Entry>, hash: u64, id: u32) -> u32 {
    table.insert_unique(hash, Entry { hash, id }, |entry| entry.hash);
    id
}

fn find_word<'a>(
    table: &'a HashTable<Entry>,
    values: &[i64],
    hash: u64,
    word: i64,
    null: Option<u32>,
) -> Option<&'a Entry> {
    table.find(hash, |entry| values[entry.id as usize] == word && Some(entry.id) != null)
}

fn find_bytes<'a>(
    table: &'a HashTable<Entry>,
    bytes: &Arena,
    hash: u64,
    value: &[u8],
    null: Option<u32>,
) -> Option<&'a Entry> {
    table.find(hash, |entry| entry.hash == hash && bytes.get(entry.id) == value && Some(entry.id) != null)
}

fn intern_bytes(table: &mut HashTable<Entry>, bytes: &mut Arena, value: &[u8], null: Option<u32>) -> u32 {
    let hash = hash_bytes(value);
    if let Some(entry) = find_bytes(table, bytes, hash, value, null) {
        return entry.id;
    }
    bytes.push(value);
    insert(table, hash, bytes.ends.len() as u32 - 1)
}

/// The 64-bit values of an integer or timestamp column, and a test for nulls.
fn words(key: &ArrayRef) -> (&[i64], impl Fn(usize) -> bool) {
    let values: &[i64] = match key.data_type() {
        DataType::Int64 => key.as_primitive::<Int64Type>().values(),
        _ => key.as_primitive::<TimestampMicrosecondType>().values(),
    };
    (values, |row| key.is_null(row))
}

fn encode(converter: &RowConverter, keys: &[ArrayRef]) -> Result<BinaryArray> {
    Ok(converter.convert_columns(&keys::canonical(keys))?.try_into_binary()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray, UInt8Array};

    use super::*;

    fn intern(interner: &mut Interner, keys: &[ArrayRef]) -> Vec<u32> {
        let mut ids = Vec::new();
        interner.intern(keys, keys[0].len(), &mut ids).expect("keys of the declared types");
        ids
    }

    #[test]
    fn ids_count_up_in_the_order_of_first_appearance() {
        let columns: Vec<Vec<ArrayRef>> = vec![
            vec![Arc::new(Int64Array::from(vec![Some(7), None, Some(0), Some(7), None, Some(9)]))],
            vec![Arc::new(StringArray::from(vec![Some("b"), None, Some(""), Some("b"), None, Some("c")]))],
            vec![Arc::new(Float64Array::from(vec![Some(0.0), None, Some(f64::NAN), Some(-0.0), None, Some(9.0)]))],
            vec![
                Arc::new(UInt8Array::from(vec![1, 1, 1, 1, 1, 2])),
                Arc::new(StringArray::from(vec![Some("b"), None, Some(""), Some("b"), None, Some("b")])),
            ],
        ];
        for keys in columns {
            let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
            let mut interner = Interner::new(&types).expect("types that can be keys");
            assert_eq!(intern(&mut interner, &keys), [0, 1, 2, 0, 1, 3], "{types:?}");
            assert_eq!(intern(&mut interner, &keys), [0, 1, 2, 0, 1, 3], "known already, {types:?}");
            assert_eq!(interner.len(), 4);
            let mut known = Vec::new();
            interner.look_up(&keys, keys[0].len(), &mut known).expect("keys of the declared types");
            assert_eq!(known, [0, 1, 2, 0, 1, 3], "{types:?}");
            let empty = Interner::new(&types).expect("types that can be keys");
            empty.look_up(&keys, keys[0].len(), &mut known).expect("keys of the declared types");
            assert_eq!(known[6..], [Interner::UNKNOWN; 6], "looking up remembers nothing, {types:?}");
            assert!(empty.is_empty());
        }
    }

    #[test]
    fn without_key_columns_all_rows_are_one_key() {
        let mut interner = Interner::new(&[]).expect("no columns");
        let mut ids = Vec::new();
        interner.intern(&[], 3, &mut ids).expect("no columns");
        assert_eq!((ids, interner.len()), (vec![0, 0, 0], 1));
    }
}
