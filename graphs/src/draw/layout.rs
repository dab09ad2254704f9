//! Where boxes, arrows and labels stand: layers from top to bottom, so that every arrow points down.
//!
//! The order within a layer and the horizontal places come from `rust-sugiyama`. It knows vertices only, so labels are
//! vertices too: boxes take the even layers, labels the odd ones, and an arrow that passes a layer has a vertex there
//! that keeps its place free. Invariants: nothing overlaps within a layer, and an arrow crosses a layer straight down
//! through its own vertex, so that no arrow runs through a box or a text.

use std::collections::BTreeMap;

use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use rust_sugiyama::configure::Config;

use super::picture::Arrow;

/// The least space between two things side by side.
const SIDE_GAP: f64 = 30.0;
/// The least space between two layers.
const LAYER_GAP: f64 = 26.0;
/// What is added where arrows run far to the side, so that they do not lie flat.
const MOST_EXTRA_GAP: f64 = 30.0;
/// The space between parts of the graph that have nothing to do with each other.
const PART_GAP: f64 = 56.0;
/// The place an arrow keeps free where it passes a layer.
const LANE: f64 = 8.0;
/// How far apart two arrows leave or enter a box.
const PORT_STEP: f64 = 30.0;

/// Width and height.
pub(super) type Size = (f64, f64);
/// From the left and from the top.
pub(super) type Point = (f64, f64);

/// The finished layout. All places are in pixels from the top left corner.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Of the whole.
    pub(super) size: Size,
    /// The centre of each box.
    pub(super) boxes: Vec<Point>,
    /// The way of each arrow.
    pub(super) routes: Vec<Route>,
}

/// The way of an arrow.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Straight pieces, each straight down; curves join them.
    pub(super) pieces: Vec<(Point, Point)>,
    /// The centre of the label.
    pub(super) label: Point,
}

/// A vertex of the layered graph.
#[derive(Clone, Copy, Debug)]
struct Vertex {
    layer: usize,
    size: Size,
}

/// A vertex with its place: the centre, and the upper and lower end of its layer.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    x: f64,
    y: f64,
    top: f64,
    bottom: f64,
}

/// Lays out `boxes` (their sizes) and `arrows` with labels of the sizes `labels`; a label without width takes no room.
pub(super) fn layout(boxes: &[Size], arrows: &[Arrow], labels: &[Size]) -> Layout {
    let ranks = ranks(boxes.len(), arrows);
    let mut graph = StableDiGraph::<Vertex, ()>::new();
    let nodes: Vec<NodeIndex> =
        boxes.iter().zip(&ranks).map(|(&size, rank)| graph.add_node(Vertex { layer: 2 * rank, size })).collect();
    let chains: Vec<Vec<NodeIndex>> = arrows
        .iter()
        .zip(labels)
        .map(|(arrow, &label)| {
            let first = 2 * ranks[arrow.from] + 1;
            let mut chain = Vec::new();
            let mut above = nodes[arrow.from];
            for layer in first..2 * ranks[arrow.to] {
                let size = if layer == first { (label.0.max(LANE), label.1) } else { (LANE, 0.0) };
                let vertex = graph.add_node(Vertex { layer, size });
                graph.add_edge(above, vertex, ());
                chain.push(vertex);
                above = vertex;
            }
            graph.add_edge(above, nodes[arrow.to], ());
            chain
        })
        .collect();
    let (places, size) = place(&graph);
    let half = |node: usize| boxes[node].1 / 2.0;
    let middle = |node: usize| places[nodes[node].index()];
    let ends = ends(boxes, arrows, &nodes, &chains, &places);
    let routes = arrows.iter().zip(&chains).zip(ends).map(|((arrow, chain), (leaves_at, enters_at))| {
        let (from, to) = (middle(arrow.from), middle(arrow.to));
        let mut pieces = vec![((leaves_at, from.y + half(arrow.from)), (leaves_at, from.bottom))];
        pieces.extend(
            chain.iter().map(|vertex| places[vertex.index()]).map(|lane| ((lane.x, lane.top), (lane.x, lane.bottom))),
        );
        pieces.push(((enters_at, to.top), (enters_at, to.y - half(arrow.to))));
        let label = chain.first().map_or((0.0, 0.0), |vertex| (places[vertex.index()].x, places[vertex.index()].y));
        Route { pieces, label }
    });
    let routes = routes.collect();
    Layout { size, boxes: (0..boxes.len()).map(|node| (middle(node).x, middle(node).y)).collect(), routes }
}

/// The layer of each box: as far up as its inputs allow, then as near to its readers as costs nothing.
fn ranks(count: usize, arrows: &[Arrow]) -> Vec<usize> {
    let mut ranks = vec![0; count];
    // A path has no more arrows than there are boxes, so this ends even if the arrows made a cycle.
    for _ in 0..count {
        for arrow in arrows {
            ranks[arrow.to] = ranks[arrow.to].max(ranks[arrow.from] + 1);
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&node| std::cmp::Reverse(ranks[node]));
    for node in order {
        let inputs = arrows.iter().filter(|arrow| arrow.to == node).count();
        let readers: Vec<usize> =
            arrows.iter().filter(|arrow| arrow.from == node).map(|arrow| ranks[arrow.to]).collect();
        if let Some(nearest) = readers.iter().min().filter(|_| readers.len() >= inputs) {
            ranks[node] = nearest - 1;
        }
    }
    ranks
}

/// Places all vertices; parts that are not connected stand side by side.
fn place(graph: &StableDiGraph<Vertex, ()>) -> (Vec<Place>, Size) {
    let config = Config { vertex_spacing: SIDE_GAP, ..Config::default() };
    let mut parts = rust_sugiyama::from_graph(graph, &|_, vertex: &Vertex| vertex.size, &config);
    for (vertices, ..) in &mut parts {
        vertices.sort_by_key(|(vertex, _)| *vertex);
    }
    parts.sort_by_key(|(vertices, ..)| vertices.first().map(|(vertex, _)| *vertex));
    let mut places = vec![Place::default(); graph.node_count()];
    let (mut left, mut height) = (0.0_f64, 0.0_f64);
    for (vertices, ..) in &parts {
        let mut layers = BTreeMap::<usize, Vec<(f64, NodeIndex)>>::new();
        for &(vertex, (x, _)) in vertices {
            layers.entry(graph[vertex].layer).or_default().push((x, vertex));
        }
        let width = |vertex: NodeIndex| graph[vertex].size.0;
        for row in layers.values_mut() {
            row.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for right in 1..row.len() {
                let (beside, vertex) = (row[right - 1], row[right].1);
                row[right].0 = row[right].0.max(beside.0 + f64::midpoint(width(beside.1), width(vertex)) + SIDE_GAP);
            }
        }
        let all = || layers.values().flatten();
        let start = all().map(|&(x, vertex)| x - width(vertex) / 2.0).fold(f64::INFINITY, f64::min);
        let end = all().map(|&(x, vertex)| x + width(vertex) / 2.0).fold(f64::NEG_INFINITY, f64::max);
        let centres: BTreeMap<NodeIndex, f64> = all().map(|&(x, vertex)| (vertex, x)).collect();
        let mut top = 0.0;
        for row in layers.values() {
            let tallest = row.iter().map(|(_, vertex)| graph[*vertex].size.1).fold(0.0, f64::max);
            for &(x, vertex) in row {
                places[vertex.index()] =
                    Place { x: x - start + left, y: top + tallest / 2.0, top, bottom: top + tallest };
            }
            height = height.max(top + tallest);
            let to_side = |x: f64, vertex: NodeIndex| {
                let below = graph.neighbors(vertex).filter_map(|below| centres.get(&below));
                below.map(|below| (below - x).abs()).fold(0.0, f64::max)
            };
            let farthest = row.iter().map(|&(x, vertex)| to_side(x, vertex)).fold(0.0, f64::max);
            top += tallest + LAYER_GAP + (farthest / 8.0).min(MOST_EXTRA_GAP);
        }
        left += end - start + PART_GAP;
    }
    (places, ((left - PART_GAP).max(0.0), height))
}

/// Where each arrow leaves its first box and enters its second, from the left: side by side in the order in which the
/// arrows come from and go to, so that they do not cross at the box.
fn ends(
    boxes: &[Size],
    arrows: &[Arrow],
    nodes: &[NodeIndex],
    chains: &[Vec<NodeIndex>],
    places: &[Place],
) -> Vec<(f64, f64)> {
    let mut ends = vec![(0.0, 0.0); arrows.len()];
    for (node, (width, _)) in boxes.iter().enumerate() {
        let centre = places[nodes[node].index()].x;
        let spread = |mut there: Vec<(f64, usize)>, set: &mut dyn FnMut(usize, f64)| {
            there.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let gaps = there.len().saturating_sub(1) as f64;
            let step = if gaps > 0.0 { PORT_STEP.min((width - 2.0 * PORT_STEP) / gaps) } else { 0.0 };
            for (position, (_, arrow)) in there.iter().enumerate() {
                set(*arrow, centre + (position as f64 - gaps / 2.0) * step);
            }
        };
        let lane = |vertex: Option<&NodeIndex>| vertex.map_or(centre, |vertex| places[vertex.index()].x);
        let ending = |here: &dyn Fn(&Arrow) -> bool, lane_of: &dyn Fn(usize) -> f64| {
            arrows
                .iter()
                .enumerate()
                .filter(|(_, arrow)| here(arrow))
                .map(|(index, _)| (lane_of(index), index))
                .collect::<Vec<_>>()
        };
        let leaving = ending(&|arrow| arrow.from == node, &|index| lane(chains[index].first()));
        let entering = ending(&|arrow| arrow.to == node, &|index| lane(chains[index].last()));
        spread(leaving, &mut |arrow, x| ends[arrow].0 = x);
        spread(entering, &mut |arrow, x| ends[arrow].1 = x);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(pairs: &[(usize, usize)]) -> Vec<Arrow> {
        pairs.iter().map(|&(from, to)| Arrow { from, to, label: vec![], side: false }).collect()
    }

    /// A few hundred graphs, by a fixed linear congruence, so that a failure can be seen again.
    fn random_graphs() -> impl Iterator<Item = (Vec<Size>, Vec<Arrow>, Vec<Size>)> {
        let mut seed = 7_u64;
        let mut next = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        (0..300).map(move |_| {
            let count = 1 + next(12) as usize;
            let boxes = (0..count).map(|_| (120.0 + next(200) as f64, 40.0 + next(80) as f64)).collect();
            let pairs: Vec<(usize, usize)> = (0..next(20))
                .map(|_| (next(count as u64) as usize, next(count as u64) as usize))
                .filter(|(from, to)| from < to)
                .collect();
            let labels = pairs.iter().map(|_| (next(160) as f64, 20.0)).collect();
            (boxes, arrows(&pairs), labels)
        })
    }

    fn overlap(a: (Point, Size), b: (Point, Size)) -> bool {
        (a.0.0 - b.0.0).abs() < f64::midpoint(a.1.0, b.1.0) && (a.0.1 - b.0.1).abs() < f64::midpoint(a.1.1, b.1.1)
    }

    #[test]
    fn boxes_and_labels_never_overlap_and_stand_within_the_picture() {
        for (boxes, arrows, labels) in random_graphs() {
            let layout = layout(&boxes, &arrows, &labels);
            let mut things: Vec<(Point, Size)> = layout.boxes.iter().copied().zip(boxes).collect();
            things.extend(layout.routes.iter().map(|route| route.label).zip(labels));
            for (index, &thing) in things.iter().enumerate() {
                assert!(things[..index].iter().all(|&other| !overlap(thing, other)), "{layout:?}");
                let ((x, y), (width, height)) = thing;
                assert!(x - width / 2.0 >= -0.01 && x + width / 2.0 <= layout.size.0 + 0.01, "{layout:?}");
                assert!(y - height / 2.0 >= -0.01 && y + height / 2.0 <= layout.size.1 + 0.01, "{layout:?}");
            }
        }
    }

    #[test]
    fn an_arrow_runs_down_and_through_no_box() {
        for (boxes, arrows, labels) in random_graphs() {
            let layout = layout(&boxes, &arrows, &labels);
            for (route, arrow) in layout.routes.iter().zip(&arrows) {
                let ys: Vec<f64> = route.pieces.iter().flat_map(|(from, to)| [from.1, to.1]).collect();
                assert!(ys.is_sorted(), "{route:?}");
                for (from, to) in &route.pieces[1..route.pieces.len() - 1] {
                    let piece = ((f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1)), (0.0, to.1 - from.1));
                    for (node, &size) in boxes.iter().enumerate() {
                        assert!(!overlap(piece, (layout.boxes[node], size)), "{arrow:?} {layout:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_graph_is_laid_out_the_same_way() {
        for (boxes, arrows, labels) in random_graphs().take(60) {
            let first = format!("{:?}", layout(&boxes, &arrows, &labels));
            for _ in 0..3 {
                assert_eq!(format!("{:?}", layout(&boxes, &arrows, &labels)), first);
            }
        }
    }

    #[test]
    fn a_source_stands_just_above_what_reads_it() {
        // 0 → 1 → 2 → 3, and 4 joins at 3.
        assert_eq!(ranks(5, &arrows(&[(0, 1), (1, 2), (2, 3), (4, 3)])), [0, 1, 2, 3, 2]);
    }

    #[test]
    fn a_graph_of_nothing_is_empty() {
        assert_eq!(layout(&[], &[], &[]).size, (0.0, 0.0));
    }
}
