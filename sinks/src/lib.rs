//! Watershed's built-in sinks.
