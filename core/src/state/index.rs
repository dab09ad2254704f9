//! Which rows of a table have the same leading key columns, whatever slot they are in.
//!
//! The rows of one leading key are a chain of links in the order of their slots, and within a slot in that in which their
//! keys came to have a row: the order of a scan, so a restored table is found in the order of the one it was made from.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::interner::Interner;
use super::slot::Slot;
use crate::error::Result;

/// No link.
const NONE: u32 = u32::MAX;

/// The chains of a table's rows.
#[derive(Debug)]
pub(super) struct Index {
    types: Vec<DataType>,
    keys: Interner,
    /// By leading key.
    chains: Vec<Chain>,
    links: Vec<Link>,
    unused: Vec<u32>,
    /// By slot, and by the id that a row's whole key has there, its link.
    link_of: BTreeMap<Slot, Vec<u32>>,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    slot: Slot,
    id: u32,
    key: u32,
    previous: u32,
    next: u32,
}

impl Index {
    pub(super) fn new(types: Vec<DataType>) -> Result<Self> {
        Ok(Self {
            keys: Interner::new(&types)?,
            types,
            chains: Vec::new(),
            links: Vec::new(),
            unused: Vec::new(),
            link_of: BTreeMap::new(),
        })
    }

    /// Whether so many leading keys have no row any more that the index is worth making anew.
    pub(super) fn is_mostly_dead(&self) -> bool {
        self.keys.len() > 2 * (self.links.len() - self.unused.len()) + 1024
    }

    /// The same index without rows.
    pub(super) fn emptied(&self) -> Result<Self> {
        Self::new(self.types.clone())
    }

    pub(super) fn memory(&self) -> usize {
        let by_slot: usize = self.link_of.values().map(|links| links.capacity() * size_of::<u32>()).sum();
        self.keys.memory()
            + self.chains.capacity() * size_of::<Chain>()
            + self.links.capacity() * size_of::<Link>()
            + self.unused.capacity() * size_of::<u32>()
            + by_slot
    }

    /// The keys with these ids in `slot` have a row; `columns` are key columns, the leading ones first. Keys that had one
    /// already stay where they are.
    pub(super) fn keep(&mut self, slot: Slot, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let mut keys = Vec::new();
        self.keys.intern(&columns[..self.types.len()], ids.len(), &mut keys)?;
        self.chains.resize(self.keys.len(), Chain { first: NONE, last: NONE });
        let mut link_of = self.link_of.remove(&slot).unwrap_or_default();
        for (&id, key) in ids.iter().zip(keys) {
            if link_of.len() <= id as usize {
                link_of.resize(id as usize + 1, NONE);
            }
            if link_of[id as usize] == NONE {
                link_of[id as usize] = self.link(slot, id, key);
            }
        }
        self.link_of.insert(slot, link_of);
        Ok(())
    }

    fn link(&mut self, slot: Slot, id: u32, key: u32) -> u32 {
        let mut previous = self.chains[key as usize].last;
        while previous != NONE && self.links[previous as usize].slot > slot {
            previous = self.links[previous as usize].previous;
        }
        let next = match previous {
            NONE => self.chains[key as usize].first,
            before => self.links[before as usize].next,
        };
        let link = Link { slot, id, key, previous, next };
        let place = if let Some(place) = self.unused.pop() {
            self.links[place as usize] = link;
            place
        } else {
            self.links.push(link);
            self.links.len() as u32 - 1
        };
        self.join(key, previous, place);
        self.join(key, place, next);
        place
    }

    /// Makes `next` follow `previous` in the chain of `key`; at its ends, one of them is none.
    fn join(&mut self, key: u32, previous: u32, next: u32) {
        match previous {
            NONE => self.chains[key as usize].first = next,
            link => self.links[link as usize].next = next,
        }
        match next {
            NONE => self.chains[key as usize].last = previous,
            link => self.links[link as usize].previous = previous,
        }
    }

    fn unlink(&mut self, place: u32) {
        let Link { key, previous, next, .. } = self.links[place as usize];
        self.join(key, previous, next);
        self.unused.push(place);
    }

    /// The keys with these ids in `slot` have no row any more.
    pub(super) fn remove(&mut self, slot: Slot, ids: &[u32]) {
        for &id in ids {
            let Some(link) = self.link_of.get_mut(&slot).and_then(|links| links.get_mut(id as usize)) else { continue };
            let place = std::mem::replace(link, NONE);
            if place != NONE {
                self.unlink(place);
            }
        }
    }

    /// The slot has no rows any more.
    pub(super) fn drop_slot(&mut self, slot: Slot) {
        let links = self.link_of.remove(&slot).unwrap_or_default();
        for place in links.into_iter().filter(|place| *place != NONE) {
            self.unlink(place);
        }
    }

    /// The keys of the slot have new ids: by them, the old ones.
    pub(super) fn renumber(&mut self, slot: Slot, ids_before: &[u32]) {
        let Some(links) = self.link_of.get_mut(&slot) else { return };
        *links = ids_before.iter().map(|id| links[*id as usize]).collect();
        for (id, link) in links.iter().enumerate() {
            self.links[*link as usize].id = id as u32;
        }
    }

    /// The ids of the leading keys of `rows` rows, [`Interner::UNKNOWN`] for one that no row has.
    pub(super) fn look_up(&self, leading: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let mut keys = Vec::new();
        self.keys.look_up(leading, rows, &mut keys)?;
        Ok(keys)
    }

    /// Calls `found` with the slot, and the id in it, of every row with the leading key of this id.
    pub(super) fn rows_with(&self, key: u32, mut found: impl FnMut(Slot, u32)) {
        let mut place = self.chains.get(key as usize).map_or(NONE, |chain| chain.first);
        while place != NONE {
            let link = self.links[place as usize];
            found(link.slot, link.id);
            place = link.next;
        }
    }
}
