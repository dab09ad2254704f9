//! What makes a run durable: intents, versions of state, commits, and the decision how to go on after a crash.
//!
//! ```text
//! metadata.json                                  what this is; written once
//! graphs/<n>.json                                the graph as it is run from epoch n on
//! epochs/<n>.intent   epochs/<n>.commit          what epoch n is to do; the proof that it is done
//! state/<node>/<partition>/<table>.<n>.delta     what epoch n changed
//! state/<node>/<partition>/<table>.<n>.snapshot  all rows after epoch n
//! ```
//!
//! An epoch's intent is durable before a row of it reaches an operator; its state before its output is shown; its commit
//! when both are. So what a crash leaves is always one of a few cases, and [`decide`] is a pure function over them.

mod error;
mod holdings;
pub mod inspect;
mod ledger;
mod local;
mod memory;
mod name;
mod record;
mod recovery;
mod restore;
mod simulated;
mod state_file;
mod storage;
mod suite;
mod verdict;

pub use error::{CheckpointError, Damage, DamageCause};
pub use holdings::Holdings;
pub use ledger::{Ledger, TableKey};
pub use local::{DirectoryEntry, EntryKind, FileLock, FileSystem, LocalDirectory, LockAttempt, StdFileSystem};
pub use memory::MemoryStorage;
pub use name::check_file_name;
pub use record::{
    Chain, Commit, FileName, GraphRecord, Intent, METADATA, Metadata, NodeRecord, NodeRole, StateContent, StateFile,
    WatermarkRecord, file as record_file,
};
pub(crate) use recovery::PUT_BACK;
pub use recovery::{Decision, decide};
pub use restore::{LoadError, Wanted, load, read as read_state};
pub use simulated::{Crash, SimulatedDisk};
pub use state_file::{
    Action, Entry, StateHeader, StateRows, TableContent, decode as decode_state, encode as encode_state,
};
pub use storage::{CheckpointLock, CheckpointStorage, Holder, NewFile, StoredFile};
pub use suite::check_storage;
pub use verdict::{Adjustments, Change, GraphNode, NodeVerdict, Verdict, compare, is_the_same};

/// The version of the format of all files that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
