//! Real processes that are killed: the work goes on elsewhere.
