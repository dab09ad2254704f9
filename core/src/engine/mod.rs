//! Runs a plan: epoch after epoch, each from a logged intent to a commit.
//!
//! ```text
//! intake threads        driver thread                         rayon pool
//! read, decode ──▶ bounded channel ──▶ rounds of batches ──▶ lanes: stateless chains, work before exchanges
//!                                      exchange by key   ──▶ partitions: stateful nodes, then the chains below them
//!                                      output in parts   ──▶ sinks stage
//!                                      commit: state, sinks, log, sources
//! ```
//!
//! One thread, the driver, owns the epoch loop, the log and every commit. The intake threads read the next epoch ahead
//! while this one computes; the channel's bound is the backpressure.

mod compute;
mod driver;
mod error;
mod intake;
mod lane;
mod options;
mod progress;
mod topology;
mod watermarks;

pub use driver::{Engine, Step};
pub use error::EngineError;
pub use options::{Connectors, EngineOptions, StopSignal};
pub use progress::{Durations, EventTimeProgress, OperatorProgress, Progress, SinkProgress, SourceProgress, Summary};
