//! Names to numbers, as a hand-written loop does it: a hash table, and all names in one piece of memory.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

const HASH: FixedState = FixedState::with_seed(7);

/// Names, numbered from 0 in the order in which they first came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    table: HashTable<(u64, u32)>,
    bytes: String,
    ends: Vec<usize>,
}

impl Names {
    /// The number of a name.
    #[inline]
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        let hash = HASH.hash_one(name.as_bytes());
        // The hash beside the number saves most looks at a name that is another.
        let same = |&(other, number): &(u64, u32)| other == hash && self.get(number) == name;
        match self.table.find(hash, same) {
            Some(&(_, number)) => number,
            None => self.insert(hash, name),
        }
    }

    /// The name with this number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.bytes[start..self.ends[number as usize]]
    }

    fn insert(&mut self, hash: u64, name: &str) -> u32 {
        let number = self.ends.len() as u32;
        self.bytes.push_str(name);
        self.ends.push(self.bytes.len());
        self.table.insert_unique(hash, (hash, number), |&(hash, _)| hash);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_as_they_come() {
        let mut names = Names::default();
        assert_eq!(["b", "", "a", "b", ""].map(|name| names.number(name)), [0, 1, 2, 0, 1]);
        assert_eq!([0, 1, 2].map(|number| names.get(number).to_owned()), ["b", "", "a"]);
    }
}
