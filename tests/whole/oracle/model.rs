//! The plain answer: every epoch is computed anew from all rows so far, by loops over lists. Nothing here is shared with
//! the engine; the rules are those of `docs` on watermarks, late rows and output modes.

use std::collections::BTreeSet;

/// An instant in microseconds.
pub(crate) type Micros = i64;

const SECOND: Micros = 1_000_000;

/// A row of the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) k: Option<u8>,
    pub(super) t: Option<Micros>,
    pub(super) v: Option<i64>,
    /// In quarters, so that sums are exact.
    pub(super) x: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Append,
    Update,
    Complete,
}

/// Windows of so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) size: i64,
    pub(crate) slide: i64,
    pub(crate) offset: i64,
}

/// How long after a row its session goes on, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The same for all rows.
    Fixed(i64),
    /// The row's `v`; a row without one, or with none above zero, is of no session.
    V,
}

/// The node under test.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Window { windows: Windows, keys: Vec<Column>, mode: Mode },
    Sessions { gap: Gap, keys: Vec<Column>, mode: Mode },
    Aggregate { keys: Vec<Column>, mode: Mode },
    Dedup { keys: Vec<Column>, within: bool },
}

/// A column to group or compare rows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    K,
    T,
    V,
    X,
}

/// The value of a key's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyPart {
    K(Option<u8>),
    T(Option<Micros>),
    V(Option<i64>),
    X(Option<i32>),
}

/// A graph and what is fed to it.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) node: Node,
    /// In seconds; `None` for a graph without a watermark.
    pub(super) delay: Option<i64>,
    pub(super) queued: bool,
    pub(super) inputs: Vec<Vec<Row>>,
}

/// What is known of a group: its key, and the rows that made it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) window: Option<(Micros, Micros)>,
    pub(super) key: Vec<KeyPart>,
    pub(super) rows: Vec<Row>,
}

/// What a sink gets in an epoch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Output {
    Groups(Vec<Group>),
    Rows(Vec<Row>),
}

/// An epoch as it should be.
#[derive(Clone, Debug)]
pub(super) struct Epoch {
    pub(super) input: Option<usize>,
    pub(super) watermark: Option<Micros>,
    pub(super) output: Output,
    pub(super) late: Vec<Row>,
}

impl Windows {
    /// As the graph file has them.
    pub(crate) fn text(self) -> String {
        let Self { size, slide, offset } = self;
        if size == slide {
            format!("Tumbling(size: \"{size} seconds\", offset: \"{offset} seconds\")")
        } else {
            format!("Sliding(size: \"{size} seconds\", slide: \"{slide} seconds\", offset: \"{offset} seconds\")")
        }
    }

    /// The windows of an instant, found by trying every start from far before it.
    pub(crate) fn of(self, t: Micros) -> Vec<(Micros, Micros)> {
        let (size, slide, offset) = (self.size * SECOND, self.slide * SECOND, self.offset * SECOND);
        let mut start = (t - offset).div_euclid(slide) * slide + offset - (size / slide + 2) * slide;
        let mut found = Vec::new();
        while start <= t {
            if t < start + size {
                found.push((start, start + size));
            }
            start += slide;
        }
        found
    }
}

impl Gap {
    /// From a row's time to the end of its gap.
    fn span(self, row: &Row) -> Option<(Micros, Micros)> {
        let gap = match self {
            Self::Fixed(gap) => gap,
            Self::V => row.v.filter(|v| *v > 0)?,
        };
        row.t.map(|t| (t, t + gap * SECOND))
    }
}

/// Every epoch that should run, in order.
pub(super) fn epochs(setup: &Setup) -> Vec<Epoch> {
    let mut model = Model { setup, groups: Vec::new(), seen: Vec::new() };
    let (mut late, mut current): (Option<Micros>, Option<Micros>) = (None, None);
    let mut epochs = Vec::new();
    let mut waiting = (0..setup.inputs.len()).peekable();
    loop {
        // An epoch of its own accord comes when the watermark moved and, with all inputs queued, none is left.
        let moved = setup.delay.is_some() && setup.node.asks_for_epochs() && current > late;
        let input = if moved && !(setup.queued && waiting.peek().is_some()) { None } else { waiting.next() };
        if input.is_none() && !moved {
            return epochs;
        }
        let rows = input.map_or(&[][..], |index| &setup.inputs[index]);
        let (output, dropped) = model.run(rows, late, current);
        epochs.push(Epoch { input, watermark: current, output, late: dropped });
        late = current;
        if let (Some(delay), Some(newest)) = (setup.delay, rows.iter().filter_map(|row| row.t).max()) {
            let floor = newest.div_euclid(1000) * 1000;
            current = current.max(Some(floor - delay * SECOND));
        }
    }
}

fn passed(watermark: Option<Micros>, time: Micros) -> bool {
    watermark.is_some_and(|watermark| time <= watermark)
}

impl Node {
    fn asks_for_epochs(&self) -> bool {
        match self {
            Self::Window { mode, .. } | Self::Sessions { mode, .. } | Self::Aggregate { mode, .. } => {
                *mode != Mode::Complete
            }
            Self::Dedup { .. } => true,
        }
    }
}

struct Model<'a> {
    setup: &'a Setup,
    /// Every group that is not closed.
    groups: Vec<Group>,
    /// For `Dedup`: each key that is remembered, by its first row.
    seen: Vec<Row>,
}

impl Model<'_> {
    /// Runs an epoch: what comes out, and the rows that came too late to have any effect.
    fn run(&mut self, rows: &[Row], late: Option<Micros>, evict: Option<Micros>) -> (Output, Vec<Row>) {
        match &self.setup.node {
            Node::Window { windows, keys, mode } => {
                let groups = |row: &Row| -> Vec<Group> {
                    let windows = row.t.map(|t| windows.of(t)).unwrap_or_default();
                    let group = |window| Group { window: Some(window), key: row.key(keys), rows: Vec::new() };
                    windows.into_iter().map(group).collect()
                };
                self.aggregate(rows, late, evict, *mode, &groups)
            }
            Node::Sessions { gap, keys, mode } => self.sessions(rows, late, evict, *gap, keys, *mode),
            Node::Aggregate { keys, mode } => {
                let group = |row: &Row| vec![Group { window: None, key: row.key(keys), rows: Vec::new() }];
                if keys.is_empty() && self.groups.is_empty() {
                    self.groups.push(Group { window: None, key: Vec::new(), rows: Vec::new() });
                }
                self.aggregate(rows, late, evict, *mode, &group)
            }
            Node::Dedup { keys, within } => self.dedup(rows, late, evict, keys, *within),
        }
    }

    fn aggregate(
        &mut self,
        rows: &[Row],
        late: Option<Micros>,
        evict: Option<Micros>,
        mode: Mode,
        groups_of: &dyn Fn(&Row) -> Vec<Group>,
    ) -> (Output, Vec<Row>) {
        let has_watermark = self.setup.delay.is_some();
        let late = late.filter(|_| mode != Mode::Complete && has_watermark);
        let (mut touched, mut dropped) = (BTreeSet::new(), Vec::new());
        for row in rows {
            let groups = groups_of(row);
            let (too_late, on_time): (Vec<Group>, Vec<Group>) =
                groups.into_iter().partition(|group| group.end().is_some_and(|end| passed(late, end)));
            if on_time.is_empty() && !too_late.is_empty() {
                dropped.push(row.clone());
            }
            for group in on_time {
                let place = self.groups.iter().position(|other| other.is_same(&group)).unwrap_or_else(|| {
                    self.groups.push(group);
                    self.groups.len() - 1
                });
                self.groups[place].rows.push(row.clone());
                touched.insert(place);
            }
        }
        let evict = evict.filter(|_| has_watermark);
        let is_closed = |group: &Group| group.end().is_some_and(|end| passed(evict, end));
        let all = || self.groups.iter().enumerate();
        // Without keys, the one row comes out in every epoch.
        let is_touched = |place: usize, group: &Group| touched.contains(&place) || group.is_the_only_one();
        let output: Vec<Group> = match mode {
            Mode::Append => self.groups.iter().filter(|group| is_closed(group)).cloned().collect(),
            Mode::Update => {
                all().filter(|(place, group)| is_touched(*place, group)).map(|(_, group)| group.clone()).collect()
            }
            Mode::Complete => self.groups.clone(),
        };
        if mode != Mode::Complete {
            self.groups.retain(|group| !is_closed(group));
        }
        (Output::Groups(output), dropped)
    }

    fn sessions(
        &mut self,
        rows: &[Row],
        late: Option<Micros>,
        evict: Option<Micros>,
        gap: Gap,
        keys: &[Column],
        mode: Mode,
    ) -> (Output, Vec<Row>) {
        let mut dropped = Vec::new();
        for row in rows {
            let Some(window) = gap.span(row) else { continue };
            if passed(late, window.1) {
                dropped.push(row.clone());
            } else {
                self.groups.push(Group { window: Some(window), key: row.key(keys), rows: vec![row.clone()] });
            }
        }
        while self.join_two() {}
        let is_closed = |group: &Group| mode == Mode::Append && group.end().is_some_and(|end| passed(evict, end));
        let (closed, open) = self.groups.drain(..).partition(is_closed);
        self.groups = open;
        (Output::Groups(if mode == Mode::Append { closed } else { self.groups.clone() }), dropped)
    }

    /// Makes one session of two that overlap or touch; tells whether there were any.
    fn join_two(&mut self) -> bool {
        let two = (0..self.groups.len())
            .flat_map(|one| (0..one).map(move |other| (other, one)))
            .find(|(other, one)| self.groups[*other].meets(&self.groups[*one]));
        let Some((other, one)) = two else { return false };
        let one = self.groups.remove(one);
        let other = &mut self.groups[other];
        other.window = other.window.zip(one.window).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)));
        other.rows.extend(one.rows);
        true
    }

    fn dedup(
        &mut self,
        rows: &[Row],
        late: Option<Micros>,
        evict: Option<Micros>,
        keys: &[Column],
        within: bool,
    ) -> (Output, Vec<Row>) {
        let (mut first, mut dropped) = (Vec::new(), Vec::new());
        for row in rows {
            if row.t.is_some_and(|t| passed(late, t)) {
                dropped.push(row.clone());
            } else if !self.seen.iter().any(|other| other.key(keys) == row.key(keys)) {
                self.seen.push(row.clone());
                first.push(row.clone());
            }
        }
        let delay = self.setup.delay.unwrap_or(0) * SECOND;
        let is_forgotten = |row: &Row| {
            let until = if within { row.t.map(|t| t + delay) } else { row.t.filter(|_| keys.contains(&Column::T)) };
            until.is_some_and(|until| passed(evict, until))
        };
        self.seen.retain(|row| !is_forgotten(row));
        (Output::Rows(first), dropped)
    }
}

impl Group {
    fn is_same(&self, other: &Self) -> bool {
        (self.window, &self.key) == (other.window, &other.key)
    }

    /// Whether the windows of two groups of one key overlap or touch.
    fn meets(&self, other: &Self) -> bool {
        let meet = |(one, other): ((Micros, Micros), (Micros, Micros))| one.0 <= other.1 && other.0 <= one.1;
        self.key == other.key && self.window.zip(other.window).is_some_and(meet)
    }

    fn is_the_only_one(&self) -> bool {
        self.window.is_none() && self.key.is_empty()
    }

    /// The instant by which it is late or closed.
    fn end(&self) -> Option<Micros> {
        let time = self.key.iter().find_map(|part| if let KeyPart::T(time) = part { *time } else { None });
        self.window.map(|(_, end)| end).or(time)
    }
}

impl Row {
    fn key(&self, columns: &[Column]) -> Vec<KeyPart> {
        let part = |column: &Column| match column {
            Column::K => KeyPart::K(self.k),
            Column::T => KeyPart::T(self.t),
            Column::V => KeyPart::V(self.v),
            Column::X => KeyPart::X(self.x),
        };
        columns.iter().map(part).collect()
    }
}
