//! The node types linked into this program, with what `list`, `describe` and good error messages need to know of each.
//!
//! `typetag` reads a node by its type's name; this registry knows the name's fields, ports, docs and example besides.
//! One macro call enters a type here and gives it the [`Node`] face without which it is no `OperatorSpec`, so neither
//! half can be forgotten.

use std::borrow::Cow;

use schemars::Schema;

use crate::epoch::Port;

/// Which of the graph's three maps a node type belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Brings rows in.
    Source,
    /// Turns rows into rows.
    Operator,
    /// Takes rows out.
    Sink,
}

impl Kind {
    /// The graph file's section: `sources`, `operators` or `sinks`.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Operator => "operators",
            Self::Sink => "sinks",
        }
    }

    /// The word for one of them, with its article.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Source => "a source",
            Self::Operator => "an operator",
            Self::Sink => "a sink",
        }
    }
}

/// A node type that is linked into this program.
#[derive(Debug)]
pub struct NodeEntry {
    /// The type's name, as a graph file writes it.
    pub name: &'static str,
    /// Which section it belongs to.
    pub kind: Kind,
    /// The crate it comes from.
    pub package: &'static str,
    /// Its fields with types, defaults and docs, from the struct that is parsed.
    pub schema: fn() -> Schema,
    /// A node in RON that loads, to copy from.
    pub example: &'static str,
}

/// What the macros submit.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registered(pub &'static NodeEntry);

inventory::collect!(Registered);

/// Every linked node type, by kind and name.
pub fn entries() -> Vec<&'static NodeEntry> {
    let mut entries: Vec<_> = inventory::iter::<Registered>().map(|registered| registered.0).collect();
    entries.sort_by_key(|entry| (entry.kind, entry.name));
    entries
}

/// What every registered node type has; implemented by the `register_…!` macros only.
pub trait Node {
    /// What the registry knows of this type.
    fn entry(&self) -> &'static NodeEntry;
}

/// A port's name: fixed for most nodes, made at run time where a node declares its own ports.
pub type PortName = Cow<'static, str>;

/// The ports of a node, by name. The first of each is the default and needs no name in `flow`.
///
/// ```
/// use watershed_core::epoch::Port;
/// use watershed_core::node::Ports;
///
/// let ports = Ports::of(["in", "initial"], ["out", "alerts"]).optional(Port(1));
/// assert!(ports.is_optional(Port(1)) && !ports.is_optional(Port::FIRST));
/// assert_eq!(Ports::of(["in"], ["out", "late"]), Ports::WITH_LATE);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Input ports.
    pub inputs: Cow<'static, [PortName]>,
    /// Output ports.
    pub outputs: Cow<'static, [PortName]>,
    /// Input ports that may stay unfed. The node is then given no stream for them.
    pub optional: Vec<Port>,
    /// Whether an input port takes several edges.
    pub many: bool,
}

impl Ports {
    /// One input, one output: what most nodes have.
    pub const PLAIN: Self = Self { inputs: IN, outputs: Cow::Borrowed(&[OUT]), optional: Vec::new(), many: false };
    /// One input, the result, and the rows that came too late to have an effect.
    pub const WITH_LATE: Self =
        Self { inputs: IN, outputs: Cow::Borrowed(&[OUT, Cow::Borrowed("late")]), optional: Vec::new(), many: false };

    /// Ports of these names.
    pub fn of<Input: Into<PortName>, Output: Into<PortName>>(
        inputs: impl IntoIterator<Item = Input>,
        outputs: impl IntoIterator<Item = Output>,
    ) -> Self {
        Self {
            inputs: inputs.into_iter().map(Into::into).collect(),
            outputs: outputs.into_iter().map(Into::into).collect(),
            ..Self::PLAIN
        }
    }

    /// The same ports, of which the input `port` may stay unfed.
    #[must_use]
    pub fn optional(mut self, port: Port) -> Self {
        self.optional.push(port);
        self
    }

    /// Whether the input `port` may stay unfed.
    pub fn is_optional(&self, port: Port) -> bool {
        self.optional.contains(&port)
    }
}

const IN: Cow<'static, [PortName]> = Cow::Borrowed(&[Cow::Borrowed("in")]);
const OUT: PortName = Cow::Borrowed("out");

/// Registers a source type: `register_source!(Rate, example: r#"Rate(rows_per_second: 10)"#);`
#[macro_export]
macro_rules! register_source {
    ($type:ident, example: $example:expr) => {
        $crate::register_node!($type, Source, $example);
    };
}

/// Registers an operator type: `register_operator!(Limit, example: "Limit(10)");`
///
/// The type derives `Serialize`, `Deserialize`, `JsonSchema`, `Debug`, and implements
/// [`OperatorSpec`](crate::node::OperatorSpec) under `#[typetag::serde]`.
#[macro_export]
macro_rules! register_operator {
    ($type:ident, example: $example:expr) => {
        $crate::register_node!($type, Operator, $example);
    };
}

/// Registers a sink type: `register_sink!(Discard, example: "Discard()");`
#[macro_export]
macro_rules! register_sink {
    ($type:ident, example: $example:expr) => {
        $crate::register_node!($type, Sink, $example);
    };
}

/// The common half of the three macros above.
#[doc(hidden)]
#[macro_export]
macro_rules! register_node {
    ($type:ident, $kind:ident, $example:expr) => {
        const _: () = {
            static ENTRY: $crate::node::NodeEntry = $crate::node::NodeEntry {
                name: stringify!($type),
                kind: $crate::node::Kind::$kind,
                package: env!("CARGO_PKG_NAME"),
                schema: || $crate::private::schemars::schema_for!($type),
                example: $example,
            };
            impl $crate::node::Node for $type {
                fn entry(&self) -> &'static $crate::node::NodeEntry {
                    &ENTRY
                }
            }
            $crate::private::inventory::submit! { $crate::node::Registered(&ENTRY) }
        };
    };
}
