//! The loops over two or more rows at a time: sessions, and pairs of two streams.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::Range;

use super::answer::Cell;
use super::by_hand::{Fold, LATENESS, Output, each_time};
use super::medium::LoopBatch;
use super::names::Names;
use super::workload::NEAR;

/// Sessions of each user, in the order of time.
#[derive(Default)]
pub(super) struct Sessions {
    names: Names,
    of_user: Vec<Vec<Session>>,
}

#[derive(Clone, Copy)]
struct Session {
    start: i64,
    end: i64,
    rows: i64,
}

impl Sessions {
    #[inline]
    fn of(&mut self, name: &str) -> &mut Vec<Session> {
        let user = self.names.number(name) as usize;
        if user == self.of_user.len() {
            self.of_user.push(Vec::new());
        }
        &mut self.of_user[user]
    }
}

/// Adds a session to those of its user. All that it touches becomes one with it.
#[inline]
fn add(sessions: &mut Vec<Session>, mut new: Session) {
    // Most rows belong to the newest session, or begin the next.
    let first = match sessions.last_mut() {
        Some(newest) if newest.end < new.start => sessions.len(),
        Some(newest) if newest.start <= new.start => {
            newest.end = newest.end.max(new.end);
            newest.rows += new.rows;
            return;
        }
        _ => sessions.partition_point(|session| session.end < new.start),
    };
    let touched = sessions[first..].iter().take_while(|session| session.start <= new.end).count();
    for session in &sessions[first..first + touched] {
        new.start = new.start.min(session.start);
        new.end = new.end.max(session.end);
        new.rows += session.rows;
    }
    sessions.splice(first..first + touched, [new]);
}

impl Fold for Sessions {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        each_time(batch.times, |row, time| {
            add(self.of(batch.users.value(row)), Session { start: time, end: time + NEAR, rows: 1 });
        });
    }

    fn merge(&mut self, later: Self) {
        for (user, sessions) in later.of_user.into_iter().enumerate() {
            let mine = self.of(later.names.get(user as u32));
            for session in sessions {
                add(mine, session);
            }
        }
    }

    fn output(self) -> Output {
        let cell = |session: &Session| Cell { count: session.rows, sum: 0.0 };
        let of_user = self.of_user.iter().enumerate().flat_map(|(user, sessions)| {
            sessions.iter().map(move |session| (session.end, 0, user as u32, cell(session)))
        });
        Output { rows: of_user.collect(), names: vec![self.names], ..Output::default() }
    }
}

/// Which rows are near each other.
pub(super) trait Near: Default + Send {
    /// The times of the right rows that go with a left row.
    fn of_left(time: i64) -> Range<i64>;
    /// The times of the left rows that go with a right row.
    fn of_right(time: i64) -> Range<i64>;
}

/// A right row goes with the left rows of the five seconds before it.
#[derive(Default)]
pub(super) struct After;

impl Near for After {
    fn of_left(time: i64) -> Range<i64> {
        time..time + NEAR + 1
    }

    fn of_right(time: i64) -> Range<i64> {
        time - NEAR..time + 1
    }
}

/// Rows of the same window.
#[derive(Default)]
pub(super) struct SameWindow;

impl Near for SameWindow {
    fn of_left(time: i64) -> Range<i64> {
        let start = time.div_euclid(NEAR) * NEAR;
        start..start + NEAR
    }

    fn of_right(time: i64) -> Range<i64> {
        Self::of_left(time)
    }
}

/// Pairs of the rows of a user whose `x` is not negative, on the left, and those whose `x` is.
#[derive(Default)]
pub(super) struct Pairs<N> {
    names: Names,
    /// Left and right rows of each user, by time: those that a row may still come for.
    of_user: Vec<[VecDeque<(i64, f64)>; 2]>,
    found: Vec<(i64, u32, u32, Cell)>,
    near: PhantomData<N>,
}

impl<N: Near> Fold for Pairs<N> {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        each_time(batch.times, |row, time| {
            let user = self.names.number(batch.users.value(row));
            if user as usize == self.of_user.len() {
                self.of_user.push(<[VecDeque<_>; 2]>::default());
            }
            let ([left, right], x) = (&mut self.of_user[user as usize], batch.x[row]);
            let is_left = x >= 0.0;
            let (mine, others) = if is_left { (left, right) } else { (right, left) };
            let near = if is_left { N::of_left(time) } else { N::of_right(time) };
            let first = others.partition_point(|(other, _)| *other < near.start);
            for &(other, other_x) in others.range(first..).take_while(|(other, _)| *other < near.end) {
                let (at, sum) = if is_left { (time, other_x) } else { (other, x) };
                self.found.push((at, 0, user, Cell { count: 1, sum }));
            }
            // Most rows are the newest of their user.
            if mine.back().is_none_or(|(newest, _)| *newest <= time) {
                mine.push_back((time, x));
                while mine.front().is_some_and(|(oldest, _)| *oldest + LATENESS + NEAR < time) {
                    mine.pop_front();
                }
            } else {
                let place = mine.partition_point(|(other, _)| *other <= time);
                mine.insert(place, (time, x));
            }
        });
    }

    fn merge(&mut self, _: Self) {
        unreachable!("runs on one thread");
    }

    fn output(self) -> Output {
        Output { rows: self.found, names: vec![self.names], ..Output::default() }
    }
}
