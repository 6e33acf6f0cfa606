//! Whole-system tests: through the front door, with a real database, and for what only a real process shows, with that.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach the functions that they share")]

#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests may panic, and the crate of the worker uses a part of it"
)]
mod support;
mod architecture;
mod documents;
mod postgres;
mod routes;
mod jobs;
mod pipeline;
mod crash;
mod program;
mod import;
mod contract;
