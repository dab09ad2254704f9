//! Watershed's benchmarks and side-by-side runs.
