//! Whole-system tests.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach the functions that they share")]

mod postgres;
