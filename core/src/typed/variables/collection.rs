//! The cells of variables that hold many elements per key. A key's elements are read when they are first asked for, and
//! written back all together when one of them changed.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};

use super::{EXPIRES_AT, Variable, Written, instants_in};
use crate::error::{Error, Result};
use crate::row::{Value, column_of};
use crate::schema::TIMESTAMP;
use crate::state::Gathered;
use crate::time::{TimeSpan, Timestamp};
use crate::typed::Earlier;

/// The elements of one key.
pub(in crate::typed) trait Collection: Default + Send + 'static {
    /// The column they are kept in.
    const COLUMN: &'static str;
    /// An element as it is held.
    type Item;
    /// An element as it is kept.
    type Element: for<'a> Value<Of<'a> = Self::Item>;

    /// Puts an element behind the others, to count until an instant.
    fn add(&mut self, item: Self::Item, expires: Timestamp);

    /// All elements in order.
    fn into_items(self) -> impl Iterator<Item = (Self::Item, Timestamp)>;

    fn len(&self) -> usize;

    /// When the first of them expires.
    fn expires(&self) -> Option<Timestamp>;
}

/// The collections of the keys at work.
pub(in crate::typed) struct CollectionCells<C> {
    cells: Vec<OnceCell<Cell<C>>>,
    /// By key its row of `store`.
    rows: Vec<Option<u32>>,
    store: Vec<ListArray>,
    ttl: Option<TimeSpan>,
    now: Timestamp,
    /// When what is set expires, if not by the time to live.
    expires: Option<Timestamp>,
    failure: OnceCell<Error>,
}

#[derive(Default)]
struct Cell<C> {
    elements: C,
    changed: bool,
}

impl<C: Collection> CollectionCells<C> {
    pub(in crate::typed) fn fields(ttl: Option<TimeSpan>) -> Fields {
        let list =
            |name, element| Field::new(name, DataType::List(Arc::new(Field::new_list_field(element, true))), false);
        let elements = list(C::COLUMN, C::Element::data_type());
        std::iter::once(elements).chain(ttl.map(|_| list(EXPIRES_AT, TIMESTAMP))).collect()
    }

    pub(in crate::typed) fn boxed(ttl: Option<TimeSpan>) -> Box<dyn Variable> {
        Box::new(Self {
            cells: Vec::new(),
            rows: Vec::new(),
            store: Vec::new(),
            ttl,
            now: Timestamp::MIN,
            expires: None,
            failure: OnceCell::new(),
        })
    }

    /// When something that is set now expires.
    pub(super) fn expiry(&self) -> Timestamp {
        self.expires.unwrap_or_else(|| self.ttl.map_or(Timestamp::MAX, |ttl| self.now.plus(ttl)))
    }

    pub(super) fn get(&self, key: usize) -> &C {
        &self.cell(key).elements
    }

    /// The elements, to be changed.
    pub(super) fn get_mut(&mut self, key: usize) -> &mut C {
        self.cell(key);
        let cell = self.cells[key].get_mut().expect("the line above read it");
        cell.changed = true;
        &mut cell.elements
    }

    /// Forgets the elements without a look at them.
    pub(super) fn clear(&mut self, key: usize) {
        self.cells[key] = OnceCell::from(Cell { elements: C::default(), changed: true });
    }

    fn cell(&self, key: usize) -> &Cell<C> {
        self.cells[key].get_or_init(|| {
            self.read(key).unwrap_or_else(|error| {
                // The first failure is the one that is reported.
                let _ = self.failure.set(error);
                Cell::default()
            })
        })
    }

    fn read(&self, key: usize) -> Result<Cell<C>> {
        let Some(row) = self.rows[key] else { return Ok(Cell::default()) };
        let expiries = self.ttl.map(|_| instants_in(&self.store[1], row as usize));
        let (elements, changed) = read_elements(&self.store[0], expiries, row as usize, self.now)?;
        Ok(Cell { elements, changed })
    }
}

/// The elements in a row of a list that have not expired by `now`, and whether some have.
pub(in crate::typed) fn read_elements<C: Collection>(
    lists: &ListArray,
    expiries: Option<&[i64]>,
    row: usize,
    now: Timestamp,
) -> Result<(C, bool)> {
    let column = lists.value(row);
    let column = column_of::<C::Element>(C::COLUMN, &column)?;
    let (mut elements, mut expired) = (C::default(), false);
    for element in 0..lists.value_length(row) as usize {
        let expires = expiries.map_or(Timestamp::MAX, |expiries| Timestamp::from_micros(expiries[element]));
        if expires > now {
            elements.add(C::Element::get(&column, element), expires);
        } else {
            expired = true;
        }
    }
    Ok((elements, expired))
}

impl<C: Collection> Variable for CollectionCells<C> {
    fn begin(&mut self, kept: Gathered, keys: usize, now: Timestamp) -> Result<()> {
        self.now = now;
        self.cells = (0..keys).map(|_| OnceCell::new()).collect();
        self.rows = vec![None; keys];
        for (row, key) in (0..).zip(kept.groups) {
            self.rows[key] = Some(row);
        }
        self.store = kept.values.iter().map(|column| column.as_list::<i32>().clone()).collect();
        Ok(())
    }

    fn look_at_all(&self) {
        for key in 0..self.cells.len() {
            self.cell(key);
        }
    }

    fn expires(&self, key: usize) -> Option<Timestamp> {
        self.ttl?;
        self.cells[key].get().map_or_else(|| self.expired_in_store(key), |cell| cell.elements.expires())
    }

    fn expired_in_store(&self, key: usize) -> Option<Timestamp> {
        self.ttl?;
        let expiries = instants_in(&self.store[1], self.rows[key]? as usize);
        expiries.iter().min().copied().map(Timestamp::from_micros)
    }

    fn adopt(&mut self, key: usize, earlier: &Earlier<'_>) -> Result<()> {
        self.cells[key] = OnceCell::from(Cell { elements: earlier.elements()?, changed: true });
        Ok(())
    }

    fn expire_at(&mut self, expires: Timestamp) {
        self.expires = Some(expires);
    }

    fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn end(&mut self) -> Result<Written> {
        let (mut builder, mut expiries, mut lengths) = (C::Element::builder(), Vec::new(), Vec::new());
        let mut written =
            Written { kept: vec![false; self.cells.len()], values: Vec::new(), gone: vec![false; self.cells.len()] };
        for (key, cell) in std::mem::take(&mut self.cells).into_iter().enumerate() {
            let Some(Cell { elements, changed: true }) = cell.into_inner() else { continue };
            if elements.len() == 0 {
                written.gone[key] = self.rows[key].is_some();
                continue;
            }
            written.kept[key] = true;
            lengths.push(elements.len());
            for (item, expires) in elements.into_items() {
                C::Element::push(&mut builder, item);
                if self.ttl.is_some() {
                    expiries.push(expires.micros());
                }
            }
        }
        let list = |elements: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(
                field,
                OffsetBuffer::from_lengths(lengths.iter().copied()),
                elements,
                None,
            )?))
        };
        written.values.push(list(C::Element::finish(&mut builder))?);
        if self.ttl.is_some() {
            written.values.push(list(Arc::new(TimestampMicrosecondArray::from(expiries)))?);
        }
        Ok(written)
    }
}
