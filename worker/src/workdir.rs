//! Temporary trees of runs; leftovers of dead processes are swept at start.
