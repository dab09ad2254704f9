//! The other side: the loop that a careful person writes for each question over the same columns, without lateness, watermarks
//! or state that survives anything. It is the limit that the engine is held against.
//!
//! Each window has a small table of its own, from names to counts: it stays in the cache while rows come for it, whatever
//! the number of users in all.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Array;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::answer::{Answer, Cell};
use super::medium::{Data, LoopBatch, Times};
use super::names::Names;
use super::together::{After, Pairs, SameWindow, Sessions};
use super::workload::{SIZE, SLIDE, Workload};
use crate::Failure;

/// How far behind the newest row a row may be: what the graph's watermark allows for.
pub(super) const LATENESS: i64 = 61 * 60_000_000;

/// What a loop gives.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The end of the window, which table of names and which name in it, and the counts.
    pub(super) rows: Vec<(i64, u32, u32, Cell)>,
    pub(super) names: Vec<Names>,
    /// Columns that were made row by row; what they add up to is found when nobody measures.
    pub(super) columns: Vec<Vec<f64>>,
}

impl Output {
    /// The same rows in the form that is compared.
    pub(crate) fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        for &(end, table, name, cell) in &self.rows {
            answer.add(end, self.names[table as usize].get(name), cell);
        }
        for column in &self.columns {
            answer.add(0, "", Cell { count: column.len() as i64, sum: column.iter().sum() });
        }
        answer
    }

    fn push<C: Count>(&mut self, end: i64, table: Table<C>) {
        let place = self.names.len() as u32;
        let cells = table.counts.iter().enumerate();
        self.rows.extend(cells.map(|(name, count)| (end, place, name as u32, count.cell())));
        self.names.push(table.names);
    }
}

/// Answers by loop, on so many threads where parts of the answer can be put together.
pub(crate) fn run(workload: Workload, data: &Data, threads: usize) -> Result<Output, Failure> {
    match workload {
        Workload::Tumbling => folded::<Windows<u64, SIZE>>(workload, data, threads),
        Workload::TumblingMeans => folded::<Windows<(u64, f64), SIZE>>(workload, data, threads),
        Workload::Sliding => folded::<Windows<u64, SLIDE>>(workload, data, threads),
        Workload::Global => folded::<Global>(workload, data, threads),
        Workload::PerUser | Workload::Typed | Workload::TypedSerde => {
            folded::<Table<(u64, f64)>>(workload, data, threads)
        }
        Workload::TypedMap => folded::<Squares>(workload, data, threads),
        Workload::Session => folded::<Sessions>(workload, data, threads),
        // Their parts cannot be put together without looking at every row again.
        Workload::Dedup => folded::<Dedup>(workload, data, 1),
        Workload::JoinInterval => folded::<Pairs<After>>(workload, data, 1),
        Workload::JoinWindow => folded::<Pairs<SameWindow>>(workload, data, 1),
    }
}

/// What a loop knows after some rows.
pub(super) trait Fold: Default + Send {
    fn add(&mut self, batch: &LoopBatch<'_>);
    fn merge(&mut self, later: Self);
    fn output(self) -> Output;
}

fn folded<F: Fold>(workload: Workload, data: &Data, threads: usize) -> Result<Output, Failure> {
    let fold = |shares: std::ops::Range<usize>| -> Result<F, Failure> {
        let mut fold = F::default();
        for share in shares {
            data.read(share, workload, &mut |batch| fold.add(batch))?;
        }
        Ok(fold)
    };
    let (shares, threads) = (data.shares(), threads.max(1));
    let range = |thread: usize| shares * thread / threads..shares * (thread + 1) / threads;
    let mut parts = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || fold(range(thread)))).collect();
        let mut parts = vec![fold(range(0))];
        parts.extend(others.into_iter().map(|other| other.join().expect("a loop does not panic")));
        parts.into_iter()
    });
    let mut all = parts.next().unwrap_or_else(|| Ok(F::default()))?;
    for part in parts {
        all.merge(part?);
    }
    Ok(all.output())
}

/// What is counted of a row.
trait Count: Copy + Default + Send {
    fn count(&mut self, x: impl FnOnce() -> f64);
    fn merge(&mut self, other: Self);
    fn cell(self) -> Cell;
}

impl Count for u64 {
    fn count(&mut self, _: impl FnOnce() -> f64) {
        *self += 1;
    }

    fn merge(&mut self, other: Self) {
        *self += other;
    }

    fn cell(self) -> Cell {
        Cell { count: self as i64, sum: 0.0 }
    }
}

impl Count for (u64, f64) {
    fn count(&mut self, x: impl FnOnce() -> f64) {
        self.0 += 1;
        self.1 += x();
    }

    fn merge(&mut self, other: Self) {
        self.0 += other.0;
        self.1 += other.1;
    }

    fn cell(self) -> Cell {
        Cell { count: self.0 as i64, sum: self.1 }
    }
}

/// Counts by name.
#[derive(Clone, Default)]
struct Table<C> {
    names: Names,
    counts: Vec<C>,
}

impl<C: Count> Table<C> {
    #[inline]
    fn of(&mut self, name: &str) -> &mut C {
        let place = self.names.number(name) as usize;
        if place == self.counts.len() {
            self.counts.push(C::default());
        }
        &mut self.counts[place]
    }

    fn add_all(&mut self, other: &Self) {
        for (place, count) in other.counts.iter().enumerate() {
            self.of(other.names.get(place as u32)).merge(*count);
        }
    }
}

impl<C: Count> Fold for Table<C> {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        for row in 0..batch.users.len() {
            self.of(batch.users.value(row)).count(|| batch.x[row]);
        }
    }

    fn merge(&mut self, later: Self) {
        self.add_all(&later);
    }

    fn output(self) -> Output {
        let mut output = Output::default();
        output.push(0, self);
        output
    }
}

/// Calls `row` with every row's place and time in microseconds.
#[inline]
pub(super) fn each_time(times: Times<'_>, mut row: impl FnMut(usize, i64)) {
    match times {
        Times::Micros(micros) => micros.iter().enumerate().for_each(|(place, &micros)| row(place, micros)),
        Times::Nanos(nanos) => nanos.iter().enumerate().for_each(|(place, &nanos)| row(place, nanos.div_euclid(1_000))),
    }
}

/// Something for each stretch of `WIDTH` microseconds. That of the last row is at hand: the next row is mostly for it too.
struct Stretches<T, const WIDTH: i64> {
    closed: BTreeMap<i64, T>,
    open: Option<(i64, T)>,
}

impl<T, const WIDTH: i64> Default for Stretches<T, WIDTH> {
    fn default() -> Self {
        Self { closed: BTreeMap::new(), open: None }
    }
}

impl<T, const WIDTH: i64> Stretches<T, WIDTH> {
    #[inline]
    fn at(&mut self, time: i64, new: impl FnOnce() -> T) -> &mut T {
        let is_open = self.open.as_ref().is_some_and(|(start, _)| (*start..start + WIDTH).contains(&time));
        if !is_open {
            self.close();
            let start = time.div_euclid(WIDTH) * WIDTH;
            self.open = Some((start, self.closed.remove(&start).unwrap_or_else(new)));
        }
        &mut self.open.as_mut().expect("opened above").1
    }

    fn close(&mut self) {
        self.closed.extend(self.open.take());
    }
}

/// Counts by user in windows that tumble, or in the steps that sliding windows are made of.
struct Windows<C, const WIDTH: i64>(Stretches<Table<C>, WIDTH>);

impl<C, const WIDTH: i64> Default for Windows<C, WIDTH> {
    fn default() -> Self {
        Self(Stretches::default())
    }
}

impl<C: Count, const WIDTH: i64> Fold for Windows<C, WIDTH> {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        each_time(batch.times, |row, time| {
            self.0.at(time, Table::default).of(batch.users.value(row)).count(|| batch.x[row]);
        });
    }

    fn merge(&mut self, mut later: Self) {
        self.0.close();
        later.0.close();
        for (start, table) in later.0.closed {
            match self.0.closed.get_mut(&start) {
                Some(mine) => mine.add_all(&table),
                None => {
                    self.0.closed.insert(start, table);
                }
            }
        }
    }

    fn output(mut self) -> Output {
        self.0.close();
        let mut steps = self.0.closed;
        let mut output = Output::default();
        if WIDTH == SIZE {
            for (start, table) in steps {
                output.push(start + SIZE, table);
            }
            return output;
        }
        // A window is put together from its two steps; the first of them is not needed after it.
        let starts: BTreeSet<i64> = steps.keys().flat_map(|start| [start - WIDTH, *start]).collect();
        for start in starts {
            let mut window = steps.remove(&start).unwrap_or_default();
            if let Some(second) = steps.get(&(start + WIDTH)) {
                window.add_all(second);
            }
            output.push(start + SIZE, window);
        }
        output
    }
}

/// Each user and time once, counted in tumbling windows.
#[derive(Default)]
struct Dedup {
    windows: Stretches<Seen, SIZE>,
    /// Sets of windows that are done with: their memory is used again.
    spare: Vec<HashSet<(u32, i64), FixedState>>,
    output: Output,
}

#[derive(Default)]
struct Seen {
    counts: Table<u64>,
    set: HashSet<(u32, i64), FixedState>,
}

impl Fold for Dedup {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        let Self { windows, spare, output } = self;
        each_time(batch.times, |row, time| {
            let new = || Seen { counts: Table::default(), set: spare.pop().unwrap_or_default() };
            let seen = windows.at(time, new);
            let user = seen.counts.names.number(batch.users.value(row));
            if seen.counts.counts.len() == user as usize {
                seen.counts.counts.push(0);
            }
            if seen.set.insert((user, time)) {
                seen.counts.counts[user as usize] += 1;
            }
        });
        let newest = windows.open.as_ref().map_or(i64::MIN, |(start, _)| *start);
        while let Some(oldest) = windows.closed.first_entry().filter(|oldest| oldest.key() + SIZE + LATENESS < newest) {
            let (start, mut seen) = oldest.remove_entry();
            output.push(start + SIZE, seen.counts);
            seen.set.clear();
            spare.push(seen.set);
        }
    }

    fn merge(&mut self, _: Self) {
        unreachable!("runs on one thread");
    }

    fn output(mut self) -> Output {
        self.windows.close();
        for (start, seen) in self.windows.closed {
            self.output.push(start + SIZE, seen.counts);
        }
        self.output
    }
}

/// One count.
#[derive(Default)]
struct Global(u64, f64);

impl Fold for Global {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        self.0 += batch.x.len() as u64;
        self.1 += batch.x.iter().sum::<f64>();
    }

    fn merge(&mut self, later: Self) {
        self.0 += later.0;
        self.1 += later.1;
    }

    fn output(self) -> Output {
        let mut names = Names::default();
        let nobody = names.number("");
        let rows = vec![(0, 0, nobody, Cell { count: self.0 as i64, sum: self.1 })];
        Output { rows, names: vec![names], ..Output::default() }
    }
}

/// A new column for each batch.
#[derive(Default)]
struct Squares(Vec<Vec<f64>>);

impl Fold for Squares {
    fn add(&mut self, batch: &LoopBatch<'_>) {
        self.0.push(batch.x.iter().map(|x| x * x).collect());
    }

    fn merge(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    fn output(self) -> Output {
        Output { columns: self.0, ..Output::default() }
    }
}
