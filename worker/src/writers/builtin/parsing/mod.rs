//! Parsing foreign source in child processes, because a grammar can be made to loop, eat memory or crash.
//!
//! `child` is what the hidden command `docmill parse-source` runs, `parent` starts two of them and outlives their
//! deaths, `frames` is what they say to each other.

pub(crate) mod child;
pub(crate) mod frames;
pub(crate) mod parent;
