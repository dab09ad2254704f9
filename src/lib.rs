//! Watershed: event-time stream processing from a RON file.
