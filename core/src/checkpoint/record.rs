//! The small files of a checkpoint: what they say, and how they are written and read.
//!
//! Each is two lines of JSON: the record, then `{"crc32": "…"}` over the first line without its line end. Reading tells a missing,
//! malformed, altered or newer file apart; it never guesses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FORMAT;
use super::error::DamageCause;
use super::storage::NewFile;
use crate::epoch::Epoch;
use crate::node::{Offset, OffsetRange};
use crate::state::TableRecord;
use crate::time::{Timestamp, Watermark};

/// What a checkpoint is: written once, before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The graph that made it.
    pub graph: String,
    /// When.
    pub created: Timestamp,
}

/// A graph as it is run from some epoch on: what state and offsets mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphRecord {
    /// The graph's name.
    pub name: String,
    /// The graph in its own language, as the program that ran it wrote it down; opaque here.
    pub text: String,
    /// Into how many partitions the state is cut.
    pub partitions: usize,
    /// All nodes by name.
    pub nodes: BTreeMap<String, NodeRecord>,
    /// The edges, as `from:port -> to:port`, in their order.
    #[serde(default)]
    pub flow: Vec<String>,
}

impl GraphRecord {
    /// Whether both do the same to the same rows.
    pub fn does_the_same_as(&self, other: &Self) -> bool {
        self.nodes == other.nodes && self.flow == other.flow
    }
}

/// A node as a checkpoint remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Source, operator or sink.
    pub role: NodeRole,
    /// The type's name in the registry.
    pub kind: String,
    /// Its fields as the graph writes them.
    pub spec: Value,
    /// The version of what it keeps.
    #[serde(default)]
    pub state_version: u32,
    /// What it keeps; none for a node without state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableRecord>,
}

/// A node's part in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// It brings rows in.
    Source,
    /// It works on them.
    Operator,
    /// It takes them out.
    Sink,
}

impl NodeRole {
    /// The role's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Operator => "operator",
            Self::Sink => "sink",
        }
    }

    /// The role's name with its article.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::Source => "a source",
            Self::Operator => "an operator",
            Self::Sink => "a sink",
        }
    }
}

/// What an epoch is to do: with the state of the epoch before, all that a replay needs to give the same answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The epoch.
    pub epoch: Epoch,
    /// The graph that planned it: the number of a file in `graphs/`.
    pub graph: Epoch,
    /// What it reads, by source.
    pub ranges: BTreeMap<String, OffsetRange>,
    /// The watermark that makes rows late, by watermark node: the one of the epoch before.
    pub late: BTreeMap<String, Watermark>,
    /// The watermark that closes and evicts, by watermark node.
    pub evict: BTreeMap<String, Watermark>,
    /// The watermark nodes that have been silent for too long to be waited for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub idle: BTreeSet<String>,
    /// The epoch's processing time.
    pub processing_time: Timestamp,
}

/// The proof that an epoch is done, and all that the next one starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The epoch.
    pub epoch: Epoch,
    /// The graph that ran it: the number of a file in `graphs/`.
    pub graph: Epoch,
    /// Where every source stands.
    pub offsets: BTreeMap<String, Offset>,
    /// Every watermark node.
    pub watermarks: BTreeMap<String, WatermarkRecord>,
    /// The watermark that every stateful node has reached: it does not go back, whatever comes above the node.
    #[serde(default)]
    pub reached: BTreeMap<String, Watermark>,
    /// The files that hold the state after this epoch: by node, by table, per partition.
    pub state: BTreeMap<String, BTreeMap<String, Vec<Chain>>>,
}

/// A watermark node after an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatermarkRecord {
    /// The newest event time that it has seen.
    pub newest: Watermark,
    /// What was in force in the epoch.
    pub in_force: Watermark,
    /// What is in force in the next.
    pub next: Watermark,
}

/// The files that make up one table of one partition: the newest snapshot, and the deltas after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The epoch of the snapshot; none when the deltas begin with an empty table.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot: Option<Epoch>,
    /// The epochs of the deltas, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub deltas: Vec<Epoch>,
}

/// The name of the file of [`Metadata`].
pub const METADATA: &str = "metadata.json";

/// The names of the files of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// `metadata.json`
    Metadata,
    /// `graphs/<epoch>.json`
    Graph(Epoch),
    /// `epochs/<epoch>.intent`
    Intent(Epoch),
    /// `epochs/<epoch>.commit`
    Commit(Epoch),
    /// `state/<node>/<partition>/<table>.<epoch>.delta` or `….snapshot`
    State(StateFile),
}

/// A file of state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateFile {
    /// The node.
    pub node: String,
    /// The partition.
    pub partition: usize,
    /// The table.
    pub table: String,
    /// The epoch after which the state was so.
    pub epoch: Epoch,
    /// All rows, or what changed.
    pub content: StateContent,
}

/// What a file of state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateContent {
    /// What one epoch changed.
    Delta,
    /// All rows.
    Snapshot,
}

impl StateContent {
    /// The extension of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Snapshot => "snapshot",
        }
    }
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Metadata => f.write_str(METADATA),
            Self::Graph(Epoch(epoch)) => write!(f, "graphs/{epoch:08}.json"),
            Self::Intent(Epoch(epoch)) => write!(f, "epochs/{epoch:08}.intent"),
            Self::Commit(Epoch(epoch)) => write!(f, "epochs/{epoch:08}.commit"),
            Self::State(StateFile { node, partition, table, epoch: Epoch(epoch), content }) => {
                let extension = content.extension();
                write!(f, "state/{}/{partition}/{}.{epoch:08}.{extension}", folder(node), folder(table))
            }
        }
    }
}

impl FileName {
    /// Reads what [`Display`](std::fmt::Display) writes, and nothing else.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('/');
        let parsed = match (parts.next()?, parts.next()) {
            (METADATA, None) => Self::Metadata,
            ("graphs", Some(file)) => Self::Graph(epoch(file.strip_suffix(".json")?)?),
            ("epochs", Some(file)) => match file.rsplit_once('.')? {
                (number, "intent") => Self::Intent(epoch(number)?),
                (number, "commit") => Self::Commit(epoch(number)?),
                _ => return None,
            },
            ("state", Some(node)) => {
                let partition = parts.next()?.parse().ok()?;
                let (rest, extension) = parts.next()?.rsplit_once('.')?;
                let (table, number) = rest.rsplit_once('.')?;
                let content = match extension {
                    "delta" => StateContent::Delta,
                    "snapshot" => StateContent::Snapshot,
                    _ => return None,
                };
                let (node, table) = (unfolder(node)?, unfolder(table)?);
                Self::State(StateFile { node, partition, table, epoch: epoch(number)?, content })
            }
            _ => return None,
        };
        (parsed.to_string() == name).then_some(parsed)
    }
}

fn epoch(digits: &str) -> Option<Epoch> {
    digits.parse().ok().map(Epoch)
}

/// A node's name as a folder's: letters, digits, `-` and `_` stay, any other byte becomes `%` and two hexadecimal digits.
fn folder(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            folder.push(char::from(byte));
        } else {
            write!(folder, "%{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    folder
}

fn unfolder(folder: &str) -> Option<String> {
    let mut pieces = folder.split('%');
    let mut name = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        name.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        name.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(name).ok()
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    format: u32,
    #[serde(flatten)]
    record: T,
}

#[derive(Serialize, Deserialize)]
struct Seal {
    crc32: String,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// The file that holds `record`.
pub fn file<T: Serialize>(name: &FileName, record: &T) -> NewFile {
    let mut text = serde_json::to_vec(&Versioned { format: FORMAT, record }).expect("records are maps with text keys");
    let seal = Seal { crc32: format!("{:08x}", crc32fast::hash(&text)) };
    text.push(b'\n');
    serde_json::to_writer(&mut text, &seal).expect("a seal is text");
    text.push(b'\n');
    NewFile { name: name.to_string(), content: vec![text] }
}

/// Reads what [`file()`] wrote.
pub(super) fn read<T: DeserializeOwned>(content: &[u8]) -> Result<T, DamageCause> {
    let malformed = |how: &str| DamageCause::Malformed(how.to_owned());
    let line_end = content.iter().position(|byte| *byte == b'\n').ok_or_else(|| malformed("it ends too early"))?;
    let (line, seal) = (&content[..line_end], &content[line_end + 1..]);
    let seal: Seal = serde_json::from_slice(seal).map_err(|_| malformed("it has no checksum at its end"))?;
    if seal.crc32 != format!("{:08x}", crc32fast::hash(line)) {
        return Err(DamageCause::Checksum);
    }
    let FormatOnly { format } = serde_json::from_slice(line).map_err(|error| malformed(&error.to_string()))?;
    if format > FORMAT {
        return Err(DamageCause::Newer { format });
    }
    let versioned: Versioned<T> = serde_json::from_slice(line).map_err(|error| malformed(&error.to_string()))?;
    Ok(versioned.record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_is_written_and_nothing_else_is_a_file_of_a_checkpoint() {
        let state = |node: &str, content| {
            let (node, table) = (node.to_owned(), "groups".to_owned());
            FileName::State(StateFile { node, partition: 3, table, epoch: Epoch(12), content })
        };
        for (name, text) in [
            (FileName::Metadata, "metadata.json"),
            (FileName::Graph(Epoch(0)), "graphs/00000000.json"),
            (FileName::Intent(Epoch(7)), "epochs/00000007.intent"),
            (FileName::Commit(Epoch(123_456_789)), "epochs/123456789.commit"),
            (state("counts", StateContent::Delta), "state/counts/3/groups.00000012.delta"),
            (state("per user/é", StateContent::Snapshot), "state/per%20user%2f%c3%a9/3/groups.00000012.snapshot"),
            (state("..", StateContent::Delta), "state/%2e%2e/3/groups.00000012.delta"),
        ] {
            assert_eq!(name.to_string(), text);
            assert_eq!(FileName::parse(text), Some(name));
        }
        for other in
            ["lock", "epochs/7.intent", "epochs/00000007.commit~", "state/a/b/groups.00000012.delta", "state/a/0/x"]
        {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_that_was_touched_is_not_believed() {
        let metadata = Metadata { graph: "g".to_owned(), created: Timestamp::from_micros(0) };
        let good = file(&FileName::Metadata, &metadata).content.concat();
        assert_eq!(read::<Metadata>(&good), Ok(metadata));
        for cut in 0..good.len() - 1 {
            let cause = read::<Value>(&good[..cut]).expect_err("cut off");
            assert!(matches!(cause, DamageCause::Malformed(_)), "{cut}: {cause:?}");
        }
        for at in 0..good.len() - 1 {
            for bit in 0..8 {
                let mut flipped = good.clone();
                flipped[at] ^= 1 << bit;
                assert!(read::<Value>(&flipped).is_err(), "byte {at}, bit {bit}");
            }
        }
        let newer = String::from_utf8(good).expect("text").replace(&format!("\"format\":{FORMAT}"), "\"format\":999");
        let line = newer.lines().next().expect("a line");
        let resealed = format!("{line}\n{{\"crc32\":\"{:08x}\"}}\n", crc32fast::hash(line.as_bytes()));
        assert_eq!(read::<Value>(resealed.as_bytes()), Err(DamageCause::Newer { format: 999 }));
    }
}
