//! Runs a plan: epoch after epoch, each from a logged intent to a commit.
//!
//! ```text
//! intake threads        driver thread                         rayon pool
//! read, decode ──▶ bounded channel ──▶ rounds of batches ──▶ lanes: stateless chains, work before exchanges
//!                                      exchange by key   ──▶ partitions: stateful nodes, then the chains below them
//!                                      output in parts   ──▶ sinks stage
//! commit thread                        epoch n: state, sinks, commit record    while epoch n + 1 computes
//! ```
//!
//! One thread, the driver, owns the epoch loop and the intents; one thread commits, in the order of the epochs. The intake
//! threads read the next epoch ahead while this one computes; the channel's bound is the backpressure.

mod activity;
mod calls;
mod commit;
mod compute;
mod driver;
mod durable;
mod error;
mod fingerprint;
mod found;
#[cfg(feature = "testing")]
mod hooks;
mod intake;
mod lane;
mod observer;
mod open;
mod options;
mod planning;
mod progress;
mod recovery;
mod report;
mod topology;
mod waiting;
mod wakes;
mod watermarks;

pub use activity::{Activity, AtWork};
pub use driver::{Engine, Step};
pub use error::EngineError;
pub use observer::Observer;
pub use options::{Connectors, EngineOptions, StopSignal};
pub use progress::{Durations, EventTimeProgress, OperatorProgress, Progress, SinkProgress, SourceProgress, Summary};
pub use recovery::{Recovery, foresee};
pub use waiting::Waiting;
