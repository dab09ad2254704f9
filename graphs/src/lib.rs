//! Watershed's graph files: from RON text to a checked plan.
