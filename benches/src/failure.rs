//! What can go wrong while something is measured.

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use watershed::core::checkpoint::CheckpointError;
use watershed::core::engine::EngineError;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The two sides do not agree.
    #[error("the answers differ: {0}")]
    Differs(String),
    /// The graph was refused.
    #[error("the graph was refused: {0}")]
    Graph(String),
    /// Generated data could not be read.
    #[error("bad data: {0}")]
    Data(String),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A decoder failed.
    #[error(transparent)]
    Decoder(#[from] watershed::core::error::Error),
    /// Arrow failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// Parquet failed.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// Files could not be written or read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
