//! A variable that holds a map per key.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use super::State;
use super::collection::{Collection, CollectionCells};
use crate::row::Entry;
use crate::time::Timestamp;
use crate::typed::KeyContext;

/// A variable with a map per key: declared by [`Declare::map`](crate::typed::Declare::map). A map without entries is no map: the key keeps
/// nothing. When one entry changed, the whole map is written; a map with very many entries had better be a key of its own.
pub struct MapState<K, V> {
    variable: usize,
    entry: PhantomData<fn() -> (K, V)>,
}

impl<K: State + Ord, V: State> MapState<K, V> {
    pub(in crate::typed) fn new(variable: usize) -> Self {
        Self { variable, entry: PhantomData }
    }

    fn entries(self, cx: &KeyContext) -> &BTreeMap<K, (V, Timestamp)> {
        &cx.cells::<CollectionCells<Entries<K, V>>>(self.variable).get(cx.key).0
    }

    /// The value of an entry.
    pub fn get<'c, Q: Ord + ?Sized>(&self, cx: &'c KeyContext, key: &Q) -> Option<&'c V>
    where
        K: Borrow<Q>,
    {
        self.entries(cx).get(key).map(|(value, _)| value)
    }

    /// Whether there is such an entry.
    pub fn contains<Q: Ord + ?Sized>(&self, cx: &KeyContext, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.entries(cx).contains_key(key)
    }

    /// All entries, in the order of their keys.
    pub fn iter<'c>(&self, cx: &'c KeyContext) -> impl ExactSizeIterator<Item = (&'c K, &'c V)> + use<'c, K, V> {
        self.entries(cx).iter().map(|(key, (value, _))| (key, value))
    }

    /// How many entries there are.
    pub fn len(&self, cx: &KeyContext) -> usize {
        self.entries(cx).len()
    }

    /// Whether there is none.
    pub fn is_empty(&self, cx: &KeyContext) -> bool {
        self.entries(cx).is_empty()
    }

    /// Puts an entry in; gives the value that it takes the place of.
    pub fn insert(&self, cx: &mut KeyContext, key: K, value: V) -> Option<V> {
        let at_work = cx.key;
        let cells = cx.cells_mut::<CollectionCells<Entries<K, V>>>(self.variable);
        let expires = cells.expiry();
        cells.get_mut(at_work).0.insert(key, (value, expires)).map(|(value, _)| value)
    }

    /// Takes an entry out.
    pub fn remove<Q: Ord + ?Sized>(&self, cx: &mut KeyContext, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if !self.contains(cx, key) {
            return None;
        }
        let at_work = cx.key;
        let cells = cx.cells_mut::<CollectionCells<Entries<K, V>>>(self.variable);
        cells.get_mut(at_work).0.remove(key).map(|(value, _)| value)
    }

    /// Takes all entries out.
    pub fn clear(&self, cx: &mut KeyContext) {
        let key = cx.key;
        cx.cells_mut::<CollectionCells<Entries<K, V>>>(self.variable).clear(key);
    }
}

impl<K, V> Clone for MapState<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for MapState<K, V> {}

impl<K, V> fmt::Debug for MapState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapState").field(&self.variable).finish()
    }
}

/// The entries of a map, and when each expires.
pub(in crate::typed) struct Entries<K, V>(BTreeMap<K, (V, Timestamp)>);

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: State + Ord, V: State> Collection for Entries<K, V> {
    const COLUMN: &'static str = "entries";
    type Item = (K, V);
    type Element = Entry<K, V>;

    fn add(&mut self, (key, value): (K, V), expires: Timestamp) {
        self.0.insert(key, (value, expires));
    }

    fn into_items(self) -> impl Iterator<Item = ((K, V), Timestamp)> {
        self.0.into_iter().map(|(key, (value, expires))| ((key, value), expires))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn expires(&self) -> Option<Timestamp> {
        self.0.values().map(|(_, expires)| *expires).min()
    }
}
