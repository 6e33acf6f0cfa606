//! The queue and the rules of generations: enqueue, claim, abort, recovery.

mod queue;
mod pages;
mod inspections;
mod generations;
mod aborts;
mod recovery;
mod queries;
mod pausing;
mod draining;
mod version_skew;
mod retention;
