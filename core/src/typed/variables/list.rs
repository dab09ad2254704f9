//! A variable that holds a list per key.

use std::fmt;
use std::marker::PhantomData;

use super::State;
use super::collection::{Collection, CollectionCells};
use crate::time::Timestamp;
use crate::typed::KeyContext;

/// A variable with a list per key: declared by [`Declare::list`](crate::typed::Declare::list). A list without elements is no list: the key
/// keeps nothing. When one element changed, the whole list is written; for lists that only grow, keep the running result instead.
pub struct ListState<V> {
    variable: usize,
    value: PhantomData<fn() -> V>,
}

impl<V: State> ListState<V> {
    pub(in crate::typed) fn new(variable: usize) -> Self {
        Self { variable, value: PhantomData }
    }

    /// The key's elements, in the order in which they were appended.
    pub fn get<'c>(&self, cx: &'c KeyContext) -> &'c [V] {
        &cx.cells::<CollectionCells<Items<V>>>(self.variable).get(cx.key).items
    }

    /// Whether the key has an element.
    pub fn exists(&self, cx: &KeyContext) -> bool {
        !self.get(cx).is_empty()
    }

    /// Puts an element behind the others.
    pub fn append(&self, cx: &mut KeyContext, item: V) {
        self.extend(cx, [item]);
    }

    /// Puts elements behind the others.
    pub fn extend(&self, cx: &mut KeyContext, items: impl IntoIterator<Item = V>) {
        let key = cx.key;
        let cells = cx.cells_mut::<CollectionCells<Items<V>>>(self.variable);
        let expires = cells.expiry();
        let elements = cells.get_mut(key);
        items.into_iter().for_each(|item| elements.add(item, expires));
    }

    /// Gives the key these elements in place of those it has.
    pub fn set(&self, cx: &mut KeyContext, items: impl IntoIterator<Item = V>) {
        self.clear(cx);
        self.extend(cx, items);
    }

    /// Takes the key's elements away.
    pub fn clear(&self, cx: &mut KeyContext) {
        let key = cx.key;
        cx.cells_mut::<CollectionCells<Items<V>>>(self.variable).clear(key);
    }
}

impl<V> Clone for ListState<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for ListState<V> {}

impl<V> fmt::Debug for ListState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListState").field(&self.variable).finish()
    }
}

/// The elements of a list, and when each expires.
pub(in crate::typed) struct Items<V> {
    items: Vec<V>,
    expiries: Vec<Timestamp>,
}

impl<V> Default for Items<V> {
    fn default() -> Self {
        Self { items: Vec::new(), expiries: Vec::new() }
    }
}

impl<V: State> Collection for Items<V> {
    const COLUMN: &'static str = "items";
    type Item = V;
    type Element = V;

    fn add(&mut self, item: V, expires: Timestamp) {
        self.items.push(item);
        self.expiries.push(expires);
    }

    fn into_items(self) -> impl Iterator<Item = (V, Timestamp)> {
        self.items.into_iter().zip(self.expiries)
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn expires(&self) -> Option<Timestamp> {
        self.expiries.iter().min().copied()
    }
}
