//! The colours of drawings: one family per look, readable on a light and on a dark ground.

use super::picture::Look;

/// The colours of one look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    /// The ground of the box.
    pub(super) ground: &'static str,
    /// Its border, and the type's name.
    pub(super) line: &'static str,
}

/// All looks in the order of a legend, with the word for each.
pub(super) const LOOKS: [(Look, &str); 5] = [
    (Look::Source, "source"),
    (Look::Stateless, "operator"),
    (Look::Stateful, "keeps state"),
    (Look::Growing, "keeps state that only grows"),
    (Look::Sink, "sink"),
];

/// A look's class in SVG and Mermaid.
pub(super) const fn class(look: Look) -> &'static str {
    match look {
        Look::Source => "source",
        Look::Stateless => "operator",
        Look::Stateful => "stateful",
        Look::Growing => "growing",
        Look::Sink => "sink",
    }
}

/// On a light ground.
pub(super) const fn light(look: Look) -> Colours {
    match look {
        Look::Source => Colours { ground: "#eaf2fe", line: "#2563c9" },
        Look::Stateless => Colours { ground: "#f4f5f7", line: "#5c6673" },
        Look::Stateful => Colours { ground: "#f3eefe", line: "#6d3fd1" },
        Look::Growing => Colours { ground: "#fdf0e7", line: "#b8500f" },
        Look::Sink => Colours { ground: "#e8f7ef", line: "#157a4b" },
    }
}

/// On a dark ground.
pub(super) const fn dark(look: Look) -> Colours {
    match look {
        Look::Source => Colours { ground: "#14233a", line: "#6ea3f7" },
        Look::Stateless => Colours { ground: "#1e232a", line: "#98a3b1" },
        Look::Stateful => Colours { ground: "#251c3b", line: "#b094f7" },
        Look::Growing => Colours { ground: "#332015", line: "#f0985f" },
        Look::Sink => Colours { ground: "#12291d", line: "#4cc48a" },
    }
}
