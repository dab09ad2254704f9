//! Watershed's built-in sources.
