//! A variable that holds one value per key.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{Fields, TimestampMicrosecondType};

use super::{State, VALUE, Variable, Written, expires_at, flat_fields, flattened, unflattened};
use crate::error::Result;
use crate::row::column_of;
use crate::state::Gathered;
use crate::time::{TimeSpan, Timestamp};
use crate::typed::{Earlier, KeyContext};

/// A variable with one value per key: declared by [`Declare::value`](crate::typed::Declare::value), read and written by the key at work.
pub struct ValueState<V> {
    pub(in crate::typed) variable: usize,
    value: PhantomData<fn() -> V>,
}

impl<V: State> ValueState<V> {
    pub(in crate::typed) fn new(variable: usize) -> Self {
        Self { variable, value: PhantomData }
    }

    /// The key's value, if it has one.
    pub fn get<'c>(&self, cx: &'c KeyContext) -> Option<&'c V> {
        cx.cells::<ValueCells<V>>(self.variable).cells[cx.key].value.as_ref()
    }

    /// Whether the key has a value.
    pub fn exists(&self, cx: &KeyContext) -> bool {
        self.get(cx).is_some()
    }

    /// Gives the key a value in place of the one it has.
    pub fn set(&self, cx: &mut KeyContext, value: V) {
        self.change(cx, Some(value));
    }

    /// Takes the key's value away.
    pub fn clear(&self, cx: &mut KeyContext) {
        self.change(cx, None);
    }

    /// The key's value to be changed in place: it counts as set.
    pub fn get_mut<'c>(&self, cx: &'c mut KeyContext) -> Option<&'c mut V> {
        let key = cx.key;
        let cells = cx.cells_mut::<ValueCells<V>>(self.variable);
        let (expires, cell) = (cells.expiry(), &mut cells.cells[key]);
        if cell.value.is_some() {
            (cell.changed, cell.expires) = (true, expires);
        }
        cell.value.as_mut()
    }

    /// Takes the key's value out, as [`clear`](Self::clear) does.
    pub fn take(&self, cx: &mut KeyContext) -> Option<V> {
        self.change(cx, None)
    }

    fn change(self, cx: &mut KeyContext, value: Option<V>) -> Option<V> {
        let key = cx.key;
        let cells = cx.cells_mut::<ValueCells<V>>(self.variable);
        let (expires, cell) = (cells.expiry(), &mut cells.cells[key]);
        (cell.changed, cell.expires) = (true, expires);
        std::mem::replace(&mut cell.value, value)
    }
}

impl<V> Clone for ValueState<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for ValueState<V> {}

impl<V> fmt::Debug for ValueState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueState").field(&self.variable).finish()
    }
}

/// The values of the keys at work.
pub(in crate::typed) struct ValueCells<V> {
    cells: Vec<Cell<V>>,
    ttl: Option<TimeSpan>,
    now: Timestamp,
    /// When what is set expires, if not by the time to live.
    expires: Option<Timestamp>,
}

struct Cell<V> {
    value: Option<V>,
    /// When it expires.
    expires: Timestamp,
    /// Whether the store has a row, and when it expires.
    in_store: Option<Timestamp>,
    changed: bool,
}

impl<V: State> ValueCells<V> {
    pub(in crate::typed) fn fields(ttl: Option<TimeSpan>) -> Fields {
        flat_fields::<V>(VALUE).iter().cloned().chain(ttl.map(|_| Arc::new(expires_at()))).collect()
    }

    pub(in crate::typed) fn boxed(ttl: Option<TimeSpan>) -> Box<dyn Variable> {
        Box::new(Self { cells: Vec::new(), ttl, now: Timestamp::MIN, expires: None })
    }

    /// When a value that is set now expires.
    fn expiry(&self) -> Timestamp {
        self.expires.unwrap_or_else(|| self.ttl.map_or(Timestamp::MAX, |ttl| self.now.plus(ttl)))
    }
}

impl<V: State> Variable for ValueCells<V> {
    fn begin(&mut self, kept: Gathered, keys: usize, now: Timestamp) -> Result<()> {
        self.now = now;
        self.cells =
            (0..keys).map(|_| Cell { value: None, expires: Timestamp::MAX, in_store: None, changed: false }).collect();
        let expiries = self.ttl.and(kept.values.last()).map(AsArray::as_primitive::<TimestampMicrosecondType>);
        let column = unflattened::<V>(VALUE, &kept.values, kept.groups.len())?;
        let column = column_of::<V>(VALUE, &column)?;
        for (row, key) in kept.groups.into_iter().enumerate() {
            let expires = expiries.map_or(Timestamp::MAX, |expiries| Timestamp::from_micros(expiries.value(row)));
            let expired = expires <= now;
            let value = (!expired).then(|| V::get(&column, row));
            self.cells[key] = Cell { value, expires, in_store: Some(expires), changed: expired };
        }
        Ok(())
    }

    fn expires(&self, key: usize) -> Option<Timestamp> {
        let cell = &self.cells[key];
        self.ttl.and(cell.value.as_ref()).map(|_| cell.expires)
    }

    fn expired_in_store(&self, key: usize) -> Option<Timestamp> {
        self.ttl.and(self.cells[key].in_store)
    }

    fn adopt(&mut self, key: usize, earlier: &Earlier<'_>) -> Result<()> {
        let (value, expires) = (Some(earlier.value()?), earlier.expires());
        self.cells[key] = Cell { value, expires, in_store: None, changed: true };
        Ok(())
    }

    fn expire_at(&mut self, expires: Timestamp) {
        self.expires = Some(expires);
    }

    fn end(&mut self) -> Result<Written> {
        let mut builder = V::builder();
        let mut written =
            Written { kept: vec![false; self.cells.len()], values: Vec::new(), gone: vec![false; self.cells.len()] };
        let mut expiries = Vec::new();
        for (key, cell) in std::mem::take(&mut self.cells).into_iter().enumerate().filter(|(_, cell)| cell.changed) {
            match cell.value {
                Some(value) => {
                    V::push(&mut builder, value);
                    written.kept[key] = true;
                    expiries.push(cell.expires.micros());
                }
                None => written.gone[key] = cell.in_store.is_some(),
            }
        }
        written.values = flattened::<V>(V::finish(&mut builder));
        if self.ttl.is_some() {
            written.values.push(Arc::new(TimestampMicrosecondArray::from(expiries)));
        }
        Ok(written)
    }
}
