//! Where checkpoints lie, as graph files and the command line write it: a directory, or a store of objects.
//!
//! ```
//! let storage = watershed::storage::open("checkpoints/visits")?;
//! assert_eq!(storage.location(), "checkpoints/visits");
//! # Ok::<(), watershed::storage::StorageError>(())
//! ```
//!
//! `s3://bucket/prefix` and its like are read by the clouds' own settings in the environment and need a build with the
//! feature of that cloud. A program that has a store of objects at hand makes an [`ObjectStorage`] of it.
//!
//! ```text
//! location ── open ──▶ LocalDirectory                     a path, file://
//!                └───▶ ObjectStorage ── Reactor           one thread that waits for the store
//!                            └── Lease on `lock`          renewed by that thread, checked before each write
//! ```

mod flight;
mod lease;
mod location;
mod lock_file;
mod object;
mod place;
mod process;
mod reactor;
mod words;

pub use location::{StorageError, open};
pub use object::ObjectStorage;
/// The stores themselves, for programs that make their own.
pub use object_store;
