//! How nodes run an epoch, joins and the operator of the test's own aside.

use super::graph::{Row, Time, passed};
use crate::oracle::{Micros, Windows};

/// A node with what it remembers.
pub(super) trait Running {
    /// The rows of an epoch, by input and by output port. Rows are late by `late`; what `evict` has passed is closed.
    fn run(&mut self, inputs: &[Vec<Row>], late: Option<Micros>, evict: Option<Micros>) -> Vec<Vec<Row>>;
}

/// Takes each row alone.
pub(super) struct Stateless(pub(super) Box<dyn Fn(Row) -> Vec<Row>>);

impl Running for Stateless {
    fn run(&mut self, inputs: &[Vec<Row>], _: Option<Micros>, _: Option<Micros>) -> Vec<Vec<Row>> {
        vec![inputs[0].iter().cloned().flat_map(&self.0).collect()]
    }
}

/// A stretch of time and a key, with the values that came for it.
pub(super) struct Group {
    start: Micros,
    end: Micros,
    key: Row,
    values: Vec<Option<i64>>,
}

impl Group {
    fn row(&self) -> Row {
        [&[Some(self.start), Some(self.end)], &*self.key, &counted(&self.values)].concat()
    }
}

/// How many there are, and the sum of those that are not null.
pub(super) fn counted(values: &[Option<i64>]) -> [Option<i64>; 2] {
    let known: Vec<i64> = values.iter().copied().flatten().collect();
    [Some(values.len() as i64), (!known.is_empty()).then(|| known.iter().sum())]
}

/// Takes out what is closed, as rows.
fn close(groups: &mut Vec<Group>, evict: Option<Micros>) -> Vec<Row> {
    let (closed, open) = std::mem::take(groups).into_iter().partition(|group| passed(evict, Some(group.end)));
    *groups = open;
    let closed: Vec<Group> = closed;
    closed.iter().map(Group::row).collect()
}

fn pick(row: &Row, columns: &[usize]) -> Row {
    columns.iter().map(|&column| row[column]).collect()
}

/// Windows that tumble or overlap, in mode `Append`.
pub(super) struct Window {
    pub(super) windows: Windows,
    pub(super) time: Time,
    pub(super) keys: Vec<usize>,
    pub(super) sum: usize,
    pub(super) groups: Vec<Group>,
}

impl Running for Window {
    fn run(&mut self, inputs: &[Vec<Row>], late: Option<Micros>, evict: Option<Micros>) -> Vec<Vec<Row>> {
        let mut dropped = Vec::new();
        for row in &inputs[0] {
            let Some(time) = self.time.of(row) else { continue };
            let windows = self.windows.of(time);
            if windows.iter().all(|(_, end)| passed(late, Some(*end))) {
                dropped.push(row.clone());
            }
            for (start, end) in windows.into_iter().filter(|(_, end)| !passed(late, Some(*end))) {
                let key = pick(row, &self.keys);
                let found = self.groups.iter_mut().find(|group| group.start == start && group.key == key);
                match found {
                    Some(group) => group.values.push(row[self.sum]),
                    None => self.groups.push(Group { start, end, key, values: vec![row[self.sum]] }),
                }
            }
        }
        vec![close(&mut self.groups, evict), dropped]
    }
}

/// Sessions, in mode `Append`.
pub(super) struct Sessions {
    pub(super) gap: Micros,
    pub(super) time: Time,
    pub(super) keys: Vec<usize>,
    pub(super) sum: usize,
    pub(super) open: Vec<Group>,
}

impl Running for Sessions {
    fn run(&mut self, inputs: &[Vec<Row>], late: Option<Micros>, evict: Option<Micros>) -> Vec<Vec<Row>> {
        let mut dropped = Vec::new();
        for row in &inputs[0] {
            let Some(start) = self.time.of(row) else { continue };
            // A row is late by its own stretch, whatever it would have joined.
            if passed(late, Some(start + self.gap)) {
                dropped.push(row.clone());
                continue;
            }
            let key = pick(row, &self.keys);
            let mut session = Group { start, end: start + self.gap, key, values: vec![row[self.sum]] };
            // All that it touches becomes one with it, and what that touches.
            let touches = |session: &Group, other: &Group| {
                other.key == session.key && other.start <= session.end && session.start <= other.end
            };
            while let Some(place) = self.open.iter().position(|other| touches(&session, other)) {
                let other = self.open.swap_remove(place);
                session.start = session.start.min(other.start);
                session.end = session.end.max(other.end);
                session.values.extend(other.values);
            }
            self.open.push(session);
        }
        vec![close(&mut self.open, evict), dropped]
    }
}

/// The first row of each key.
pub(super) struct Dedup {
    pub(super) time: Option<usize>,
    pub(super) keys: Vec<usize>,
    /// The row that each key came with.
    pub(super) seen: Vec<Row>,
}

impl Running for Dedup {
    fn run(&mut self, inputs: &[Vec<Row>], late: Option<Micros>, evict: Option<Micros>) -> Vec<Vec<Row>> {
        let (mut first, mut dropped) = (Vec::new(), Vec::new());
        for row in &inputs[0] {
            if self.time.is_some_and(|time| passed(late, row[time])) {
                dropped.push(row.clone());
            } else if !self.seen.iter().any(|other| pick(other, &self.keys) == pick(row, &self.keys)) {
                self.seen.push(row.clone());
                first.push(row.clone());
            }
        }
        // Only a key with an event time in it is ever forgotten.
        if let Some(time) = self.time.filter(|time| self.keys.contains(time)) {
            self.seen.retain(|row| !passed(evict, row[time]));
        }
        vec![first, dropped]
    }
}
