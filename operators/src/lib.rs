//! Watershed's built-in operators.
