//! A graph, and how its epochs follow each other: watermarks reach every node by its own paths.

use std::collections::BTreeMap;

use super::held::Held;
use super::join::{Join, RunningJoin};
use super::nodes::{Dedup, Running, Sessions, Stateless, Window};
use crate::oracle::{Micros, Windows};

pub(crate) const SECOND: Micros = 1_000_000;

/// The values of a row: numbers, and instants in microseconds.
pub(crate) type Row = Vec<Option<i64>>;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Numbers,
    Instants,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) holds: Holds,
}

/// What a node does. Columns are given by their names, spans in seconds.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Brings `k BIGINT, t TIMESTAMP, v BIGINT`.
    Source,
    /// Marks `t` as event time.
    Watermark {
        delay: i64,
    },
    /// Columns under other names.
    Select(Vec<(&'static str, &'static str)>),
    Union,
    /// Windows of `t`.
    AssignWindow(Windows),
    /// Rows as `n` and the sum of a column as `total`, once a window is closed.
    Window {
        windows: Windows,
        keys: Vec<&'static str>,
        sum: &'static str,
    },
    /// The same in sessions.
    Sessions {
        gap: i64,
        keys: Vec<&'static str>,
        sum: &'static str,
    },
    Dedup(Vec<&'static str>),
    Join(Join),
    /// The operator of the test's own.
    Held {
        by: i64,
    },
}

/// What the values of a time column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Instant,
    WindowEnd,
}

/// The column of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) column: usize,
    pub(super) means: Means,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) does: Does,
    pub(super) inputs: Vec<usize>,
    pub(super) columns: Vec<Column>,
    pub(super) times: Vec<Time>,
}

/// Nodes, each after those that feed it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// The nodes whose rows are looked at.
    pub(super) shown: Vec<usize>,
}

/// A graph and what is fed to it.
#[derive(Clone, Debug)]
pub(crate) struct Fed {
    pub(crate) graph: Graph,
    /// Whether all inputs wait from the start.
    pub(crate) queued: bool,
    /// By epoch, the rows by source.
    pub(crate) inputs: Vec<BTreeMap<&'static str, Vec<Row>>>,
}

/// An epoch as it should be.
#[derive(Clone, Debug)]
pub(super) struct Epoch {
    pub(super) input: Option<usize>,
    /// The least of all watermark nodes.
    pub(super) watermark: Option<Micros>,
    pub(super) sinks: BTreeMap<String, Vec<Row>>,
}

/// Whether a watermark has passed a time.
pub(super) fn passed(watermark: Option<Micros>, time: Option<Micros>) -> bool {
    matches!((watermark, time), (Some(watermark), Some(time)) if time <= watermark)
}

pub(super) fn place(columns: &[Column], name: &str) -> usize {
    columns.iter().position(|column| column.name == name).unwrap_or_else(|| panic!("no column `{name}`: {columns:?}"))
}

fn column(name: &str, holds: Holds) -> Column {
    Column { name: name.to_owned(), holds }
}

impl Node {
    /// The column of event time that a node below goes by.
    pub(super) fn time(&self) -> Option<Time> {
        assert!(self.times.len() <= 1, "`{}` has several event times", self.name);
        self.times.first().copied()
    }

    fn has(&self, name: &str) -> Option<Means> {
        self.times.iter().find(|time| self.columns[time.column].name == name).map(|time| time.means)
    }

    /// The ports besides the first.
    pub(super) fn late_ports(&self) -> &'static [&'static str] {
        match self.does {
            Does::Window { .. } | Does::Sessions { .. } | Does::Dedup(_) | Does::Held { .. } => &["late"],
            Does::Join(_) => &["late_left", "late_right"],
            Does::Source | Does::Watermark { .. } | Does::Select(_) | Does::Union | Does::AssignWindow(_) => &[],
        }
    }
}

impl Graph {
    /// Adds a node below others.
    pub(crate) fn add(&mut self, name: &'static str, does: Does, inputs: &[usize]) -> usize {
        let above: Vec<&Node> = inputs.iter().map(|&input| &self.nodes[input]).collect();
        let (columns, times) = shape(&does, &above);
        self.nodes.push(Node { name, does, inputs: inputs.to_vec(), columns, times });
        self.nodes.len() - 1
    }

    /// A source with a watermark on its time, or without.
    pub(crate) fn marked(&mut self, source: &'static str, node: &'static str, delay: Option<i64>) -> usize {
        let source = self.add(source, Does::Source, &[]);
        delay.map_or(source, |delay| self.add(node, Does::Watermark { delay }, &[source]))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.name == name)
    }

    /// Looks at a node's rows.
    pub(crate) fn show(mut self, node: usize) -> Self {
        self.shown.push(node);
        self
    }

    pub(super) fn has_watermark(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.does, Does::Watermark { .. }))
    }

    /// Whether rows of each side of a join below these nodes wait for an end.
    pub(crate) fn bounds(&self, join: &Join, left: usize, right: usize) -> [bool; 2] {
        join.kept(&self.nodes[left], &self.nodes[right]).map(|kept| kept.is_some())
    }

    fn running(&self, node: &Node) -> Box<dyn Running> {
        let above: Vec<&Node> = node.inputs.iter().map(|&input| &self.nodes[input]).collect();
        let places = |names: &[&str]| names.iter().map(|name| place(&above[0].columns, name)).collect::<Vec<_>>();
        match &node.does {
            Does::Source | Does::Watermark { .. } | Does::Union => Box::new(Stateless(Box::new(|row| vec![row]))),
            Does::Select(columns) => {
                let columns = places(&columns.iter().map(|(column, _)| *column).collect::<Vec<_>>());
                Box::new(Stateless(Box::new(move |row| vec![columns.iter().map(|&column| row[column]).collect()])))
            }
            Does::AssignWindow(windows) => {
                let (windows, time) = (*windows, place(&above[0].columns, "t"));
                Box::new(Stateless(Box::new(move |row: Row| {
                    let found = row[time].map(|time| windows.of(time)).unwrap_or_default();
                    let with = |(start, end): (Micros, Micros)| [&*row, &[Some(start), Some(end)]].concat();
                    found.into_iter().map(with).collect()
                })))
            }
            Does::Window { windows, keys, sum } => {
                let (time, sum) = (above[0].time().expect("event time"), place(&above[0].columns, sum));
                Box::new(Window { windows: *windows, time, keys: places(keys), sum, groups: Vec::new() })
            }
            Does::Sessions { gap, keys, sum } => {
                let (time, sum) = (above[0].time().expect("event time"), place(&above[0].columns, sum));
                Box::new(Sessions { gap: gap * SECOND, time, keys: places(keys), sum, open: Vec::new() })
            }
            Does::Dedup(keys) => {
                let time = above[0].time().map(|time| time.column);
                Box::new(Dedup { time, keys: places(keys), seen: Vec::new() })
            }
            Does::Join(join) => Box::new(RunningJoin::new(join, above[0], above[1])),
            Does::Held { by } => Box::new(Held { by: by * SECOND, groups: Vec::new() }),
        }
    }

    /// How much earlier the watermark is that leaves a node.
    fn held_back(&self, node: &Node) -> Micros {
        match &node.does {
            Does::Join(join) => {
                let [left, right] = [0, 1].map(|side| &self.nodes[node.inputs[side]]);
                join.kept(left, right).into_iter().flatten().map(|kept| kept.extra).max().unwrap_or(0).max(0)
            }
            Does::Held { by } => by * SECOND,
            _ => 0,
        }
    }

    /// The watermark that reaches each node; `None` where there is none above.
    #[expect(clippy::option_option, reason = "a watermark that has seen nothing is another thing than none")]
    fn reached(&self, own: &[Option<Micros>]) -> Vec<Option<Option<Micros>>> {
        let mut leaving: Vec<Option<Option<Micros>>> = Vec::new();
        let mut reached = Vec::new();
        for (node, own) in self.nodes.iter().zip(own) {
            let here = match node.does {
                Does::Watermark { .. } => Some(*own),
                _ => node.inputs.iter().filter_map(|&input| leaving[input]).min(),
            };
            reached.push(here);
            leaving.push(here.map(|here| here.map(|time| time - self.held_back(node))));
        }
        reached
    }

    /// Whether a watermark that moved gives the node something to do.
    fn asks(&self, node: &Node) -> bool {
        match &node.does {
            Does::Window { .. } | Does::Sessions { .. } | Does::Dedup(_) | Does::Held { .. } => true,
            Does::Join(join) => {
                let [left, right] = [0, 1].map(|side| &self.nodes[node.inputs[side]]);
                join.kept(left, right).iter().any(Option::is_some)
            }
            Does::Source | Does::Watermark { .. } | Does::Select(_) | Does::Union | Does::AssignWindow(_) => false,
        }
    }
}

impl Time {
    /// The time of a row: the last microsecond of its window.
    pub(super) fn of(self, row: &Row) -> Option<Micros> {
        row[self.column].map(|value| value - i64::from(self.means == Means::WindowEnd))
    }
}

/// The columns of what a node gives, and those of them that are event time.
fn shape(does: &Does, above: &[&Node]) -> (Vec<Column>, Vec<Time>) {
    let instants = |names: [&str; 2]| names.map(|name| column(name, Holds::Instants));
    let numbers = |names: [&str; 2]| names.map(|name| column(name, Holds::Numbers));
    let named = |name: &str| above[0].columns[place(&above[0].columns, name)].clone();
    match does {
        Does::Source => {
            (vec![column("k", Holds::Numbers), column("t", Holds::Instants), column("v", Holds::Numbers)], Vec::new())
        }
        Does::Watermark { .. } => {
            let time = Time { column: place(&above[0].columns, "t"), means: Means::Instant };
            (above[0].columns.clone(), vec![time])
        }
        Does::Select(columns) => {
            let of = |(name, alias): &(&str, &str)| Column { name: (*alias).to_owned(), ..named(name) };
            let time = |(place, (name, _)): (usize, &(&'static str, _))| {
                above[0].has(name).map(|means| Time { column: place, means })
            };
            (columns.iter().map(of).collect(), columns.iter().enumerate().filter_map(time).collect())
        }
        Does::Union | Does::Dedup(_) => (above[0].columns.clone(), above[0].times.clone()),
        Does::AssignWindow(_) => {
            let columns = [&*above[0].columns, &instants(["window_start", "window_end"])].concat();
            let time = Time { column: columns.len() - 1, means: Means::WindowEnd };
            (columns, above[0].has("t").map(|_| time).into_iter().collect())
        }
        Does::Window { keys, .. } | Does::Sessions { keys, .. } => {
            let keys: Vec<Column> = keys.iter().map(|key| named(key)).collect();
            let columns = [&instants(["window_start", "window_end"])[..], &keys, &numbers(["n", "total"])].concat();
            (columns, vec![Time { column: 1, means: Means::WindowEnd }])
        }
        Does::Join(join) => {
            let (mut columns, mut times) = (Vec::new(), Vec::new());
            for (place_of, (side, name, alias)) in join.select.iter().enumerate() {
                let above = above[*side as usize];
                times.extend(above.has(name).map(|means| Time { column: place_of, means }));
                columns.push(column(alias, above.columns[place(&above.columns, name)].holds));
            }
            (columns, times)
        }
        Does::Held { .. } => {
            let columns = vec![
                column("k", Holds::Numbers),
                column("t", Holds::Instants),
                column("n", Holds::Numbers),
                column("total", Holds::Numbers),
            ];
            (columns, vec![Time { column: 1, means: Means::Instant }])
        }
    }
}

/// Every epoch that should run, in order.
pub(super) fn epochs(fed: &Fed) -> Vec<Epoch> {
    let graph = &fed.graph;
    let mut running: Vec<Box<dyn Running>> = graph.nodes.iter().map(|node| graph.running(node)).collect();
    let mut last: Vec<Option<Micros>> = vec![None; graph.nodes.len()];
    let (mut current, mut epochs) = (last.clone(), Vec::new());
    let mut waiting = (0..fed.inputs.len()).peekable();
    loop {
        let [late, evict] = [&last, &current].map(|values| graph.reached(values));
        // An epoch of its own accord comes when a watermark moved and, with all inputs queued, none is left.
        let moved = (0..graph.nodes.len()).any(|node| graph.asks(&graph.nodes[node]) && evict[node] > late[node]);
        let input = if moved && !(fed.queued && waiting.peek().is_some()) { None } else { waiting.next() };
        if input.is_none() && !moved {
            return epochs;
        }
        last.clone_from(&current);
        let own = graph.nodes.iter().zip(&last).filter(|(node, _)| matches!(node.does, Does::Watermark { .. }));
        let watermark = own.map(|(_, own)| *own).min().flatten();
        let mut given: Vec<Vec<Row>> = Vec::new();
        let mut sinks = BTreeMap::new();
        for (number, node) in graph.nodes.iter().enumerate() {
            let brought = || input.and_then(|input| fed.inputs[input].get(node.name)).cloned().unwrap_or_default();
            let rows: Vec<Vec<Row>> = match node.does {
                Does::Source => vec![brought()],
                Does::Union => vec![node.inputs.iter().flat_map(|&input| given[input].clone()).collect()],
                _ => node.inputs.iter().map(|&input| given[input].clone()).collect(),
            };
            if let Does::Watermark { delay } = node.does {
                let newest = rows[0].iter().filter_map(|row| row[node.times[0].column]).max();
                let newest = newest.map(|newest| newest.div_euclid(1000) * 1000 - delay * SECOND);
                current[number] = current[number].max(newest);
            }
            let [late, evict] = [&late, &evict].map(|reached| reached[number].flatten());
            let mut ports = running[number].run(&rows, late, evict).into_iter();
            given.push(ports.next().expect("every node has a first port"));
            for (port, rows) in node.late_ports().iter().zip(ports) {
                sinks.insert(format!("{}_{port}", node.name), rows);
            }
            if graph.shown.contains(&number) {
                sinks.insert(format!("{}_out", node.name), given[number].clone());
            }
        }
        epochs.push(Epoch { input, watermark, sinks });
    }
}
