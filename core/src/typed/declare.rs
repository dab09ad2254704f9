//! What an operator says of itself before the first row: the variables it keeps, and the ports it puts rows out by.

use std::fmt;
use std::marker::PhantomData;

use arrow::datatypes::Fields;

use super::rows::Emitter;
use super::sides::{Side, SideOutput, SideRows};
use super::variables::{
    CollectionCells, Declared, Entries, Items, ListState, MapState, State, ValueCells, ValueState, Variable,
    initial_misfits,
};
use crate::row::{Misfit, Row, RowField};
use crate::time::TimeSpan;

/// Takes down what an operator keeps and puts out: see [`KeyedOperator::declare`](super::KeyedOperator::declare).
#[derive(Default)]
pub struct Declare {
    pub(super) variables: Vec<Declared>,
    pub(super) sides: Vec<DeclaredSide>,
    time_to_live: Option<TimeSpan>,
}

/// A port that an operator declared.
pub(super) struct DeclaredSide {
    pub(super) name: &'static str,
    pub(super) fields: fn() -> Vec<RowField>,
    pub(super) rows: fn() -> Box<dyn Side>,
}

impl Declare {
    /// A variable with one value per key.
    pub fn value<V: State>(&mut self, name: &'static str) -> ValueState<V> {
        self.variable(name, initial_misfits::<V>, ValueCells::<V>::fields, ValueCells::<V>::boxed);
        ValueState::new(self.variables.len() - 1)
    }

    /// A variable with a list per key.
    pub fn list<V: State>(&mut self, name: &'static str) -> ListState<V> {
        self.variable(name, |_| Vec::new(), CollectionCells::<Items<V>>::fields, CollectionCells::<Items<V>>::boxed);
        ListState::new(self.variables.len() - 1)
    }

    /// A variable with a map per key.
    pub fn map<K: State + Ord, V: State>(&mut self, name: &'static str) -> MapState<K, V> {
        self.variable(
            name,
            |_| Vec::new(),
            CollectionCells::<Entries<K, V>>::fields,
            CollectionCells::<Entries<K, V>>::boxed,
        );
        MapState::new(self.variables.len() - 1)
    }

    /// The variable declared next forgets what was set so long ago by processing time: a value as a whole, a list element by
    /// element, a map entry by entry. `declare.ttl(hour).value::<u64>("count")`.
    pub fn ttl(&mut self, time_to_live: TimeSpan) -> &mut Self {
        self.time_to_live = Some(time_to_live);
        self
    }

    /// A port besides `out`, for rows of another kind.
    pub fn side_output<R: Row + 'static>(&mut self, name: &'static str) -> SideOutput<R> {
        self.sides.push(DeclaredSide { name, fields: R::fields, rows: || Box::new(SideRows::<R>(Emitter::new())) });
        SideOutput { side: self.sides.len() - 1, row: PhantomData }
    }

    fn variable(
        &mut self,
        name: &'static str,
        misfits: fn(&Fields) -> Vec<Misfit>,
        fields: fn(Option<TimeSpan>) -> Fields,
        cells: fn(Option<TimeSpan>) -> Box<dyn Variable>,
    ) {
        self.variables.push(Declared { name, ttl: self.time_to_live.take(), misfits, fields, cells });
    }
}

impl fmt::Debug for Declare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.variables.iter().map(|variable| variable.name);
        f.debug_list().entries(variables).entries(self.sides.iter().map(|side| side.name)).finish()
    }
}
